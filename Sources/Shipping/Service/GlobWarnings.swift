internal import FileTailing
internal import PipelineLanguage

extension LoadedPipeline {
    /// A warning for each glob that no file fits now.
    func emptyGlobWarnings() throws -> [Diagnostic] {
        let excluded = try makeWatchSet(start: nil).exclude
        return try plan.input.globs.compactMap { glob in
            let pattern = try pattern(glob)
            let files = GlobExpansion.files(
                matching: [pattern],
                excluding: excluded,
                on: LinuxDisk()
            )
            guard files.isEmpty else { return nil }
            return Diagnostic(
                .doubtful,
                "no file fits this now",
                at: glob.span,
                help: "files that come later are read; is the path right?"
            )
        }
    }
}

/// Who reads which file, to find those that two pipelines read.
struct FileReaders {
    private var readers: [String: String] = [:]

    /// A warning for each pipeline that reads files of this one already.
    mutating func warnings(adding pipeline: LoadedPipeline) throws -> [Diagnostic] {
        guard let span = pipeline.plan.input.globs.first?.span else { return [] }
        var shared: [String: [String]] = [:]
        for file in try pipeline.filesMatchingGlobs() {
            if let other = readers[file] {
                shared[other, default: []].append(file)
            } else {
                readers[file] = pipeline.path
            }
        }
        return shared.sorted { $0.key < $1.key }.map { other, files in
            let more = files.count > 1 ? " and \(files.count - 1) more" : ""
            return Diagnostic(
                .doubtful,
                "\(files[0].printable)\(more) is read by \(other.printable) too",
                at: span,
                label: "each of its lines is sent by both",
                help: "leave it out of one of them with `exclude`"
            )
        }
    }
}
