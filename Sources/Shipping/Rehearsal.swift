internal import Checkpointing
internal import FileTailing
internal import RecordProcessing

/// The first reading, after a crash, of lines that were sent before it.
///
/// It makes their records and sends none: it shows that they come out as they did, and brings those
/// that are owed to batches of which nobody knows whether Kafka has them.
final class Rehearsal {
    let file: FileBytes
    var coverage: FileCoverage
    var position: TailPosition
    var framer: LineFramer
    var framerVersion: Int64
    var context: FileContext
    /// Where the next event begins at the earliest.
    var nextLine: Int64
    var readLength: Int
    /// What it has read.
    var lines = KnownLines()
    /// The file, while nobody else holds it open.
    var opened: TailedFile?
    var failedOpens = 0

    init(
        _ source: LaneSource,
        _ coverage: FileCoverage,
        context: FileContext,
        maker: PipelineMaker,
        readLength: Int
    ) {
        file = FileBytes(source.row)
        self.coverage = coverage
        position = source.tail.position
        framer = source.framer
        framerVersion = maker.version
        self.context = context
        nextLine = source.tail.position.offset
        self.readLength = readLength
    }

    /// The last line that the text at an offset makes records of.
    func lastLine(at offset: Int64) -> Int64 {
        coverage.zones.first { offset <= $0.through.offset }?.through.offset ?? .max
    }

    func framer(for maker: PipelineMaker) -> LineFramer {
        guard maker.version != framerVersion else { return framer }
        framerVersion = maker.version
        framer = maker.pipeline.makeFramer(state: framer.state, line: framer.line)
        return framer
    }
}
