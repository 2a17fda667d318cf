internal import KafkaProtocol

/// How batches are written down before they are sent.
///
/// A batch gets its numbers when it is written down, and keeps them as long as its row says them.
/// While a write is under way what is submitted gathers for the next one.
extension ProducerStateMachine {
    struct JournalState {
        var isWriting = false
        /// Partitions that may have something to be written down.
        var waiting: Set<Int> = []
    }

    /// Batches of a partition that are numbered and not acknowledged: as many as may be in flight,
    /// and as many that are written down meanwhile.
    private var journaledAhead: Int { 2 * self.configuration.maxInFlightRequests }

    /// Tells that batches are durable.
    package mutating func journaled(_ batches: [ProducerBatch]) {
        precondition(self.journal.isWriting, "batches were written down that nobody wanted to be")
        self.journal.isWriting = false
        for batch in batches where batch.journaling == .underWay {
            batch.journaling = .done
            let id = TopicPartition(topic: batch.topic, partition: batch.partition)
            if let index = self.partitionIndexes[id] { self.list(index) }
        }
    }

    mutating func nextJournalAction() -> Action? {
        guard !self.journal.isWriting, !self.journal.waiting.isEmpty,
            let identity = self.producerID.current
        else { return nil }
        var batches: [ProducerBatch] = []
        for index in self.journal.waiting.sorted() {
            self.journal.waiting.remove(index)
            batches += self.takeUnjournaled(of: index, identity)
        }
        guard !batches.isEmpty else { return nil }
        self.journal.isWriting = true
        return .journal(batches)
    }

    private mutating func takeUnjournaled(
        of index: Int,
        _ identity: ProducerIdentity
    ) -> [ProducerBatch] {
        // Without a leader nobody has told of the topic's id.
        guard self.partitions[index].leader >= 0, !self.isHeldBack(index) else { return [] }
        if self.partitions[index].identity == nil { self.partitions[index].identity = identity }
        return self.partitions[index].takeUnjournaled(
            limit: self.journaledAhead,
            topicID: self.topicID(of: index)
        )
    }

    func topicID(of index: Int) -> TopicID {
        self.metadata.topics[self.partitions[index].id.topic]?.id ?? .zero
    }

    /// Whether the batch at the head is written down as it would be sent.
    func isHeadJournaled(_ index: Int) -> Bool {
        guard self.configuration.isJournaled else { return true }
        return self.partitions[index].queue.first?.isJournaled(self.topicID(of: index)) ?? false
    }

    /// Sees to it that what is new in a partition is written down.
    mutating func journal(_ index: Int) {
        guard self.configuration.isJournaled, !self.partitions[index].queue.isEmpty else { return }
        self.journal.waiting.insert(index)
    }
}
