/// Reads one file of a text: characters become tokens, tokens a tree.
struct SourceReader {
    private let source: SourceText
    private let lexed: [Diagnostic]
    /// Nil when a text that does not close has swallowed the rest of the file.
    private var parser: Parser?

    /// - Parameter start: where the last file of the text begins.
    init(_ source: SourceText, from start: Int = 0) {
        var lexer = Lexer(source: source, from: start)
        let tokens = lexer.tokens()
        self.source = source
        lexed = lexer.diagnostics
        parser = lexer.isCutShort ? nil : Parser(source: source, tokens: tokens)
    }

    /// The tree of a pipeline.
    mutating func file() -> SyntaxFile? {
        parser?.file()
    }

    /// The steps of an included file.
    mutating func includedSteps(broken: inout Set<String>) -> [StepSyntax]? {
        parser?.includedSteps(broken: &broken)
    }

    /// What was found so far.
    var diagnostics: [Diagnostic] {
        Self.diagnostics(lexed, parser?.diagnostics ?? [], in: source)
    }

    /// A text that does not close leads to further errors on its line, with the same cause.
    static func diagnostics(
        _ lexed: [Diagnostic],
        _ parsed: [Diagnostic],
        in source: SourceText
    ) -> [Diagnostic] {
        let lines = Set(lexed.map { source.lineNumber(of: $0.span.start) })
        return lexed + parsed.filter { !lines.contains(source.lineNumber(of: $0.span.start)) }
    }
}
