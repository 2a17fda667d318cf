internal import KafkaProtocol
internal import NIOCore

extension PartitionLog {
    /// Whole batches that were read, and the offset behind them.
    struct Slice {
        var bytes = ByteBuffer()
        var endOffset: Int64
    }

    /// How far a consumer may read: to what all replicas have, or to where a transaction is open.
    func readableEnd(isCommitted: Bool) -> Int64 {
        isCommitted ? min(self.lastStableOffset, self.highWatermark) : self.highWatermark
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

    /// Whole batches from the one with `offset` on and before `end`, up to `limit` bytes.
    ///
    /// The first batch comes even when it is over the limit, if so wished: otherwise a consumer with
    /// a small limit would never get past it.
    func records(from offset: Int64, before end: Int64, limit: Int, atLeastOne: Bool) -> Slice {
        var slice = Slice(endOffset: offset)
        for batch in self.batches[self.index(ofBatchAt: offset)...] {
            let size = batch.buffer.readableBytes
            let isForced = atLeastOne && slice.bytes.readableBytes == 0
            guard batch.header.baseOffset < end,
                isForced || slice.bytes.readableBytes + size <= limit
            else { break }
            slice.bytes.writeImmutableBuffer(batch.buffer)
            slice.endOffset = batch.header.baseOffset + Int64(batch.header.lastOffsetDelta) + 1
        }
        return slice
    }

    /// Bytes from the batch with `offset` on and before `end`, counted no further than `limit`.
    func byteCount(from offset: Int64, before end: Int64, limit: Int) -> Int {
        var count = 0
        for batch in self.batches[self.index(ofBatchAt: offset)...] {
            guard count < limit, batch.header.baseOffset < end else { break }
            count += batch.buffer.readableBytes
        }
        return count
    }

    /// The aborted transactions of which something may lie between two offsets.
    func aborted(from offset: Int64, before end: Int64) -> [FetchResponse.AbortedTransaction] {
        self.abortedTransactions
            .filter { $0.lastOffset >= offset && $0.firstOffset < end }
            .map { .init(producerID: $0.producerID, firstOffset: $0.firstOffset) }
    }

    /// The first record before `end` whose timestamp is not before `timestamp`.
    func firstRecord(
        notBefore timestamp: Int64,
        before end: Int64
    ) -> (timestamp: Int64, offset: Int64)? {
        for batch in self.batches
        where batch.header.maxTimestamp >= timestamp && batch.header.baseOffset < end {
            guard let records = try? batch.records() else { continue }
            if let record = records.first(where: { $0.timestamp >= timestamp }) {
                return (record.timestamp, record.offset)
            }
        }
        return nil
    }
}
