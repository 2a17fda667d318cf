internal import Glibc
internal import Logging
internal import Synchronization

/// Records from many tasks on their way into one accumulator.
///
/// A record is copied into its batch at once, and who waits for it is noted there; so it costs a
/// lock, but neither memory of its own nor a look-up when it is settled.
final class RecordQueue: DeliveryListener {
    /// Lets the task that sent records take them back.
    final class Ticket: Sendable {
        private let flag = Atomic(false)

        var isWithdrawn: Bool { self.flag.load(ordering: .relaxed) }

        fileprivate func withdraw() {
            self.flag.store(true, ordering: .relaxed)
        }
    }

    typealias Work = QueuedRecords.Work

    /// How many records are taken under one lock: the event loop and other tasks want it as well.
    private static let recordsPerLock = 128

    let engine: ProducerEngine
    private let books: Mutex<QueuedRecords>
    // Last, for only at run time is it known how large an instant is.
    private let beginning = ContinuousClock.now

    init(
        configuration: KafkaProducerConfiguration,
        partitioner: (any KafkaPartitioner)? = nil,
        logger: Logger
    ) throws(KafkaProducerError) {
        try configuration.validate()
        let pool = BufferPool(configuration: configuration)
        let engine = try ProducerEngine(configuration: configuration, pool: pool, logger: logger)
        self.engine = engine
        self.books = Mutex(
            QueuedRecords(configuration: configuration, pool: pool, partitioner: partitioner)
        )
        engine.addListener(self)
    }

    /// Takes a record; one that cannot go on fails at once unless it may wait.
    func enqueue(
        _ record: KafkaProducerRecord,
        mayWait: Bool,
        ticket: Ticket? = nil,
        waiter: RecordWaiter
    ) {
        let timestamp = record.timestamp ?? wallClockMilliseconds()
        let work = self.books.withLock { books -> Work? in
            var work = Work()
            if ticket?.isWithdrawn != true,
                books.append(record, timestamp: timestamp, waiter: waiter)
            {
                guard books.mustCollect else { return nil }
            } else {
                books.take(
                    record,
                    timestamp: timestamp,
                    waiter: waiter,
                    mayWait: mayWait,
                    ticket: ticket,
                    &work
                )
            }
            self.collect(&books, &work)
            return work
        }
        if let work { self.perform(work) }
    }

    /// Takes records in their order; each is told to `completion` by its place among them.
    func enqueue(
        contentsOf records: [KafkaProducerRecord],
        mayWait: Bool,
        ticket: Ticket? = nil,
        completion: @escaping KafkaProducer.NumberedCompletion
    ) {
        // Lent one by one: an array's iterator copies each.
        records.withUnsafeBufferPointer { records in
            var start = 0
            while start < records.count {
                let end = min(records.count, start + Self.recordsPerLock)
                self.enqueue(records, start..<end, mayWait, ticket, completion)
                start = end
            }
        }
    }

    private func enqueue(
        _ records: UnsafeBufferPointer<KafkaProducerRecord>,
        _ range: Range<Int>,
        _ mayWait: Bool,
        _ ticket: Ticket?,
        _ completion: @escaping KafkaProducer.NumberedCompletion
    ) {
        let now = wallClockMilliseconds()
        let work = self.books.withLock { books in
            var work = Work()
            // IDs rise by one under the lock.
            let firstID = books.lastID + 1 - Int64(range.lowerBound)
            let waiter = RecordWaiter.each(completion, firstID: firstID)
            let isWithdrawn = ticket?.isWithdrawn == true
            for place in range {
                let timestamp = records[place].timestamp ?? now
                if !isWithdrawn,
                    books.append(records[place], timestamp: timestamp, waiter: waiter)
                {
                    continue
                }
                books.take(
                    records[place],
                    timestamp: timestamp,
                    waiter: waiter,
                    mayWait: mayWait,
                    ticket: ticket,
                    &work
                )
            }
            self.collect(&books, &work)
            return work
        }
        self.perform(work)
    }

