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
        self.brokers[pending.broker]?.usedAt = now
        switch (answer, pending.request) {
        case (.metadata(let cluster), .metadata(let topics)):
            self.received(cluster, for: topics, now: now)
        case (.producerID(let answer), .producerID): self.received(answer, now: now)
        case (.maxMessageBytes(let limit), .describeLimit(let topic)):
            self.received(maxMessageBytes: limit, of: topic)
        case (.producers(let answer), .describeProducers(let id)):
            self.received(answer, about: id, now: now)
        case (.recovery(let answer), .recovery(let request)):
            self.received(answer, to: request, now: now)
        case (.transaction(let answer, let throttle), .transaction(let request)):
            self.received(answer, to: request, throttle: throttle, from: pending.broker, now: now)
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
        for endpoint in answer.endpoints { self.learn(endpoint) }
        var answers: [TopicPartition: ProduceAnswer.Partition] = [:]
        for partition in answer.partitions {
            let id = TopicPartition(topic: partition.topic, partition: partition.partition)
            answers[id] = answers[id] ?? partition
        }
        for batch in batches {
            if let row = batch.recoveryRow {
                let id = TopicPartition(topic: batch.topic, partition: batch.partition)
                self.received(answers[id], for: batch, row: row, now: now)
                continue
            }
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
        self.journal(index, mayGather: true)
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
        if disposition.action == .acknowledge {
            return self.acknowledge(batch, of: index, answer, from: broker)
        }
        let partition = self.partitions[index]
        if disposition.action == .proveSequence,
            !partition.isOldest(batch) || partition.isBeyondGap(batch)
        {
            // The broker misses the batch before it, which goes first or was refused.
            return self.retry(batch, of: index, mayBePersisted: false)
        }
        let text = answer.message.map { ", \($0)" } ?? ""
        if !disposition.isAboutRecords {
            self.statistics.lastError = "\(partition.id): \(answer.error)\(text)"
        }
        let refusal = KafkaProducerError.refused(answer.error, message: answer.message)
        switch disposition.action {
        case .acknowledge: preconditionFailure("an acknowledgement is not an error")
        case .retry:
            self.backOff(index, now: now)
            if disposition.refreshesMetadata { self.findLeader(of: index, answer.currentLeader) }
            self.retry(batch, of: index, mayBePersisted: disposition.mayBeAppended)
        case .retryFewTimes:
            // Attempts that ended otherwise say nothing of the bytes.
            batch.corruptAttempts += 1
            guard batch.corruptAttempts <= ProduceErrorDisposition.corruptAttemptLimit else {
                return self.fail(batch, of: index, refusal, mayStillArrive: true)
            }
            self.backOff(index, now: now)
            self.retry(batch, of: index, mayBePersisted: false)
        case .renegotiate:
            self.retry(batch, of: index, mayBePersisted: false)
            self.breakConnection(broker, reason: "\(answer.error)", now: now)
        case .retrySlowly where self.transactions != nil,
            .proveSequence where self.transactions != nil,
            .renewProducerID where self.transactions != nil:
            // Whether it is in the log or not, the transaction is aborted.
            self.fail(batch, of: index, refusal)
        case .retrySlowly:
            self.partitions[index].notBefore = now + Self.slowRetry
            self.retry(batch, of: index, mayBePersisted: false)
        case .split, .refuseRecords, .decompress, .refuse:
            self.refuse(batch, of: index, disposition.action, answer, refusal)
        case .proveSequence where batch.sequence != nil:
            self.backOff(index, now: now)
            self.isOutOfSequence(batch, of: index)
        case .renewProducerID where batch.sequence != nil:
            self.backOff(index, now: now)
            self.partitions[index].renewal = .freshID
            self.troubled.insert(index)
            self.retry(batch, of: index, mayBePersisted: false)
        case .proveSequence, .renewProducerID: self.fail(batch, of: index, refusal)
        case .stop:
            self.deliver(batch, .failed(refusal))
            self.stop(self.transactions?.fatalError ?? refusal)
        }
    }

    /// Refuses a batch or a part of it, unless it is in the log after all.
    private mutating func refuse(
        _ batch: ProducerBatch,
        of index: Int,
        _ action: ProduceErrorDisposition.Action,
        _ answer: ProduceAnswer.Partition,
        _ refusal: KafkaProducerError
    ) {
        if batch.isProvenAppended { return self.settle(batch, of: index, at: -1, timestamp: -1) }
        if self.waitsForProof(batch, of: index) { return }
        switch action {
        case .split:
            self.wantLimit(of: batch.topic)
            self.split(batch, of: index, refusal)
        case .decompress: self.decompress(batch, of: index, refusal)
        case .refuseRecords: self.refuseRecords(of: batch, of: index, answer, refusal)
        default: self.fail(batch, of: index, refusal)
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
        self.partitions[index].noteAcknowledged(batch, at: answer.baseOffset)
        self.settle(
            batch,
            of: index,
            at: answer.baseOffset,
            timestamp: answer.logAppendTime
        )
    }

    /// Delivers a batch that is in the log, and before it those that are by that.
    private mutating func settle(
        _ batch: ProducerBatch,
        of index: Int,
        at baseOffset: Int64,
        timestamp: Int64
    ) {
        for earlier in self.partitions[index].acknowledged(batch) {
            self.deliver(earlier, .acknowledged(baseOffset: -1, timestamp: -1))
        }
        self.deliver(batch, .acknowledged(baseOffset: baseOffset, timestamp: timestamp))
    }

    mutating func backOff(_ index: Int, now: ContinuousClock.Instant) {
        let wait = self.partitions[index].backoff.next(using: &self.generator)
        self.partitions[index].notBefore = now + wait
    }

    /// Goes to the leader that the broker named, or asks for it.
    mutating func findLeader(of index: Int, _ named: TopicMetadata.Partition?) {
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

    /// Sends a batch without compression, under its numbers: the topic does not take the codec.
    private mutating func decompress(
        _ batch: ProducerBatch,
        of index: Int,
        _ refusal: KafkaProducerError
    ) {
        let records = Array(0..<batch.recordCount)
        guard batch.sealed?.compression != Compression.none,
            let plain = batch.piece(records: records, isCompressed: false)
        else { return self.fail(batch, of: index, refusal) }
        self.renumber(plain, as: batch, skipping: 0)
        batch.release()
        self.partitions[index].requeue(plain)
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
        self.closeRanks(of: batch, of: index, keeping: others.count)
        batch.release()
        for (record, piece) in zip(refused, pieces) {
            guard let piece else { continue }
            // Where others remain, the row goes when theirs comes.
            if rest == nil { piece.replaces = batch.journalID }
            let message = (named[Int32(record)] ?? nil) ?? answer.message
            self.deliver(piece, .failed(.refused(answer.error, message: message)))
        }
    }

    /// Takes the numbers back that the records left out of a batch had: these are its last ones now.
    private mutating func closeRanks(of batch: ProducerBatch, of index: Int, keeping count: Int) {
        guard let ordinal = batch.ordinal, let sequence = batch.sequence else { return }
        self.partitions[index].leaveOut(
            from: ordinal + Int64(count),
            to: ordinal + Int64(batch.recordCount),
            RecordSequence.advance(sequence, by: Int32(count))
        )
        self.troubled.insert(index)
    }

    /// Gives a piece of a batch its part of the batch's numbers.
    private func renumber(_ piece: ProducerBatch, as batch: ProducerBatch, skipping count: Int) {
        piece.replaces = batch.journalID
        piece.attempts = batch.attempts
        piece.wasSent = batch.wasSent
        piece.mayBePersisted = batch.mayBePersisted
        piece.ordinal = batch.ordinal.map { $0 + Int64(count) }
        if let identity = batch.identity, let sequence = batch.sequence {
            piece.assign(identity, sequence: RecordSequence.advance(sequence, by: Int32(count)))
        }
    }
}

extension KafkaProducerError {
    /// Whether it says nothing of the record: the producer has ended, and another may send it.
    package var isEndOfProducer: Bool {
        switch self {
        case .closed, .fatal: true
        case .refused(let code, _, _):
            ProduceErrorDisposition(KafkaError(rawValue: code)).action == .stop
        default: false
        }
    }

    /// Whether a broker refused some records and is well, see ``ProduceErrorDisposition``.
    var isAboutRecords: Bool {
        guard case .refused(let code, _, _) = self else { return false }
        return ProduceErrorDisposition(KafkaError(rawValue: code)).isAboutRecords
    }

    static func refused(_ error: KafkaError, message: String?) -> Self {
        .refused(code: error.rawValue, name: error.name ?? "UNKNOWN_ERROR", message: message)
    }
}
