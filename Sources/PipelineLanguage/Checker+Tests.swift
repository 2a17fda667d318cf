/// `test` blocks: every value in them is written out.
extension Checker {
    private static let settable = [
        "host", "path", "file", "line", "offset", "now", "pipeline", "inode", "mtime",
    ]

    mutating func checkTest(_ test: TestSyntax) -> PipelineTest {
        var input = test.input.text
        if !input.isEmpty, !input.hasSuffix("\n") { input += "\n" }
        return PipelineTest(
            name: test.name.text,
            given: checkGiven(test.given),
            input: input,
            inputSpan: test.input.span,
            expectations: test.expectations.map { checkExpectation($0) },
            span: test.name.span
        )
    }

    private mutating func checkGiven(_ given: [TestSyntax.Given]) -> [PipelineTest.Given] {
        var result: [PipelineTest.Given] = []
        var seen: Set<String> = []
        for entry in given where isFirst(entry.meta, in: &seen) {
            let value = constant(entry.value)
            let path = entry.meta.text.split(separator: ".").map(String.init)
            let isSettable = Self.settable.contains(entry.meta.text) || path.first == "env"
            guard isSettable, let (meta, type) = Meta.named(path) else {
                report(
                    .unknownMetadata,
                    "a test cannot give `@\(entry.meta.text)`",
                    at: entry.meta.span,
                    help: SpellingHelp.nearest(to: entry.meta.text, in: Self.settable)
                        .map { "did you mean `@\($0)`?" }
                )
                continue
            }
            checkFit(of: value, entry, type)
            result.append(PipelineTest.Given(meta: meta, value: value))
        }
        return result
    }

    private mutating func checkFit(
        of value: Expression,
        _ entry: TestSyntax.Given,
        _ type: ValueType
    ) {
        var takes: String?
        switch (type.kind, value.kind) {
        case (.string, .literal(.string)), (.int, .literal(.int)): break
        case (.time, .literal(.string(let text))) where text.isTimestamp: break
        case (.string, _): takes = "a text in quotes"
        case (.time, _): takes = "a time such as `\"2026-11-23T10:00:00Z\"`"
        default: takes = "a whole number"
        }
        guard let takes, !value.type.isAny else { return }
        report(.wrongArgument, "`@\(entry.meta.text)` takes \(takes)", at: value.span)
    }

    private mutating func checkExpectation(
        _ syntax: TestSyntax.Expectation
    ) -> PipelineTest.Expectation {
        let kind: PipelineTest.Expectation.Kind =
            switch syntax.kind {
            case .record(let record): .record(checkRecord(record))
            case .drop(let reason): .drop(reason: reason)
            case .deadLetter(let message): .deadLetter(message: message)
            case .nothing: .nothing
            }
        return PipelineTest.Expectation(kind: kind, span: syntax.span)
    }

    private mutating func checkRecord(_ syntax: SendSyntax) -> ExpectedRecord {
        var record = ExpectedRecord()
        record.cluster = syntax.cluster.map { name in
            checkCluster(name)
            return .init(name: name.text, destination: destination(name), span: name.span)
        }
        var seen: Set<String> = []
        for line in syntax.lines where isFirst(line.keyword, in: &seen) {
            let value = constant(line.value)
            switch line.keyword.text {
            case "topic": record.topic = value
            case "key": record.key = value
            case "timestamp": record.timestamp = value
            case "partition": record.partition = value
            default: record.value = value
            }
        }
        record.valueMembers = syntax.valueMembers.map { constant($0) }
        if let members = record.valueMembers, !members.type.isObject, !members.type.isAny {
            let help = "write `value has { name: … }`, or `value = …`"
            report(.wrongArgument, "`has` takes an object", at: members.span, help: help)
        }
        for header in syntax.headers {
            let value = constant(header.value)
            let span = header.name.span.joined(to: value.span)
            record.headers.append(.init(name: header.name.text, value: value, span: span))
        }
        return record
    }

    /// A value without names or computation.
    private mutating func constant(_ syntax: ExpressionSyntax) -> Expression {
        switch syntax.kind {
        case .broken: return poison(syntax.span)
        case .literal, .byteCount: return check(syntax)
        case .list(let elements):
            let checked = elements.map { constant($0) }
            let type = ValueType(.list(.any.optional()))
            return Expression(kind: .list(checked), type: type, span: syntax.span)
        case .object(let members) where members.allSatisfy({ $0.value != nil }):
            return constantObject(members, syntax.span)
        default:
            let message = "a test writes its values out"
            report(.wrongArgument, message, at: syntax.span, label: "this is computed")
            return poison(syntax.span)
        }
    }

    private mutating func constantObject(
        _ members: [ExpressionSyntax.Member],
        _ span: Span
    ) -> Expression {
        var checked: [ObjectMember] = []
        var seen: Set<String> = []
        for member in members where isFirst(member.name, in: &seen) {
            guard let value = member.value else { continue }
            checked.append(ObjectMember(name: member.name.text, value: constant(value)))
        }
        return Expression(kind: .object(checked), type: .object, span: span)
    }
}

extension String {
    /// Whether it has the form of ISO 8601 with a zone; which day it is, is not looked at.
    fileprivate var isTimestamp: Bool {
        let shape = utf8.prefix(19).map { $0.isDigit ? UInt8(ascii: "0") : $0 }
        let rest = utf8.dropFirst(19)
        let fraction = rest.first == UInt8(ascii: ".") ? rest.dropFirst().prefix { $0.isDigit } : []
        let zone = rest.dropFirst(fraction.isEmpty ? 0 : fraction.count + 1)
        let offset = zone.dropFirst().map { $0.isDigit ? UInt8(ascii: "0") : $0 }
        let isSign = zone.first == UInt8(ascii: "+") || zone.first == UInt8(ascii: "-")
        return shape.elementsEqual("0000-00-00T00:00:00".utf8)
            && (zone.elementsEqual("Z".utf8) || isSign && offset.elementsEqual("00:00".utf8))
    }
}
