/// Checkpoints that count if a transaction of Kafka turns out to be committed.
///
/// They are kept before the transaction is ended, and beside the files' checkpoints, which stay
/// what they are until the answer is known: after a crash the same end is asked for again.
package struct PendingCheckpoints: Equatable, Sendable {
    package var transactionalID: String
    package var producerID: Int64
    package var epoch: Int16
    /// Registered files with their new checkpoints.
    package var files: [FileCheckpoint]

    package init(
        transactionalID: String,
        producerID: Int64,
        epoch: Int16,
        files: [FileCheckpoint]
    ) {
        self.transactionalID = transactionalID
        self.producerID = producerID
        self.epoch = epoch
        self.files = files
    }
}

/// Where pending checkpoints are kept: a database, or a simulation's memory.
package protocol PendingKeeping: Sendable {
    /// What was pending when the process before ended, in the order of the transactional ids.
    func pending() throws(CheckpointError) -> [PendingCheckpoints]

    /// Keeps them; durable before the transaction is ended.
    ///
    /// - Throws: `.failed` while others of the same transactional id are pending.
    func keepPending(_ pending: PendingCheckpoints) throws(CheckpointError)

    /// Makes them the files' checkpoints and adds to counters: the transaction is committed.
    ///
    /// Files that were forgotten meanwhile are passed over.
    func commitPending(
        _ transactionalID: String,
        adding counts: [CounterName: Int64]
    ) throws(CheckpointError)

    /// Forgets them: the transaction is aborted.
    func dropPending(_ transactionalID: String) throws(CheckpointError)
}
