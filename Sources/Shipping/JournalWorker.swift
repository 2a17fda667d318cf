internal import Checkpointing
internal import Kafka
internal import KafkaProtocol
internal import Logging
internal import Synchronization

/// A row for the journal.
struct ClosedRow: Sendable {
    var batch: JournaledBatch
    /// The row that it takes the place of; 0 for none.
    var replaces: Int64
}

/// What became of the batch of a row.
struct RowReceipt: Sendable {
    enum Fate: Sendable, Equatable {
        case acknowledged(baseOffset: Int64)
        /// It is not in the log, and never will be.
        case refused
        /// It was given up, and may be in the log or be sent by the next process.
        case unknown
    }

    var id: Int64
    var replaces: Int64
    var fate: Fate

    init(_ delivery: Delivery) {
        id = delivery.batch.journalID
        replaces = delivery.batch.replaces
        switch delivery.result {
        case .acknowledged(let baseOffset, _): fate = .acknowledged(baseOffset: baseOffset)
        case .failed(let error):
            fate = delivery.batch.mayBeInLog || error.isEndOfProducer ? .unknown : .refused
        }
    }
}

/// What the journal's thread is told by others.
enum JournalMessage: Sendable {
    /// Batches that are sent as soon as they are durable; then `done` is called.
    case close([ClosedRow], done: @Sendable () -> Void)
    case delivered([RowReceipt])
    /// Checkpoints that are durable.
    case saved([FileCheckpoint])
    /// Under which producer id batches are sent from now on.
    case opened(ProducerIdentity, clusterID: String)
    /// What became of a batch that a crash left open.
    case resolved(row: Int64, RecoveryOutcome)
    /// Kafka may have lost a batch that was settled: it is made again, and resolved anew.
    case unsettled(row: Int64)
    /// A batch in the log that the journal had lost, as a row.
    case found(JournaledBatch)
    /// It is known where the stretches of such rows end; `done` is called when that is durable.
    case completed([JournaledBatch], done: @Sendable () -> Void)
    /// Nothing of a partition is in doubt any more.
    case recovered(TopicPartition)
    /// These partitions of a topic are looked at as well.
    case widened(topic: String, [TopicPartition])
}

/// Makes the journal's rows of batches, on the producer's thread, which alone has these then.
final class RowMaker: Sendable {
    private let registry: SourceRegistry
    private let keepsBytes: Bool
    private let lastID: Atomic<Int64>
    private let wallClock: @Sendable () -> Int64

    /// - Parameter lastID: that of the last row that there ever was.
    /// - Parameter keepsBytes: whether whole batches are kept until they are acknowledged.
    /// - Parameter wallClock: milliseconds since 1970.
    init(
        registry: SourceRegistry,
        keepsBytes: Bool,
        lastID: Int64,
        wallClock: @escaping @Sendable () -> Int64
    ) {
        self.registry = registry
        self.keepsBytes = keepsBytes
        self.lastID = Atomic(lastID)
        self.wallClock = wallClock
    }

    /// The number of a row that is made otherwise.
    func takeID() -> Int64 { lastID.add(1, ordering: .relaxed).newValue }

    /// Gives a batch the number of a row, if it has none.
    func close(_ batch: ProducerBatch) -> ClosedRow {
        if batch.journalID == 0 { batch.journalID = takeID() }
        var row = JournaledBatch(
            id: batch.journalID,
            topic: batch.topic,
            partition: batch.partition,
            producerID: batch.identity?.id ?? -1,
            epoch: batch.identity?.epoch ?? -1,
            baseSequence: batch.sequence ?? -1,
            recordCount: Int32(batch.recordCount)
        )
        row.topicID = batch.topicID == .zero ? [] : batch.topicID.bytes
        row.createdAt = wallClock()
        row.maxTimestamp = batch.maxTimestamp ?? row.createdAt
        row.stretches = registry.stretches(of: batch)
        if keepsBytes { row.bytes = batch.sealed?.bytes }
        return ClosedRow(batch: row, replaces: batch.replaces)
    }
}

/// The work of the journal's thread: it makes durable what the producer is about to send, and notes
/// what came of it.
///
/// All that waits is written in one transaction. A journal that cannot be written holds the batches
/// back that wait for it, until there is room again.
struct JournalWorker {
    /// What is always the same.
    struct Surroundings: Sendable {
        let store: any JournalKeeping
        let board: RemakeBoard
        let incarnation: Int64
        /// Partitions of which something is found out at first.
        var recovering: Set<TopicPartition> = []
        /// Topics of which every partition is looked at.
        var wholeTopics: Set<String> = []
        /// Called when that is done, and durable.
        var onRecovered: @Sendable () -> Void = {}
        /// Milliseconds since 1970.
        let wallClock: @Sendable () -> Int64
        let logger: Logger
    }

    private struct Waiting {
        let done: @Sendable () -> Void
    }

    /// What nobody waits for is written this late.
    static let settlingInterval = Duration.milliseconds(250)
    private static let retryInterval = Duration.seconds(1)

