internal import KafkaProtocol
internal import NIOCore

/// The books of a ``RecordQueue``: what waits, what is on its way, and who waits for a flush.
///
/// All of it happens under the queue's lock. What calls others, or takes long, is noted as
/// ``Work`` and done when the lock is free.
struct QueuedRecords {
    /// A record that waits for room or for word of its topic.
    struct Waiting: Sendable {
        let record: KafkaProducerRecord
        let id: Int64
        let timestamp: Int64
        let waiter: RecordWaiter
        let deadline: ContinuousClock.Instant?
        let ticket: RecordQueue.Ticket?

        var size: Int {
            let headers = self.record.headers.headers
            return (self.record.key?.count ?? 0) + (self.record.value?.count ?? 0) + 64
                + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
        }
    }

    struct Topic {
        let name: String
        let index: TopicIndex
        var waiting = CircularBuffer<Waiting>()
    }

    struct Flush: Sendable {
        let lastID: Int64
        var remaining: Int
        let completion: @Sendable () -> Void
    }

    /// What is to be done once the lock is free.
    struct Work: Sendable {
        /// Batches that the closed producer did not take.
        var refused: [ProducerBatch] = []
        var topics: [String] = []
        var timer: Duration?
        var failed: [(waiter: RecordWaiter, id: Int64, error: KafkaProducerError)] = []
        var flushed: [@Sendable () -> Void] = []
    }

    /// What became of a record on its way into a batch.
    enum Placement {
        case appended, needsMetadata, needsMemory
        case failed(KafkaProducerError)
    }

    let accumulator: RecordAccumulator
    let configuration: KafkaProducerConfiguration
    let pool: BufferPool
    private let partitioner: (any KafkaPartitioner)?
    private let hasPartitioner: Bool
    var topics: [Topic] = []
    var topicNumbers: [String: Int] = [:]
    /// The topic of the last record: the next one's is most likely the same.
    private var lastName = ""
    private var lastTopic = -1
    private var lastIndex = TopicIndex.invalid
    /// Over zero if anything waits.
    var waitingBytes = 0
    /// The oldest of those that wait found no memory: all wait for the next receipt.
    var isMemorySpent = false
    /// Records that wait, are in batches or on their way.
    var outstanding = 0
    var lastID: Int64 = 0
    var flushes: [Flush] = []
    /// Whether records that a flush waits for may be in open batches.
    var mustFlush = false
    /// When the timer fires, as the time since the queue was made.
    ///
    /// Not an instant: how large one is, is only known at run time, and would make each access to
    /// these books and each copy of them a call.
    var timer: Duration?
    var isClosed = false
    /// Not between transactions, for a producer that has them.
    var takesRecords: Bool

    init(
        configuration: KafkaProducerConfiguration,
        pool: BufferPool,
        partitioner: (any KafkaPartitioner)?
    ) {
        // Every receipt makes room and is followed by another attempt, so nobody else need call.
        self.accumulator = RecordAccumulator(configuration: configuration, pool: pool)
        self.configuration = configuration
        self.pool = pool
        self.partitioner = partitioner
        self.hasPartitioner = partitioner != nil
        self.takesRecords = configuration.transactionalID == nil
    }

    /// Appends a record that nothing holds up, as almost all are taken; false if it has to be taken by
    /// ``take(_:timestamp:waiter:mayWait:ticket:_:)``.
    mutating func append(
        _ record: KafkaProducerRecord,
        timestamp: Int64,
        waiter: RecordWaiter
    ) -> Bool {
        guard self.waitingBytes == 0, !self.isMemorySpent, !self.isClosed, self.takesRecords,
            !self.hasPartitioner, record.topic == self.lastName
        else { return false }
        let result = appendRecord(
            record,
            self.lastIndex,
            timestamp,
            position: self.lastID + 1,
            waiter: waiter,
            now: .now,
            to: self.accumulator
        )
        guard case .appended = result else { return false }
        self.lastID += 1
        self.outstanding += 1
        return true
    }

