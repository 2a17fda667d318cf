extension Parser {
    /// Reads an expression; what cannot be read is reported and becomes `broken`.
    mutating func expressionOrBroken() -> ExpressionSyntax {
        let start = index
        do {
            return try expression()
        } catch {
            recoverInExpression(from: start)
            let span = tokens[start].span.joined(to: previousSpan)
            return ExpressionSyntax(kind: .broken, span: span, depth: 1)
        }
    }

    private mutating func recoverInExpression(from start: Int) {
        var open = OpenBrackets(tokens[start..<max(start, index)])
        while !current.isEnd, !isTopLevelStart {
            let isBlock = current.sign == .openBrace && index > start
            if open.isEmpty, current.startsLine || isBlock { return }
            if open.isClosed(by: current) || startsStatement(outside: start) { return }
            open.pass(current)
            advance()
        }
    }

    mutating func expression() throws(Failure) -> ExpressionSyntax {
        try nested { (parser) throws(Failure) in try parser.coalesce() }
    }

    private mutating func coalesce() throws(Failure) -> ExpressionSyntax {
        let left = try binary(minimum: 1)
        guard current.sign == .coalesce else { return left }
        marks.operators[index] = (LayoutMarks.coalesce, count: 1)
        advance()
        let right = try expression()
        return try make(
            .coalesce(left, right),
            left.span.joined(to: right.span),
            inside: [left, right]
        )
    }

    /// Makes a node, unless it would be the top of too tall a tree.
    mutating func make(
        _ kind: ExpressionSyntax.Kind,
        _ span: Span,
        inside: [ExpressionSyntax] = []
    ) throws(Failure) -> ExpressionSyntax {
        let depth = (inside.map(\.depth).max() ?? 0) + 1
        guard depth <= Self.expressionDepthLimit else {
            throw fail(
                .syntax,
                "this expression is too long",
                at: current.isEnd ? span : current.span,
                help: "name a part of it with `let`"
            )
        }
        return ExpressionSyntax(kind: kind, span: span, depth: depth)
    }

    // MARK: Operators

    private enum Infix {
        case operation(BinaryOperator)
        case regexMatch(negated: Bool)
        case assignment

        var precedence: Int {
            switch self {
            case .operation(.or): 1
            case .operation(.and): 2
            case .operation(.add), .operation(.subtract): 5
            case .operation(.multiply), .operation(.divide), .operation(.remainder): 6
            default: 4
            }
        }

        var isComparison: Bool { precedence == 4 }
    }

    /// The infix operator here, and how many tokens it takes.
    private var infix: (Infix, tokens: Int)? {
        guard let infix = anyInfix else { return nil }
        guard isSameLine || continuesLine(infix.0) else { return nil }
        return infix
    }

    private func continuesLine(_ infix: Infix) -> Bool {
        switch infix {
        case .operation(.and), .operation(.or), .operation(.add): true
        default: false
        }
    }

    private var anyInfix: (Infix, tokens: Int)? {
        switch (current.word, current.sign) {
        case ("and", _): (.operation(.and), 1)
        case ("or", _): (.operation(.or), 1)
        case ("in", _): (.operation(.isIn), 1)
        case ("not", _): following.word == "in" ? (.operation(.isNotIn), 2) : nil
        case (_, .matches): (.regexMatch(negated: false), 1)
        case (_, .doesNotMatch): (.regexMatch(negated: true), 1)
        case (_, .assign): (.assignment, 1)
        case (_, let sign?): Self.signs[sign].map { (.operation($0), 1) }
        default: nil
        }
    }

    private static let signs: [Token.Sign: BinaryOperator] = [
        .equal: .equal, .notEqual: .notEqual, .less: .less, .lessOrEqual: .lessOrEqual,
        .greater: .greater, .greaterOrEqual: .greaterOrEqual, .plus: .add, .minus: .subtract,
        .star: .multiply, .slash: .divide, .percent: .remainder,
    ]

    private mutating func binary(minimum: Int) throws(Failure) -> ExpressionSyntax {
        var left = try operand()
        var hasCompared = false
        while let (infix, count) = infix, infix.precedence >= minimum {
            if infix.isComparison, hasCompared { throw chained(count) }
            if case .assignment = infix { reportAssignment() }
            hasCompared = infix.isComparison
            marks.operators[index] = (infix.precedence, count)
            for _ in 0..<count { advance() }
            let right = try nested { (parser) throws(Failure) in
                try parser.binary(minimum: infix.precedence + 1)
            }
            left = try combine(infix, left, right)
        }
        return left
    }

    private mutating func chained(_ count: Int) -> Failure {
        fail(
            .chainedComparison,
            "comparisons do not chain",
            at: current.span,
            help: "compare twice: `a < b and b < c`"
        )
    }

    private mutating func reportAssignment() {
        report(
            Diagnostic(
                .assignmentInCondition,
                "`=` does not compare",
                at: current.span,
                help: "to compare use `==`"
            )
        )
    }

    private mutating func combine(
        _ infix: Infix,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax
    ) throws(Failure) -> ExpressionSyntax {
        let kind: ExpressionSyntax.Kind =
            switch infix {
            case .operation(let operation): .binary(operation, left, right)
            case .regexMatch(let negated): .regexMatch(left, right, negated: negated)
            case .assignment: .broken
            }
        return try make(kind, left.span.joined(to: right.span), inside: [left, right])
    }

    private mutating func operand() throws(Failure) -> ExpressionSyntax {
        let start = current.span
        if skip(word: "not") {
            let inner = try nested { (parser) throws(Failure) in try parser.binary(minimum: 4) }
            return try make(.unary(.not, inner), start.joined(to: inner.span), inside: [inner])
        }
        guard current.sign == .minus else { return try postfix() }
        marks.prefixes.insert(index)
        advance()
        let inner = try nested { (parser) throws(Failure) in try parser.operand() }
        let span = start.joined(to: inner.span)
        switch inner.kind {
        case .literal(.int(let value)): return try make(.literal(.int(-value)), span)
        case .literal(.decimal(let digits)) where !digits.hasPrefix("-"):
            return try make(.literal(.decimal("-" + digits)), span)
        default: return try make(.unary(.negate, inner), span, inside: [inner])
        }
    }

    // MARK: Postfix

    private mutating func postfix() throws(Failure) -> ExpressionSyntax {
        var result = try primary()
        while isSameLine {
            if skip(.dot) {
                let name = try expectName("a name after `.`")
                let span = result.span.joined(to: name.span)
                result = try make(.member(result, name), span, inside: [result])
            } else if current.sign == .openBracket {
                result = try index(of: result)
            } else if skip(word: "except") {
                let paths = try exceptPaths()
                let span = result.span.joined(to: previousSpan)
                result = try make(.except(result, paths), span, inside: [result])
            } else {
                return result
            }
        }
        return result
    }

    private mutating func index(of base: ExpressionSyntax) throws(Failure) -> ExpressionSyntax {
        marks.attached.insert(index)
        let position = try bracketed { (parser) throws(Failure) in
            let position = try parser.expression()
            try parser.expect(.closeBracket, "after the index")
            return position
        }
        let span = base.span.joined(to: previousSpan)
        return try make(.index(base, position), span, inside: [base, position])
    }

    private mutating func exceptPaths() throws(Failure) -> [PathSyntax] {
        guard current.sign == .openParen else { return [try path()] }
        return try bracketed { (parser) throws(Failure) in
            var paths: [PathSyntax] = []
            while !parser.skip(.closeParen) {
                paths.append(try parser.path())
                guard !parser.skip(.comma) else { continue }
                try parser.expect(.closeParen, "or `,` in this list")
                break
            }
            return paths
        }
    }

    mutating func path() throws(Failure) -> PathSyntax {
        var names = [try expectName("the name of a field")]
        while isSameLine, skip(.dot) { names.append(try expectName("a name after `.`")) }
        return PathSyntax(names: names, span: names[0].span.joined(to: previousSpan))
    }

    /// Steps over an opening bracket and reads on with line ends ignored.
    private mutating func bracketed<Result>(
        _ read: (inout Parser) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        advance()
        let outerIgnoresLines = ignoresLines
        ignoresLines = true
        defer { ignoresLines = outerIgnoresLines }
        return try read(&self)
    }

    // MARK: Primary

    private mutating func primary() throws(Failure) -> ExpressionSyntax {
        let token = current
        switch token.kind {
        case .integer(let value): return try literal(.int(value))
        case .decimal(let digits): return try literal(.decimal(digits))
        case .duration(let duration): return try literal(.duration(duration))
        case .string(let text): return try literal(.string(text))
        case .byteCount(let count): return try leaf(.byteCount(count))
        case .meta(let path): return try leaf(.meta(path))
        case .computed(let segments): return try computed(segments)
        case .name(let name, let isQuoted): return try named(name, isQuoted: isQuoted)
        case .sign(.star): return try leaf(.allFields)
        case .sign(.openParen): return try parenthesized()
        case .sign(.openBracket): return try list()
        case .sign(.openBrace): return try object()
        case .sign, .end: throw unexpected("a value")
        }
    }

    private mutating func leaf(_ kind: ExpressionSyntax.Kind) throws(Failure) -> ExpressionSyntax {
        advance()
        return try make(kind, previousSpan)
    }

    private mutating func literal(_ literal: Literal) throws(Failure) -> ExpressionSyntax {
        try leaf(.literal(literal))
    }

    private mutating func named(
        _ name: String,
        isQuoted: Bool
    ) throws(Failure) -> ExpressionSyntax {
        guard !isQuoted else { return try leaf(.name(name)) }
        switch name {
        case "null": return try literal(.null)
        case "true": return try literal(.bool(true))
        case "false": return try literal(.bool(false))
        case "match": return try match()
        case "and", "or", "in", "else", "except", "if": throw unexpected("a value")
        default: break
        }
        guard following.sign == .openParen, following.span.start == current.span.end else {
            return try leaf(.name(name))
        }
        let function = Name(text: name, span: current.span)
        advance()
        let arguments = try self.arguments()
        let span = function.span.joined(to: previousSpan)
        return try make(.call(function, arguments), span, inside: arguments.map(\.value))
    }

    /// Reads `( [name:] value, … )`.
    mutating func arguments() throws(Failure) -> [ArgumentSyntax] {
        marks.attached.insert(index)
        return try bracketed { (parser) throws(Failure) in
            var arguments: [ArgumentSyntax] = []
            while !parser.skip(.closeParen) {
                arguments.append(try parser.argument())
                guard !parser.skip(.comma) else { continue }
                try parser.expect(.closeParen, "or `,` after this argument")
                break
            }
            return arguments
        }
    }

    private mutating func argument() throws(Failure) -> ArgumentSyntax {
        var label: Name?
        if following.sign == .colon, case .name(let text, _) = current.kind {
            label = Name(text: text, span: current.span)
            advance()
            advance()
        }
        return ArgumentSyntax(label: label, value: try expression())
    }

    private mutating func parenthesized() throws(Failure) -> ExpressionSyntax {
        let start = current.span
        var inner = try bracketed { (parser) throws(Failure) in
            let inner = try parser.expression()
            try parser.expect(.closeParen, "to close this")
            return inner
        }
        inner.span = start.joined(to: previousSpan)
        return inner
    }

    private mutating func list() throws(Failure) -> ExpressionSyntax {
        let start = current.span
        let elements = try bracketed { (parser) throws(Failure) in
            var elements: [ExpressionSyntax] = []
            while !parser.skip(.closeBracket) {
                elements.append(try parser.expression())
                guard !parser.skip(.comma) else { continue }
                try parser.expect(.closeBracket, "or `,` in this list")
                break
            }
            return elements
        }
        return try make(.list(elements), start.joined(to: previousSpan), inside: elements)
    }

    private mutating func object() throws(Failure) -> ExpressionSyntax {
        let start = current.span
        var members: [ExpressionSyntax.Member] = []
        marks.lists.insert(index)
        let isWhole = try braced("to begin an object") { (parser) throws(Failure) in
            members.append(try parser.member())
            try parser.expectEntryEnd("this member")
        }
        guard isWhole else { throw Failure() }
        let span = start.joined(to: previousSpan)
        return try make(.object(members), span, inside: members.compactMap(\.value))
    }

    private mutating func member() throws(Failure) -> ExpressionSyntax.Member {
        let isText = if case .string = current.kind { true } else { false }
        let name = try isText ? expectText("a name") : expectName("the name of a member")
        guard skip(.colon) else {
            guard !isText else { throw unexpected("`:` after this name") }
            return .init(name: name, value: nil)
        }
        return .init(name: name, value: try expression())
    }

    private mutating func match() throws(Failure) -> ExpressionSyntax {
        let start = current.span
        advance()
        let subject = current.sign == .openBrace ? nil : try expression()
        var arms: [ExpressionSyntax.Arm] = []
        var otherwise: ExpressionSyntax?
        var elseSpan = start
        marks.lists.insert(index)
        let isWhole = try braced("to begin the arms") { (parser) throws(Failure) in
            guard otherwise == nil else {
                let help = "move it to the end"
                throw parser.fail(.syntax, "`else` is the last arm", at: elseSpan, help: help)
            }
            if parser.current.word == "else" {
                elseSpan = parser.current.span
                parser.advance()
                try parser.expect(.arrow, "after `else`")
                otherwise = try parser.expression()
            } else {
                arms.append(try parser.arm())
            }
            try parser.expectEntryEnd("this arm")
        }
        guard isWhole else { throw Failure() }
        let span = start.joined(to: previousSpan)
        guard !arms.isEmpty else { throw fail(.syntax, "this match has no arms", at: span) }
        let inside =
            arms.flatMap { $0.patterns + [$0.result] }
            + [subject, otherwise].compactMap(\.self)
        return try make(.match(subject: subject, arms, otherwise: otherwise), span, inside: inside)
    }

    private mutating func arm() throws(Failure) -> ExpressionSyntax.Arm {
        var patterns = [try expression()]
        while skip(.comma) { patterns.append(try expression()) }
        try expect(.arrow, "after the value of this arm")
        let result = try expression()
        let span = patterns[0].span.joined(to: result.span)
        return .init(patterns: patterns, result: result, span: span)
    }

    /// An entry of an object or a match ends with a line, a comma, or the closing brace.
    private mutating func expectEntryEnd(_ what: String) throws(Failure) {
        let ends = current.startsLine || current.sign == .comma || current.sign == .closeBrace
        guard ends || current.isEnd else { throw unexpected("`,` or a new line after \(what)") }
    }

    // MARK: Computed texts

    private mutating func computed(_ segments: [Token.Segment]) throws(Failure) -> ExpressionSyntax
    {
        let span = current.span
        var result: [ExpressionSyntax.Segment] = []
        for segment in segments {
            switch segment {
            case .text(let text): result.append(.text(text))
            case .tokens(let tokens): result.append(.expression(try interpolated(tokens)))
            }
        }
        advance()
        let inside = result.compactMap {
            if case .expression(let inner) = $0 { inner } else { nil }
        }
        return try make(.computed(result), span, inside: inside)
    }

    private mutating func interpolated(_ inner: [Token]) throws(Failure) -> ExpressionSyntax {
        var parser = Parser(source: source, tokens: inner)
        parser.nesting = nesting
        defer { diagnostics += parser.diagnostics }
        let expression = try parser.expression()
        guard parser.current.isEnd else {
            throw parser.fail(
                .syntax,
                "expected `}`, found \(parser.current.description)",
                at: parser.current.span
            )
        }
        return expression
    }
}
