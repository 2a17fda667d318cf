extension ConfigurationFile {
    /// Reads a text, and says all that is wrong with it whatever the environment.
    package static func read(
        _ source: SourceText,
        rules: PropertyRules
    ) -> (file: ConfigurationFile, diagnostics: [Diagnostic]) {
        var lexer = Lexer(source: source)
        let tokens = lexer.tokens()
        guard !lexer.isCutShort else {
            return (ConfigurationFile(source: source), lexer.diagnostics)
        }
        var parser = ConfigurationParser(source: source, tokens: tokens, rules: rules)
        var file = parser.file()
        file.source = source.covering(parser.plainSecrets)
        let unread = Set(lexer.diagnostics.map { source.lineNumber(of: $0.span.start) })
        var diagnostics = lexer.diagnostics
        // Characters that mean nothing lead to further errors on their line, with the same cause.
        diagnostics += parser.parser.diagnostics.filter {
            !unread.contains(source.lineNumber(of: $0.span.start))
        }
        diagnostics += file.unknownClusters()
        for layer in [file.base] + file.profiles.map(\.layer) {
            diagnostics += Checker.diagnostics(ofDefaults: layer, in: source)
        }
        return (file, diagnostics.sorted { $0.span.start < $1.span.start })
    }

    /// Profiles change clusters: one that only a profile names is a slip, unless all are in profiles.
    private func unknownClusters() -> [Diagnostic] {
        let known = base.clusters.map(\.name.text)
        guard !known.isEmpty else { return [] }
        return profiles.flatMap(\.layer.clusters).filter { !known.contains($0.name.text) }.map {
            Diagnostic(
                .unknownSetting,
                "there is no `kafka \($0.name.text)` that this profile could change",
                at: $0.name.span,
                help: SpellingHelp.suggestion(for: $0.name.text, in: known)
                    ?? "write `kafka \($0.name.text) { … }` outside of the profiles as well"
            )
        }
    }
}

extension SourceText {
    /// The same text with asterisks where passwords stand, so that no message shows them.
    fileprivate func covering(_ spans: [Span]) -> SourceText {
        guard !spans.isEmpty else { return self }
        var bytes = bytes
        for span in spans {
            for index in span.start..<min(span.end, bytes.count) where bytes[index] != 0x0A {
                bytes[index] = UInt8(ascii: "*")
            }
        }
        return SourceText(path: path, bytes: bytes)
    }
}

extension Checker {
    /// What is wrong with what all pipelines would inherit.
    fileprivate static func diagnostics(
        ofDefaults layer: ConfigurationFile.Layer,
        in source: SourceText
    ) -> [Diagnostic] {
        var checker = Checker(source: source, file: SyntaxFile(), context: PipelineContext())
        checker.isInDefaults = true
        checker.checkDefaults(layer)
        return checker.diagnostics
    }

    private mutating func checkDefaults(_ layer: ConfigurationFile.Layer) {
        if let policy = layer.errorPolicy {
            var parser = Parser(source, in: policy.span)
            if let syntax = try? parser.errorPolicy() { _ = checkErrorPolicy(syntax) }
        }
        let headers = layer.headers.map { header in
            var parser = Parser(source, in: header.value.span)
            return SettingSyntax(name: header.name, value: parser.expressionOrBroken())
        }
        _ = checkHeaders(headers)
    }
}

extension Parser {
    /// Reads a piece of a text, where it stands.
    fileprivate init(_ source: SourceText, in span: Span) {
        var lexer = Lexer(source: source)
        let tokens = lexer.tokens().filter {
            span.start <= $0.span.start && $0.span.end <= span.end
        }
        let end = Token(kind: .end, span: Span(span.end, span.end), startsLine: true)
        self.init(source: source, tokens: tokens.filter { !$0.isEnd } + [end])
    }
}