    /// Takes a record: appends it, lets it wait, or fails it.
    mutating func take(
        _ record: KafkaProducerRecord,
        timestamp: Int64,
        waiter: RecordWaiter,
        mayWait: Bool,
        ticket: RecordQueue.Ticket?,
        _ work: inout Work
    ) {
        self.lastID += 1
        self.outstanding += 1
        let id = self.lastID
        if let error = self.refusal(ticket) { return self.fail(waiter, id, error, &work) }
        guard let topic = self.topicNumber(record.topic) else {
            let error = KafkaProducerError.refused(.invalidTopicException, message: nil)
            return self.fail(waiter, id, error, &work)
        }
        let mayOvertake = self.waitingBytes == 0 || self.topics[topic].waiting.isEmpty
        if mayOvertake, !self.isMemorySpent {
            switch self.place(record, self.lastIndex, timestamp, waiter, id) {
            case .appended: return
            case .failed(let error): return self.fail(waiter, id, error, &work)
            case .needsMetadata: work.topics.append(record.topic)
            case .needsMemory: self.isMemorySpent = true
            }
        }
        let waiting = Waiting(
            record: record,
            id: id,
            timestamp: timestamp,
            waiter: waiter,
            deadline: self.configuration.maxBlock.map { .now + $0 },
            ticket: ticket
        )
        self.wait(waiting, topic, mayWait: mayWait, &work)
    }

    /// Whether a record that was appended makes a batch ready, or needs a timer.
    var mustCollect: Bool { self.timer == nil || self.accumulator.hasClosedBatches }

    private func refusal(_ ticket: RecordQueue.Ticket?) -> KafkaProducerError? {
        if self.isClosed { return .closed }
        if !self.takesRecords {
            return .invalidTransactionState(
                "no transaction is open: call beginTransaction() first"
            )
        }
        return ticket?.isWithdrawn == true ? .cancelled : nil
    }

    /// The number of a topic, given at its first record; nil for a name that none can have.
    private mutating func topicNumber(_ name: String) -> Int? {
        if self.lastName == name, self.lastTopic >= 0 { return self.lastTopic }
        guard let number = self.topicNumbers[name] ?? self.addTopic(name) else { return nil }
        self.lastName = self.topics[number].name
        self.lastTopic = number
        self.lastIndex = self.topics[number].index
        return number
    }

    private mutating func addTopic(_ name: String) -> Int? {
        var text = name
        let index = text.withUTF8 { self.accumulator.topicIndex(UnsafeRawBufferPointer($0)) }
        guard index != .invalid else { return nil }
        self.topicNumbers[name] = self.topics.count
        self.topics.append(Topic(name: name, index: index))
        return self.topics.count - 1
    }

    /// Appends a record to its batch, if there is word of its topic, and room.
    func place(
        _ record: KafkaProducerRecord,
        _ topic: TopicIndex,
        _ timestamp: Int64,
        _ waiter: RecordWaiter,
        _ id: Int64
    ) -> Placement {
        switch self.accumulator.isReady(topic) {
        case .needsMetadata: return .needsMetadata
        case .failed(let error): return .failed(.refused(error, message: nil))
        case .ready: break
        }
        let chosen = self.choose(for: record, topic)
        let result = appendRecord(
            record,
            topic,
            timestamp,
            partition: chosen,
            position: id,
            waiter: waiter,
            now: .now,
            to: self.accumulator
        )
        switch result {
        case .appended: return .appended
        case .bufferFull: return .needsMemory
        case .tooLarge(let size, let limit):
            return .failed(.recordTooLarge(size: size, limit: limit))
        case .invalidPartition:
            let partition = record.partition ?? chosen ?? -1
            return .failed(.invalidPartition(topic: record.topic, partition: partition))
        }
    }

    private func choose(for record: KafkaProducerRecord, _ topic: TopicIndex) -> Int32? {
        guard let partitioner = self.partitioner, record.partition == nil else { return nil }
        let count = self.accumulator.partitionCount(of: topic)
        return partitioner.partition(for: record, partitionCount: count).map {
            Int32(clamping: $0)
        }
    }

    mutating func fail(
        _ waiter: RecordWaiter,
        _ id: Int64,
        _ error: KafkaProducerError,
        _ work: inout Work
    ) {
        work.failed.append((waiter, id, error))
        self.outstanding -= 1
        self.countDown(id)
        self.endFlushes(&work)
    }
}
