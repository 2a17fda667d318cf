/// Operators: what can be compared, combined and calculated.
extension Checker {
    mutating func checkUnary(
        _ operation: UnaryOperator,
        _ syntax: ExpressionSyntax,
        _ span: Span
    ) -> Expression {
        guard operation == .negate else {
            let inner = checkCondition(syntax)
            return Expression(kind: .unary(.not, inner), type: .bool, span: span)
        }
        let inner = check(syntax)
        guard inner.type.isNumber || inner.type.isAny || inner.type.kind == .duration else {
            let label = "this is `\(inner.type)`"
            report(.unlikeTypes, "`-` takes a number", at: inner.span, label: label)
            return poison(span)
        }
        let type = inner.type.optional(false)
        return Expression(kind: .unary(.negate, inner), type: type, span: span)
    }

    mutating func checkBinary(
        _ operation: BinaryOperator,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax,
        _ span: Span
    ) -> Expression {
        switch operation {
        case .and, .or: checkLogic(operation, left, right, span)
        case .add, .subtract, .multiply, .divide, .remainder:
            checkArithmetic(operation, left, right, span)
        case .isIn, .isNotIn: checkMembership(operation, left, right, span)
        default: checkComparison(operation, left, right, span)
        }
    }

    private mutating func checkLogic(
        _ operation: BinaryOperator,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax,
        _ span: Span
    ) -> Expression {
        let first = checkCondition(left)
        // The right side runs only when the left one has not decided.
        let before = state
        state = before.narrowed(by: first, is: operation == .and)
        let second = checkCondition(right)
        state = before
        return Expression(kind: .binary(operation, first, second), type: .bool, span: span)
    }

    // MARK: Comparisons

    private mutating func checkComparison(
        _ operation: BinaryOperator,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax,
        _ span: Span
    ) -> Expression {
        let first = check(left)
        let second = check(right)
        let isEquality = operation == .equal || operation == .notEqual
        let result = Expression(kind: .binary(operation, first, second), type: .bool, span: span)
        if isEquality, first.type.kind == .null || second.type.kind == .null { return result }
        guard areAlike(first.type, second.type, isEquality) else {
            reportUnlike(first, second, span)
            return poison(span)
        }
        guard isEquality, reportsImpossible(first, second) || reportsImpossible(second, first)
        else { return result }
        return Expression(kind: .literal(.null), type: .bool, span: span)
    }

    private func areAlike(_ left: ValueType, _ right: ValueType, _ isEquality: Bool) -> Bool {
        if left.isAny || right.isAny { return true }
        if left.isNumber, right.isNumber { return true }
        if left.isText, right.isText { return true }
        switch (left.kind, right.kind) {
        case (.time, .time), (.duration, .duration): return true
        case (.bool, .bool), (.bytes, .bytes), (.list, .list), (.object, .object): return isEquality
        default: return false
        }
    }

    private mutating func reportUnlike(_ left: Expression, _ right: Expression, _ span: Span) {
        var help: String?
        if left.type.isText, right.type.isNumber, !left.isLiteral {
            help = "convert one side: `int(\(source.text(in: left.span)))`"
        } else if left.type.isNumber, right.type.isText, case .literal = right.kind {
            help = "write the number without quotes"
        }
        report(
            .unlikeTypes,
            "these cannot be compared",
            at: span,
            label: "`\(left.type)` and `\(right.type)`",
            help: help
        )
    }

    /// Reports a text that an enum never is.
    private mutating func reportsImpossible(_ subject: Expression, _ value: Expression) -> Bool {
        guard let values = subject.type.enumeration,
            case .literal(.string(let text)) = value.kind, !values.contains(text)
        else { return false }
        report(
            .impossibleValue,
            "`\(source.text(in: subject.span))` is never \"\(text)\"",
            at: value.span,
            label: "here it is \(Self.alternatives(values))",
            help: SpellingHelp.nearest(to: text, in: values).map { "did you mean \"\($0)\"?" }
        )
        return true
    }

    /// `"a", "b" or "c"`.
    static func alternatives(_ values: [String]) -> String {
        let quoted = values.prefix(8).map { "\"\($0)\"" }
        guard values.count <= 8 else { return quoted.joined(separator: ", ") + ", …" }
        guard let last = quoted.last, quoted.count > 1 else { return quoted.joined() }
        return quoted.dropLast().joined(separator: ", ") + " or \(last)"
    }

    private mutating func checkMembership(
        _ operation: BinaryOperator,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax,
        _ span: Span
    ) -> Expression {
        let subject = check(left)
        let list = check(right)
        let result = Expression(kind: .binary(operation, subject, list), type: .bool, span: span)
        guard !list.type.isAny else { return result }
        guard case .list(let element) = list.type.kind else {
            let label = "this is `\(list.type)`"
            let help = "write `in [\"a\", \"b\"]`"
            report(.unlikeTypes, "`in` takes a list", at: list.span, label: label, help: help)
            return poison(span)
        }
        guard areAlike(subject.type, element, true) || subject.type.kind == .null else {
            reportUnlike(subject, list, span)
            return poison(span)
        }
        guard case .list(let elements) = list.kind else { return result }
        let impossible = elements.filter { reportsImpossible(subject, $0) }
        guard !impossible.isEmpty else { return result }
        return Expression(kind: .literal(.null), type: .bool, span: span)
    }

