/// Recursive descent from tokens to the tree, with one token of look-ahead (two where needed).
///
/// An error ends the statement it is in; reading goes on at the next one.
struct Parser {
    /// Limits of nesting, so that no text can exhaust the stack.
    static let nestingLimit = 64
    static let expressionDepthLimit = 200

    let source: SourceText
    var tokens: [Token]
    var index = 0
    var diagnostics: [Diagnostic] = []
    /// Line ends mean nothing between `(` or `[` and its counterpart.
    var ignoresLines = false
    var nesting = 0
    /// Where entries and operators are, for the formatter.
    var marks = LayoutMarks()

    init(source: SourceText, tokens: [Token]) {
        self.source = source
        self.tokens = tokens
    }

    /// Thrown when a statement cannot be read on; the diagnostic is already there.
    struct Failure: Error {}

    // MARK: Tokens

    var current: Token { tokens[min(index, tokens.count - 1)] }
    var following: Token { tokens[min(index + 1, tokens.count - 1)] }
    var previousSpan: Span { index > 0 ? tokens[min(index, tokens.count) - 1].span : Span(0, 0) }
    /// True when the current token belongs to the same statement as the one before it.
    var isSameLine: Bool { ignoresLines || !current.startsLine }

    mutating func advance() {
        if index < tokens.count - 1 { index += 1 }
    }

    /// Steps over a sign if it is the next token.
    mutating func skip(_ sign: Token.Sign) -> Bool {
        guard current.sign == sign else { return false }
        advance()
        return true
    }

    mutating func skip(word: String) -> Bool {
        guard current.word == word else { return false }
        advance()
        return true
    }

    mutating func expect(_ sign: Token.Sign, _ place: String) throws(Failure) {
        guard skip(sign) else { throw unexpected("`\(sign.rawValue)` \(place)") }
    }

    mutating func expectName(_ what: String) throws(Failure) -> Name {
        guard case .name(let text, _) = current.kind else { throw unexpected(what) }
        defer { advance() }
        return Name(text: text, span: current.span)
    }

    mutating func expectText(_ what: String) throws(Failure) -> Name {
        guard case .string(let text) = current.kind else {
            if case .computed = current.kind {
                let message = "\(what) is written out, without `${…}`"
                throw fail(.wrongArgument, message, at: current.span)
            }
            throw unexpected(what)
        }
        defer { advance() }
        return Name(text: text, span: current.span)
    }

    // MARK: Errors

    mutating func report(_ diagnostic: Diagnostic) {
        diagnostics.append(diagnostic)
    }

    mutating func fail(
        _ code: DiagnosticCode,
        _ message: String,
        at span: Span,
        label: String? = nil,
        help: String? = nil
    ) -> Failure {
        report(Diagnostic(code, message, at: span, label: label, help: help))
        return Failure()
    }

    mutating func unexpected(_ expected: String) -> Failure {
        // What is missing at the end of a line is missing there, not on the next one.
        if index > 0, current.isEnd || current.startsLine {
            let message = "expected \(expected), found the end of the line"
            return fail(.syntax, message, at: previousSpan)
        }
        return fail(.syntax, "expected \(expected), found \(current.description)", at: current.span)
    }

    /// Skips the rest of the statement that began at a token, brackets and all.
    mutating func recover(from start: Int) {
        var open = OpenBrackets(tokens[start..<max(start, index)])
        while !current.isEnd, !isTopLevelStart {
            if index > start {
                if open.isEmpty, current.startsLine { return }
                if open.isClosed(by: current) || startsStatement(outside: start) { return }
            }
            open.pass(current)
            advance()
        }
    }

    /// True at a line that can only be the start of a top-level item.
    var isTopLevelStart: Bool {
        guard current.isAtMargin, let word = current.word else { return false }
        switch (word, following.kind) {
        case ("from", .string), ("test", .string), ("parse", .name): return true
        case ("on", .name("error", _)): return true
        default: return false
        }
    }

    /// True at a line that begins with a statement word and is indented no deeper than the line
    /// of an earlier token: a bracket in between was not closed.
    func startsStatement(outside start: Int) -> Bool {
        guard current.startsLine, let word = current.word, Self.statements.contains(word) else {
            return false
        }
        switch following.sign {
        case .assign, .colon, .dot, .arrow, .comma: return false
        default: break
        }
        let line = source.lineNumber(of: current.span.start)
        let outer = source.lineNumber(of: tokens[start].span.start)
        return line > outer && source.indentation(ofLine: line) <= source.indentation(ofLine: outer)
    }

    /// Runs a reader one level deeper, unless that is too deep.
    mutating func nested<Result>(
        _ read: (inout Parser) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard nesting < Self.nestingLimit else {
            throw fail(.syntax, "this is nested too deeply", at: current.span)
        }
        nesting += 1
        defer { nesting -= 1 }
        return try read(&self)
    }

    /// Reads entries between braces until the closing one; an entry that fails is stepped over.
    mutating func braced(
        _ what: String,
        holdsStatements: Bool = false,
        _ readEntry: (inout Parser) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        let open = current.span
        let openIndex = index
        if holdsStatements { marks.blocks.insert(index) }
        try expect(.openBrace, what)
        let outerIgnoresLines = ignoresLines
        ignoresLines = false
        defer { ignoresLines = outerIgnoresLines }
        var isWhole = true
        while !skip(.closeBrace) {
            let isLeft = !holdsStatements && startsStatement(outside: openIndex)
            guard !current.isEnd, !isTopLevelStart, !isLeft else {
                throw fail(.syntax, "this `{` is not closed", at: open, help: "add `}`")
            }
            let start = index
            marks.entries.insert(index)
            do {
                try readEntry(&self)
            } catch {
                isWhole = false
                recover(from: start)
            }
            if index == start { advance() }
            _ = skip(.comma)
        }
        return isWhole
    }
}

extension SourceText {
    /// The white space at the start of a line.
    fileprivate func indentation(ofLine line: Int) -> Int {
        let span = lineSpan(line)
        return bytes[span.start..<span.end].prefix { $0 == 0x20 || $0 == 0x09 }.count
    }
}

/// The brackets that are open at some point of a statement.
struct OpenBrackets {
    private var braces = 0
    private var others = 0

    init(_ tokens: ArraySlice<Token>) {
        for token in tokens { pass(token) }
    }

    var isEmpty: Bool { braces == 0 && others == 0 }

    /// True for the `}` of a block around the statement.
    func isClosed(by token: Token) -> Bool {
        token.sign == .closeBrace && braces == 0
    }

    mutating func pass(_ token: Token) {
        switch token.sign {
        case .openBrace: braces += 1
        case .openParen, .openBracket: others += 1
        case .closeParen, .closeBracket: others = max(0, others - 1)
        case .closeBrace:
            // What a `}` closes cannot be open any more inside.
            braces = max(0, braces - 1)
            others = 0
        default: break
        }
    }
}
