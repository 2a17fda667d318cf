package import KafkaProtocol
internal import NIOCore

/// A topic's number within one accumulator.
package struct TopicIndex: Hashable, Sendable {
    let number: Int

    /// A name that no topic can have.
    static let invalid = TopicIndex(number: -1)
}

/// Whether records can be appended for a topic.
package enum TopicReadiness: Sendable, Equatable {
    case ready
    /// Its partitions are not known: ask for them, and wait.
    case needsMetadata
    /// No record can be sent there until metadata says otherwise.
    case failed(KafkaError)
}

/// What became of a record that was appended.
package enum AppendResult: Sendable, Equatable {
    case appended
    /// The memory is spent: take what ``RecordAccumulator/nextReady(now:)`` has, and try again when
    /// the pool notifies.
    case bufferFull
    case tooLarge(size: Int, limit: Int)
    /// The topic has no such partition; one that is not ready has none.
    case invalidPartition
}

/// Records of one lane, gathered into a batch for each partition.
///
/// It belongs to one thread. A record becomes bytes once, here, in the buffer that goes on the wire;
/// a batch that is full, or has lingered, is compressed and checksummed here too.
package final class RecordAccumulator {
    // Safe: one thread has it, and no function hands a property out while it is being changed. The
    // run-time check of that costs as much as copying the record.
    let configuration: KafkaProducerConfiguration
    private let pool: BufferPool
    private let taker: BufferPool.Taker
    @exclusivity(unchecked) var generator: SeededGenerator
    @exclusivity(unchecked) var topics: [Topic] = []
    @exclusivity(unchecked) var topicsByHash: [UInt64: [Int]] = [:]
    @exclusivity(unchecked) var lastTopic = -1
    /// Batches that take records, the oldest first.
    @exclusivity(unchecked) private var open: CircularBuffer<OpenBatch> = []
    /// Batches that take no more records.
    @exclusivity(unchecked) private var closed: CircularBuffer<OpenBatch> = []
    @exclusivity(unchecked) private var lastBatchID = 0
    /// How many waited in a row for the records of the last batch.
    @exclusivity(unchecked) private var lastRunCount = 0
    /// Open batches up to this one do not wait for their linger.
    @exclusivity(unchecked) private var flushedID = 0
    /// Where compressed bytes go; the batch's own buffer takes its place afterwards.
    @exclusivity(unchecked) private var scratch: ByteBuffer?
    private let compressor: Compressor?
    // What another module computes is a call for each record.
    private let headerSize = RecordBatchHeader.size

    /// Makes an accumulator over a pool it may share; `onMemory` is called, from any thread, when a
    /// record that met ``AppendResult/bufferFull`` should be appended again.
    package init(
        configuration: KafkaProducerConfiguration,
        pool: BufferPool,
        seed: UInt64 = .random(in: .min ... .max),
        onMemory: @escaping @Sendable () -> Void = {}
    ) {
        self.configuration = configuration
        self.compressor = Compressor(configuration)
        self.pool = pool
        self.generator = SeededGenerator(seed: seed)
        self.taker = pool.makeTaker(notify: onMemory)
    }

    deinit {
        self.pool.remove(self.taker)
    }

    // MARK: Records

    /// Copies a record that a lane owns into the open batch of its partition.
    package func append(
        topic: TopicIndex,
        partition: Int32?,
        key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?,
        headers: UnsafeBufferPointer<RecordHeaderSpan>,
        timestamp: Int64,
        origin: RecordOrigin,
        now: ContinuousClock.Instant
    ) -> AppendResult {
        self.append(
            topic: topic,
            partition: partition,
            key: key,
            value: value,
            headers: headers,
            timestamp: timestamp,
            origin: origin,
            waiter: nil,
            now: now
        )
    }

    /// Copies a record into the open batch of its partition, and notes there who waits for it.
    ///
    /// The time is only asked for when a batch is begun.
    func append(
        topic: TopicIndex,
        partition: Int32?,
        key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?,
        headers: UnsafeBufferPointer<RecordHeaderSpan>,
        timestamp: Int64,
        origin: RecordOrigin,
        waiter: RecordWaiter?,
        now: @autoclosure () -> ContinuousClock.Instant
    ) -> AppendResult {
        let needed =
            RecordBatchBuilder.upperBound(key: key, value: value, headers: headers)
            + (origin.header?.sizeLimit ?? 0) + self.headerSize
        guard needed <= self.configuration.maxRequestSize else {
            return .tooLarge(size: needed, limit: self.configuration.maxRequestSize)
        }
        guard topic != .invalid else { return .invalidPartition }
        return self.withTopic(topic) { topic in
            let payload = (key?.count ?? 0) + (value?.count ?? 0) + self.headerSize
            let sizeLimit = self.sizeLimit(of: topic)
            if payload > sizeLimit { return .tooLarge(size: payload, limit: sizeLimit) }
            let isSticky =
                partition == nil && (key == nil || self.configuration.partitionerIgnoresKeys)
            guard var chosen = self.choose(topic, partition, key) else { return .invalidPartition }
            while let open = topic.openBatch(chosen) {
                // Safe: the batch is in `open`, or by then in `closed`.
                let isAppended = open._withUnsafeGuaranteedRef { batch in
                    let limit = min(batch.charge, topic.batchLimit)
                    let routing = Self.routing(isSticky, topic)
                    let size = Self.write(
                        key,
                        value,
                        headers,
                        timestamp,
                        origin,
                        routing,
                        limit,
                        to: batch
                    )
                    guard size > 0 else {
                        batch.isFull = true
                        self.close(batch)
                        return false
                    }
                    Self.note(origin, timestamp, waiter, size, isSticky, topic, in: batch)
                    return true
                }
                if isAppended { return .appended }
                guard isSticky else { break }
                // A full batch is the place to move on to another partition.
                topic.sticky.produced(0, batchIsFull: true)
                chosen = self.choose(topic, partition, key) ?? chosen
            }
            guard let batch = self.openBatch(topic, chosen, size: needed, now: now()) else {
                return .bufferFull
            }
            let limit = batch.charge
            let routing = Self.routing(isSticky, topic)
            let size = Self.write(key, value, headers, timestamp, origin, routing, limit, to: batch)
            let length = self.headerSize + size
            Self.note(origin, timestamp, waiter, length, isSticky, topic, in: batch)
            return .appended
        }
    }

    /// How a record found its partition, see ``ProducerBatch/Run/routing``.
    @inline(__always)
    private static func routing(_ isSticky: Bool, _ topic: Topic) -> Int32 {
        isSticky ? topic.sticky.stint : Int32(topic.partitions.count)
    }

    /// Lends a topic without counting the reference, which costs as much as copying a short record.
    @inline(__always)
    private func withTopic<Result>(_ topic: TopicIndex, _ body: (Topic) -> Result) -> Result {
        // Safe: a topic is as long in `topics` as the accumulator lives.
        Unmanaged.passUnretained(self.topics[topic.number])._withUnsafeGuaranteedRef(body)
    }

    /// Copies a record, with its place in its file if it is the first in a row; zero if the batch is
    /// full.
    @inline(__always)
    private static func write(
        _ key: UnsafeRawBufferPointer?,
        _ value: UnsafeRawBufferPointer?,
        _ headers: UnsafeBufferPointer<RecordHeaderSpan>,
        _ timestamp: Int64,
        _ origin: RecordOrigin,
        _ routing: Int32,
        _ limit: Int,
        to batch: OpenBatch
    ) -> Int {
        if let header = origin.header, batch.needsPosition(origin, header, routing) {
            return header.appended(to: headers, position: origin.position) { headers in
                batch.builder.append(
                    key: key,
                    value: value,
                    headers: headers,
                    timestamp: timestamp,
                    limit: limit
                )
            }
        }
        return batch.builder.append(
            key: key,
            value: value,
            headers: headers,
            timestamp: timestamp,
            limit: limit
        )
    }

    @inline(__always)
    private static func note(
        _ origin: RecordOrigin,
        _ timestamp: Int64,
        _ waiter: RecordWaiter?,
        _ size: Int,
        _ isSticky: Bool,
        _ topic: Topic,
        in batch: OpenBatch
    ) {
        batch.note(origin, routing: Self.routing(isSticky, topic))
        if isSticky { topic.sticky.produced(size, batchIsFull: false) }
        if let waiter {
            batch.completions.append(waiter, id: origin.position, timestamp: timestamp)
        }
    }

    /// What a batch of one record may have by the topic's `max.message.bytes`, in bytes, as far as
    /// that is known.
    package func sizeLimit(of topic: TopicIndex) -> Int {
        topic == .invalid ? .max : self.sizeLimit(of: self.topics[topic.number])
    }

    // Compression may make more fit; without, it need not travel to be refused.
    private func sizeLimit(of topic: Topic) -> Int {
        self.compressor == nil ? topic.batchLimit : .max
    }

    /// How many partitions a topic has; 0 while that is not known.
    func partitionCount(of topic: TopicIndex) -> Int {
        topic == .invalid ? 0 : self.topics[topic.number].partitions.count
    }

    @inline(__always)
    private func choose(
        _ topic: Topic,
        _ partition: Int32?,
        _ key: UnsafeRawBufferPointer?
    ) -> Int? {
        let count = Int32(topic.partitions.count)
        guard count > 0 else { return nil }
        if let partition { return (0..<count).contains(partition) ? Int(partition) : nil }
        if let key, !self.configuration.partitionerIgnoresKeys {
            return Int(JavaPartitioner.partition(key: key, count: count))
        }
        return Int(topic.sticky.current(count: count) ?? self.chooseNext(topic, count))
    }

    private func chooseNext(_ topic: Topic, _ count: Int32) -> Int32 {
        let partitions = topic.partitions
        return topic.sticky.partition(
            queued: { partitions[Int($0)].hasLeader ? partitions[Int($0)].queued : nil },
            count: count
        )
    }

    private func openBatch(
        _ topic: Topic,
        _ number: Int,
        size: Int,
        now: ContinuousClock.Instant
    ) -> OpenBatch? {
        guard var buffer = self.pool.take(size: size, for: self.taker, now: now) else {
            // Others may wait for what stands open here.
            self.flush()
            return nil
        }
        self.lastBatchID += 1
        let partition = topic.partitions[number]
        let batch = OpenBatch(
            id: self.lastBatchID,
            topic: topic,
            partition: partition,
            createdAt: now,
            taking: &buffer
        )
        // Batches are alike, and an array that grows as it fills is copied again and again.
        batch.completions.reserve(self.lastRunCount)
        partition.open = .passUnretained(batch)
        self.open.append(batch)
        return batch
    }

    private func close(_ batch: OpenBatch) {
        batch.partition.open = nil
        // In this order, for whoever closes it need not have a reference that counts.
        self.closed.append(batch)
        self.open.removeAll { $0 === batch }
    }

    // MARK: Batches

    /// The next batch to be sent: one that is full, or has lingered, or that a flush asked for.
    package func nextReady(now: ContinuousClock.Instant) -> ProducerBatch? {
        if let oldest = self.open.first, self.closed.isEmpty {
            let isDue = oldest.createdAt + self.configuration.linger <= now
            if isDue || oldest.id <= self.flushedID { self.close(oldest) }
        }
        return self.closed.popFirst().map(self.seal)
    }

    /// When a batch will have lingered long enough.
    package var nextDeadline: ContinuousClock.Instant? {
        if let closed = self.closed.first { return closed.createdAt }
        return self.open.first.map { batch in
            batch.id <= self.flushedID
                ? batch.createdAt : batch.createdAt + self.configuration.linger
        }
    }

    /// Gives up the place among those who wait for memory: no record needs it any more.
    package func stopWaiting() { self.pool.stopWaiting(self.taker) }

    /// Makes all open batches ready; records appended later linger as usual.
    package func flush() {
        self.flushedID = self.lastBatchID
    }

    /// How many batches hold records that were not handed out yet.
    package var openBatchCount: Int { self.open.count + self.closed.count }

    /// Whether ``nextReady(now:)`` has a batch whatever the time is.
    var hasClosedBatches: Bool { !self.closed.isEmpty }

    package var hasOpenBatches: Bool { self.openBatchCount > 0 }

    /// Tells that a batch came back, so that its partition counts as less busy.
    package func settled(_ batch: ProducerBatch) {
        let number = batch.topicIndex.number
        guard self.topics.indices.contains(number) else { return }
        let partitions = self.topics[number].partitions
        guard partitions.indices.contains(Int(batch.partition)) else { return }
        let partition = partitions[Int(batch.partition)]
        partition.queued = max(0, partition.queued - 1)
    }

    private func seal(_ batch: OpenBatch) -> ProducerBatch {
        batch.partition.queued += 1
        self.lastRunCount = batch.completions.runs.count
        let sealed = self.compress(batch)
        return ProducerBatch(
            topic: batch.topic.name,
            topicIndex: batch.topic.index,
            partition: batch.partition.number,
            createdAt: batch.createdAt,
            sealed: sealed,
            positions: batch.positions,
            isFull: batch.isFull,
            completions: batch.completions,
            pool: self.pool,
            charge: batch.charge
        )
    }

    /// Compressed bytes go into the buffer that the last batch was filled in, and so in turn: one
    /// buffer more than the pool's is enough for a lane.
    private func compress(_ batch: OpenBatch) -> SealedRecordBatch {
        let isPooled = batch.charge == self.pool.bufferSize
        do {
            guard isPooled else { return try batch.builder.seal(with: self.compressor) }
            let sealed = try batch.builder.seal(with: self.compressor, into: &self.scratch)
            if sealed.compression != .none {
                self.scratch = batch.builder.takeBuffer()
            }
            return sealed
        } catch {
            return self.withoutCompression(batch)
        }
    }

    /// A codec that fails costs room on the wire, and no record.
    private func withoutCompression(_ batch: OpenBatch) -> SealedRecordBatch {
        do {
            return try batch.builder.seal()
        } catch {
            preconditionFailure("a batch cannot be closed without compression: \(error)")
        }
    }
}