    private let surroundings: Surroundings
    private var books: JournalBooks
    /// What could not be written yet.
    private var unwritten: JournalChanges?
    private var waiting: [Waiting] = []
    private var recovering: Set<TopicPartition>
    private var wholeTopics: Set<String>
    /// It is not known of every partition what a crash left there.
    private var isRecovering = true
    private var dueAt: ContinuousClock.Instant?
    private var notBefore: ContinuousClock.Instant?
    /// Whether the last try to write failed.
    private(set) var hasFailed = false

    init(_ surroundings: Surroundings, books: JournalBooks) {
        self.surroundings = surroundings
        self.books = books
        recovering = surroundings.recovering
        wholeTopics = surroundings.wholeTopics
        if isKnown { finishRecovery() }
    }

    /// When to call ``step(_:now:)`` without a message.
    var nextDeadline: ContinuousClock.Instant? {
        guard let dueAt else { return nil }
        return max(dueAt, notBefore ?? dueAt)
    }

    /// Whether nothing waits to be written.
    var isIdle: Bool { dueAt == nil }

    /// Takes messages, and writes what is due.
    mutating func step(_ messages: [JournalMessage], now: ContinuousClock.Instant) {
        for message in messages { take(message, now: now) }
        if let due = nextDeadline, due <= now { write(now: now) }
    }

    /// Writes what waits, for nothing more will come.
    mutating func end(now: ContinuousClock.Instant) {
        if !isIdle { write(now: now) }
    }

    private mutating func take(_ message: JournalMessage, now: ContinuousClock.Instant) {
        switch message {
        case .close(let rows, let done):
            for row in rows where row.replaces != 0 { books.dropped(row.replaces) }
            books.closed(rows.map(\.batch))
            waiting.append(Waiting(done: done))
            dueAt = now
        case .delivered(let receipts): for receipt in receipts { settle(receipt) }
        case .saved(let files):
            for file in files {
                let offset = file.checkpoint.offset
                books.reached(file: file.id, generation: file.generation, offset: offset)
            }
        case .opened(let identity, let clusterID): open(identity, clusterID)
        case .resolved(let row, .appended(let offset)):
            books.settled(row, baseOffset: offset ?? -1, at: surroundings.wallClock())
            surroundings.board.resolved(row, isAppended: true)
        case .resolved(let row, .absent):
            books.dropped(row)
            surroundings.board.resolved(row, isAppended: false)
        case .unsettled(let row): surroundings.board.unsettled(row)
        case .found(let row):
            books.found(row, at: surroundings.wallClock())
            surroundings.board.found(row)
        case .completed(let rows, let done):
            for row in rows { books.completed(row) }
            waiting.append(Waiting(done: done))
            dueAt = now
        case .recovered(let partition):
            recovering.remove(partition)
            surroundings.board.recovered(partition)
            endRecovery(now: now)
        case .widened(let topic, let partitions):
            wholeTopics.remove(topic)
            recovering.formUnion(partitions)
            endRecovery(now: now)
        }
        if dueAt == nil, !books.isEmpty { dueAt = now + Self.settlingInterval }
    }

    private var isKnown: Bool { recovering.isEmpty && wholeTopics.isEmpty }

    /// Has what was found written, once nothing is in doubt.
    private mutating func endRecovery(now: ContinuousClock.Instant) {
        if isRecovering, isKnown { dueAt = now }
    }

    private mutating func finishRecovery() {
        isRecovering = false
        surroundings.onRecovered()
        surroundings.board.recoveredAll()
    }

    private mutating func open(_ identity: ProducerIdentity, _ clusterID: String) {
        books.opened(
            JournalSession(
                clusterID: clusterID,
                producerID: identity.id,
                epoch: identity.epoch,
                incarnation: surroundings.incarnation,
                openedAt: surroundings.wallClock()
            )
        )
    }

    private mutating func settle(_ receipt: RowReceipt) {
        switch receipt.fate {
        case .acknowledged(let baseOffset):
            books.settled(receipt.id, baseOffset: baseOffset, at: surroundings.wallClock())
        case .refused:
            books.dropped(receipt.id)
            books.dropped(receipt.replaces)
        case .unknown: break
        }
    }

    private mutating func write(now: ContinuousClock.Instant) {
        do throws(CheckpointError) {
            try writeChanges()
            dueAt = nil
            notBefore = nil
            if hasFailed {
                surroundings.logger.notice(
                    "the journal is written again",
                    metadata: ["event": "journal.resumed"]
                )
            }
            hasFailed = false
            let ready = waiting
            waiting = []
            for order in ready { order.done() }
            if isRecovering, isKnown { finishRecovery() }
        } catch {
            notBefore = now + Self.retryInterval
            noteFailure(error)
        }
    }

    private mutating func writeChanges() throws(CheckpointError) {
        // What failed is written before what came since.
        while let changes = unwritten ?? (books.isEmpty ? nil : books.takeChanges()) {
            unwritten = changes
            if !changes.isEmpty { try surroundings.store.write(changes) }
            unwritten = nil
        }
    }

    private mutating func noteFailure(_ error: CheckpointError) {
        guard !hasFailed else { return }
        hasFailed = true
        surroundings.logger.error(
            "the journal cannot be written: nothing is sent until it can",
            metadata: ["event": "journal.failed", "cause": "\(error)"]
        )
    }
}
