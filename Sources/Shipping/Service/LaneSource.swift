internal import Checkpointing
internal import FileTailing
internal import RecordProcessing

/// One file on its way through a lane.
final class LaneSource {
    // Safe: its lane's thread alone has it, and nothing of it is handed out while it is changed but
    // `context`, which only the processor sees meanwhile.

    let id: Int
    let pipelineIndex: Int
    let endsAtEndOfFile: Bool
    let key: FileKey
    @exclusivity(unchecked) var tail: TailStateMachine
    @exclusivity(unchecked) var framer: LineFramer
    @exclusivity(unchecked) var file: TailedFile?
    @exclusivity(unchecked) var frontier = AckFrontier()
    @exclusivity(unchecked) var context: FileContext
    /// What the checkpoint database says of the file; its checkpoint is the frontier's.
    @exclusivity(unchecked) var row: FileCheckpoint
    /// Sends of the next line that a turn without memory has made already.
    @exclusivity(unchecked) var sendsDone = 0
    /// Nothing more is read, for a person has to mend something.
    var isStopped = false
    /// The file left its globs or lost its name; it is over when it is read and settled.
    var isLeaving = false

    init(_ assignment: LaneAssignment, pipeline: LoadedPipeline) {
        id = assignment.id
        pipelineIndex = assignment.pipeline
        endsAtEndOfFile = assignment.endsAtEndOfFile
        row = assignment.row
        key = FileKey(device: row.device, inode: row.inode)
        file = assignment.file
        let state = LineFramer.State(rawValue: row.checkpoint.framerState) ?? .event
        framer = pipeline.makeFramer(
            state: assignment.startsInsideLine ? .skippingLine : state,
            line: row.checkpoint.line
        )
        context = pipeline.makeContext(row: row)
        tail = TailStateMachine(
            position: assignment.position,
            configuration: pipeline.tailConfiguration(endsAtEndOfFile: endsAtEndOfFile),
            isOpen: assignment.file != nil
        )
        if endsAtEndOfFile { tail.finishAtEnd() }
    }

    func rename(to path: String) {
        row.path = path
        context.path = path
    }

    /// Begins a new generation: what was known of the old bytes is void.
    func restart() {
        frontier.restart()
        framer.restart()
        sendsDone = 0
        row.generation += 1
        row.checkpoint = Checkpoint(offset: 0)
        row.header = nil
        context.header = nil
    }

    /// The row as it shall be written now.
    func rowToSave() -> FileCheckpoint {
        row.header = context.header
        if row.headLength < HeadFingerprint.fullLength, let evidence = try? file?.evidence() {
            row.headHash = evidence.fingerprint.hash
            row.headLength = evidence.fingerprint.length
        }
        return row
    }

    /// The name of one of this file's chunks, as batches carry it.
    ///
    /// 2²⁴ files and 2⁴⁰ chunks of each fit.
    func owner(of chunk: AckFrontier.ChunkID) -> UInt64 {
        UInt64(id) << 40 | chunk.rawValue & (1 << 40 - 1)
    }

    static func parts(of owner: UInt64) -> (source: Int, chunk: AckFrontier.ChunkID) {
        (Int(owner >> 40), AckFrontier.ChunkID(rawValue: owner & (1 << 40 - 1)))
    }
}
