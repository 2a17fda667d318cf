extension CheckpointStore: JournalKeeping {
    package func journal() throws(CheckpointError) -> Journal {
        try reading { connection throws(CheckpointError) in
            try connection.snapshot { () throws(CheckpointError) in try connection.journal() }
        }
    }

    package func write(_ changes: JournalChanges) throws(CheckpointError) {
        if changes.isEmpty { return }
        // A producer id must never be used twice, so none that was used may be forgotten.
        let isDurable = changes.isDurable || changes.session != nil
        try inTransaction(isDurable: isDurable) { connection throws(CheckpointError) in
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
