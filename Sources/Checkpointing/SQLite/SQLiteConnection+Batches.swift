private let columns = """
    id, topic, topic_id, partition, producer_id, epoch, base_sequence, record_count, \
    max_timestamp, created_at, stretches, checksum, bytes, bytes_checksum, base_offset, \
    settled_checksum
    """

extension SQLiteConnection {
    func write(_ batch: JournaledBatch) throws(CheckpointError) {
        let stretches = Stretch.encode(batch.stretches)
        try query(
            "REPLACE INTO batch (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            bind: {
                $0.bind(batch.id)
                $0.bind(batch.topic)
                $0.bind(batch.topicID)
                for number in batch.numbers { $0.bind(number) }
                $0.bind(stretches)
                $0.bind(batch.checksum(stretches))
                $0.bind(batch.bytes)
                $0.bind(batch.bytes.map(Self.checksum(of:)))
                let offset = batch.baseOffset
                $0.bind(offset)
                $0.bind(offset.map { Self.checksum(settled: batch.id, $0) })
            }
        )
    }

    func settle(_ id: Int64, _ baseOffset: Int64) throws(CheckpointError) {
        try query(
            """
            UPDATE batch SET bytes = NULL, bytes_checksum = NULL, base_offset = ?,
                settled_checksum = ? WHERE id = ?
            """,
            bind: {
                $0.bind(baseOffset)
                $0.bind(Self.checksum(settled: id, baseOffset))
                $0.bind(id)
            }
        )
    }

    func batches() throws(CheckpointError) -> [JournaledBatch] {
        var result: [JournaledBatch] = []
        try query(
            "SELECT \(columns) FROM batch ORDER BY id",
            row: { (row) throws(CheckpointError) in result.append(try batch(from: row)) }
        )
        return result
    }

    private func batch(
        from row: borrowing SQLiteStatement
    ) throws(CheckpointError) -> JournaledBatch {
        let stretches = row.bytes(10)
        var batch = JournaledBatch(from: row)
        batch.bytes = row.isNull(12) ? nil : row.bytes(12)
        if let offset = row.optionalInteger(14) { batch.state = .settled(baseOffset: offset) }
        guard let decoded = Stretch.decode(stretches),
            row.integer(11) == batch.checksum(stretches),
            row.optionalInteger(13) == batch.bytes.map(Self.checksum(of:)),
            row.optionalInteger(15)
                == batch.baseOffset.map({ Self.checksum(settled: batch.id, $0) })
        else { throw changed("batch", batch.id) }
        batch.stretches = decoded
        return batch
    }

    private static func checksum(of bytes: [UInt8]) -> Int64 {
        var sum = RowChecksum()
        sum.combine(words: bytes)
        return sum.value
    }

    private static func checksum(settled id: Int64, _ baseOffset: Int64) -> Int64 {
        var sum = RowChecksum()
        sum.combine(id)
        sum.combine(baseOffset)
        return sum.value
    }
}

extension JournaledBatch {
    // A number that was overwritten beyond its type's range is still what was written, or the
    // checksum tells.
    fileprivate init(from row: borrowing SQLiteStatement) {
        self.init(
            id: row.integer(0),
            topic: row.text(1),
            partition: Int32(truncatingIfNeeded: row.integer(3)),
            producerID: row.integer(4),
            epoch: Int16(truncatingIfNeeded: row.integer(5)),
            baseSequence: Int32(truncatingIfNeeded: row.integer(6)),
            recordCount: Int32(truncatingIfNeeded: row.integer(7))
        )
        topicID = row.bytes(2)
        maxTimestamp = row.integer(8)
        createdAt = row.integer(9)
    }

    /// In the order of the columns.
    fileprivate var numbers: [Int64] {
        [
            Int64(partition), producerID, Int64(epoch), Int64(baseSequence), Int64(recordCount),
            maxTimestamp, createdAt,
        ]
    }

    fileprivate var baseOffset: Int64? {
        if case .settled(let offset) = state { offset } else { nil }
    }

    /// Over what never changes.
    fileprivate func checksum(_ stretches: [UInt8]) -> Int64 {
        var sum = RowChecksum()
        sum.combine(id)
        sum.combine(topic)
        sum.combine(topicID)
        for number in numbers { sum.combine(number) }
        sum.combine(stretches)
        return sum.value
    }
}
