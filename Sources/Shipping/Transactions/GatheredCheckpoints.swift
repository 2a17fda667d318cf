internal import Checkpointing
internal import Synchronization

/// Checkpoints on their way into the commit of a transaction.
///
/// What lanes and the watcher save is gathered here, the last of each file, until the transaction
/// ends: nothing else may write a file's row meanwhile.
final class GatheredCheckpoints: CheckpointKeeping {
    private struct Rows {
        var files: [Int64: FileCheckpoint] = [:]
        var counts: [CounterName: Int64] = [:]
        /// Those that a commit is being asked for with.
        var taken: [Int64: FileCheckpoint] = [:]
        var takenCounts: [CounterName: Int64] = [:]
    }

    private let store: any CheckpointKeeping & PendingKeeping
    private let rows = Mutex(Rows())
    private let changed: @Sendable () -> Void

    /// - Parameter changed: told that there is something to be committed.
    init(
        _ store: any CheckpointKeeping & PendingKeeping,
        changed: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.changed = changed
    }

    // MARK: CheckpointKeeping

    func files(pipeline: String, job: String) throws(CheckpointError) -> [FileCheckpoint] {
        try store.files(pipeline: pipeline, job: job)
    }

    func register(_ files: [FileCheckpoint]) throws(CheckpointError) -> [Int64] {
        try store.register(files)
    }

    func save(
        _ files: [FileCheckpoint],
        adding counts: [CounterName: Int64]
    ) throws(CheckpointError) {
        if files.isEmpty, counts.isEmpty { return }
        rows.withLock { rows in
            for file in files { rows.files[file.id] = file }
            rows.counts.merge(counts, uniquingKeysWith: +)
        }
        changed()
    }

    func forgetGone(before time: Int64, keeping limit: Int) throws(CheckpointError) -> [Int64] {
        let forgotten = try store.forgetGone(before: time, keeping: limit)
        rows.withLock { rows in
            for id in forgotten { rows.files[id] = nil }
        }
        return forgotten
    }

    // MARK: The end of a transaction

    var isEmpty: Bool { rows.withLock { $0.files.isEmpty && $0.counts.isEmpty } }

    /// Writes what is gathered, for no record was sent since the last commit.
    func write() throws(CheckpointError) {
        let (files, counts) = take()
        do throws(CheckpointError) {
            try store.save(files, adding: counts)
            forgetTaken()
        } catch {
            putBack()
            throw error
        }
    }

    /// Writes what is gathered beside the files' checkpoints, to count if the commit is obeyed.
    func keepPending(
        _ transactionalID: String,
        producerID: Int64,
        epoch: Int16
    ) throws(CheckpointError) -> PendingCheckpoints {
        let pending = PendingCheckpoints(
            transactionalID: transactionalID,
            producerID: producerID,
            epoch: epoch,
            files: take().files
        )
        do throws(CheckpointError) {
            try store.keepPending(pending)
            return pending
        } catch {
            putBack()
            throw error
        }
    }

    func commitPending(_ transactionalID: String) throws(CheckpointError) {
        let counts = rows.withLock { $0.takenCounts }
        try store.commitPending(transactionalID, adding: counts)
        forgetTaken()
    }

    func dropPending(_ transactionalID: String) throws(CheckpointError) {
        try store.dropPending(transactionalID)
        putBack()
    }

    private func take() -> (files: [FileCheckpoint], counts: [CounterName: Int64]) {
        rows.withLock { rows in
            rows.taken = exchange(&rows.files, with: [:])
            rows.takenCounts = exchange(&rows.counts, with: [:])
            return (rows.taken.values.sorted { $0.id < $1.id }, rows.takenCounts)
        }
    }

    private func forgetTaken() {
        rows.withLock { rows in
            rows.taken = [:]
            rows.takenCounts = [:]
        }
    }

    private func putBack() {
        rows.withLock { rows in
            rows.files.merge(rows.taken) { latest, _ in latest }
            rows.counts.merge(rows.takenCounts, uniquingKeysWith: +)
            rows.taken = [:]
            rows.takenCounts = [:]
        }
    }
}
