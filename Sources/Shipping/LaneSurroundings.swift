internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import Logging
internal import Synchronization

/// What a lane is told by other threads.
enum LaneMessage: Sendable {
    case add(LaneAssignment)
    case changed(Int)
    case renamed(Int, to: String)
    /// The file left its globs, or lost its last name: drain it through its descriptor.
    case detached(Int, to: String?)
    /// The file's bytes are under another inode now.
    case continued(Int, Continuation)
    /// The file's inode has other bytes now; `continued` or `lost` follows.
    case rewritten(Int)
    /// The bytes of a rewritten file are nowhere.
    case lost(Int)
    /// It is known of each batch of the file whether Kafka has it.
    case recovered(Int)
    case delivered([Delivery])
    case metadataChanged(TopicMetadata)
    case memoryReturned
    /// Bring the transaction to a cut.
    case rest(round: Int)
    /// Go back to the last commit.
    case rewind(round: Int)
    /// Read on in the next transaction.
    case goOn(isCommitted: Bool)
    /// Say how every file stands.
    case describe(FileReportBox)
    /// Send what was read, wait for it, write the checkpoints, and end.
    case drain
    /// Write the checkpoints of what is settled, and end.
    case abort
}

/// A file that a lane shall read from now on.
struct LaneAssignment: Sendable {
    var id: Int
    var pipeline: Int
    var row: FileCheckpoint
    /// The number of its pipeline's text in the journal.
    var version: Int64 = 0
    var position: TailPosition
    /// The size of the file when it was found.
    var size: Int64 = 0
    var file: TailedFile?
    /// Where others see how far it is read.
    var place = FilePlace()
    /// Another file of this lane that had the name before, and is read first.
    var after: Int?
    var startsInsideLine = false
    /// Read to the end that is there now, take an unterminated last line as whole, and finish.
    var endsAtEndOfFile = false
}

/// The inode under which a file's bytes are now.
struct Continuation: Sendable {
    var key: FileKey
    var path: String
    var birthTime: Int64?
    var size: Int64
    /// Where they end for good, if that is before what was read.
    var end: TailPosition?
    /// The file left its globs meanwhile.
    var isLeaving = false
    var file: TailedFile?
}

/// What the watcher is told by lanes.
enum LaneNews: Sendable {
    /// A lane has let go of a file.
    case ended(file: Int, FileCheckpoint)
    /// The bytes before a file's place are others now; here it was held open.
    case rewritten(file: Int, FileKey, TailedFile?)
    /// The inode that a file was said to go on under is another file.
    case refused(file: Int, Continuation)
    /// The file went on under another inode; its writer may go on here, from this place.
    case leftover(file: Int, TailedFile, TailPosition)
}

/// Where lanes leave their news until the watcher takes it.
final class LaneNewsbox: Sendable {
    private let news = Mutex<[LaneNews]>([])
    /// Wakes whoever takes it.
    private let listener = Mutex(Listener {})

    /// A bare closure that is kept in a generic type is wrapped anew each time it is taken out.
    private struct Listener {
        let notify: @Sendable () -> Void
    }

    func onNews(_ notify: @escaping @Sendable () -> Void) {
        listener.withLock { $0 = Listener(notify: notify) }
    }

    func append(_ item: LaneNews) {
        news.withLock { $0.append(item) }
        listener.withLock { $0 }.notify()
    }

    func take() -> [LaneNews] {
        news.withLock { exchange(&$0, with: []) }
    }
}

/// How far a file is read, for its lane to write and for the watcher to see.
final class FilePlace: Sendable {
    struct Value: Sendable {
        /// The inode under which it is read.
        var key = FileKey(device: 0, inode: 0)
        var checkpoint = Checkpoint(offset: 0)
        var header: [UInt8]?
        var head = HeadFingerprint.empty
        /// Places passed not long ago, oldest first.
        var waypoints: [TailPosition] = []
        /// How often its first bytes became others before any of them was read.
        var headChanges = 0
    }

    private let value = Mutex(Value())

    func set(_ value: Value) { self.value.withLock { $0 = value } }

    func get() -> Value { value.withLock { $0 } }
}

/// What others call a lane by.
protocol LaneFace: DeliveryListener {
    /// There is memory again for records that found none.
    func memoryReturned()
    /// It is known of each batch of a file whether Kafka has it.
    func recovered(_ file: Int)
}

/// What takes a lane's batches.
protocol BatchSink: Sendable {
    /// Hands sealed batches over; what becomes of them is told to `listener`.
    func submit(_ batches: [ProducerBatch], for listener: any DeliveryListener)
    /// Asks for topics' partitions; listeners are told.
    func requestMetadata(topics: [String])
}

extension ProducerEngine: BatchSink {}

/// What all lanes share.
struct LaneSurroundings: Sendable {
    let pipelines: [LoadedPipeline]
    let configuration: KafkaProducerConfiguration
    let sink: any BatchSink
    let pool: BufferPool
    let store: any CheckpointKeeping
    let disk: any Disk
    /// Files that one lane holds open at most.
    let openFileLimit: Int
    /// Bytes of a file that are read in one turn.
    var chunkLength = 256 * 1024
    /// Milliseconds since 1970.
    let wallClock: @Sendable () -> Int64
    let news = LaneNewsbox()
    let logger: Logger
    /// The numbers of the pipelines' texts in the journal; empty without one.
    var versions: [Int64] = []
    /// Who position headers say that records are from; nil for none.
    var owner: String?
    /// What the journal names files by; nil without a journal.
    var registry: SourceRegistry?
    /// What a crash left open; nil without a journal.
    var board: RemakeBoard?
    /// Who is told of cuts; nil where records are sent without transactions.
    var transactions: (any TransactionTelling)?
    /// Told of checkpoints that are durable.
    var checkpointsSaved: @Sendable ([FileCheckpoint]) -> Void = { _ in }
}

extension LaneSurroundings {
    /// The number of a pipeline's text of today in the journal.
    func version(ofPipeline index: Int) -> Int64 {
        versions.indices.contains(index) ? versions[index] : 0
    }
}

/// What a lane has done so far, for progress, summaries and status.
struct LaneReport: Sendable {
    var ledgers: [Ledger] = []
    /// For each pipeline, records dropped by each of its `dropReasons`, in their order.
    var drops: [[Int64]] = []
    /// Input bytes that are settled and checkpointed in memory.
    var acknowledgedBytes: Int64 = 0
    var assignedFiles = 0
    var finishedFiles = 0
    var stoppedFiles = 0
    var openFiles = 0
    var openBatches = 0
    var recordsInFlight = 0
    var waitsForMemory = false
    /// Whether the last try to write checkpoints failed.
    var hasUnsavedCheckpoints = false
    var currentFile = ""
}

extension LaneReport {
    mutating func add(_ other: LaneReport) {
        for index in other.ledgers.indices { ledgers[index].add(other.ledgers[index]) }
        acknowledgedBytes += other.acknowledgedBytes
        assignedFiles += other.assignedFiles
        finishedFiles += other.finishedFiles
        stoppedFiles += other.stoppedFiles
        openFiles += other.openFiles
        openBatches += other.openBatches
        recordsInFlight += other.recordsInFlight
        waitsForMemory = waitsForMemory || other.waitsForMemory
        hasUnsavedCheckpoints = hasUnsavedCheckpoints || other.hasUnsavedCheckpoints
        if !other.currentFile.isEmpty { currentFile = other.currentFile }
    }
}
