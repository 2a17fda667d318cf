internal import Glibc
internal import KafkaProtocol
internal import Logging
internal import NIOCore
internal import Synchronization

/// Records from many tasks on their way into one accumulator.
///
/// A record is copied into its batch at once, and who waits for it is noted there; so it costs a
/// lock, but neither memory of its own nor a look-up when it is settled. Records whose topic is not
/// known yet, or that found no memory, wait here by topic, so that one topic does not hold up
/// another. Who waits for memory is served in the order of coming, whatever the topic, and nobody
/// who comes later gets in between.
final class RecordQueue: DeliveryListener {
    private struct Waiting: Sendable {
        let record: KafkaProducerRecord
        let entry: BatchCompletions.Entry
        let deadline: ContinuousClock.Instant?
        let ticket: Ticket?

        var size: Int {
            let headers = self.record.headers.headers
            return (self.record.key?.count ?? 0) + (self.record.value?.count ?? 0) + 64
                + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
        }
    }

    /// Lets the task that sent a record take it back.
    final class Ticket: Sendable {
        fileprivate let isWithdrawn = Atomic(false)
    }

    private struct Topic {
        let name: String
        let index: TopicIndex
        var waiting = CircularBuffer<Waiting>()
    }

    private struct Flush: Sendable {
        let lastID: Int64
        var remaining: Int
        let completion: @Sendable () -> Void
    }

    private struct State {
        let accumulator: RecordAccumulator
        var topics: [Topic] = []
        var topicNumbers: [String: Int] = [:]
        /// The topic of the last record: the next one's is most likely the same.
        var lastName = ""
        var lastTopic = -1
        var lastIndex = TopicIndex.invalid
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
        /// this state and each copy of it a call.
        var timer: Duration?
        var isClosed = false
        /// Not between transactions, for a producer that has them.
        var takesRecords: Bool

        init(_ accumulator: RecordAccumulator, takesRecords: Bool) {
            self.accumulator = accumulator
            self.takesRecords = takesRecords
        }
    }

    /// What is to be done once the lock is free.
    private struct Work: Sendable {
        /// Batches that the closed producer did not take.
        var refused: [ProducerBatch] = []
        var topics: [String] = []
        var timer: Duration?
        var failed: [(KafkaProducer.Completion, KafkaProducerError)] = []
        var flushed: [@Sendable () -> Void] = []
    }

    /// What became of a record on its way into a batch.
    private enum Placement {
        case appended, needsMetadata, needsMemory
        case failed(KafkaProducerError)
    }

    private static let noTransaction = KafkaProducerError.invalidTransactionState(
        "no transaction is open: call beginTransaction() first"
    )

    let engine: ProducerEngine
    private let configuration: KafkaProducerConfiguration
    private let partitioner: (any KafkaPartitioner)?
    private let pool: BufferPool
    private let beginning = ContinuousClock.now
    private let state: Mutex<State>

    init(
        configuration: KafkaProducerConfiguration,
        partitioner: (any KafkaPartitioner)? = nil,
        logger: Logger
    ) throws(KafkaProducerError) {
        try configuration.validate()
        let pool = BufferPool(configuration: configuration)
        let engine = try ProducerEngine(configuration: configuration, pool: pool, logger: logger)
        self.engine = engine
        self.configuration = configuration
        self.partitioner = partitioner
        self.pool = pool
        // Every receipt makes room and is followed by another attempt, so nobody else need call.
        let accumulator = RecordAccumulator(configuration: configuration, pool: pool)
        let takesRecords = configuration.transactionalID == nil
        self.state = Mutex(State(accumulator, takesRecords: takesRecords))
        engine.addListener(self)
    }

