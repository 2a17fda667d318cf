internal import KafkaProtocol

/// How the producer finds out about its own batches what their partition's leader has forgotten: as
/// after a crash, by what is in the log.
extension ProducerStateMachine {
    /// The time of day, told once; later ones follow from it.
    struct Clock {
        let milliseconds: Int64
        let instant: ContinuousClock.Instant

        func milliseconds(at now: ContinuousClock.Instant) -> Int64 {
            self.milliseconds + Int64((now - self.instant) / .milliseconds(1))
        }
    }

    /// Tells the time of day, in milliseconds since 1970: without it no log is read for batches that
    /// were sent, for nobody could tell how old they are.
    package mutating func setClock(milliseconds: Int64, now: ContinuousClock.Instant) {
        self.clock = Clock(milliseconds: milliseconds, instant: now)
    }

    /// Begins to find out which batches of a partition are in the log; false where there are none in
    /// doubt, or where it is not known from where on to read.
    mutating func beginVerification(of index: Int, now: ContinuousClock.Instant) -> Bool {
        guard let clock, let acknowledged = self.partitions[index].lastAcknowledged,
            acknowledged.producerID == self.partitions[index].identity?.id
        else { return false }
        let batches = self.partitions[index].takeDoubtful()
        guard !batches.isEmpty else { return false }
        var own: [Int64: ProducerBatch] = [:]
        var rows: [RecoveryBatch] = []
        for batch in batches {
            guard let row = self.makeRow(of: batch, clock) else { continue }
            rows.append(row)
            own[row.id] = batch
        }
        var settings = RecoveryStateMachine.Settings()
        settings.repeatsUndecided = !self.configuration.isJournaled
        let machine = RecoveryStateMachine(
            rows: rows,
            acknowledged: acknowledged,
            settings: settings,
            wallClock: clock.milliseconds(at: now),
            seed: self.generator.next(),
            now: now
        )
        self.recovery.count += 1
        self.recovery.partitions[index] = Recovering(
            number: self.recovery.count,
            machine: machine,
            rows: Dictionary(rows.map { ($0.id, $0) }) { first, _ in first },
            isOfOwnBatches: true,
            batches: own
        )
        for row in rows { self.recovery.partitions[index]?.machine.made(row: row.id) }
        return true
    }

    private mutating func makeRow(of batch: ProducerBatch, _ clock: Clock) -> RecoveryBatch? {
        guard let identity = batch.identity, let sequence = batch.sequence else { return nil }
        // Below zero, where no journal has rows.
        self.recovery.lastOwnRow -= 1
        batch.recoveryRow = self.recovery.lastOwnRow
        let createdAt = clock.milliseconds(at: batch.createdAt)
        return RecoveryBatch(
            id: self.recovery.lastOwnRow,
            topicID: batch.topicID,
            producerID: identity.id,
            epoch: identity.epoch,
            baseSequence: sequence,
            recordCount: Int32(batch.recordCount),
            createdAt: createdAt,
            maxTimestamp: batch.maxTimestamp ?? createdAt
        )
    }

    /// Takes what was found out about one of the producer's own batches.
    mutating func resolved(_ batch: ProducerBatch, of index: Int, _ outcome: RecoveryOutcome) {
        batch.recoveryRow = nil
        switch outcome {
        case .appended(let offset):
            self.partitions[index].queue.removeAll { $0 === batch }
            self.deliver(batch, .acknowledged(baseOffset: offset ?? -1, timestamp: -1))
        case .absent:
            batch.mayBePersisted = false
            batch.isProvenAppended = false
        }
    }

    /// Goes on after the producer's own batches were found, or not.
    mutating func verified(_ index: Int, _ successor: ProducerIdentity?, _ report: RecoveryReport) {
        self.statistics.possibleDuplicates += report.possibleRepeats
        for batch in self.partitions[index].queue { batch.recoveryRow = nil }
        // Where somebody else has the producer id, its next epoch may be theirs as well.
        let isOurs = self.partitions[index].renewal != .freshID
        let next = isOurs ? self.partitions[index].identity?.next : nil
        self.goOn(index, under: successor ?? next)
    }

    private mutating func goOn(_ index: Int, under identity: ProducerIdentity?) {
        if let identity {
            _ = self.partitions[index].adopt(identity, absenceProven: true)
        } else {
            self.partitions[index].renewal = .freshID
        }
        self.troubled.insert(index)
        self.list(index)
    }

    /// A batch that its recovery has failed: it cannot be sent any more.
    mutating func withdraw(_ batch: ProducerBatch) {
        guard let row = batch.recoveryRow, let index = self.recoveringPartition(of: row) else {
            return
        }
        batch.recoveryRow = nil
        self.recovery.partitions[index]?.batches[row] = nil
        guard let now = self.metrics.now else { return }
        self.recovery.partitions[index]?.machine.cannotMake(row: row, now: now)
    }
}

extension PartitionQueue {
    /// Puts back what is held, and returns the batches up to the last that may be in the log.
    mutating func takeDoubtful() -> [ProducerBatch] {
        let held = self.held
        self.held = []
        for batch in held { self.requeue(batch) }
        self.proof = .unneeded
        let sent = self.queue.filter { $0.wasSent && $0.sequence != nil && !self.isBeyondGap($0) }
        guard let last = sent.lastIndex(where: \.mayBeInLog) else { return [] }
        return Array(sent[...last])
    }

    /// Notes where the log has a batch, so that it is known from where on later ones are.
    mutating func noteAcknowledged(_ batch: ProducerBatch, at baseOffset: Int64) {
        let count = Int32(batch.recordCount)
        guard baseOffset >= 0, let identity = batch.identity, let sequence = batch.sequence,
            baseOffset <= .max - Int64(count)
        else { return }
        self.lastAcknowledged = RecoveryAcknowledgement(
            topicID: batch.topicID,
            producerID: identity.id,
            epoch: identity.epoch,
            sequence: RecordSequence.advance(sequence, by: count - 1),
            offset: baseOffset + Int64(count) - 1
        )
    }
}
