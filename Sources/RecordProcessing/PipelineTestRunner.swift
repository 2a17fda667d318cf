internal import PipelineLanguage

/// One test block's end.
package struct PipelineTestResult: Sendable {
    package var name: String
    /// What was expected and what came instead; empty when it passed.
    package var failures: [String]

    package var passed: Bool { failures.isEmpty }
}

/// Runs the `test` blocks of a pipeline on file content, through the framer that reads real files.
package struct PipelineTestRunner {
    /// One event of an input.
    package struct Event {
        package var range: Range<Int>
        package var line: Int64

        package init(range: Range<Int>, line: Int64) {
            self.range = range
            self.line = line
        }
    }

    /// What came of one line or one send.
    private enum Outcome {
        case record(StagedRecord)
        case dropped(String)
        case deadLetter(StagedRecord, RecordFailure)
        case skipped(RecordFailure)
        case stopped(RecordFailure)
    }

    private let program: Program

    package init(program: Program) {
        self.program = program
    }

    /// - Parameter frame: cuts an input into events; `matches` is for multi-line framing.
    package func run(
        where isWanted: (String) -> Bool = { _ in true },
        frame: (Text, _ matches: (Text) -> Bool) -> [Event]
    ) -> [PipelineTestResult] {
        program.plan.tests.filter { isWanted($0.name) }.map { run($0, frame: frame) }
    }

    private func run(
        _ test: PipelineTest,
        frame: (Text, _ matches: (Text) -> Bool) -> [Event]
    ) -> PipelineTestResult {
        let processor = RecordProcessor(program: program)
        for given in test.given {
            processor.given[given.meta] = constant(given.value, in: processor)
        }
        let input = Array(test.input.utf8)
        var file = FileContext(path: "test", inode: 0, modified: 0, header: nil)
        var checker = OutcomeChecker(runner: self, test: test)
        input.withUnsafeBytes { bytes in
            for event in frame(bytes, processor.matchesLine) {
                let position = RecordPosition(
                    line: event.line,
                    offset: Int64(event.range.lowerBound),
                    readTime: 0
                )
                let content = Text(rebasing: bytes[event.range])
                let fate = processor.process(content, in: &file, at: position)
                for outcome in outcomes(fate, processor) { checker.take(outcome, processor) }
                if case .stopped = fate { break }
            }
        }
        checker.finish()
        return PipelineTestResult(name: test.name, failures: checker.failures)
    }

    private func outcomes(_ fate: Fate, _ processor: RecordProcessor) -> [Outcome] {
        switch fate {
        case .sent: return processor.staged.map(Outcome.record)
        case .dropped(let reason): return [.dropped(program.dropReasons[reason])]
        case .consumed: return []
        case .deadLettered(let failure):
            if case .steps = program.errorCode { return processor.staged.map(Outcome.record) }
            return processor.staged.map { .deadLetter($0, failure) }
        case .skipped(let failure): return [.skipped(failure)]
        case .stopped(let failure): return [.stopped(failure)]
        }
    }

    /// A value of a test, which holds literals only.
    private func constant(_ expression: Expression, in processor: RecordProcessor) -> Value {
        let compiler = ProgramCompiler(plan: program.plan, environment: [:], constants: constants)
        guard let node = try? compiler.node(expression) else { return .missing }
        return (try? processor.evaluate(node)) ?? .missing
    }

    private let constants = ConstantPool()

    // MARK: Comparing

    /// Holds outcomes against expectations, in their order.
    private struct OutcomeChecker {
        let runner: PipelineTestRunner
        let test: PipelineTest
        var next = 0
        var failures: [String] = []

        init(runner: PipelineTestRunner, test: PipelineTest) {
            self.runner = runner
            self.test = test
        }

        mutating func take(_ outcome: Outcome, _ processor: RecordProcessor) {
            while next < test.expectations.count, case .nothing = test.expectations[next].kind {
                next += 1
            }
            guard next < test.expectations.count else {
                failures.append("nothing more was expected, but \(described(outcome))")
                return
            }
            let expectation = test.expectations[next]
            next += 1
            let place = runner.program.plan.source.lineNumber(of: expectation.span.start)
            for problem in problems(outcome, expectation.kind, processor) {
                failures.append("line \(place): \(problem)")
            }
        }

        mutating func finish() {
            for expectation in test.expectations[next...] {
                if case .nothing = expectation.kind { continue }
                let place = runner.program.plan.source.lineNumber(of: expectation.span.start)
                failures.append(
                    "line \(place): expected \(described(expectation.kind)), but nothing came"
                )
            }
        }

        private func problems(
            _ outcome: Outcome,
            _ expected: PipelineTest.Expectation.Kind,
            _ processor: RecordProcessor
        ) -> [String] {
            switch (expected, outcome) {
            case (.record(let wanted), .record(let record)):
                return problems(record, wanted, processor)
            case (.drop(let reason), .dropped(let found)):
                guard let reason, reason != found else { return [] }
                return ["expected drop \"\(reason)\", but it was dropped as \"\(found)\""]
            case (.deadLetter(let message), .deadLetter(_, let failure)):
                guard let message, !failure.message.contains(message) else { return [] }
                return [
                    "expected the dead letter to say \"\(message)\", but it says \"\(failure.message)\""
                ]
            default: return ["expected \(described(expected)), but \(described(outcome))"]
            }
        }

        private func problems(
            _ record: StagedRecord,
            _ wanted: ExpectedRecord,
            _ processor: RecordProcessor
        ) -> [String] {
            var problems: [String] = []
            func check(_ name: String, _ wanted: Expression?, _ found: Value) {
                guard let wanted else { return }
                let value = runner.constant(wanted, in: processor)
                if !matches(value, found, processor) {
                    problems.append(
                        "\(name): expected \(shown(value, processor)), got \(shown(found, processor))"
                    )
                }
            }
            check("topic", wanted.topic, .string(record.topic))
            check("key", wanted.key, record.key.map(Value.string) ?? .null)
            check("value", wanted.value, record.value.map { parsed($0, as: wanted.value) } ?? .null)
            check("timestamp", wanted.timestamp, record.timestamp.map(Value.int) ?? .null)
            check("partition", wanted.partition, record.partition.map { .int(Int64($0)) } ?? .null)
            for header in wanted.headers {
                let name = Array(header.name.utf8)
                let found = record.headers.last { $0.name.elementsEqual(name) }?.value
                check("header \(header.name)", header.value, found.map(Value.string) ?? .null)
            }
            if let members = wanted.valueMembers {
                problems += memberProblems(record, members, processor)
            }
            return problems
        }

        private func memberProblems(
            _ record: StagedRecord,
            _ wanted: Expression,
            _ processor: RecordProcessor
        ) -> [String] {
            guard case .object(let members) = runner.constant(wanted, in: processor) else {
                return []
            }
            guard let value = record.value, let object = try? processor.object(from: .json(value))
            else {
                return [
                    "value: expected an object, got \(shown(record.value.map(Value.string) ?? .null, processor))"
                ]
            }
            return members.members.compactMap { member in
                let found = object.value(of: member.name)
                if matches(member.value, found, processor) { return nil }
                let name = String(decoding: member.name, as: UTF8.self)
                return
                    "value.\(name): expected \(shown(member.value, processor)), got \(shown(found, processor))"
            }
        }

        /// A text is compared as text, anything else as JSON.
        private func parsed(_ bytes: Text, as wanted: Expression?) -> Value {
            if case .literal(.string)? = wanted?.kind { return .string(bytes) }
            return .json(bytes)
        }

        private func matches(_ wanted: Value, _ found: Value, _ processor: RecordProcessor) -> Bool
        {
            if processor.isEqual(wanted, found) { return true }
            // A key or header is text on the wire: `key = 1001` means its digits.
            guard case .string(let text) = found else { return false }
            switch wanted {
            case .int, .decimal, .bool:
                return (try? processor.text(of: wanted)).map { equal($0, text) } ?? false
            default: return false
            }
        }

        private func shown(_ value: Value, _ processor: RecordProcessor) -> String {
            String(decoding: processor.jsonText(of: value), as: UTF8.self)
        }

        private func described(_ outcome: Outcome) -> String {
            switch outcome {
            case .record(let record): "a record was sent to \"\(record.topicName)\""
            case .dropped(let reason): "it was dropped as \"\(reason)\""
            case .deadLetter(_, let failure): "it was dead-lettered: \(failure.message)"
            case .skipped(let failure): "it was skipped: \(failure.message)"
            case .stopped(let failure): "it stopped the file: \(failure.message)"
            }
        }

        private func described(_ expected: PipelineTest.Expectation.Kind) -> String {
            switch expected {
            case .record: "a record"
            case .drop(let reason): reason.map { "drop \"\($0)\"" } ?? "a drop"
            case .deadLetter: "a dead letter"
            case .nothing: "nothing"
            }
        }
    }
}
