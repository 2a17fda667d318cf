extension PartitionLog {
    /// What the followers have while they fetch nothing.
    struct Replicated: Sendable {
        var endOffset: Int64
        var batchCount: Int
        var producers: ProducerStates
    }

    /// How far all replicas in sync are; consumers see nothing behind it.
    package var highWatermark: Int64 { self.replicated?.endOffset ?? self.endOffset }

    /// From now on followers fetch nothing.
    mutating func holdReplication() {
        guard self.replicated == nil else { return }
        self.replicated = Replicated(
            endOffset: self.endOffset,
            batchCount: self.batches.count,
            producers: self.producers
        )
    }

    /// Followers have everything again.
    mutating func resumeReplication() {
        self.replicated = nil
    }

    /// Another replica leads, which has only what was replicated.
    mutating func truncateToReplicated() {
        guard let replicated else { return }
        self.replicated = nil
        self.truncate(to: replicated)
    }
}
