/// Gives records without a key to one partition until a batch's worth has gone there (KIP-794).
///
/// Full batches come of staying, evenness of counting bytes instead of batches, and a slow
/// partition is chosen less often because more is queued for it.
package struct StickyPartitioner: Sendable {
    private let batchSize: Int
    private let isAdaptive: Bool
    private var generator: SeededGenerator
    private var current: Int32?
    private var producedBytes = 0
    private var isPinned = false
    /// Which stay at one partition this is, below zero; the next begins when the partition is left.
    private(set) var stint: Int32 = -1

    package init(batchSize: Int, isAdaptive: Bool, seed: UInt64) {
        self.batchSize = batchSize
        self.isAdaptive = isAdaptive
        self.generator = SeededGenerator(seed: seed)
    }

    /// The partition for the next record, unless another one is to be chosen.
    func current(count: Int32) -> Int32? {
        guard let current, current < count else { return nil }
        return current
    }

    /// The partition for the next record: `queued` counts the batches waiting for each partition,
    /// nil for one that has no leader.
    package mutating func partition(queued: (Int32) -> Int?, count: Int32) -> Int32 {
        if let current = self.current(count: count) { return current }
        let chosen = self.choose(queued: queued, count: count)
        self.current = chosen
        return chosen
    }

    /// Tells that a record of `bytes` went to the current partition, and if its batch is full.
    package mutating func produced(_ bytes: Int, batchIsFull: Bool) {
        self.producedBytes += bytes
        if self.isPinned { return }
        let mayLeave = self.producedBytes >= self.batchSize && batchIsFull
        guard mayLeave || self.producedBytes >= 2 * self.batchSize else { return }
        self.leave()
    }

    /// Tells that leaders or partitions changed.
    package mutating func leave() {
        self.current = nil
        self.producedBytes = 0
        self.stint = self.stint > .min ? self.stint - 1 : -1
    }

    /// Stays at a partition until ``unpin()``.
    mutating func pin(to partition: Int32) {
        if self.current != partition {
            self.leave()
            self.current = partition
        }
        self.isPinned = true
    }

    mutating func unpin() { self.isPinned = false }

    private mutating func choose(queued: (Int32) -> Int?, count: Int32) -> Int32 {
        var available: [(partition: Int32, queued: Int)] = []
        for partition in 0..<count {
            if let length = queued(partition) { available.append((partition, length)) }
        }
        // Without any leader the records must wait somewhere, and anywhere is as good.
        guard let longest = available.map(\.queued).max() else {
            return Int32.random(in: 0..<count, using: &self.generator)
        }
        guard self.isAdaptive, available.count > 1 else {
            return available[Int.random(in: available.indices, using: &self.generator)].partition
        }
        // Queue lengths 0, 3, 1 become weights 4, 1, 3.
        let total = available.reduce(0) { $0 + longest + 1 - $1.queued }
        var point = Int.random(in: 0..<total, using: &self.generator)
        for entry in available {
            point -= longest + 1 - entry.queued
            if point < 0 { return entry.partition }
        }
        preconditionFailure("the weights do not add up to their total")
    }
}
