internal import NIOCore

extension RecordBatch {
    /// The batch by which a coordinator ends a transaction in one partition.
    ///
    /// It holds one record: a key of version and type (0 aborted, 1 committed), and a value of
    /// version and coordinator epoch (Kafka's `EndTransactionMarker`).
    package static func endTransactionMarker(
        producerID: Int64,
        epoch: Int16,
        isCommit: Bool,
        coordinatorEpoch: Int32,
        timestamp: Int64
    ) throws -> RecordBatch {
        var record = ByteBuffer(integer: UInt8(2 * 16))
        // Length, attributes, timestamp delta and offset delta, then the lengths as zig-zag varints.
        record.writeBytes([0, 0, 0, 8])
        record.writeInteger(Int16(0))
        record.writeInteger(Int16(isCommit ? 1 : 0))
        record.writeBytes([12])
        record.writeInteger(Int16(0))
        record.writeInteger(coordinatorEpoch)
        record.writeBytes([0])
        var header = RecordBatchHeader()
        header.attributes = 0x30
        header.lastOffsetDelta = 0
        header.baseTimestamp = timestamp
        header.maxTimestamp = timestamp
        header.producerID = producerID
        header.producerEpoch = epoch
        header.recordCount = 1
        return try RecordBatch(assembling: header, body: record)
    }

    /// How the transaction ended that this batch ends; nil if it is no such batch.
    package var isCommitMarker: Bool? {
        guard self.header.isControl, let key = try? self.records().first?.key, key.count >= 4,
            key[0] == 0, key[1] == 0, key[2] == 0, key[3] <= 1
        else { return nil }
        return key[3] == 1
    }
}
