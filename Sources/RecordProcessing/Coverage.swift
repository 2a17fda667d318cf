package import PipelineLanguage

/// A place in a pipeline that its tests should reach.
package struct CoveragePoint: Sendable {
    package enum Kind: String, Sendable {
        case send, drop, reject
        case branch = "if"
        case otherwise = "else"
        case arm
    }

    package var kind: Kind
    package var span: Span
    /// What stands there, on one line.
    package var text: String
}

/// Collects the places while a program is compiled to be measured.
final class CoverageMap {
    fileprivate(set) var points: [CoveragePoint] = []
}

/// Marks are compiled in, so that a program which is not measured has none to step over.
extension ProgramCompiler {
    /// The instruction that notes that a place was reached; nil where nobody measures.
    func mark(_ kind: CoveragePoint.Kind, _ span: Span, showing shown: Span? = nil) -> Instruction?
    {
        add(kind, span, text(shown ?? span)).map(Instruction.reached)
    }

    func marked(_ result: Node, _ arm: Match.Arm) -> Node {
        guard let point = add(.arm, arm.span, text(arm.span)) else { return result }
        return .reached(point, result)
    }

    func marked(_ result: Node, otherwise: Expression) -> Node {
        let text = "else => \(text(otherwise.span))"
        guard let point = add(.arm, otherwise.span, text) else { return result }
        return .reached(point, result)
    }

    /// The mark of an `else`, whose word stands somewhere before its first step.
    func markOtherwise(_ steps: [Step]) -> Instruction? {
        guard let first = steps.first else { return nil }
        let word = Array("else".utf8)
        var start = first.span.start
        while start > 0, !plan.source.bytes[start...].starts(with: word) { start -= 1 }
        return add(.otherwise, Span(start, start + word.count), "else").map(Instruction.reached)
    }

    private func add(_ kind: CoveragePoint.Kind, _ span: Span, _ text: String) -> Int? {
        guard let coverage else { return nil }
        coverage.points.append(CoveragePoint(kind: kind, span: span, text: text))
        return coverage.points.count - 1
    }

    private func text(_ span: Span) -> String {
        let lines = plan.source.text(in: span).split(separator: "\n")
        return lines.count > 1 ? "\(lines[0]) …" : String(lines.first ?? "")
    }
}
