internal import Glibc
internal import PipelineLanguage
internal import PipelineTools
internal import RecordProcessing

/// `forktail init`: a pipeline file to begin with.
package struct PipelineInit {
    /// Bytes of a sample to look at; what is behind them is much the same.
    private static let sampleLimit = 16 << 20

    private let name: String
    private let path: String

    /// - Parameter name: of the pipeline, or the path of its file.
    /// - Throws: `ServiceError`: 64 for a name that no pipeline can have, 73 when there is such a
    ///   file already.
    package init(name: String) throws {
        let suffix = ".pipeline"
        path = name.hasSuffix(suffix) ? name : name + suffix
        self.name = SourceText(path: path, text: "").name
        guard !self.name.isEmpty, !name.hasSuffix("/"), self.name.printable == self.name else {
            throw ServiceError(.usage, "\"\(name)\" cannot be the name of a pipeline")
        }
        guard access(path, F_OK) != 0 else {
            throw ServiceError(.cannotCreate, "\(path) is there already; it is left as it is")
        }
    }

    /// Writes a pipeline with comments, and returns what to tell its author.
    package func writeStarter() throws -> String {
        try ReplacedFile.create(path, with: Array(StarterPipeline(name: name).text.utf8))
        return "wrote \(path.printable): change it, then: forktail test \(path.printable)\n"
    }

    /// Writes a pipeline for what is in a sample, and returns what to tell its author.
    ///
    /// - Throws: `ServiceError`: 65 for a sample of which nothing can be learnt, 66 when it cannot
    ///   be read, 73 when the file cannot be written.
    package func write(from sample: String) throws -> String {
        let input = try readWholeInput(sample, for: "init", decompresses: true)
        let bytes = try text(of: input.bytes, sample)
        guard
            let pipeline = SamplePipeline(
                name: name,
                path: sourcePath(sample),
                sample: bytes,
                frame: events
            )
        else {
            throw ServiceError(.dataError, "\(sample) has no line in it to learn from")
        }
        try ReplacedFile.create(path, with: Array(pipeline.text.utf8))
        return report(pipeline, sample)
    }

    private func events(
        of plan: Plan,
        in bytes: UnsafeRawBufferPointer,
        matches: (UnsafeRawBufferPointer) -> Bool
    ) -> [PipelineTestRunner.Event] {
        guard let pipeline = try? LoadedPipeline(plan: plan) else { return [] }
        return pipeline.events(in: bytes, matches: matches).map {
            PipelineTestRunner.Event(range: $0.range, line: $0.line)
        }
    }

    /// What is looked at: whole lines of text, without a byte-order mark.
    private func text(of bytes: [UInt8], _ sample: String) throws -> [UInt8] {
        var text = bytes[...]
        if text.count > Self.sampleLimit {
            text = text.prefix(Self.sampleLimit)
            if let end = text.lastIndex(of: 0x0A) { text = text[...end] }
        }
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = text.dropFirst(3) }
        guard !text.contains(0) else {
            throw ServiceError(
                .dataError,
                "\(sample) is no UTF-8 text; if it is UTF-16, begin with `forktail init \(name)` and"
                    + " write `encoding = \"UTF-16\"` into the block of its `from`"
            )
        }
        return Array(text)
    }

    /// The absolute path of the sample.
    private func sourcePath(_ sample: String) -> String {
        guard sample != "-" else { return "\(name).log" }
        guard let real = realpath(sample, nil) else { return sample }
        defer { free(real) }
        return String(cString: real)
    }

    private func report(_ pipeline: SamplePipeline, _ sample: String) -> String {
        let all = pipeline.parsed + pipeline.failed
        var text = "wrote \(path.printable): \(pipeline.format.printable)\n"
        text += "it reads \(pipeline.parsed) of \(all) records of \(sample.printable)\n"
        if let failure = pipeline.firstFailure {
            text +=
                "  the first that it does not is on line \(failure.line): "
                + "\(failure.message.printable)\n"
        }
        return text
    }
}
