/// Writes expressions as text, on one line, with as few brackets as they need.
///
/// Two expressions of one meaning by the grammar have one text, however they were laid out.
struct ExpressionWriter {
    private static let reserved: Set = [
        "null", "true", "false", "match", "and", "or", "not", "in", "else", "except", "if",
    ]

    /// How strongly the parts of an expression hold together; `??` holds least.
    private enum Precedence {
        static let coalesce = 0
        static let or = 1
        static let and = 2
        static let not = 3
        static let comparison = 4
        static let sum = 5
        static let product = 6
        static let prefix = 7
        static let postfix = 8
    }

    func text(_ expression: ExpressionSyntax) -> String {
        text(expression, atLeast: Precedence.coalesce)
    }

    private func text(_ expression: ExpressionSyntax, atLeast minimum: Int) -> String {
        let text = bareText(expression)
        return precedence(of: expression) < minimum ? "(\(text))" : text
    }

    private func precedence(of expression: ExpressionSyntax) -> Int {
        switch expression.kind {
        case .coalesce: Precedence.coalesce
        case .unary(.not, _): Precedence.not
        case .unary(.negate, _): Precedence.prefix
        case .binary(let operation, _, _): precedence(of: operation)
        case .regexMatch: Precedence.comparison
        case .literal(.int(let value)) where value < 0: Precedence.prefix
        case .literal(.decimal(let digits)) where digits.hasPrefix("-"): Precedence.prefix
        default: Precedence.postfix
        }
    }

    private func precedence(of operation: BinaryOperator) -> Int {
        switch operation {
        case .or: Precedence.or
        case .and: Precedence.and
        case .add, .subtract: Precedence.sum
        case .multiply, .divide, .remainder: Precedence.product
        default: Precedence.comparison
        }
    }

    private func bareText(_ expression: ExpressionSyntax) -> String {
        switch expression.kind {
        case .broken: "…"
        case .literal(let literal): text(literal)
        case .byteCount(let count): byteCount(count)
        case .computed(let segments): "\"\(segments.map(text).joined())\""
        case .name(let name): self.name(name)
        case .allFields: "*"
        case .meta(let path): "@\(path.joined(separator: "."))"
        case .list(let elements): "[\(elements.map { text($0) }.joined(separator: ", "))]"
        case .object(let members):
            members.isEmpty ? "{ }" : "{ \(members.map(text).joined(separator: ", ")) }"
        case .match(let subject, let arms, let otherwise): match(subject, arms, otherwise)
        case .call(let function, let arguments): "\(function.text)\(text(arguments))"
        case .member(let base, let name): "\(memberBase(base)).\(self.name(name.text))"
        case .index(let base, let position):
            "\(text(base, atLeast: Precedence.postfix))[\(text(position))]"
        case .except(let base, let paths):
            "\(text(base, atLeast: Precedence.postfix)) except (\(text(paths)))"
        case .unary(.not, let inner): "not \(text(inner, atLeast: Precedence.comparison))"
        case .unary(.negate, let inner): "-\(text(inner, atLeast: Precedence.prefix))"
        case .binary(let operation, let left, let right):
            binary(operation.rawValue, precedence(of: operation), left, right)
        case .coalesce(let left, let right):
            "\(text(left, atLeast: Precedence.or)) ?? \(text(right))"
        case .regexMatch(let left, let right, let negated):
            binary(negated ? "!~" : "=~", Precedence.comparison, left, right)
        }
    }

    private func binary(
        _ sign: String,
        _ precedence: Int,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax
    ) -> String {
        // Comparisons do not chain, so that neither side may be one.
        let leftMinimum = precedence == Precedence.comparison ? precedence + 1 : precedence
        return "\(text(left, atLeast: leftMinimum)) \(sign) "
            + text(right, atLeast: precedence + 1)
    }

    private func memberBase(_ base: ExpressionSyntax) -> String {
        // `@a.b` would be another name.
        if case .meta = base.kind { return "(\(text(base)))" }
        return text(base, atLeast: Precedence.postfix)
    }

    private func match(
        _ subject: ExpressionSyntax?,
        _ arms: [ExpressionSyntax.Arm],
        _ otherwise: ExpressionSyntax?
    ) -> String {
        var head = ""
        if let subject {
            let text = text(subject)
            // A `{` would begin the arms.
            head = text.hasPrefix("{") ? "(\(text)) " : "\(text) "
        }
        var lines = arms.map { arm in
            "\(arm.patterns.map { text($0) }.joined(separator: ", ")) => \(text(arm.result))"
        }
        if let otherwise { lines.append("else => \(text(otherwise))") }
        return "match \(head){ \(lines.joined(separator: ", ")) }"
    }

    private func text(_ member: ExpressionSyntax.Member) -> String {
        guard let value = member.value else { return name(member.name.text) }
        let isPlain = Self.isPlain(member.name.text)
        let name = isPlain ? member.name.text : quoted(member.name.text)
        return "\(name): \(text(value))"
    }

    /// The arguments of a call, a format or a type, with their parentheses.
    func text(_ arguments: [ArgumentSyntax]) -> String {
        let texts = arguments.map { argument in
            (argument.label.map { "\(name($0.text)): " } ?? "") + text(argument.value)
        }
        return "(\(texts.joined(separator: ", ")))"
    }

    func text(_ paths: [PathSyntax]) -> String {
        paths.map { $0.names.map { name($0.text) }.joined(separator: ".") }.joined(separator: ", ")
    }

    // MARK: Names

    /// A name, in backticks if it would be taken for something else.
    func name(_ name: String) -> String {
        Self.isPlain(name) ? name : "`\(name)`"
    }

    /// True for a name that needs no quotes.
    static func isPlain(_ name: String) -> Bool {
        isWord(name) && !reserved.contains(name)
    }

    static func isWord(_ name: String) -> Bool {
        let bytes = name.utf8
        return bytes.first?.isLetter ?? false && bytes.allSatisfy { $0.isLetter || $0.isDigit }
    }

    // MARK: Literals

    private func text(_ literal: Literal) -> String {
        switch literal {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): "\(value)"
        case .decimal(let digits): digits
        case .duration(let duration): self.duration(duration)
        case .string(let text): quoted(text)
        }
    }

    private func duration(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        let units: [(Int64, String)] = [
            (86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"),
        ]
        guard milliseconds != 0 else { return "0s" }
        return quantity(milliseconds, units)
    }

    private func byteCount(_ count: Int64) -> String {
        guard count != 0 else { return "0KiB" }
        return quantity(count, [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")])
    }

    private func quantity(_ count: Int64, _ units: [(size: Int64, name: String)]) -> String {
        let unit = units.first { count.isMultiple(of: $0.size) } ?? units[units.count - 1]
        return "\(count / unit.size)\(unit.name)"
    }

    /// A text without `${…}`, in the quotes that need no escapes, if there are such.
    func quoted(_ text: String) -> String {
        let hasControl = text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
        let needsEscape =
            hasControl || text.utf8.contains { $0 == 0x22 || $0 == 0x5C || $0 == 0x24 }
        guard needsEscape else { return "\"\(text)\"" }
        guard hasControl || text.contains("'") else { return "'\(text)'" }
        return "\"\(escaped(text))\""
    }

    private func text(_ segment: ExpressionSyntax.Segment) -> String {
        switch segment {
        case .text(let text): escaped(text)
        case .expression(let expression): "${\(text(expression))}"
        }
    }

    private func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\", "$": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension Duration {
    /// Texts give no shorter time.
    var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
