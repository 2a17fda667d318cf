import Checkpointing

/// A journal in memory that outlives the processes of a simulation.
///
/// One thread at a time uses it.
final class SimulatedJournal: JournalKeeping, @unchecked Sendable {
    var current = Journal()
    /// Thrown instead of writing.
    var failure: CheckpointError?
    /// Called after commits that no power cut may take back.
    var onDurableCommit: () -> Void = {}

    func journal() throws(CheckpointError) -> Journal { current }

    func write(_ changes: JournalChanges) throws(CheckpointError) {
        if let failure { throw failure }
        if let session = changes.session { current.session = session }
        current.texts += changes.texts
        current.batches.removeAll { changes.removed.contains($0.id) }
        for batch in changes.closed {
            current.batches.removeAll { $0.id == batch.id }
            current.batches.append(batch)
        }
        current.batches.sort { $0.id < $1.id }
        for settled in changes.settled {
            guard let index = current.batches.firstIndex(where: { $0.id == settled.id }) else {
                continue
            }
            current.batches[index].state = .settled(baseOffset: settled.baseOffset)
            current.batches[index].bytes = nil
        }
        for partition in changes.partitions {
            current.partitions.removeAll {
                $0.topic == partition.topic && $0.partition == partition.partition
            }
            current.partitions.append(partition)
        }
        current.texts.removeAll { changes.removedTexts.contains($0.version) }
        if changes.isDurable { onDurableCommit() }
    }
}
