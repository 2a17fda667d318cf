/// Turns the text of a pipeline into a plan, or says what is wrong with it.
package struct PipelineCompiler {
    /// Compiles a text that stands alone; there is a plan exactly when no diagnostic is an error.
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
        var source = source
        return compile(&source, in: context)
    }

    /// Compiles a text and adds to it what it includes: the diagnostics point there too.
    package static func compile(
        _ source: inout SourceText,
        in context: PipelineContext
    ) -> (plan: Plan?, diagnostics: [Diagnostic]) {
        var reader = SourceReader(source)
        guard let file = reader.file() else { return (nil, reader.diagnostics) }
        var includer = Includer(source: source, context: context)
        let whole = includer.expand(file)
        source = includer.source
        var diagnostics = reader.diagnostics + includer.diagnostics
        let unreadable = diagnostics.map(\.span)
        var checker = Checker(source: source, file: whole, context: context)
        checker.unreadable = unreadable
        let plan = checker.plan()
        diagnostics += checker.diagnostics
        return finish(unreadable.isEmpty ? plan : nil, diagnostics, source)
    }

    private static func finish(
        _ plan: Plan?,
        _ diagnostics: [Diagnostic],
        _ source: SourceText
    ) -> (plan: Plan?, diagnostics: [Diagnostic]) {
        var seen: Set<String> = []
        // A file that is included twice has its errors once.
        var sorted = diagnostics.filter { diagnostic in
            let place = source.place(of: diagnostic.span.start)
            let line = "\(place) \(diagnostic.code.rawValue) \(diagnostic.message)"
            return seen.insert(line).inserted
        }
        sorted.sort { ($0.span.start, $0.code.rawValue) < ($1.span.start, $1.code.rawValue) }
        let hasErrors = sorted.contains { $0.severity == .error }
        guard hasErrors else { return (plan, sorted) }
        // Warnings about a text that will change anyway are noise.
        return (nil, sorted.filter { $0.severity == .error })
    }
}
