internal import FileTailing
internal import RecordProcessing

/// A pipeline's text at work on one lane: it makes bytes of files into records.
///
/// Besides those of today a lane may have makers of earlier texts, for lines that were sent by them
/// before a crash.
final class PipelineMaker {
    let pipeline: LoadedPipeline
    /// The number of the text in the journal.
    let version: Int64
    let processor: RecordProcessor
    /// How files become text.
    let text: ChunkText

    init(_ pipeline: LoadedPipeline, version: Int64) {
        self.pipeline = pipeline
        self.version = version
        processor = RecordProcessor(program: pipeline.program)
        text = ChunkText(pipeline)
    }

    func nextEvent(
        _ framer: inout LineFramer,
        in bytes: UnsafeRawBufferPointer,
        atEnd: Bool
    ) -> FramedEvent? {
        guard case .multiline = framer.framing else { return framer.next(in: bytes, atEnd: atEnd) }
        return framer.next(in: bytes, atEnd: atEnd) { processor.matchesLine($0) }
    }
}
