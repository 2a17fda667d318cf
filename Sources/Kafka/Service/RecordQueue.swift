internal import Glibc
internal import Logging
internal import NIOCore
internal import Synchronization

/// Records from many tasks on their way into one accumulator.
///
/// Records whose topic is not known yet, or that found no memory, wait here by topic, so that one
/// topic does not hold up another.
final class RecordQueue: DeliveryListener {
    private struct Waiting: Sendable {
        let id: Int64
        let record: KafkaProducerRecord
        let timestamp: Int64
        let completion: KafkaProducer.Completion

        var size: Int {
            let headers = self.record.headers.headers
            return (self.record.key?.count ?? 0) + (self.record.value?.count ?? 0) + 64
                + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
        }
    }

    private struct Taken: Sendable {
        let timestamp: Int64
        let completion: KafkaProducer.Completion
    }

    private struct Flush: Sendable {
        let lastID: Int64
        var remaining: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        let accumulator: RecordAccumulator
        var waiting: [String: CircularBuffer<Waiting>] = [:]
        var waitingBytes = 0
        var taken: [Int64: Taken] = [:]
        var lastID: Int64 = 0
        var flushes: [Flush] = []
        var timer: ContinuousClock.Instant?
        var isClosed = false

        var outstanding: Int { self.taken.count + self.waiting.values.reduce(0) { $0 + $1.count } }
    }

    /// What is to be done once the lock is free.
    private struct Work: Sendable {
        /// Batches that the closed producer did not take.
        var refused: [ProducerBatch] = []
        var topics: [String] = []
        var timer: ContinuousClock.Instant?
        var completions: [@Sendable () -> Void] = []
    }

    let engine: ProducerEngine
    private let configuration: KafkaProducerConfiguration
    private let pool: BufferPool
    private let state: Mutex<State>

    init(configuration: KafkaProducerConfiguration, logger: Logger) throws(KafkaProducerError) {
        try configuration.validate()
        let pool = BufferPool(configuration: configuration)
        let engine = try ProducerEngine(configuration: configuration, pool: pool, logger: logger)
        self.engine = engine
        self.configuration = configuration
        self.pool = pool
        // Every receipt makes room and is followed by another attempt, so nobody else need call.
        let accumulator = RecordAccumulator(configuration: configuration, pool: pool)
        self.state = Mutex(State(accumulator: accumulator))
        engine.addListener(self)
    }

