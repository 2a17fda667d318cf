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
    /// Transactions that were aborted, in the order of their markers.
    private(set) var abortedTransactions: [AbortedTransaction] = []

    /// Batches that were answered as duplicates.
    package private(set) var duplicateCount = 0

    /// The epoch of the one leader that a partition ever has.
    static let leaderEpoch: Int32 = 0

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

    /// Appends a valid batch; returns its first offset, that of the batch it duplicates, or why not.
    mutating func append(
        _ batch: RecordBatch,
        retentionBytes: Int
    ) -> Result<Int64, Refusal> {
        switch self.producers.check(batch.header) {
        case .duplicate(let offset):
            self.duplicateCount += 1
            return .success(offset)
        case .refused(let error): return .failure(Refusal(error))
        case .inSequence: break
        }
        let offset = self.endOffset
        self.producers.appended(batch.header, atOffset: offset)
        self.place(batch)
        self.trim(to: retentionBytes)
        return .success(offset)
    }

    /// Appends the marker that ends a producer's transaction.
    mutating func appendMarker(_ marker: RecordBatch, isCommit: Bool) {
        let start = self.producers.ended(marker.header)
        if let start, !isCommit {
            let aborted = AbortedTransaction(
                producerID: marker.header.producerID,
                firstOffset: start,
                lastOffset: self.endOffset
            )
            self.abortedTransactions.append(aborted)
        }
        self.place(marker)
    }

    private mutating func place(_ batch: RecordBatch) {
        var placed = batch
        placed.place(atOffset: self.endOffset, leaderEpoch: Self.leaderEpoch)
        self.batches.append(placed)
        self.byteCount += placed.buffer.readableBytes
        self.endOffset += Int64(placed.header.lastOffsetDelta) + 1
    }

    mutating func forgetProducers(keepingLastBatch: Bool) {
        self.producers.forget(keepingLastBatch: keepingLastBatch)
    }

    mutating func expireProducers(before timestamp: Int64) {
        self.producers.expire(before: timestamp)
    }

    private mutating func trim(to limit: Int) {
        guard self.byteCount > limit else { return }
        var dropped = 0
        while self.byteCount > limit, dropped < self.batches.count - 1 {
            self.byteCount -= self.batches[dropped].buffer.readableBytes
            dropped += 1
        }
        self.batches.removeFirst(dropped)
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
