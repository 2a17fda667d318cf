internal import Checkpointing
internal import FileTailing
internal import Glibc
internal import Kafka
internal import Logging
internal import RecordProcessing
internal import Synchronization

/// What a lane is told by other threads.
enum LaneMessage: Sendable {
    case add(LaneAssignment)
    case changed(Int)
    case renamed(Int, to: String)
    /// The file left its globs, or lost its last name: drain it through its descriptor.
    case detached(Int, to: String?)
    /// Another reader has taken the file over.
    case release(Int)
    case delivered([Delivery])
    case metadataChanged(TopicMetadata)
    case memoryReturned
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
    var position: TailPosition
    var file: TailedFile?
    var startsInsideLine = false
    /// Read to the end that is there now, take an unterminated last line as whole, and finish.
    var endsAtEndOfFile = false
}

/// What all lanes share.
struct LaneSurroundings: Sendable {
    let pipelines: [LoadedPipeline]
    let configuration: KafkaProducerConfiguration
    let engine: ProducerEngine
    let pool: BufferPool
    let store: CheckpointStore
    let endedFiles = EndedFiles()
    let logger: Logger
}

/// What a lane has done so far, for progress, summaries and status.
struct LaneReport: Sendable {
    var ledgers: [Ledger] = []
    /// For each pipeline, records dropped by each of its reasons.
    var drops: [[Int: Int64]] = []
    /// Bytes that vanished before they were read.
    var abandonedBytes: Int64 = 0
    /// Input bytes that are settled and checkpointed in memory.
    var acknowledgedBytes: Int64 = 0
    var assignedFiles = 0
    var finishedFiles = 0
    var stoppedFiles = 0
    var openBatches = 0
    var recordsInFlight = 0
    var waitsForMemory = false
    var currentFile = ""
}

extension LaneReport {
    mutating func add(_ other: LaneReport) {
        for index in other.ledgers.indices { ledgers[index].add(other.ledgers[index]) }
        acknowledgedBytes += other.acknowledgedBytes
        abandonedBytes += other.abandonedBytes
        assignedFiles += other.assignedFiles
        finishedFiles += other.finishedFiles
        stoppedFiles += other.stoppedFiles
        openBatches += other.openBatches
        recordsInFlight += other.recordsInFlight
        waitsForMemory = waitsForMemory || other.waitsForMemory
        if !other.currentFile.isEmpty { currentFile = other.currentFile }
    }
}

/// A thread that owns files: it reads, frames, processes and batches, and nothing of it is shared.
///
/// Other threads speak to it through its inbox only.
final class Lane: DeliveryListener, Sendable {
    private struct Inbox {
        var messages: [LaneMessage] = []
        var isSleeping = false
    }

    private let inbox = Mutex(Inbox())
    private let published = Mutex(LaneReport())
    private let running = Mutex(true)
    let wakeUp: WakePipe

    init() throws {
        wakeUp = try WakePipe()
    }

    /// Starts the thread.
    func start(_ surroundings: LaneSurroundings, number: Int, onEnd: @escaping @Sendable () -> Void)
        throws
    {
        try startThread(name: "lane \(number)") { [self] in
            LaneWorker(lane: self, surroundings: surroundings, number: number).run()
            running.withLock { $0 = false }
            onEnd()
        }
    }

    var isRunning: Bool { running.withLock { $0 } }

    var report: LaneReport { published.withLock { $0 } }

    func post(_ message: LaneMessage) {
        post([message])
    }

    /// Appends to the inbox and wakes the thread if it sleeps.
    func post(_ messages: [LaneMessage]) {
        let mustWake = inbox.withLock { inbox in
            inbox.messages.append(contentsOf: messages)
            defer { inbox.isSleeping = false }
            return inbox.isSleeping
        }
        if mustWake { wakeUp.wake() }
    }

    // MARK: For the lane's own thread

    func takeMessages() -> [LaneMessage] {
        inbox.withLock { inbox in
            if inbox.messages.isEmpty { return [] }
            return exchange(&inbox.messages, with: [])
        }
    }

    /// Sleeps until a message comes or the deadline has passed.
    func sleep(until deadline: ContinuousClock.Instant?) {
        let mustSleep = inbox.withLock { inbox in
            inbox.isSleeping = inbox.messages.isEmpty
            return inbox.isSleeping
        }
        guard mustSleep else { return }
        waitForInput([wakeUp.descriptor], until: deadline, now: .now)
        inbox.withLock { $0.isSleeping = false }
        wakeUp.drain()
    }

    func publish(_ report: LaneReport) {
        published.withLock { $0 = report }
    }

    // MARK: DeliveryListener

    func deliver(_ deliveries: [Delivery]) {
        post(.delivered(deliveries))
    }

    func metadataChanged(_ metadata: TopicMetadata) {
        post(.metadataChanged(metadata))
    }
}
