/// Who waits for the records of one batch, in the order of the records.
///
/// They travel with the batch, so that settling a record is the next step in a row and not a search.
/// Records in a row that are told to the same one, and were taken in the same millisecond, are noted
/// together: a record then costs a comparison, and neither memory nor a reference to be counted.
struct BatchCompletions: Sendable {
    struct Run: Sendable {
        let firstRecord: Int
        /// The ID of its first record; IDs rise within a batch.
        let firstID: Int64
        /// Milliseconds since 1970.
        let timestamp: Int64
        let waiter: RecordWaiter
    }

    private(set) var runs: [Run] = []
    private var recordCount = 0
    /// Of the last run.
    private var identity: RecordWaiter.Identity?
    private var timestamp: Int64 = .min

    mutating func reserve(_ count: Int) {
        self.runs.reserveCapacity(count)
    }

    @inline(__always)
    mutating func append(_ waiter: RecordWaiter, id: Int64, timestamp: Int64) {
        let identity = waiter.identity
        if identity == nil || identity != self.identity || timestamp != self.timestamp {
            self.beginRun(waiter, identity, id, timestamp)
        }
        self.recordCount &+= 1
    }

    private mutating func beginRun(
        _ waiter: RecordWaiter,
        _ identity: RecordWaiter.Identity?,
        _ id: Int64,
        _ timestamp: Int64
    ) {
        self.identity = identity
        self.timestamp = timestamp
        self.runs.append(
            Run(
                firstRecord: self.recordCount,
                firstID: id,
                timestamp: timestamp,
                waiter: waiter
            )
        )
    }

    /// Calls `body` for records in a row of a batch that one waits for, with their places in the
    /// batch: the whole one that these are of, or a piece that it was split into.
    func forEachRun(of batch: ProducerBatch, _ body: (Range<Int>, Run) -> Void) {
        if batch.recordCount == self.recordCount {
            for (index, run) in self.runs.enumerated() {
                let isLast = index + 1 == self.runs.count
                let end = isLast ? self.recordCount : self.runs[index + 1].firstRecord
                body(run.firstRecord..<end, run)
            }
        } else {
            for record in 0..<batch.recordCount {
                let id = batch.position(ofRecord: record)
                if let run = self.run(of: id) { body(record..<record + 1, run) }
            }
        }
    }

    private func run(of id: Int64) -> Run? {
        var low = 0
        var high = self.runs.count
        while low < high {
            let middle = (low + high) / 2
            if self.runs[middle].firstID <= id { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? self.runs[low - 1] : nil
    }
}
