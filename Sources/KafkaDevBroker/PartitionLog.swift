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

    /// Batches that were answered as duplicates.
    package private(set) var duplicateCount = 0

    /// The epoch of the one leader that a partition ever has.
    static let leaderEpoch: Int32 = 0

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
        var placed = batch
        placed.place(atOffset: offset, leaderEpoch: Self.leaderEpoch)
        self.batches.append(placed)
        self.byteCount += placed.buffer.readableBytes
        self.endOffset += Int64(placed.header.recordCount)
        self.trim(to: retentionBytes)
        return .success(offset)
    }

    mutating func forgetProducers(keepingLastBatch: Bool) {
        self.producers.forget(keepingLastBatch: keepingLastBatch)
    }

    /// The place of the batch with that offset or, behind a gap, of the next one.
    func index(ofBatchAt offset: Int64) -> Int {
        var low = 0
        var high = self.batches.count
        while low < high {
            let middle = (low + high) / 2
            let header = self.batches[middle].header
            if header.baseOffset + Int64(header.lastOffsetDelta) < offset {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// Whole batches from the one with `offset` on, up to `limit` bytes.
    ///
    /// The first batch comes even when it is over the limit, if so wished: otherwise a consumer with
    /// a small limit would never get past it.
    func records(from offset: Int64, limit: Int, atLeastOne: Bool) -> ByteBuffer {
        var records = ByteBuffer()
        for batch in self.batches[self.index(ofBatchAt: offset)...] {
            let isForced = atLeastOne && records.readableBytes == 0
            guard isForced || records.readableBytes + batch.buffer.readableBytes <= limit else {
                break
            }
            records.writeImmutableBuffer(batch.buffer)
        }
        return records
    }

    /// Bytes from the batch with `offset` on, counted no further than `limit`.
    func byteCount(from offset: Int64, limit: Int) -> Int {
        var count = 0
        for batch in self.batches[self.index(ofBatchAt: offset)...] where count < limit {
            count += batch.buffer.readableBytes
        }
        return count
    }

    /// The first record whose timestamp is not before `timestamp`.
    func firstRecord(notBefore timestamp: Int64) -> (timestamp: Int64, offset: Int64)? {
        for batch in self.batches where batch.header.maxTimestamp >= timestamp {
            guard let records = try? batch.records() else { continue }
            if let record = records.first(where: { $0.timestamp >= timestamp }) {
                return (record.timestamp, record.offset)
            }
        }
        return nil
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