    func enqueue(
        _ record: KafkaProducerRecord,
        mayWait: Bool,
        completion: @escaping KafkaProducer.Completion
    ) {
        let work = self.state.withLock { state in
            var work = Work()
            state.lastID += 1
            let waiting = Waiting(
                id: state.lastID,
                record: record,
                timestamp: record.timestamp ?? wallClockMilliseconds(),
                completion: completion
            )
            if state.isClosed {
                work.completions.append { completion(.failure(.closed)) }
                return work
            }
            let isOver = state.waitingBytes + waiting.size > self.configuration.bufferMemory
            if isOver && !mayWait {
                self.pool.refused(now: .now)
                work.completions.append { completion(.failure(.bufferExhausted)) }
                return work
            }
            state.waiting[record.topic, default: []].append(waiting)
            state.waitingBytes += waiting.size
            self.append(record.topic, &state, &work)
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    func flush() async {
        await withCheckedContinuation { continuation in
            let work = self.state.withLock { state in
                var work = Work()
                let remaining = state.outstanding
                guard remaining > 0 else {
                    work.completions.append { continuation.resume() }
                    return work
                }
                state.flushes.append(
                    Flush(lastID: state.lastID, remaining: remaining, continuation: continuation)
                )
                self.collect(&state, &work)
                return work
            }
            self.perform(work)
        }
    }

    func close(drain: Bool) async {
        if drain {
            self.state.withLock { $0.isClosed = true }
            await self.flush()
        }
        self.failWaiting()
        await self.engine.close(drain: drain)
        self.engine.removeListener(self)
    }

    // MARK: DeliveryListener

    func deliver(_ deliveries: [Delivery]) {
        let work = self.state.withLock { state in
            var work = Work()
            for delivery in deliveries {
                state.accumulator.settled(delivery.batch)
                self.settle(delivery, &state, &work)
            }
            for topic in Array(state.waiting.keys) { self.append(topic, &state, &work) }
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    func metadataChanged(_ metadata: TopicMetadata) {
        let work = self.state.withLock { state in
            var work = Work()
            state.accumulator.update(metadata: metadata)
            self.append(metadata.name, &state, &work)
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    private func timerFired() {
        let work = self.state.withLock { state in
            var work = Work()
            state.timer = nil
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    // MARK: Under the lock

    /// Appends what waits for a topic, as far as it goes.
    private func append(_ topic: String, _ state: inout State, _ work: inout Work) {
        while let head = state.waiting[topic]?.first {
            var name = topic
            let index = name.withUTF8 {
                state.accumulator.topicIndex(UnsafeRawBufferPointer($0))
            }
            switch state.accumulator.isReady(index) {
            case .needsMetadata:
                if state.waiting[topic]?.count == 1 { work.topics.append(topic) }
                return
            case .failed(let error):
                self.drop(topic, &state, &work, .refused(error, message: nil), taking: head)
                continue
            case .ready: break
            }
            let now = ContinuousClock.now
            let result = appendRecord(
                head.record,
                index,
                head.timestamp,
                position: head.id,
                now: now,
                to: state.accumulator
            )
            switch result {
            case .appended:
                self.removeHead(of: topic, &state)
                state.taken[head.id] = Taken(
                    timestamp: head.timestamp,
                    completion: head.completion
                )
            case .bufferFull: return
            case .tooLarge(let size, let limit):
                let error = KafkaProducerError.recordTooLarge(size: size, limit: limit)
                self.drop(topic, &state, &work, error, taking: head)
            case .invalidPartition:
                let partition = head.record.partition ?? -1
                let error = KafkaProducerError.invalidPartition(
                    topic: topic,
                    partition: partition
                )
                self.drop(topic, &state, &work, error, taking: head)
            }
        }
    }

    private func removeHead(of topic: String, _ state: inout State) {
        guard let head = state.waiting[topic]?.popFirst() else { return }
        state.waitingBytes -= head.size
        if state.waiting[topic]?.isEmpty ?? false { state.waiting[topic] = nil }
    }

    private func drop(
        _ topic: String,
        _ state: inout State,
        _ work: inout Work,
        _ error: KafkaProducerError,
        taking head: Waiting
    ) {
        self.removeHead(of: topic, &state)
        work.completions.append { head.completion(.failure(error)) }
        self.finished(head.id, &state, &work)
    }

    private func settle(_ delivery: Delivery, _ state: inout State, _ work: inout Work) {
        let batch = delivery.batch
        for record in 0..<batch.recordCount {
            let id = batch.position(ofRecord: record)
            guard let taken = state.taken.removeValue(forKey: id) else { continue }
            switch delivery.result {
            case .acknowledged(let baseOffset, let timestamp):
                let metadata = RecordMetadata(
                    topic: batch.topic,
                    partition: batch.partition,
                    offset: baseOffset < 0 ? -1 : baseOffset &+ Int64(record),
                    timestamp: timestamp < 0 ? taken.timestamp : timestamp
                )
                work.completions.append { taken.completion(.success(metadata)) }
            case .failed(let error): work.completions.append { taken.completion(.failure(error)) }
            }
            self.finished(id, &state, &work)
        }
    }

    private func finished(_ id: Int64, _ state: inout State, _ work: inout Work) {
        for index in state.flushes.indices where id <= state.flushes[index].lastID {
            state.flushes[index].remaining -= 1
        }
        for flush in state.flushes where flush.remaining <= 0 {
            work.completions.append { flush.continuation.resume() }
        }
        state.flushes.removeAll { $0.remaining <= 0 }
    }

    /// Submits the batches that are ready, and sets the timer for those that linger.
    ///
    /// Under the lock, for batches of two threads must not overtake each other on their way.
    private func collect(_ state: inout State, _ work: inout Work) {
        if !state.flushes.isEmpty { state.accumulator.flush() }
        let now = ContinuousClock.now
        var batches: [ProducerBatch] = []
        while let batch = state.accumulator.nextReady(now: now) { batches.append(batch) }
        if !self.engine.offer(batches, for: self) { work.refused = batches }
        guard let deadline = state.accumulator.nextDeadline else { return }
        if let timer = state.timer, timer <= deadline { return }
        state.timer = deadline
        work.timer = deadline
    }

    private func failWaiting() {
        let work = self.state.withLock { state in
            var work = Work()
            state.isClosed = true
            for topic in Array(state.waiting.keys) {
                while let head = state.waiting[topic]?.first {
                    self.drop(topic, &state, &work, .closed, taking: head)
                }
            }
            state.accumulator.flush()
            self.collect(&state, &work)
            return work
        }
        self.perform(work)
    }

    // MARK: Without the lock

    private func perform(_ work: Work) {
        for completion in work.completions { completion() }
        if !work.refused.isEmpty {
            self.engine.deliver(
                work.refused.map { Delivery(batch: $0, result: .failed(.closed)) }
            )
        }
        if !work.topics.isEmpty { self.engine.requestMetadata(topics: work.topics) }
        guard let timer = work.timer else { return }
        self.engine.schedule(at: timer) { self.timerFired() }
    }
}

private func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
