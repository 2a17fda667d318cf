internal import Glibc
internal import PipelineLanguage

/// `forktail fmt`: pipeline files in the one layout that they have.
package struct PipelineFormatting {
    /// What is done with a text that is laid out otherwise.
    package enum Effect: Sendable {
        /// The file is replaced.
        case write
        /// The file stays as it is.
        case report(asDiff: Bool)
    }

    package struct Report: Sendable {
        /// What to print: a difference, names of files, or the text itself.
        package var output: [UInt8] = []
        /// The files that were, or would be, changed.
        package var changed: [String] = []
        package var fileCount = 0
    }

    private struct Formatted {
        let source: SourceText
        let bytes: [UInt8]

        var isChanged: Bool { bytes != source.bytes }
    }

    package init() {}

    /// Formats files and those in folders: all of them, or none if one cannot be read.
    ///
    /// - Throws: `ServiceError`: 65 with all errors when a text cannot be read, 66 when a file
    ///   cannot, 73 when one cannot be written.
    package func run(paths: [String], effect: Effect) throws -> Report {
        let sources = try PipelineLoader.files(in: paths).map { path in
            SourceText(path: path, bytes: try readFile(path))
        }
        let files = try format(sources)
        var report = report(files, effect: effect)
        guard case .write = effect else { return report }
        report.changed = []
        for file in files where file.isChanged {
            try ReplacedFile.replace(file.source.path, with: file.bytes)
            report.changed.append(file.source.path)
        }
        return report
    }

    /// Formats standard input.
    ///
    /// - Throws: `ServiceError`: 65 when the text cannot be read, 66 when the input cannot.
    package func runOnStandardInput(effect: Effect) throws -> Report {
        let files = try format([try readSource("-")])
        var report = report(files, effect: effect)
        if case .write = effect {
            report.output = files.flatMap(\.bytes)
        }
        return report
    }

    private func report(_ files: [Formatted], effect: Effect) -> Report {
        var report = Report(fileCount: files.count)
        for file in files where file.isChanged {
            let path = file.source.path
            report.changed.append(path)
            switch effect {
            case .write: break
            case .report(asDiff: false): report.output += Array((path.printable + "\n").utf8)
            case .report(asDiff: true):
                let old = file.source.bytes
                let diff = UnifiedDiff.text(from: old, to: file.bytes, path: path.printable)
                report.output += Array(diff.utf8)
            }
        }
        return report
    }

    private func format(_ sources: [SourceText]) throws -> [Formatted] {
        var files: [Formatted] = []
        var unreadable: [(SourceText, [Diagnostic])] = []
        for source in sources {
            switch PipelineFormatter.format(source) {
            case .formatted(let bytes): files.append(Formatted(source: source, bytes: bytes))
            case .unreadable(let diagnostics): unreadable.append((source, diagnostics))
            case .unlike:
                throw ServiceError(
                    .software,
                    "\(source.path) cannot be laid out without changing what it means: nothing was"
                        + " formatted; please report the file"
                )
            }
        }
        guard unreadable.isEmpty else {
            let message = "this cannot be read, so nothing was formatted"
            throw refusal(message, unreadable, fileCount: sources.count)
        }
        return files
    }
}

/// Why texts cannot be read, with all errors of each.
func refusal(
    _ message: String,
    _ unreadable: [(source: SourceText, diagnostics: [Diagnostic])],
    fileCount: Int
) -> ServiceError {
    var details = "\n\n"
    for (source, diagnostics) in unreadable {
        details += DiagnosticRenderer(source: source).text(diagnostics) + "\n"
    }
    details += DiagnosticRenderer.summary(
        errors: unreadable.reduce(0) { $0 + $1.diagnostics.count },
        inFiles: unreadable.count,
        of: fileCount
    )
    return ServiceError(.dataError, message, details: details)
}

/// The text of a file; `-` is standard input.
///
/// - Throws: `ServiceError` (66).
func readSource(_ path: String) throws -> SourceText {
    guard path == "-" else { return SourceText(path: path, bytes: try readFile(path)) }
    let name = "standard input"
    guard let bytes = try readAll(STDIN_FILENO, of: NamedFile(name), limit: 4 << 20) else {
        throw ServiceError(.noInput, "\(name) is over 4 MiB: that is no pipeline")
    }
    return SourceText(path: name, bytes: bytes)
}
