/// A pipeline as JSON, for programs, and back.
package struct PipelineExport {
    package enum Result {
        case json(String)
        /// The text cannot be read, for these reasons.
        case unreadable([Diagnostic])
    }

    /// The tree of a text; only its grammar is checked.
    package static func json(of source: SourceText) -> Result {
        switch PipelineCompiler.read(source) {
        case .failure(let error): .unreadable(error.diagnostics)
        case .success(let text):
            .json(SyntaxEncoder().json(text.file, name: source.name).text() + "\n")
        }
    }

    /// The text of a pipeline that `json(of:)` or another program has written.
    ///
    /// - Throws: `ExportError`, which names the place in the JSON.
    package static func text(fromJSON source: SourceText) throws(ExportError) -> [UInt8] {
        var reader = JSONReader(source: source)
        let file = try SyntaxDecoder().file(try reader.tree())
        let written = SourceText(path: source.path, text: SyntaxWriter().text(file))
        guard case .success(let text) = PipelineCompiler.read(written) else {
            throw ExportError(
                "\(source.path): this cannot be written as a pipeline: " + reason(written)
            )
        }
        let encoder = SyntaxEncoder()
        guard encoder.json(text.file, name: "") == encoder.json(file, name: "") else {
            throw ExportError("\(source.path): this cannot be written as a pipeline")
        }
        guard case .formatted(let bytes) = PipelineFormatter.format(written) else {
            return written.bytes
        }
        return bytes
    }

    private static func reason(_ source: SourceText) -> String {
        guard case .failure(let error) = PipelineCompiler.read(source),
            let diagnostic = error.diagnostics.first
        else { return "" }
        return "\(diagnostic.message), in `\(source.text(in: diagnostic.span))`"
    }
}
