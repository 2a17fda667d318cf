extension CheckpointStore: JournalKeeping {
    package func journal() throws(CheckpointError) -> Journal {
        try reading { connection throws(CheckpointError) in
            try connection.snapshot { () throws(CheckpointError) in try connection.journal() }
        }
    }

    package func write(_ changes: JournalChanges) throws(CheckpointError) {
        if changes.isEmpty { return }
        // A producer id must never be used twice, so none that was used may be forgotten.
        try inTransaction(isDurable: changes.session != nil) { connection throws(CheckpointError) in
            try connection.write(changes)
        }
    }
}

extension CheckpointStore: PendingKeeping {
    package func pending() throws(CheckpointError) -> [PendingCheckpoints] {
        try reading { connection throws(CheckpointError) in
            try connection.snapshot { () throws(CheckpointError) in try connection.pending() }
        }
    }

    package func keepPending(_ pending: PendingCheckpoints) throws(CheckpointError) {
        try inTransaction { connection throws(CheckpointError) in try connection.insert(pending) }
    }

    package func commitPending(
        _ transactionalID: String,
        adding counts: [CounterName: Int64] = [:]
    ) throws(CheckpointError) {
        try inTransaction { connection throws(CheckpointError) in
            try connection.commitPending(transactionalID)
            for (counter, count) in counts { try connection.add(count, to: counter) }
        }
    }

    package func dropPending(_ transactionalID: String) throws(CheckpointError) {
        try inTransaction { connection throws(CheckpointError) in
            try connection.deletePending(transactionalID)
        }
    }
}

extension CheckpointStore {
    /// Tells that all the original may have had in flight is resolved: the copy is a database of its own.
    package func resolveOwnership() throws(CheckpointError) {
        try inTransaction(isDurable: true) { connection throws(CheckpointError) in
            try connection.resolveOwnership()
        }
    }
}
