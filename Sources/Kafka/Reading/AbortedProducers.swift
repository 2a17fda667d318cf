package import KafkaProtocol

/// Which batches of a partition belong to transactions that were aborted.
///
/// A leader tells where each of them begins; it ends with its marker in the log.
package struct AbortedProducers: Sendable {
    /// Transactions that begin at or behind the batch to come, by their first offsets.
    private var coming: [FetchedRecords.AbortedTransaction] = []
    private var open: Set<Int64> = []

    package init() {}

    /// Takes over what an answer tells; what an earlier one told already is passed over.
    package mutating func add(_ transactions: [FetchedRecords.AbortedTransaction]) {
        for transaction in transactions where !self.coming.contains(transaction) {
            self.coming.append(transaction)
        }
        self.coming.sort { $0.firstOffset < $1.firstOffset }
    }

    /// Whether a batch, the next in the log, was aborted.
    package mutating func passes(_ batch: RecordBatch) -> Bool {
        let last = batch.header.baseOffset + Int64(batch.header.lastOffsetDelta)
        while let next = self.coming.first, next.firstOffset <= last {
            self.open.insert(next.producerID)
            self.coming.removeFirst()
        }
        guard !batch.header.isControl else {
            if batch.isCommitMarker == false { self.open.remove(batch.header.producerID) }
            return false
        }
        return batch.header.isTransactional && self.open.contains(batch.header.producerID)
    }
}
