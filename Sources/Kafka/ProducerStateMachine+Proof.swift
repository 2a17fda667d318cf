internal import KafkaProtocol

/// How batches are proven to be in the log, or not to be, before any of them gets another number.
extension ProducerStateMachine {
    /// How often a leader is asked what it remembers when no answer comes.
    private static let unansweredProofLimit = 3

    /// Goes on with partitions whose batches had to wait for what was in flight.
    mutating func settleDoubts(now: ContinuousClock.Instant) {
        // In transactions it is the coordinator that raises epochs.
        guard self.configuration.isIdempotenceEnabled, self.transactions == nil else { return }
        if self.producerID.current == nil, !self.isDrained { self.producerID.isWanted = true }
        guard !self.troubled.isEmpty else { return }
        for index in self.troubled.sorted() where !self.isHeldBack(index) {
            self.partitions[index].decide()
            self.renew(index, now: now)
            self.list(index)
            if !self.partitions[index].isTroubled { self.troubled.remove(index) }
        }
    }

    private mutating func renew(_ index: Int, now: ContinuousClock.Instant) {
        let partition = self.partitions[index]
        guard let renewal = partition.renewal, partition.inFlight.isEmpty,
            !partition.isBeingJournaled
        else { return }
        if renewal != .nextEpoch(absenceProven: true), self.beginVerification(of: index, now: now) {
            return
        }
        if case .nextEpoch(let absenceProven) = renewal, let next = partition.identity?.next {
            let duplicates = self.partitions[index].adopt(next, absenceProven: absenceProven)
            self.statistics.possibleDuplicates += duplicates
            return
        }
        guard let fresh = self.producerID.current, fresh.id != partition.identity?.id else {
            self.producerID.isWanted = true
            return
        }
        let absenceProven = renewal == .nextEpoch(absenceProven: true)
        let duplicates = self.partitions[index].adopt(fresh, absenceProven: absenceProven)
        self.statistics.possibleDuplicates += duplicates
    }

    /// Settles the oldest batch, which the broker answered as out of sequence.
    mutating func isOutOfSequence(_ batch: ProducerBatch, of index: Int) {
        self.partitions[index].isOutOfSequence(batch)
        self.troubled.insert(index)
        self.list(index)
    }

    /// Puts a batch back that may not be changed before it is known whether an attempt got it into
    /// the log; false if nobody tells, or it is known.
    ///
    /// Brokers look at size and contents before they look for a duplicate.
    mutating func waitsForProof(_ batch: ProducerBatch, of index: Int) -> Bool {
        guard batch.mayBePersisted, batch.sequence != nil else { return false }
        // In a transaction a failure aborts what is in the log as well.
        guard self.transactions == nil else { return false }
        guard self.partitions[index].proof != .unobtainable else { return false }
        self.partitions[index].requeue(batch)
        self.partitions[index].wantProof()
        self.troubled.insert(index)
        self.list(index)
        return true
    }

    mutating func nextProofRequest(now: ContinuousClock.Instant) -> Action? {
        for index in self.troubled.sorted() where self.partitions[index].proof == .wanted {
            let partition = self.partitions[index]
            guard partition.inFlight.isEmpty, (partition.notBefore ?? now) <= now else { continue }
            guard let leader = self.brokers[partition.leader], leader.link == .ready,
                (leader.mutedUntil ?? now) <= now
            else { continue }
            self.partitions[index].proof = .asked
            return self.send(.describeProducers(partition.id), to: partition.leader, now: now)
        }
        return nil
    }

    mutating func received(
        _ answer: ProducersAnswer,
        about id: TopicPartition,
        now: ContinuousClock.Instant
    ) {
        guard let index = self.partitionIndexes[id], self.partitions[index].proof == .asked else {
            return
        }
        let disposition = ProduceErrorDisposition(answer.error)
        switch disposition.action {
        case .acknowledge:
            let identity = self.partitions[index].identity
            let found = answer.producers.first { $0.producerID == identity?.id }
            let remembered = found.map {
                PartitionQueue.Remembered(epoch: $0.epoch, lastSequence: $0.lastSequence)
            }
            if self.partitions[index].proven(by: remembered, now: now) {
                self.statistics.lastError = "\(id): the broker lost records it had acknowledged"
            }
        case .retry where disposition.refreshesMetadata:
            self.partitions[index].proof = .wanted
            self.backOff(index, now: now)
            self.refresh(id.topic)
        default: self.partitions[index].proofIsUnobtainable()
        }
    }

    /// A question for proof got no answer: after a few, nobody answers it.
    mutating func proofFailed(_ id: TopicPartition, now: ContinuousClock.Instant) {
        guard let index = self.partitionIndexes[id], self.partitions[index].proof == .asked else {
            return
        }
        self.partitions[index].unansweredProofs += 1
        if self.partitions[index].unansweredProofs < Self.unansweredProofLimit {
            self.partitions[index].proof = .wanted
            self.backOff(index, now: now)
        } else {
            self.partitions[index].proofIsUnobtainable()
        }
    }
}
