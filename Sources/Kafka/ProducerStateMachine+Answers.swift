internal import KafkaProtocol
internal import NIOCore

extension ProducerStateMachine {
    /// How long to wait where an administrator has to act first.
    private static let slowRetry = Duration.seconds(10)

    /// Tells what a broker answered; an answer to a request that was given up is passed over.
    package mutating func received(
        _ answer: ProducerAnswer,
        to id: RequestID,
        now: ContinuousClock.Instant
    ) {
        self.metrics.now = now
        guard let pending = self.requests.removeValue(forKey: id) else { return }
        self.brokers[pending.broker]?.backoff.reset()
        switch (answer, pending.request) {
        case (.metadata(let cluster), .metadata(let topics)):
            self.received(cluster, for: topics, now: now)
        case (.producerID(let answer), .producerID): self.received(answer, now: now)
        case (.produce(let answer), .produce(let batches)):
            self.noteAnswer(answer, to: pending, now: now)
            self.received(answer, for: batches, from: pending.broker, now: now)
        default:
            preconditionFailure("\(answer) cannot answer \(pending.request)")
        }
    }

    private mutating func received(
        _ answer: ProduceAnswer,
        for batches: [ProducerBatch],
        from broker: BrokerID,
        now: ContinuousClock.Instant
    ) {
        if let count = self.brokers[broker]?.requestsInFlight, count > 0 {
            self.brokers[broker]?.requestsInFlight = count - 1
        }
        if answer.throttle > .zero {
            self.brokers[broker]?.mutedUntil = now + answer.throttle
            self.statistics.totalThrottle += answer.throttle
        }
        var answers: [TopicPartition: ProduceAnswer.Partition] = [:]
        for partition in answer.partitions {
            let id = TopicPartition(topic: partition.topic, partition: partition.partition)
            answers[id] = answers[id] ?? partition
        }
        for batch in batches {
            guard let index = self.takeInFlight(batch) else { continue }
            if let partition = answers[self.partitions[index].id] {
                self.settle(batch, of: index, partition, from: broker, now: now)
            } else {
                self.retry(batch, of: index, mayBePersisted: true)
                let reason = "it answered without \(self.partitions[index].id)"
                self.breakConnection(broker, reason: reason, now: now)
            }
        }
    }

    /// Takes a batch out of those in flight; nil if it was settled in the meantime.
    mutating func takeInFlight(_ batch: ProducerBatch) -> Int? {
        let index = self.partitionIndex(topic: batch.topic, partition: batch.partition)
        let place = self.partitions[index].inFlight.firstIndex { $0 === batch }
        guard let place else { return nil }
        self.partitions[index].inFlight.remove(at: place)
        return index
    }

    /// Puts a batch back, unchanged, at its place.
    mutating func retry(_ batch: ProducerBatch, of index: Int, mayBePersisted: Bool) {
        batch.mayBePersisted = batch.mayBePersisted || mayBePersisted
        self.partitions[index].requeue(batch)
        self.list(index)
    }

    private mutating func breakConnection(
        _ id: BrokerID,
        reason: String,
        now: ContinuousClock.Instant
    ) {
        guard self.brokers[id]?.link == .ready else { return }
        self.disconnect(id, reason: reason)
        self.connectionFailed(id, reason: reason, now: now)
    }

    private mutating func settle(
        _ batch: ProducerBatch,
        of index: Int,
        _ answer: ProduceAnswer.Partition,
        from broker: BrokerID,
        now: ContinuousClock.Instant
    ) {
        let disposition = ProduceErrorDisposition(answer.error)
        if disposition == .acknowledged {
            return self.acknowledge(batch, of: index, answer, from: broker)
        }
        if answer.error == .outOfOrderSequenceNumber, !self.partitions[index].isOldest(batch) {
            // The broker misses the batch before it, which goes first.
            return self.retry(batch, of: index, mayBePersisted: false)
        }
        let text = answer.message.map { ", \($0)" } ?? ""
        self.statistics.lastError = "\(self.partitions[index].id): \(answer.error)\(text)"
        let refusal = KafkaProducerError.refused(answer.error, message: answer.message)
        switch disposition {
        case .acknowledged: preconditionFailure("an acknowledgement is not an error")
        case .retry(let refreshes, let mayBePersisted):
            self.backOff(index, now: now)
            if refreshes { self.findLeader(of: index, answer.currentLeader) }
            self.retry(batch, of: index, mayBePersisted: mayBePersisted)
        case .retryFewTimes where batch.attempts > ProduceErrorDisposition.corruptAttemptLimit:
            self.fail(batch, of: index, refusal)
        case .retryFewTimes:
            self.backOff(index, now: now)
            self.retry(batch, of: index, mayBePersisted: false)
        case .renegotiate:
            self.retry(batch, of: index, mayBePersisted: false)
            self.breakConnection(broker, reason: "\(answer.error)", now: now)
        case .retrySlowly:
            self.partitions[index].notBefore = now + Self.slowRetry
            self.retry(batch, of: index, mayBePersisted: false)
        case .split: self.split(batch, of: index, refusal)
        case .refuseRecords: self.refuseRecords(of: batch, of: index, answer, refusal)
        case .freshProducerID where self.configuration.isIdempotenceEnabled:
            self.backOff(index, now: now)
            self.partitions[index].needsFreshID = true
            self.retry(batch, of: index, mayBePersisted: false)
        case .freshProducerID, .refuse: self.fail(batch, of: index, refusal)
        case .stop:
            self.deliver(batch, .failed(refusal))
            self.stop(refusal)
        }
    }