    // MARK: Arithmetic

    private mutating func checkArithmetic(
        _ operation: BinaryOperator,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax,
        _ span: Span
    ) -> Expression {
        let first = check(left)
        let second = check(right)
        guard let type = Self.result(of: operation, first.type, second.type) else {
            let isText = first.type.isText || second.type.isText
            report(
                .unlikeTypes,
                "`\(operation.rawValue)` does not go with these",
                at: span,
                label: "`\(first.type)` and `\(second.type)`",
                help: isText && operation == .add ? "to join texts write `\"${a}${b}\"`" : nil
            )
            return poison(span)
        }
        return Expression(kind: .binary(operation, first, second), type: type, span: span)
    }

    private static func result(
        of operation: BinaryOperator,
        _ left: ValueType,
        _ right: ValueType
    ) -> ValueType? {
        switch (left.kind, right.kind, operation) {
        case (.any, _, _), (_, .any, _): return .any
        case (.time, .duration, .add), (.time, .duration, .subtract): return .time
        case (.time, .time, .subtract): return .duration
        case (.duration, .duration, .add), (.duration, .duration, .subtract): return .duration
        default: break
        }
        guard left.isNumber, right.isNumber else { return nil }
        if left.kind == .float || right.kind == .float { return .float }
        return left.kind == .decimal || right.kind == .decimal ? .decimal : .int
    }

    // MARK: match

    mutating func checkMatch(
        _ subject: ExpressionSyntax?,
        _ arms: [ExpressionSyntax.Arm],
        _ otherwise: ExpressionSyntax?,
        _ span: Span
    ) -> Expression {
        let subject = subject.map { check($0) }
        let before = state
        var checked: [Match.Arm] = []
        for arm in arms { checked.append(checkArm(arm, subject)) }
        let rest = otherwise.map { check($0) }
        state = before
        if let subject, rest == nil { checkCoverage(subject, checked, span) }
        let match = Match(subject: subject, arms: checked, otherwise: rest)
        return Expression(kind: .match(match), type: Self.type(of: match), span: span)
    }

    /// Checks an arm; behind it the state is that of a record that did not fit.
    private mutating func checkArm(
        _ arm: ExpressionSyntax.Arm,
        _ subject: Expression?
    ) -> Match.Arm {
        let patterns = arm.patterns.map { pattern in
            subject.map { checkPattern(pattern, $0) } ?? checkCondition(pattern)
        }
        let before = state
        if let condition = patterns.first, subject == nil, patterns.count == 1 {
            state = before.narrowed(by: condition, is: true)
        }
        let result = check(arm.result)
        state = before
        if subject == nil {
            for condition in patterns { state = state.narrowed(by: condition, is: false) }
        }
        return Match.Arm(patterns: patterns, result: result, span: arm.span)
    }

    private mutating func checkPattern(
        _ syntax: ExpressionSyntax,
        _ subject: Expression
    ) -> Expression {
        let pattern = check(syntax)
        guard pattern.type.kind != .null else { return pattern }
        guard areAlike(subject.type, pattern.type, true) || subject.type.kind == .null else {
            reportUnlike(subject, pattern, pattern.span)
            return poison(pattern.span)
        }
        return reportsImpossible(subject, pattern) ? poison(pattern.span) : pattern
    }

    private mutating func checkCoverage(
        _ subject: Expression,
        _ arms: [Match.Arm],
        _ span: Span
    ) {
        guard let values = subject.type.enumeration else { return }
        let patterns = arms.flatMap(\.patterns)
        // A computed or a wrong pattern may cover anything.
        guard patterns.allSatisfy(\.isLiteral), !patterns.contains(where: \.type.isAny) else {
            return
        }
        let covered = patterns.compactMap { pattern -> String? in
            if case .literal(.string(let text)) = pattern.kind { text } else { nil }
        }
        var missing = values.filter { !covered.contains($0) }.map { "\"\($0)\"" }
        let coversNull = patterns.contains { $0.type.kind == .null }
        if subject.type.isOptional, !coversNull { missing.append("`null`") }
        guard !missing.isEmpty else { return }
        report(
            .uncoveredValue,
            "this match does not cover \(missing.joined(separator: ", "))",
            at: span,
            help: "add an arm, or `else => …`"
        )
    }

    private static func type(of match: Match) -> ValueType {
        let results = match.arms.map(\.result) + [match.otherwise].compactMap(\.self)
        guard let first = results.first else { return .any }
        let type = results.dropFirst().reduce(first.type.texts(of: first)) { type, result in
            type.united(with: result.type.texts(of: result))
        }
        return type.plain
    }
}

extension Expression {
    var isLiteral: Bool {
        if case .literal = kind { true } else { false }
    }
}
