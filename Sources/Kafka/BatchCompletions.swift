/// Who waits for the records of one batch, in the order of the records.
///
/// They travel with the batch, so that settling a record is the next step in a row and not a search.
///
/// Safe to share: it is filled while the batch is open, on the side that has the batch, and does not
/// change afterwards.
final class BatchCompletions: @unchecked Sendable {
    struct Entry: Sendable {
        /// The record's position in its batch; rises within a batch.
        let id: Int64
        /// Milliseconds since 1970.
        let timestamp: Int64
        let completion: KafkaProducer.Completion
    }

    // Safe: one side has the batch at a time.
    @exclusivity(unchecked) private(set) var entries: [Entry] = []

    func reserve(_ count: Int) {
        self.entries.reserveCapacity(count)
    }

    func append(_ entry: Entry) {
        self.entries.append(entry)
    }

    /// Calls `body` for each record of a batch, with its place in the batch: the whole one that these
    /// are of, or a piece that it was split into.
    func forEach(of batch: ProducerBatch, _ body: (Int, Entry) -> Void) {
        guard batch.recordCount < self.entries.count else {
            return self.entries.withUnsafeBufferPointer { entries in
                for record in entries.indices { body(record, entries[record]) }
            }
        }
        for record in 0..<batch.recordCount {
            if let entry = self.entry(batch.position(ofRecord: record)) { body(record, entry) }
        }
    }

    private func entry(_ id: Int64) -> Entry? {
        var low = 0
        var high = self.entries.count
        while low < high {
            let middle = (low + high) / 2
            if self.entries[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < self.entries.count && self.entries[low].id == id ? self.entries[low] : nil
    }
}
