package import KafkaProtocol
internal import NIOCore

/// A partition's batches, and what is remembered of those who wrote them.
package struct PartitionLog: Sendable {
    /// The batches that are kept, oldest first.
    package private(set) var batches: [RecordBatch] = []
    package private(set) var startOffset: Int64 = 0
    /// The offset of the next record.
    package private(set) var endOffset: Int64 = 0
    package private(set) var byteCount = 0
    private(set) var producers = ProducerStates()
    /// What the followers have; nil while they have everything.
    var replicated: Replicated?
    /// Transactions that were aborted, in the order of their markers.
    private(set) var abortedTransactions: [AbortedTransaction] = []

    /// Batches that were answered as duplicates.
    package private(set) var duplicateCount = 0

    package internal(set) var leadership: Leadership

    init(_ leadership: Leadership) {
        self.leadership = leadership
    }

    struct AbortedTransaction: Sendable, Equatable {
        var producerID: Int64
        var firstOffset: Int64
        /// That of the marker.
        var lastOffset: Int64
    }

    /// The end of what a consumer may see that reads committed records only.
    package var lastStableOffset: Int64 {
        self.producers.firstUnstableOffset.map { max($0, self.startOffset) } ?? self.endOffset
    }

    /// Where a batch is in the log.
    struct Place: Equatable {
        var offset: Int64
        /// The broker's time in the topics that want it, and that of any duplicate; otherwise -1.
        var appendTime: Int64
        var isDuplicate = false
    }

    /// Appends a valid batch; returns its place, that of the batch it duplicates, or why not.
    mutating func append(
        _ batch: RecordBatch,
        retentionBytes: Int
    ) -> Result<Place, Refusal> {
        switch self.producers.check(batch.header) {
        case .duplicate(let known):
            self.duplicateCount += 1
            return .success(
                Place(offset: known.baseOffset, appendTime: known.timestamp, isDuplicate: true)
            )
        case .refused(let error): return .failure(Refusal(error))
        case .inSequence: break
        }
        let offset = self.endOffset
        self.producers.appended(batch.header, atOffset: offset)
        self.place(batch)
        self.trim(to: retentionBytes)
        let time = batch.header.isLogAppendTime ? batch.header.maxTimestamp : -1
        return .success(Place(offset: offset, appendTime: time))
    }

    /// Appends the marker that ends a producer's transaction.
    mutating func appendMarker(_ marker: RecordBatch, isCommit: Bool) {
        self.end(marker.header, isCommit: isCommit, at: self.endOffset)
        self.place(marker)
    }

    private mutating func end(_ marker: RecordBatchHeader, isCommit: Bool, at offset: Int64) {
        guard let start = self.producers.ended(marker), !isCommit else { return }
        let aborted = AbortedTransaction(
            producerID: marker.producerID,
            firstOffset: start,
            lastOffset: offset
        )
        self.abortedTransactions.append(aborted)
    }

    private mutating func place(_ batch: RecordBatch) {
        var placed = batch
        placed.place(atOffset: self.endOffset, leaderEpoch: self.leadership.epoch)
        self.batches.append(placed)
        self.byteCount += placed.buffer.readableBytes
        self.endOffset += Int64(placed.header.lastOffsetDelta) + 1
    }

    // MARK: After a restart

    /// Takes back a batch that has its offset, with what it says of its producer.
    mutating func restore(_ batch: RecordBatch) {
        let header = batch.header
        if let isCommit = batch.isCommitMarker {
            self.end(header, isCommit: isCommit, at: header.baseOffset)
        } else {
            self.producers.appended(header, atOffset: header.baseOffset)
        }
        self.batches.append(batch)
        self.byteCount += batch.buffer.readableBytes
        self.endOffset = header.baseOffset + Int64(header.lastOffsetDelta) + 1
    }

    /// Drops what lies before `offset`, where an empty log then begins.
    mutating func restoreStart(_ offset: Int64) {
        self.removeFirst(
            self.batches.firstIndex { $0.header.baseOffset >= offset } ?? self.batches.count
        )
        self.startOffset = offset
        self.endOffset = max(self.endOffset, offset)
    }

    mutating func restore(_ state: ProducerStates.State, ofProducer id: Int64) {
        self.producers.restore(state, of: id)
    }

    mutating func restore(_ aborted: AbortedTransaction) {
        guard !self.abortedTransactions.contains(aborted) else { return }
        self.abortedTransactions.append(aborted)
    }

    mutating func forgetProducers(keepingLastBatch: Bool) {
        self.producers.forget(keepingLastBatch: keepingLastBatch)
        self.replicated?.producers.forget(keepingLastBatch: keepingLastBatch)
    }

    mutating func expireProducers(before timestamp: Int64) {
        self.producers.expire(before: timestamp)
        self.replicated?.producers.expire(before: timestamp)
    }

    /// Drops what lies behind the end that the followers have, and what was known of it.
    mutating func truncate(to replicated: Replicated) {
        for batch in self.batches[min(replicated.batchCount, self.batches.count)...] {
            self.byteCount -= batch.buffer.readableBytes
        }
        self.batches.removeLast(max(0, self.batches.count - replicated.batchCount))
        self.endOffset = replicated.endOffset
        self.producers = replicated.producers
    }

    /// Deletes the oldest batches whose records are all older than `timestamp`.
    mutating func expireBatches(before timestamp: Int64) {
        let kept = self.batches.firstIndex { $0.header.maxTimestamp >= timestamp }
        self.removeFirst(kept ?? self.batches.count)
    }

    private mutating func trim(to limit: Int) {
        var rest = self.byteCount
        var dropped = 0
        while rest > limit, dropped < self.batches.count - 1 {
            rest -= self.batches[dropped].buffer.readableBytes
            dropped += 1
        }
        self.removeFirst(dropped)
    }

    private mutating func removeFirst(_ count: Int) {
        guard count > 0 else { return }
        for batch in self.batches[..<count] { self.byteCount -= batch.buffer.readableBytes }
        self.batches.removeFirst(count)
        self.replicated?.batchCount -= count
        self.startOffset = self.batches.first?.header.baseOffset ?? self.endOffset
        self.abortedTransactions.removeAll { $0.lastOffset < self.startOffset }
    }
}

/// Why a batch is not appended.
struct Refusal: Error, Equatable {
    var error: KafkaError
    var message: String?
    var records: [ProduceResponse.RecordError] = []

    init(
        _ error: KafkaError,
        _ message: String? = nil,
        records: [ProduceResponse.RecordError] = []
    ) {
        self.error = error
        self.message = message
        self.records = records
    }
}
