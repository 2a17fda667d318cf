internal import PipelineLanguage

/// `forktail export`: a pipeline as JSON, for programs, and back.
package struct PipelineExporting {
    package init() {}

    /// The tree of a pipeline file as JSON; `-` is standard input.
    ///
    /// - Throws: `ServiceError`: 65 with all errors when the text cannot be read, 66 when the file
    ///   cannot.
    package func json(of path: String) throws -> String {
        let source = try readSource(path)
        switch PipelineExport.json(of: source) {
        case .json(let json): return json
        case .unreadable(let diagnostics):
            throw refusal("the pipeline cannot be read", [(source, diagnostics)], fileCount: 1)
        }
    }

    /// The text of a pipeline whose tree a file holds as JSON; `-` is standard input.
    ///
    /// - Throws: `ServiceError`: 65 when that is no pipeline, 66 when the file cannot be read.
    package func text(fromJSON path: String) throws -> [UInt8] {
        do {
            return try PipelineExport.text(fromJSON: try readSource(path))
        } catch let error as ExportError {
            throw ServiceError(.dataError, error.description)
        }
    }
}
