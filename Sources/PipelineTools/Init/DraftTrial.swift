internal import PipelineLanguage
internal import RecordProcessing

/// Runs drafts over a sample, through the framer that reads real files.
struct DraftTrial {
    /// Cuts a text into the events of a plan; `matches` is for multi-line framing.
    typealias Frame = SamplePipeline.Frame

    /// What became of the events.
    struct Outcome {
        var sent = 0
        var failed = 0
        /// The message of the first failure, and its line.
        var firstFailure: (message: String, line: Int64)?
        /// How many failures name a column, by its name.
        var failuresByColumn: [String: Int] = [:]
    }

    let bytes: [UInt8]
    let frame: Frame

    func program(_ draft: PipelineDraft) -> Program? {
        let source = SourceText(path: draft.name + ".pipeline", text: draft.text)
        guard let plan = PipelineCompiler.compile(source).plan else { return nil }
        return try? Program(plan: plan, host: "localhost", environment: [:])
    }

    /// - Parameter limit: bytes of the sample to look at.
    func run(_ program: Program, columns: [String], limit: Int = .max) -> Outcome {
        var outcome = Outcome()
        forEachEvent(of: program, limit: limit) { processor, event, file, position in
            switch processor.process(event, in: &file, at: position) {
            case .sent, .dropped: outcome.sent += 1
            case .consumed: break
            case .deadLettered(let failure), .skipped(let failure), .stopped(let failure):
                outcome.failed += 1
                if outcome.firstFailure == nil {
                    outcome.firstFailure = (failure.message, position.line)
                }
                let name = columns.first { failure.message.hasPrefix("\($0): ") }
                if let name { outcome.failuresByColumn[name, default: 0] += 1 }
            }
        }
        return outcome
    }

    /// The fields of each event that can be parsed.
    func fields(_ program: Program, _ body: ([ParsedEvent.Field]) -> Void) {
        forEachEvent(of: program, limit: .max) { processor, event, file, position in
            if case .fields(let fields) = processor.parseOnly(event, in: &file, at: position) {
                body(fields)
            }
        }
    }

    private func forEachEvent(
        of program: Program,
        limit: Int,
        _ body: (RecordProcessor, Text, inout FileContext, RecordPosition) -> Void
    ) {
        let processor = RecordProcessor(program: program)
        var file = FileContext(path: "sample", inode: 0, modified: 0, header: nil)
        bytes.withUnsafeBytes { all in
            let text = Text(rebasing: all[..<min(all.count, limit)])
            for event in frame(program.plan, text, processor.matchesLine) {
                let position = RecordPosition(
                    line: event.line,
                    offset: Int64(event.range.lowerBound),
                    readTime: 0
                )
                body(processor, Text(rebasing: text[event.range]), &file, position)
            }
        }
    }
}
