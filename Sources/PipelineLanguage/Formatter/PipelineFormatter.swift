/// Lays a pipeline's text out anew: nothing is reordered, no comment is lost, the meaning stays.
///
/// Formatting a formatted text changes nothing.
package struct PipelineFormatter {
    package enum Result {
        case formatted([UInt8])
        /// The text cannot be read, for these reasons.
        case unreadable([Diagnostic])
        /// The layout would mean something else: a mistake of the formatter.
        case unlike
    }

    package static func format(_ source: SourceText) -> Result {
        switch PipelineCompiler.read(source) {
        case .failure(let error): return .unreadable(error.diagnostics)
        case .success(let text):
            let context = LayoutContext(source: source, tokens: text.tokens, marks: text.marks)
            var builder = LayoutBuilder(context: context)
            var printer = LayoutPrinter(context: context)
            let bytes = printer.text(of: builder.file())
            // A file is better left alone than replaced by another program.
            return means(bytes, text.file) ? .formatted(bytes) : .unlike
        }
    }

    private static func means(_ bytes: [UInt8], _ file: SyntaxFile) -> Bool {
        let source = SourceText(path: "", bytes: bytes)
        guard case .success(let text) = PipelineCompiler.read(source) else { return false }
        let encoder = SyntaxEncoder()
        return encoder.json(text.file, name: "") == encoder.json(file, name: "")
    }
}

extension PipelineCompiler {
    /// A text that follows the grammar.
    struct Text {
        var tokens: [Token]
        var file: SyntaxFile
        var marks: LayoutMarks
    }

    struct Unreadable: Error {
        var diagnostics: [Diagnostic]
    }

    /// Reads a text by the grammar alone: names and types may be wrong.
    static func read(_ source: SourceText) -> Swift.Result<Text, Unreadable> {
        var lexer = Lexer(source: source)
        let tokens = lexer.tokens()
        var parser = Parser(source: source, tokens: tokens)
        let file = lexer.isCutShort ? SyntaxFile() : parser.file()
        let diagnostics = SourceReader.diagnostics(
            lexer.diagnostics,
            parser.diagnostics,
            in: source
        )
        guard diagnostics.isEmpty else { return .failure(Unreadable(diagnostics: diagnostics)) }
        return .success(Text(tokens: tokens, file: file, marks: parser.marks))
    }
}

extension Token {
    /// True for a text between three quotes, whose lines follow the last of them.
    func isBlockText(in source: SourceText) -> Bool {
        let quotes = source.bytes[span].prefix(3)
        guard quotes.elementsEqual([0x22, 0x22, 0x22]) || quotes.elementsEqual([0x27, 0x27, 0x27])
        else { return false }
        return !holdsNestedLines(in: source)
    }

    /// True when a text in a `${…}` inside this one spans lines: those follow other quotes.
    private func holdsNestedLines(in source: SourceText) -> Bool {
        guard case .computed(let segments) = kind else { return false }
        return segments.contains { segment in
            guard case .tokens(let tokens) = segment else { return false }
            return tokens.contains { source.bytes[$0.span].contains(UInt8(ascii: "\n")) }
        }
    }
}
