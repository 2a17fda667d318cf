/// Turns the text of a pipeline into a plan, or says what is wrong with it.
package struct PipelineCompiler {
    /// Compiles a text; there is a plan exactly when no diagnostic is an error.
    package static func compile(
        _ source: SourceText
    ) -> (plan: Plan?, diagnostics: [Diagnostic]) {
        compile(source, in: PipelineContext())
    }

    /// Compiles a text that may use what `forktail.conf` says.
    package static func compile(
        _ source: SourceText,
        in context: PipelineContext
    ) -> (plan: Plan?, diagnostics: [Diagnostic]) {
        var lexer = Lexer(source: source)
        let tokens = lexer.tokens()
        guard !lexer.isCutShort else { return (nil, lexer.diagnostics) }
        var parser = Parser(source: source, tokens: tokens)
        let file = parser.file()
        var checker = Checker(source: source, file: file, context: context)
        let plan = checker.plan()
        var diagnostics = readingDiagnostics(lexer, parser)
        let isReadable = diagnostics.isEmpty && parser.diagnostics.isEmpty
        diagnostics += checker.diagnostics
        return finish(isReadable ? plan : nil, diagnostics)
    }

    static func readingDiagnostics(_ lexer: Lexer, _ parser: Parser) -> [Diagnostic] {
        let source = lexer.source
        // A text that does not close leads to further errors on its line, with the same cause.
        return lexer.diagnostics
            + parser.diagnostics.filter { diagnostic in
                !lexer.diagnostics.contains {
                    source.isSameLine($0.span.start, diagnostic.span.start)
                }
            }
    }

    private static func finish(
        _ plan: Plan?,
        _ diagnostics: [Diagnostic]
    ) -> (plan: Plan?, diagnostics: [Diagnostic]) {
        var seen: Set<Diagnostic> = []
        var sorted = diagnostics.filter { seen.insert($0).inserted }
        sorted.sort { ($0.span.start, $0.code.rawValue) < ($1.span.start, $1.code.rawValue) }
        let hasErrors = sorted.contains { $0.severity == .error }
        guard hasErrors else { return (plan, sorted) }
        // Warnings about a text that will change anyway are noise.
        return (nil, sorted.filter { $0.severity == .error })
    }
}

extension SourceText {
    fileprivate func isSameLine(_ left: Int, _ right: Int) -> Bool {
        lineNumber(of: left) == lineNumber(of: right)
    }
}