    func enqueue(
        _ record: KafkaProducerRecord,
        mayWait: Bool,
        ticket: Ticket? = nil,
        completion: @escaping KafkaProducer.Completion
    ) {
        let timestamp = record.timestamp ?? wallClockMilliseconds()
        let work = self.state.withLock { state -> Work? in
            if state.isClosed { return Work(failed: [(completion, .closed)]) }
            guard state.takesRecords else {
                return Work(failed: [(completion, Self.noTransaction)])
            }
            if let ticket, ticket.isWithdrawn.load(ordering: .relaxed) {
                return Work(failed: [(completion, .cancelled)])
            }
            guard let topic = self.topicNumber(record.topic, &state) else {
                let error = KafkaProducerError.refused(.invalidTopicException, message: nil)
                return Work(failed: [(completion, error)])
            }
            state.lastID += 1
            state.outstanding += 1
            let entry = BatchCompletions.Entry(
                id: state.lastID,
                timestamp: timestamp,
                completion: completion
            )
            var work = Work()
            let mayOvertake = state.waitingBytes == 0 || state.topics[topic].waiting.isEmpty
            if mayOvertake, !state.isMemorySpent {
                switch self.place(record, entry, in: state.lastIndex, state.accumulator) {
                case .appended:
                    // Nothing else is to be done for almost all records.
                    guard self.mustCollect(state) else { return nil }
                    self.collect(&state, &work)
                    return work
                case .failed(let error):
                    self.fail(entry, error, &state, &work)
                    return work
                case .needsMetadata: work.topics.append(record.topic)
                case .needsMemory: state.isMemorySpent = true
                }
            }
            let waiting = Waiting(
                record: record,
                entry: entry,
                deadline: self.configuration.maxBlock.map { .now + $0 },
                ticket: ticket
            )
            self.wait(waiting, topic, mayWait: mayWait, &state, &work)
            self.collect(&state, &work)
            return work
        }
        if let work { self.perform(work) }
    }

    /// Takes a record back that still waits; one that is under way goes on.
    func withdraw(_ ticket: Ticket, topic: String) {
        ticket.isWithdrawn.store(true, ordering: .relaxed)
        let work = self.state.withLock { state in
            var work = Work()
            guard let topic = state.topicNumbers[topic],
                let place = state.topics[topic].waiting.firstIndex(where: { $0.ticket === ticket })
            else { return work }
            let withdrawn = state.topics[topic].waiting.remove(at: place)
            state.waitingBytes -= withdrawn.size
            self.fail(withdrawn.entry, .cancelled, &state, &work)
            return work
        }
        self.perform(work)
    }

    /// Drops what was not sent, and what is in flight as well if so wished.
    func purge(inFlight: Bool) {
        self.failUnsent(.purged)
        self.engine.purge(inFlight: inFlight)
    }

    func flush() async {
        await withCheckedContinuation { continuation in
            self.flush { continuation.resume() }
        }
    }

