internal import KafkaProtocol

extension PartitionQueue {
    /// Takes the batches that are to be written down next, and numbers those that never were.
    ///
    /// New ones only as long as less than `limit` are numbered and not acknowledged. What had a row
    /// already is all taken at once, so that no row is left with numbers that others have by now.
    mutating func takeUnjournaled(limit: Int, topicID: TopicID) -> [ProducerBatch] {
        guard self.renewal == nil, self.proof != .wanted, self.proof != .asked else { return [] }
        var taken: [ProducerBatch] = []
        var numbered = self.inFlight.count
        for batch in self.queue {
            if batch.ordinal == nil {
                guard !self.isTroubled, numbered < limit || batch.hasRow else { break }
                self.number(batch, isIdempotent: true)
            } else if self.isBeyondGap(batch) {
                break
            }
            numbered += 1
            guard !batch.isJournaled(topicID), batch.journaling != .underWay else { continue }
            batch.topicID = topicID
            batch.journaling = .underWay
            taken.append(batch)
        }
        return taken
    }

    var isBeingJournaled: Bool { self.queue.contains { $0.journaling == .underWay } }
}

extension ProducerBatch {
    /// How far a batch is written down with its present numbers.
    enum Journaling {
        case missing, underWay, done
    }

    /// Whether the journal has a row of its records, though maybe with other numbers.
    var hasRow: Bool { self.journalID != 0 || self.replaces != 0 }

    /// Whether its row is durable, and says the topic that it would be sent to now.
    func isJournaled(_ topicID: TopicID) -> Bool {
        self.journaling == .done && self.topicID == topicID
    }
}