    private mutating func acknowledge(
        _ batch: ProducerBatch,
        of index: Int,
        _ answer: ProduceAnswer.Partition,
        from broker: BrokerID
    ) {
        if self.partitions[index].leader == broker { self.partitions[index].isLeaderProven = true }
        self.partitions[index].backoff.reset()
        self.partitions[index].notBefore = nil
        self.statistics.lastError = nil
        let result = Delivery.Result.acknowledged(
            baseOffset: answer.baseOffset,
            timestamp: answer.logAppendTime
        )
        self.deliver(batch, result)
    }

    private mutating func backOff(_ index: Int, now: ContinuousClock.Instant) {
        let wait = self.partitions[index].backoff.next(using: &self.generator)
        self.partitions[index].notBefore = now + wait
    }

    /// Goes to the leader that the broker named, or asks for it.
    private mutating func findLeader(of index: Int, _ named: TopicMetadata.Partition?) {
        let partition = self.partitions[index]
        guard let named, named.leaderID != partition.leader, self.brokers[named.leaderID] != nil,
            named.leaderEpoch > partition.leaderEpoch
        else { return self.refresh(partition.id.topic) }
        self.changeLeader(of: index, to: named)
    }

    /// Sends a batch in halves, in its own range of sequences; a single record is refused.
    private mutating func split(
        _ batch: ProducerBatch,
        of index: Int,
        _ refusal: KafkaProducerError
    ) {
        let middle = batch.recordCount / 2
        guard middle > 0,
            let first = batch.piece(records: Array(0..<middle)),
            let second = batch.piece(records: Array(middle..<batch.recordCount))
        else { return self.fail(batch, of: index, refusal) }
        self.noteSplit()
        self.statistics.batchesQueued += 1
        self.renumber(first, as: batch, skipping: 0)
        self.renumber(second, as: batch, skipping: middle)
        batch.release()
        self.partitions[index].requeue(second)
        self.partitions[index].requeue(first)
        self.list(index)
    }

    /// Fails the records that the broker named, and sends the others.
    private mutating func refuseRecords(
        of batch: ProducerBatch,
        of index: Int,
        _ answer: ProduceAnswer.Partition,
        _ refusal: KafkaProducerError
    ) {
        let named = answer.refusedRecords.filter { (0..<batch.recordCount).contains(Int($0.key)) }
        // Without names the halves are tried: the neighbours of a bad record are not bad.
        guard !named.isEmpty else { return self.split(batch, of: index, refusal) }
        let refused = named.keys.sorted().map(Int.init)
        let others = (0..<batch.recordCount).filter { named[Int32($0)] == nil }
        let pieces = refused.map { batch.piece(records: [$0]) }
        let rest = others.isEmpty ? nil : batch.piece(records: others)
        guard !pieces.contains(nil), others.isEmpty == (rest == nil) else {
            return self.fail(batch, of: index, refusal)
        }
        self.statistics.batchesQueued += pieces.count + (rest == nil ? 0 : 1) - 1
        if let rest {
            self.renumber(rest, as: batch, skipping: 0)
            self.partitions[index].requeue(rest)
            self.list(index)
        }
        if batch.sequence != nil { self.partitions[index].needsFreshID = true }
        batch.release()
        for (record, piece) in zip(refused, pieces) {
            guard let piece else { continue }
            let message = (named[Int32(record)] ?? nil) ?? answer.message
            self.deliver(piece, .failed(.refused(answer.error, message: message)))
        }
    }

    /// Gives a piece of a batch its part of the batch's numbers.
    private func renumber(_ piece: ProducerBatch, as batch: ProducerBatch, skipping count: Int) {
        piece.attempts = batch.attempts
        piece.mayBePersisted = batch.mayBePersisted
        piece.ordinal = batch.ordinal.map { $0 + Int64(count) }
        if let identity = batch.identity, let sequence = batch.sequence {
            piece.assign(identity, sequence: RecordSequence.advance(sequence, by: Int32(count)))
        }
    }
}

extension KafkaProducerError {
    static func refused(_ error: KafkaError, message: String?) -> Self {
        .refused(code: error.rawValue, name: error.name ?? "UNKNOWN_ERROR", message: message)
    }
}
