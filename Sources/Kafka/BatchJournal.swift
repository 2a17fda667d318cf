/// Where batches are written down before their first byte is sent.
///
/// All functions are called on the producer's event loop, in the order in which things happen: they
/// hand over and return.
package protocol BatchJournal: AnyObject, Sendable {
    /// Writes batches down, all in one transaction, and calls back from any thread once they are
    /// durable; the next ones come only then.
    ///
    /// What it needs of them it takes before it returns, for a batch may fail while it is written:
    /// numbers, topic id, runs. It gives each batch without a row the number of one, and takes the
    /// row out that a batch replaces. A batch that has a row is written over it.
    func write(
        _ batches: [ProducerBatch],
        then committed: @escaping @Sendable ([ProducerBatch]) -> Void
    )

    /// Tells what became of batches, before their lanes hear of it.
    ///
    /// The row of one that failed may go only if ``ProducerBatch/mayBeInLog`` is false; the row that
    /// it replaces goes with it.
    func delivered(_ deliveries: [Delivery])

    /// Tells what became of a batch that an earlier life of the journal left.
    func resolved(row: Int64, _ outcome: RecoveryOutcome)

    /// Tells that a batch is looked for that was settled, for its partition has lost records: it is to
    /// be made again, and resolved anew.
    func unsettled(row: Int64)

    /// Tells of a batch in the log that an earlier life sent, and whose row the journal has lost: its
    /// positions say how far its files are delivered.
    ///
    /// - Parameter partitionCount: how many partitions the topic has now; 0 if that is not known.
    func unjournaled(_ batch: FetchedBatch, of partition: TopicPartition, partitionCount: Int32)

    /// Tells which partitions of a topic are recovered besides those that were named: that it was to
    /// be looked for all of its partitions.
    func recoveryWidened(topic: String, _ partitions: [TopicPartition])

    /// Tells that nothing of a partition is in doubt any more, and new batches go there.
    func recovered(_ partition: TopicPartition, _ report: RecoveryReport)

    /// Tells that a partition cannot be recovered, and nothing is sent there; the text says why, and
    /// what to do.
    func recoveryStopped(_ partition: TopicPartition, reason: String)

    /// Tells under which producer id, and in which cluster, batches are sent from now on.
    func opened(_ identity: ProducerIdentity, clusterID: String)
}
