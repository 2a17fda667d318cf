import PipelineLanguage

/// Holds the outcomes of a test against its expectations, in their order.
struct OutcomeChecker {
    typealias Failure = PipelineTestResult.Failure

    private let test: PipelineTest
    private let source: SourceText
    private let constant: (Expression, RecordProcessor) -> Value
    private var next = 0
    private(set) var failures: [Failure] = []
    private(set) var updates: [PipelineTestResult.Update] = []

    /// - Parameter constant: evaluates a value of the test.
    init(
        test: PipelineTest,
        source: SourceText,
        constant: @escaping (Expression, RecordProcessor) -> Value
    ) {
        self.test = test
        self.source = source
        self.constant = constant
    }

    mutating func take(_ outcome: TestOutcome, _ processor: RecordProcessor) {
        skipNothings(before: outcome)
        guard next < test.expectations.count else {
            fail(at: test.span, "the end", expected: "nothing more", found: described(outcome))
            return
        }
        let expectation = test.expectations[next]
        next += 1
        if case .record(let record) = expectation.kind, record.isEmpty {
            let text = ExpectationWriter(processor: processor).text(of: outcome)
            updates.append(.init(span: expectation.span, text: text))
        }
        compare(outcome, expectation, processor)
    }

    mutating func finish() {
        for expectation in test.expectations[next...] {
            if case .nothing = expectation.kind { continue }
            fail(
                at: expectation.span,
                "the outcome",
                expected: described(expectation.kind),
                found: "nothing: the input is over"
            )
        }
    }

    /// `expect nothing` says of a line that nothing comes of it, and of the end that it is one.
    private mutating func skipNothings(before outcome: TestOutcome) {
        while next < test.expectations.count, case .nothing = test.expectations[next].kind {
            if outcome.isNothing { return }
            next += 1
        }
    }

    private mutating func fail(at span: Span, _ subject: String, expected: String, found: String) {
        let line = source.lineNumber(of: span.start)
        failures.append(
            Failure(line: line, subject: subject, expected: expected, found: found)
        )
    }

    // MARK: Comparing

    private mutating func compare(
        _ outcome: TestOutcome,
        _ expectation: PipelineTest.Expectation,
        _ processor: RecordProcessor
    ) {
        let span = expectation.span
        switch (expectation.kind, outcome) {
        case (.record(let wanted), .record(let record)):
            compare(record, wanted, span, processor)
        case (.drop(let reason), .dropped(let found)):
            guard let reason, reason != found else { return }
            fail(at: span, "the reason of the drop", expected: quoted(reason), found: quoted(found))
        case (.deadLetter(let message), .deadLetter(_, let failure)):
            guard let message, !failure.message.contains(message) else { return }
            fail(
                at: span,
                "the message of the dead letter",
                expected: "one with \(quoted(message))",
                found: quoted(failure.message)
            )
        case (.nothing, .skipped), (.nothing, .stopped): return
        default:
            fail(
                at: span,
                "the outcome",
                expected: described(expectation.kind),
                found: described(outcome)
            )
        }
    }

    private mutating func compare(
        _ record: StagedRecord,
        _ wanted: ExpectedRecord,
        _ span: Span,
        _ processor: RecordProcessor
    ) {
        compare(record, wanted.cluster)
        var pairs: [(name: String, wanted: Expression?, found: Value)] = [
            ("topic", wanted.topic, .string(record.topic)),
            ("key", wanted.key, record.key.map(Value.string) ?? .null),
            ("value", wanted.value, record.value.map { parsed($0, as: wanted.value) } ?? .null),
            ("timestamp", wanted.timestamp, record.timestamp.map(Value.int) ?? .null),
            ("partition", wanted.partition, record.partition.map { .int(Int64($0)) } ?? .null),
        ]
        for header in wanted.headers {
            let name = Array(header.name.utf8)
            let found = record.headers.last { $0.name.elementsEqual(name) }?.value
            pairs.append(("header \(header.name)", header.value, found.map(Value.string) ?? .null))
        }
        for (name, wanted, found) in pairs {
            guard let wanted else { continue }
            compare(name, constant(wanted, processor), found, at: wanted.span, processor)
        }
        if let members = wanted.valueMembers { compareMembers(record, members, processor) }
    }

