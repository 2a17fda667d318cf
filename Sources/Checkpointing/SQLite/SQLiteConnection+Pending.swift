extension SQLiteConnection {
    func pending() throws(CheckpointError) -> [PendingCheckpoints] {
        var result: [PendingCheckpoints] = []
        var checksums: [Int64] = []
        try query(
            """
            SELECT transactional_id, producer_id, epoch, checksum FROM pending
            ORDER BY transactional_id
            """,
            row: { (row) throws(CheckpointError) in
                let pending = PendingCheckpoints(
                    transactionalID: row.text(0),
                    producerID: row.integer(1),
                    epoch: Int16(truncatingIfNeeded: row.integer(2)),
                    files: []
                )
                result.append(pending)
                checksums.append(row.integer(3))
            }
        )
        for index in result.indices {
            result[index].files = try pendingFiles(result[index].transactionalID)
            guard result[index].checksum == checksums[index] else {
                throw changed("transaction", "'\(result[index].transactionalID)'")
            }
        }
        return result
    }

    func insert(_ pending: PendingCheckpoints) throws(CheckpointError) {
        guard try !isPending(pending.transactionalID) else {
            throw CheckpointError(
                .failed,
                "checkpoints of the transaction '\(pending.transactionalID)' are pending already; "
                    + "please report this"
            )
        }
        try query(
            """
            INSERT INTO pending (transactional_id, producer_id, epoch, checksum) VALUES (?,?,?,?)
            """,
            bind: {
                $0.bind(pending.transactionalID)
                $0.bind(pending.producerID)
                $0.bind(Int64(pending.epoch))
                $0.bind(pending.checksum)
            }
        )
        for file in pending.files { try insert(file, pendingIn: pending.transactionalID) }
    }

    func commitPending(_ transactionalID: String) throws(CheckpointError) {
        for file in try pendingFiles(transactionalID) { _ = try updateIfKnown(file) }
        try deletePending(transactionalID)
    }

    func deletePending(_ transactionalID: String) throws(CheckpointError) {
        for table in ["pending", "pending_file"] {
            try query(
                "DELETE FROM \(table) WHERE transactional_id = ?",
                bind: { $0.bind(transactionalID) }
            )
        }
    }

    private func isPending(_ transactionalID: String) throws(CheckpointError) -> Bool {
        var count: Int64 = 0
        try query(
            "SELECT count(*) FROM pending WHERE transactional_id = ?",
            bind: { $0.bind(transactionalID) },
            row: { (row) throws(CheckpointError) in count = row.integer(0) }
        )
        return count > 0
    }
}

extension PendingCheckpoints {
    /// Over all but the files' own contents, whose rows have checksums of their own.
    fileprivate var checksum: Int64 {
        var sum = RowChecksum()
        sum.combine(transactionalID)
        sum.combine(producerID)
        sum.combine(Int64(epoch))
        for id in files.map(\.id).sorted() { sum.combine(id) }
        return sum.value
    }
}
