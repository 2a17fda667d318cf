extension QueuedRecords {
    /// Calls back once every record that was taken before is settled.
    mutating func flush(_ completion: @escaping @Sendable () -> Void, _ work: inout Work) {
        guard self.outstanding > 0 else { return work.flushed.append(completion) }
        let flush = Flush(
            lastID: self.lastID,
            remaining: self.outstanding,
            completion: completion
        )
        self.flushes.append(flush)
        self.mustFlush = true
    }

    /// Counts the records of batches as settled.
    mutating func settle(_ deliveries: [Delivery], _ work: inout Work) {
        for batch in deliveries.lazy.map(\.batch) {
            self.outstanding -= batch.recordCount
            guard !self.flushes.isEmpty else { continue }
            for record in 0..<batch.recordCount {
                self.countDown(batch.position(ofRecord: record))
            }
        }
        self.endFlushes(&work)
    }

    mutating func countDown(_ id: Int64) {
        for index in self.flushes.indices where id <= self.flushes[index].lastID {
            self.flushes[index].remaining -= 1
        }
    }

    mutating func endFlushes(_ work: inout Work) {
        guard !self.flushes.isEmpty else { return }
        for flush in self.flushes where flush.remaining <= 0 {
            work.flushed.append(flush.completion)
        }
        self.flushes.removeAll { $0.remaining <= 0 }
    }
}
