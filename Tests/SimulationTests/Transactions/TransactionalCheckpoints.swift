import Checkpointing

@testable import Shipping

/// Checkpoints, and pending ones beside them, in memory that outlives processes.
///
/// One thread at a time uses it.
final class TransactionalCheckpoints: CheckpointKeeping, PendingKeeping, @unchecked Sendable {
    let rows = SimulatedCheckpoints()
    private(set) var current: PendingCheckpoints?
    /// Told before and after each write about transactions; the process is dead if it says so.
    var isDeadAt: (TransactionScene.Moment) -> Bool = { _ in false }

    func files(pipeline: String, job: String) throws(CheckpointError) -> [FileCheckpoint] {
        try rows.files(pipeline: pipeline, job: job)
    }

    func register(_ files: [FileCheckpoint]) throws(CheckpointError) -> [Int64] {
        try rows.register(files)
    }

    func save(
        _ files: [FileCheckpoint],
        adding counts: [CounterName: Int64]
    ) throws(CheckpointError) {
        if isDeadAt(.beforeSaved) { return }
        precondition(current == nil, "a row was written beside pending checkpoints")
        try rows.save(files, adding: counts)
    }

    func forgetGone(before time: Int64, keeping limit: Int) throws(CheckpointError) -> [Int64] {
        []
    }

    func pending() throws(CheckpointError) -> [PendingCheckpoints] {
        current.map { [$0] } ?? []
    }

    func keepPending(_ pending: PendingCheckpoints) throws(CheckpointError) {
        if isDeadAt(.beforePending) { return }
        precondition(current == nil, "two commits at once")
        current = pending
        _ = isDeadAt(.afterPending)
    }

    func commitPending(
        _ transactionalID: String,
        adding counts: [CounterName: Int64]
    ) throws(CheckpointError) {
        if isDeadAt(.beforeCommitted) { return }
        let files = current?.files ?? []
        current = nil
        try rows.save(files, adding: counts)
        _ = isDeadAt(.afterCommitted)
    }

    func dropPending(_ transactionalID: String) throws(CheckpointError) {
        if isDeadAt(.beforeDropped) { return }
        current = nil
        _ = isDeadAt(.afterDropped)
    }
}