    private mutating func compare(_ record: StagedRecord, _ wanted: ExpectedRecord.Cluster?) {
        let found = record.cluster.map { String(decoding: $0, as: UTF8.self) }
        guard let wanted, wanted.destination.name != found else { return }
        fail(
            at: wanted.span,
            "the cluster",
            expected: quoted(wanted.name),
            found: found.map(quoted) ?? "the process's own"
        )
    }

    private mutating func compareMembers(
        _ record: StagedRecord,
        _ wanted: Expression,
        _ processor: RecordProcessor
    ) {
        guard case .object(let members) = constant(wanted, processor) else { return }
        guard let value = record.value, let object = try? processor.object(from: .json(value))
        else {
            let found = shown(record.value.map(Value.string) ?? .null, processor)
            fail(at: wanted.span, "value", expected: "an object", found: found)
            return
        }
        for member in members.members {
            let name = String(decoding: member.name, as: UTF8.self)
            let found = object.value(of: member.name)
            compare("value.\(name)", member.value, found, at: wanted.span, processor)
        }
    }

    private mutating func compare(
        _ subject: String,
        _ wanted: Value,
        _ found: Value,
        at span: Span,
        _ processor: RecordProcessor
    ) {
        guard !matches(wanted, found, processor) else { return }
        fail(
            at: span,
            subject,
            expected: shown(wanted, processor),
            found: shown(found, processor)
        )
    }

    /// A text is compared as text, anything else as JSON.
    private func parsed(_ bytes: Text, as wanted: Expression?) -> Value {
        if case .literal(.string)? = wanted?.kind { return .string(bytes) }
        return .json(bytes)
    }

    private func matches(_ wanted: Value, _ found: Value, _ processor: RecordProcessor) -> Bool {
        if processor.isEqual(wanted, found) { return true }
        // A key or header is text on the wire: `key = 1001` means its digits.
        guard case .string(let text) = found else { return false }
        switch wanted {
        case .int, .decimal, .bool:
            return (try? processor.text(of: wanted)).map { equal($0, text) } ?? false
        default: return false
        }
    }

    // MARK: Saying

    private func shown(_ value: Value, _ processor: RecordProcessor) -> String {
        if case .missing = value { return "no value" }
        return String(decoding: processor.jsonText(of: value), as: UTF8.self)
    }

    private func quoted(_ text: String) -> String { "\"\(text)\"" }

    private func described(_ outcome: TestOutcome) -> String {
        switch outcome {
        case .record(let record): "a record to \(quoted(record.topicName))"
        case .dropped(let reason): "drop \(quoted(reason))"
        case .deadLetter(_, let failure): "dead_letter \(quoted(failure.message))"
        case .skipped(let failure): "nothing: it was skipped, for \(quoted(failure.message))"
        case .stopped(let failure): "nothing: the file stopped, for \(quoted(failure.message))"
        }
    }

    private func described(_ expected: PipelineTest.Expectation.Kind) -> String {
        switch expected {
        case .record: "a record"
        case .drop(let reason): reason.map { "drop \(quoted($0))" } ?? "a drop"
        case .deadLetter(let message):
            message.map { "dead_letter \(quoted($0))" } ?? "a dead letter"
        case .nothing: "nothing"
        }
    }
}

extension TestOutcome {
    /// Whether no record, drop or dead letter comes of it.
    fileprivate var isNothing: Bool {
        switch self {
        case .skipped, .stopped: true
        case .record, .dropped, .deadLetter: false
        }
    }
}