    /// Calls back once every record that was taken before is acknowledged or has failed.
    func flush(_ completion: @escaping @Sendable () -> Void) {
        let work = self.state.withLock { state in
            var work = Work()
            guard state.outstanding > 0 else {
                work.flushed.append(completion)
                return work
            }
            state.flushes.append(
                Flush(
                    lastID: state.lastID,
                    remaining: state.outstanding,
                    completion: completion
                )
            )
            state.mustFlush = true
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    /// Begins or ends to take records, for a transaction.
    func takesRecords(_ isTaking: Bool) {
        self.state.withLock { $0.takesRecords = isTaking }
    }

    func close(drain: Bool) async {
        if drain {
            self.state.withLock { $0.isClosed = true }
            await self.flush()
        }
        self.end()
        await self.engine.close(drain: drain)
        self.engine.removeListener(self)
    }

    // MARK: DeliveryListener

    func deliver(_ deliveries: [Delivery]) {
        let work = self.state.withLock { state in
            var work = Work()
            for delivery in deliveries { state.accumulator.settled(delivery.batch) }
            self.appendWaiting(&state, &work)
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
        for delivery in deliveries { self.complete(delivery) }
        self.settle(deliveries)
    }

    /// Counts records as settled: after who waits for each was told, for a flush waits for that too.
    private func settle(_ deliveries: [Delivery]) {
        let work = self.state.withLock { state in
            var work = Work()
            for delivery in deliveries {
                state.outstanding -= delivery.batch.recordCount
                guard !state.flushes.isEmpty else { continue }
                let batch = delivery.batch
                batch.completions?.forEach(of: batch) { self.countDown($1.id, &state) }
            }
            self.endFlushes(&state, &work)
            return work
        }
        self.perform(work)
    }

    func metadataChanged(_ metadata: TopicMetadata) {
        let work = self.state.withLock { state in
            var work = Work()
            state.accumulator.update(metadata: metadata)
            if !state.isMemorySpent { self.appendWaiting(&state, &work) }
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    private func timerFired() {
        let work = self.state.withLock { state in
            var work = Work()
            state.timer = nil
            self.expire(&state, &work)
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    // MARK: Under the lock

    /// The number of a topic, given at its first record; nil for a name that none can have.
    private func topicNumber(_ name: String, _ state: inout State) -> Int? {
        if state.lastName == name, state.lastTopic >= 0 { return state.lastTopic }
        guard let number = state.topicNumbers[name] ?? self.addTopic(name, &state) else {
            return nil
        }
        state.lastName = state.topics[number].name
        state.lastTopic = number
        state.lastIndex = state.topics[number].index
        return number
    }

    private func addTopic(_ name: String, _ state: inout State) -> Int? {
        var text = name
        let index = text.withUTF8 { state.accumulator.topicIndex(UnsafeRawBufferPointer($0)) }
        guard index != .invalid else { return nil }
        state.topicNumbers[name] = state.topics.count
        state.topics.append(Topic(name: name, index: index))
        return state.topics.count - 1
    }

    private func place(
        _ record: KafkaProducerRecord,
        _ entry: BatchCompletions.Entry,
        in topic: TopicIndex,
        _ accumulator: RecordAccumulator
    ) -> Placement {
        switch accumulator.isReady(topic) {
        case .needsMetadata: return .needsMetadata
        case .failed(let error): return .failed(.refused(error, message: nil))
        case .ready: break
        }
        let chosen = self.choose(for: record, topic, accumulator)
        let result = appendRecord(
            record,
            topic,
            entry.timestamp,
            partition: chosen,
            position: entry.id,
            waiter: entry,
            now: .now,
            to: accumulator
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

    private func choose(
        for record: KafkaProducerRecord,
        _ topic: TopicIndex,
        _ accumulator: RecordAccumulator
    ) -> Int32? {
        guard let partitioner = self.partitioner, record.partition == nil else { return nil }
        let count = accumulator.partitionCount(of: topic)
        return partitioner.partition(for: record, partitionCount: count).map {
            Int32(clamping: $0)
        }
    }

    /// Lets a record wait for metadata or memory, within the limit.
    private func wait(
        _ waiting: Waiting,
        _ topic: Int,
        mayWait: Bool,
        _ state: inout State,
        _ work: inout Work
    ) {
        let isOver =
            state.waitingBytes > 0
            && state.waitingBytes + waiting.size > self.configuration.bufferMemory
        if isOver && !mayWait {
            self.pool.refused(now: .now)
            return self.fail(waiting.entry, .bufferExhausted, &state, &work)
        }
        state.topics[topic].waiting.append(waiting)
        state.waitingBytes += waiting.size
    }

    /// Appends what waits, the oldest first, as far as memory and word of the topics go.
    private func appendWaiting(_ state: inout State, _ work: inout Work) {
        state.isMemorySpent = false
        guard state.waitingBytes > 0 else { return }
        var unknown: Set<Int> = []
        while !state.isMemorySpent {
            // The topic of the oldest record goes on until another topic's is older.
            var oldest: (topic: Int, id: Int64)?
            var next = Int64.max
            for topic in state.topics.indices where !unknown.contains(topic) {
                guard let id = state.topics[topic].waiting.first?.entry.id else { continue }
                if id < oldest?.id ?? .max {
                    next = oldest?.id ?? .max
                    oldest = (topic, id)
                } else {
                    next = min(next, id)
                }
            }
            guard let topic = oldest?.topic else { return }
            let isKnown = self.appendWaiting(topic, before: next, &state, &work)
            if !isKnown { unknown.insert(topic) }
        }
    }

    /// Appends what waits for a topic, up to a record that came later; false where its partitions are
    /// not known.
    private func appendWaiting(
        _ topic: Int,
        before end: Int64,
        _ state: inout State,
        _ work: inout Work
    ) -> Bool {
        while let head = state.topics[topic].waiting.first, head.entry.id < end {
            let index = state.topics[topic].index
            switch self.place(head.record, head.entry, in: index, state.accumulator) {
            case .appended:
                self.removeHead(of: topic, &state)
                let isFlushed = state.flushes.last.map { head.entry.id <= $0.lastID } ?? false
                if isFlushed { state.mustFlush = true }
            case .needsMetadata:
                if state.topics[topic].waiting.count == 1 {
                    work.topics.append(state.topics[topic].name)
                }
                return false
            case .needsMemory:
                state.isMemorySpent = true
                return true
            case .failed(let error):
                self.removeHead(of: topic, &state)
                self.fail(head.entry, error, &state, &work)
            }
        }
        return true
    }

    /// Fails what has waited for longer than `max.block.ms`.
    private func expire(_ state: inout State, _ work: inout Work) {
        guard self.configuration.maxBlock != nil else { return }
        let now = ContinuousClock.now
        for topic in state.topics.indices {
            while let head = state.topics[topic].waiting.first, let deadline = head.deadline,
                deadline <= now
            {
                self.removeHead(of: topic, &state)
                self.pool.refused(now: now)
                self.fail(head.entry, .blockedTooLong, &state, &work)
            }
        }
    }

    private func failWaiting(
        _ error: KafkaProducerError,
        _ state: inout State,
        _ work: inout Work
    ) {
        for topic in state.topics.indices {
            while let head = state.topics[topic].waiting.first {
                self.removeHead(of: topic, &state)
                self.fail(head.entry, error, &state, &work)
            }
        }
    }

    private func removeHead(of topic: Int, _ state: inout State) {
        guard let head = state.topics[topic].waiting.popFirst() else { return }
        state.waitingBytes -= head.size
    }

    private func fail(
        _ entry: BatchCompletions.Entry,
        _ error: KafkaProducerError,
        _ state: inout State,
        _ work: inout Work
    ) {
        work.failed.append((entry.completion, error))
        state.outstanding -= 1
        self.countDown(entry.id, &state)
        self.endFlushes(&state, &work)
    }

    private func countDown(_ id: Int64, _ state: inout State) {
        for index in state.flushes.indices where id <= state.flushes[index].lastID {
            state.flushes[index].remaining -= 1
        }
    }

    private func endFlushes(_ state: inout State, _ work: inout Work) {
        guard !state.flushes.isEmpty else { return }
        for flush in state.flushes where flush.remaining <= 0 {
            work.flushed.append(flush.completion)
        }
        state.flushes.removeAll { $0.remaining <= 0 }
    }

    /// Whether a record that was appended makes a batch ready, or needs a timer.
    private func mustCollect(_ state: State) -> Bool {
        state.timer == nil || state.accumulator.hasClosedBatches
    }

    /// Submits the batches that are ready, and sets the timer for those that linger.
    ///
    /// Under the lock, for batches of two threads must not overtake each other on their way.
    private func collect(_ state: inout State, _ work: inout Work) {
        if state.mustFlush {
            state.accumulator.flush()
            state.mustFlush = false
        }
        let now = ContinuousClock.now
        var batches: [ProducerBatch] = []
        while let batch = state.accumulator.nextReady(now: now) { batches.append(batch) }
        if !self.engine.offer(batches, for: self) { work.refused = batches }
        let expiry =
            self.configuration.maxBlock == nil
            ? nil : state.topics.compactMap { $0.waiting.first?.deadline }.min()
        let deadlines = [state.accumulator.nextDeadline, expiry].compactMap(\.self)
        guard let deadline = deadlines.min().map({ $0 - self.beginning }) else { return }
        if let timer = state.timer, timer <= deadline { return }
        state.timer = deadline
        work.timer = deadline
    }

    private func end() {
        self.state.withLock { $0.isClosed = true }
        self.failUnsent(.closed)
    }

    /// Fails what is in no batch yet, and hands over what is.
    func failUnsent(_ error: KafkaProducerError) {
        let work = self.state.withLock { state in
            var work = Work()
            self.failWaiting(error, &state, &work)
            state.mustFlush = true
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    // MARK: Without the lock

    private func complete(_ delivery: Delivery) {
        let batch = delivery.batch
        switch delivery.result {
        case .acknowledged(let baseOffset, let timestamp):
            batch.completions?.forEach(of: batch) { record, entry in
                let metadata = RecordMetadata(
                    topic: batch.topic,
                    partition: batch.partition,
                    offset: baseOffset < 0 ? -1 : baseOffset &+ Int64(record),
                    timestamp: timestamp < 0 ? entry.timestamp : timestamp
                )
                entry.completion(.success(metadata))
            }
        case .failed(let error):
            batch.completions?.forEach(of: batch) { $1.completion(.failure(error)) }
        }
    }

    private func perform(_ work: Work) {
        for (completion, error) in work.failed { completion(.failure(error)) }
        for completion in work.flushed { completion() }
        if !work.refused.isEmpty {
            self.engine.deliver(
                work.refused.map { Delivery(batch: $0, result: .failed(.closed)) }
            )
        }
        if !work.topics.isEmpty { self.engine.requestMetadata(topics: work.topics) }
        guard let timer = work.timer else { return }
        self.engine.schedule(at: self.beginning + timer) { self.timerFired() }
    }
}

private func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
