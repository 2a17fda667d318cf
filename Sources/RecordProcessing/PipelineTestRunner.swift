package import PipelineLanguage

/// One test block's end.
package struct PipelineTestResult: Sendable {
    /// What was expected, and what came instead.
    package struct Failure: Sendable, Equatable {
        /// The line of the pipeline file that expects it.
        package var line: Int
        /// What is compared, as `key`.
        package var subject: String
        package var expected: String
        package var found: String
    }

    /// What an empty `expect { }` should say.
    package struct Update: Sendable {
        /// Where it stands.
        package var span: Span
        package var text: String
    }

    package var name: String
    /// The line of the pipeline file that the test begins on.
    package var line: Int
    /// Empty when the test passed.
    package var failures: [Failure]
    package var updates: [Update]
    /// Which of the program's `coveragePoints` the test has reached.
    package var reached: [Bool]

    package var passed: Bool { failures.isEmpty }
}

/// Runs the `test` blocks of a pipeline on file content, through the framer that reads real files.
///
/// Nothing depends on the machine: without a `given`, `@host` is `localhost`, `@path` is `test`, and
/// all times outside the record are 0.
package struct PipelineTestRunner {
    /// Cuts an input into events; `matches` is for multi-line framing.
    package typealias Frame = (Text, _ matches: (Text) -> Bool) -> [Event]

    /// One event of an input.
    package struct Event {
        package var range: Range<Int>
        package var line: Int64

        package init(range: Range<Int>, line: Int64) {
            self.range = range
            self.line = line
        }
    }

    private static let host: StaticString = "localhost"

    private let program: Program
    private let constants = ConstantPool()

    package init(program: Program) {
        self.program = program
    }

    package func run(
        where isWanted: (String) -> Bool = { _ in true },
        frame: Frame
    ) -> [PipelineTestResult] {
        program.plan.tests.filter { isWanted($0.name) }.map { run($0, frame: frame) }
    }

    /// What a test would have to expect, one text an outcome.
    package func expectations(of test: PipelineTest, frame: Frame) -> [String] {
        var texts: [String] = []
        _ = forEachOutcome(of: test, in: processor(for: test).0, frame: frame) {
            outcome,
            processor in
            texts.append(ExpectationWriter(processor: processor).text(of: outcome))
        }
        return texts
    }

    private func run(_ test: PipelineTest, frame: Frame) -> PipelineTestResult {
        var checker = OutcomeChecker(test: test, source: program.plan.source) { value, processor in
            constant(value, in: processor)
        }
        let (processor, problems) = processor(for: test)
        let reached = forEachOutcome(of: test, in: processor, frame: frame) { checker.take($0, $1) }
        checker.finish()
        return PipelineTestResult(
            name: test.name,
            line: program.plan.source.lineNumber(of: test.span.start),
            failures: problems + checker.failures,
            updates: checker.updates,
            reached: reached
        )
    }

    /// What runs the test, with what it gives, and what it cannot give.
    private func processor(
        for test: PipelineTest
    ) -> (RecordProcessor, [PipelineTestResult.Failure]) {
        var problems: [PipelineTestResult.Failure] = []
        var program = program
        do throws(ProgramError) {
            if !test.variables.isEmpty || program.hasStandIns {
                program = try program.with(test.variables)
            }
        } catch {
            problems.append(failure(of: test.span, "a pipeline that loads", error.description))
        }
        let processor = RecordProcessor(program: program)
        let host = Text(start: Self.host.utf8Start, count: Self.host.utf8CodeUnitCount)
        processor.given[.host] = .string(host)
        for given in test.given {
            let value = constant(given.value, in: processor)
            processor.given[given.meta] = value
            guard case .string(let text) = value, given.meta.isTime else { continue }
            if let time = parseISO8601(text) {
                processor.given[given.meta] = .time(time)
            } else {
                let found = String(decoding: text, as: UTF8.self)
                problems.append(failure(of: given.value.span, "a time", found))
            }
        }
        return (processor, problems)
    }

    private func failure(
        of span: Span,
        _ expected: String,
        _ found: String
    ) -> PipelineTestResult.Failure {
        let line = program.plan.source.lineNumber(of: span.start)
        return .init(line: line, subject: "given", expected: expected, found: found)
    }

    /// Returns which places were reached.
    private func forEachOutcome(
        of test: PipelineTest,
        in processor: RecordProcessor,
        frame: Frame,
        _ body: (TestOutcome, RecordProcessor) -> Void
    ) -> [Bool] {
        let input = Array(test.input.utf8)
        var file = FileContext(path: "test", inode: 0, modified: 0, header: nil)
        input.withUnsafeBytes { bytes in
            for event in frame(bytes, processor.matchesLine) {
                let position = RecordPosition(
                    line: event.line,
                    offset: Int64(event.range.lowerBound),
                    readTime: 0
                )
                let content = Text(rebasing: bytes[event.range])
                let fate = processor.process(content, in: &file, at: position)
                for outcome in outcomes(fate, processor) { body(outcome, processor) }
                if case .stopped = fate { break }
            }
        }
        return processor.reached
    }

    private func outcomes(_ fate: Fate, _ processor: RecordProcessor) -> [TestOutcome] {
        switch fate {
        case .sent: return processor.staged.map(TestOutcome.record)
        case .dropped(let reason): return [.dropped(program.dropReasons[reason])]
        case .consumed: return []
        case .deadLettered(let failure):
            if case .steps = program.errorCode { return processor.staged.map(TestOutcome.record) }
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
}

/// What came of one line or one send.
enum TestOutcome {
    case record(StagedRecord)
    case dropped(String)
    case deadLetter(StagedRecord, RecordFailure)
    case skipped(RecordFailure)
    case stopped(RecordFailure)
}

extension PipelineTest {
    /// The environment variables that it gives.
    package var variables: [String: String] {
        var variables: [String: String] = [:]
        for given in given {
            guard case .environment(let name) = given.meta,
                case .literal(.string(let value)) = given.value.kind
            else { continue }
            variables[name] = value
        }
        return variables
    }
}

extension Meta {
    fileprivate var isTime: Bool {
        switch self {
        case .now: true
        case .modificationTime: true
        default: false
        }
    }
}