    /// Appends a record that nothing holds up; false if it was not taken.
    func append(_ record: KafkaProducerRecord, waiter: RecordWaiter) -> Bool {
        let timestamp = record.timestamp ?? wallClockMilliseconds()
        var isAppended = false
        let work = self.books.withLock { books -> Work? in
            isAppended = books.append(record, timestamp: timestamp, waiter: waiter)
            guard isAppended, books.mustCollect else { return nil }
            var work = Work()
            self.collect(&books, &work)
            return work
        }
        if let work { self.perform(work) }
        return isAppended
    }

    /// Takes records back that still wait; those under way go on.
    func withdraw(_ ticket: Ticket) {
        ticket.withdraw()
        self.update { $0.withdraw(ticket, &$1) }
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
        self.update { $0.flush(completion, &$1) }
    }

    /// Begins or ends to take records, for a transaction.
    func takesRecords(_ isTaking: Bool) {
        self.books.withLock { $0.takesRecords = isTaking }
    }

    /// Fails what is in no batch yet, and hands over what is.
    func failUnsent(_ error: KafkaProducerError) {
        self.update { books, work in
            books.failWaiting(error, &work)
            books.mustFlush = true
        }
    }

    func close(drain: Bool) async {
        if drain {
            self.books.withLock { $0.isClosed = true }
            await self.flush()
        }
        self.books.withLock { $0.isClosed = true }
        self.failUnsent(.closed)
        await self.engine.close(drain: drain)
        self.engine.removeListener(self)
    }

    private func timerFired() {
        self.update { books, work in
            books.timer = nil
            books.expire(&work)
        }
    }

    /// Changes the books, and sees to what follows from it.
    private func update(_ change: (inout QueuedRecords, inout Work) -> Void) {
        let work = self.books.withLock { books in
            var work = Work()
            change(&books, &work)
            self.collect(&books, &work)
            return work
        }
        self.perform(work)
    }

    /// Submits the batches that are ready, and sets the timer for those that linger.
    ///
    /// Under the lock, for batches of two threads must not overtake each other on their way.
    private func collect(_ books: inout QueuedRecords, _ work: inout Work) {
        if books.mustFlush {
            books.accumulator.flush()
            books.mustFlush = false
        }
        let now = ContinuousClock.now
        var batches: [ProducerBatch] = []
        while let batch = books.accumulator.nextReady(now: now) { batches.append(batch) }
        if !self.engine.offer(batches, for: self) { work.refused = batches }
        let deadlines = [books.accumulator.nextDeadline, books.nextExpiry].compactMap(\.self)
        guard let deadline = deadlines.min().map({ $0 - self.beginning }) else { return }
        if let timer = books.timer, timer <= deadline { return }
        books.timer = deadline
        work.timer = deadline
    }

    private func perform(_ work: Work) {
        for (waiter, id, error) in work.failed { waiter.tell(.failure(error), id: id) }
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

extension RecordQueue {
    func deliver(_ deliveries: [Delivery]) {
        self.update { books, work in
            for delivery in deliveries { books.accumulator.settled(delivery.batch) }
            books.appendWaiting(&work)
        }
        for delivery in deliveries { Self.complete(delivery) }
        // After who waits for each was told, for a flush waits for that too.
        let work = self.books.withLock { books in
            var work = Work()
            books.settle(deliveries, &work)
            return work
        }
        self.perform(work)
    }

    func metadataChanged(_ metadata: TopicMetadata) {
        self.update { books, work in
            books.accumulator.update(metadata: metadata)
            if !books.isMemorySpent { books.appendWaiting(&work) }
        }
    }

    private static func complete(_ delivery: Delivery) {
        let batch = delivery.batch
        batch.completions.forEachRun(of: batch) { records, run in
            switch delivery.result {
            case .acknowledged(let baseOffset, let timestamp):
                var metadata = RecordMetadata(
                    topic: batch.topic,
                    partition: batch.partition,
                    offset: -1,
                    timestamp: timestamp < 0 ? run.timestamp : timestamp
                )
                for record in records {
                    if baseOffset >= 0 { metadata.offset = baseOffset &+ Int64(record) }
                    run.waiter.tell(.success(metadata), id: batch.position(ofRecord: record))
                }
            case .failed(let error):
                for record in records {
                    run.waiter.tell(.failure(error), id: batch.position(ofRecord: record))
                }
            }
        }
    }
}

private func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    // As of the last tick: a fifth of the cost of the exact time, which takes longer than the lock.
    clock_gettime(CLOCK_REALTIME_COARSE, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
