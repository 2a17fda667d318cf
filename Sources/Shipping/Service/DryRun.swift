internal import FileTailing
internal import PipelineLanguage
internal import RecordProcessing

/// `forktail try`: what a file would become, without Kafka and without a trace.
package struct DryRun {
    package enum Format: String, CaseIterable, Sendable {
        case pretty, json
        /// The records alone, as `kcat -J` prints them.
        case kcat
    }

    /// What is shown of an event: as it is read, its fields, or what becomes of it.
    package enum Stage: String, CaseIterable, Sendable {
        case raw, parsed, sent, all
    }

    private let pipeline: LoadedPipeline
    private let format: Format
    private let stage: Stage
    private let limit: Int

    package init(
        pipeline: LoadedPipeline,
        format: Format,
        stage: Stage = .sent,
        limit: Int?
    ) {
        self.pipeline = pipeline
        self.format = format
        self.stage = stage
        self.limit = limit ?? .max
    }

    /// Prints the outcomes on standard output and returns how many records failed.
    ///
    /// Events that are only read cannot fail.
    ///
    /// - Throws: `ServiceError`: 66 when the file cannot be read, 74 when the outcomes cannot be
    ///   written.
    package func run(file: String) throws -> Int {
        let input = try readWholeInput(
            file,
            for: "try",
            decompresses: pipeline.decompresses
        )
        let failures = try input.bytes.withUnsafeBytes { try show($0, of: input, file) }
        guard let damage = input.damage else { return failures }
        writeToStandardError(
            "forktail: \(file.printable) is damaged: \(damage); what is before that was read\n"
        )
        return failures + 1
    }

    /// Prints what becomes of each event.
    private func show(
        _ raw: UnsafeRawBufferPointer,
        of input: WholeInput,
        _ file: String
    ) throws -> Int {
        let processor = RecordProcessor(program: pipeline.program)
        let name = file == "-" ? "stdin" : file
        var context = FileContext(path: name, inode: 0, modified: 0, header: nil)
        let text = ChunkText(pipeline)
        let end: ReadEnd = input.damage == nil ? .final : .open
        let bytes = text.text(of: raw, at: 0, head: Array(raw.prefix(4)), end)
        let events = pipeline.events(in: bytes, atEnd: end == .final) { processor.matchesLine($0) }
        var failures = 0
        var shown = 0
        for event in events where shown < limit {
            let position = RecordPosition(
                line: event.line,
                offset: Int64(text.sourceLength(of: event.range.lowerBound)),
                readTime: wallClockMilliseconds()
            )
            let content = UnsafeRawBufferPointer(rebasing: bytes[event.range])
            // What is staged points into the event.
            let ending = text.withValidText(of: content) { content, _ in
                show(content, processor, &context, DryPlace(file: name, position: position))
            }
            failures += ending.isFailure ? 1 : 0
            try writeToStandardOutput(ending.text)
            shown += ending.outcomes
            if ending.isStop { break }
        }
        return failures
    }

    private struct Ending {
        var text = ""
        var outcomes = 0
        var isFailure = false
        var isStop = false
    }

    /// What is to be printed of one event.
    private func show(
        _ content: UnsafeRawBufferPointer,
        _ processor: RecordProcessor,
        _ context: inout FileContext,
        _ place: DryPlace
    ) -> Ending {
        var ending = Ending()
        if stage == .raw || stage == .all {
            ending.text += place.raw(content, as: format)
            ending.outcomes = 1
        }
        if stage == .raw { return ending }
        if stage == .parsed || stage == .all {
            switch processor.parseOnly(content, in: &context, at: place.position) {
            case .consumed: return ending
            case .failed: break
            case .fields(let fields):
                ending.text += place.parsed(fields, as: format)
                ending.outcomes = 1
                if stage == .parsed { return ending }
            }
        }
        let fate = processor.process(content, in: &context, at: place.position)
        let outcome = DryOutcome(fate, processor, at: place)
        let lines = outcome.rendered(as: format)
        ending.text += lines.joined()
        ending.outcomes = max(ending.outcomes, lines.count)
        ending.isFailure = outcome.isFailure
        ending.isStop = outcome.isStop
        return ending
    }
}
