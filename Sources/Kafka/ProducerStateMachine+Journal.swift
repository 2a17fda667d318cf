internal import KafkaProtocol

/// How batches are written down before they are sent.
///
/// A batch gets its numbers when it is written down, and keeps them as long as its row says them.
/// While a write is under way what is submitted gathers for the next one. At full speed it gathers a
/// little longer: one that wrote each full batch by itself would spend a tenth of the CPU on commits.
extension ProducerStateMachine {
    struct JournalState {
        var isWriting = false
        /// Partitions that may have something to be written down.
        var waiting: Set<Int> = []
        /// Something waits that has lingered long enough, or that there should not be more of.
        var isUrgent = false
        /// In full batches since the last write.
        var gatheredBytes = 0
        var beganAt: ContinuousClock.Instant?

        /// How far apart writes begin as long as all batches are full: what keeps the disk busy for
        /// a small part of the time, and is less than a full batch takes to be sent.
        static let pace = Duration.milliseconds(10)
        static let gatheringLimit = 8 << 20

        func mayBegin(at now: ContinuousClock.Instant) -> Bool {
            self.isUrgent || self.gatheredBytes >= Self.gatheringLimit
                || (self.notBefore ?? now) <= now
        }

        var notBefore: ContinuousClock.Instant? { self.beganAt.map { $0 + Self.pace } }

        mutating func begin(at now: ContinuousClock.Instant) {
            self.isWriting = true
            self.isUrgent = false
            self.gatheredBytes = 0
            self.beganAt = now
        }
    }

    /// Batches of a partition that are numbered and not acknowledged: as many as may be in flight,
    /// and as many that are written down meanwhile.
    private var journaledAhead: Int {
        self.configuration.journalsFarAhead ? .max : 2 * self.configuration.maxInFlightRequests
    }

    /// Tells that batches are durable.
    package mutating func journaled(_ batches: [ProducerBatch]) {
        precondition(self.journal.isWriting, "batches were written down that nobody wanted to be")
        self.journal.isWriting = false
        for batch in batches where batch.journaling == .underWay {
            batch.journaling = .done
            let id = TopicPartition(topic: batch.topic, partition: batch.partition)
            if let index = self.partitionIndexes[id] { self.list(index, mayGather: true) }
        }
    }

    mutating func nextJournalAction(now: ContinuousClock.Instant) -> Action? {
        guard !self.journal.isWriting, !self.journal.waiting.isEmpty,
            self.journal.mayBegin(at: now), let identity = self.producerID.current
        else { return nil }
        var batches: [ProducerBatch] = []
        for index in self.journal.waiting.sorted() {
            self.journal.waiting.remove(index)
            batches += self.takeUnjournaled(of: index, identity)
        }
        guard !batches.isEmpty else { return nil }
        self.journal.begin(at: now)
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
    ///
    /// - Parameter mayGather: whether full batches may wait for others to be written with them.
    mutating func journal(_ index: Int, mayGather: Bool = false) {
        guard self.configuration.isJournaled, !self.partitions[index].queue.isEmpty else { return }
        self.journal.waiting.insert(index)
        if !mayGather || self.hasUrgentBatches(index) { self.journal.isUrgent = true }
    }

    /// Whether a batch has lingered already, or so many wait that soon none would be in flight.
    private func hasUrgentBatches(_ index: Int) -> Bool {
        var waiting = 0
        for batch in self.partitions[index].queue.prefix(self.journaledAhead)
        where batch.journaling == .missing {
            if !batch.isFull { return true }
            waiting += 1
        }
        return waiting >= self.configuration.maxInFlightRequests
    }

    var journalDeadline: ContinuousClock.Instant? {
        self.journal.isWriting || self.journal.waiting.isEmpty ? nil : self.journal.notBefore
    }
}
