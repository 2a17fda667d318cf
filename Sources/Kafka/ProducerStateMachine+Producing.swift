internal import KafkaProtocol
internal import NIOCore

extension ProducerStateMachine {
    /// The producer id that the cluster gave, and whether a newer one is needed.
    struct ProducerIDState {
        var current: ProducerIdentity?
        var isWanted = false
        var isAsking = false
        var notBefore: ContinuousClock.Instant?
        var backoff: Backoff

        init(backoff: Backoff) {
            self.backoff = backoff
        }
    }

    /// Notes that a topic is in use, so that its metadata is kept.
    mutating func noteUse(of topic: String, now: ContinuousClock.Instant) {
        guard self.metadata.topics[topic] != nil else { return self.refresh(topic, now: now) }
        self.metadata.topics[topic]?.usedAt = now
    }

    /// The place of a partition's queue, made on first use.
    mutating func partitionIndex(topic: String, partition: Int32) -> Int {
        let id = TopicPartition(topic: topic, partition: partition)
        if let index = self.partitionIndexes[id] { return index }
        let backoff = Backoff(
            base: self.configuration.retryBackoff,
            limit: self.configuration.retryBackoffMax
        )
        let index = self.partitions.count
        self.partitions.append(PartitionQueue(id: id, backoff: backoff))
        self.partitionIndexes[id] = index
        self.adoptPublishedLeader(of: index)
        return index
    }

    private mutating func adoptPublishedLeader(of index: Int) {
        let id = self.partitions[index].id
        let published = self.metadata.topics[id.topic]?.published
        if let known = published?.partitions, known.indices.contains(Int(id.partition)) {
            self.changeLeader(of: index, to: known[Int(id.partition)])
        } else {
            self.refresh(id.topic)
        }
    }

    /// Puts a partition with something to send on its leader's list.
    mutating func list(_ index: Int, mayGather: Bool = false) {
        self.journal(index, mayGather: mayGather)
        let partition = self.partitions[index]
        guard !partition.isListed, !partition.queue.isEmpty else { return }
        guard partition.leader >= 0, self.brokers[partition.leader] != nil else {
            return self.refresh(partition.id.topic)
        }
        self.partitions[index].isListed = true
        self.brokers[partition.leader]?.waiting.append(index)
    }

    // MARK: Producer ids

    mutating func nextProducerIDRequest(now: ContinuousClock.Instant) -> Action? {
        guard self.producerID.isWanted, !self.producerID.isAsking else { return nil }
        // Nothing is sent to a cluster that is not the journal's, which must not forget its own.
        guard self.recovery.refusal == nil else { return nil }
        guard self.producerID.notBefore.map({ $0 <= now }) ?? true else { return nil }
        guard let broker = self.controlBroker(now: now) else { return nil }
        self.producerID.isAsking = true
        self.producerID.notBefore = nil
        return self.send(.producerID, to: broker, now: now)
    }

    mutating func producerIDFailed(now: ContinuousClock.Instant) {
        self.producerID.isAsking = false
        self.producerID.notBefore = now + self.producerID.backoff.next(using: &self.generator)
    }

    mutating func received(_ answer: ProducerIDAnswer, now: ContinuousClock.Instant) {
        if answer.error == .clusterAuthorizationFailed {
            self.producerID.isAsking = false
            return self.stop(
                .refused(answer.error, message: "the principal needs IDEMPOTENT_WRITE")
            )
        }
        guard answer.error == .none, answer.identity.id >= 0, answer.identity.epoch >= 0 else {
            self.statistics.lastError = "producer id: \(answer.error)"
            return self.producerIDFailed(now: now)
        }
        self.producerID.isAsking = false
        self.producerID.isWanted = false
        self.producerID.backoff.reset()
        self.producerID.current = answer.identity
        guard self.configuration.isJournaled, self.recovery.refusal == nil else { return }
        let clusterID = self.metadata.clusterID ?? self.recovery.clusterID ?? ""
        self.actions.append(.identified(answer.identity, clusterID: clusterID))
    }

    // MARK: Record batches

    mutating func nextProduceRequest(now: ContinuousClock.Instant) -> Action? {
        if self.configuration.isIdempotenceEnabled, self.producerID.current == nil { return nil }
        for id in self.brokers.keys.sorted() {
            guard let broker = self.brokers[id], broker.link == .ready else { continue }
            guard !broker.waiting.isEmpty, (broker.mutedUntil ?? now) <= now else { continue }
            guard broker.requestsInFlight < self.configuration.maxInFlightRequests else { continue }
            let batches = self.takeBatches(for: id, now: now)
            guard !batches.isEmpty else { continue }
            self.brokers[id]?.requestsInFlight += 1
            self.noteSending(batches, now: now)
            self.transactions?.sendingBatches()
            return self.send(.produce(batches), to: id, now: now)
        }
        return nil
    }

    /// One batch of each partition as long as the request has room; who found none is first next time.
    private mutating func takeBatches(
        for id: BrokerID,
        now: ContinuousClock.Instant
    ) -> [ProducerBatch] {
        var waiting = self.brokers[id]?.waiting ?? CircularBuffer()
        self.brokers[id]?.waiting = CircularBuffer()
        var batches: [ProducerBatch] = []
        var size = 0
        for _ in 0..<waiting.count {
            let index = waiting.removeFirst()
            guard let head = self.partitions[index].queue.first else {
                self.partitions[index].isListed = false
                continue
            }
            guard self.maySend(index, now: now) else {
                waiting.append(index)
                continue
            }
            if !batches.isEmpty, size + head.byteCount > self.configuration.maxRequestSize {
                waiting.prepend(index)
                break
            }
            size += head.byteCount
            batches.append(self.takeBatch(of: index))
            waiting.append(index)
        }
        self.brokers[id]?.waiting = waiting
        return batches
    }

    private func maySend(_ index: Int, now: ContinuousClock.Instant) -> Bool {
        let partition = self.partitions[index]
        guard !self.isHeldBack(index) else { return false }
        guard partition.headMayGo, (partition.notBefore ?? now) <= now else { return false }
        guard self.mayTransact(with: partition.id), self.isHeadJournaled(index) else {
            return false
        }
        let limit = partition.inFlightLimit(
            isIdempotent: self.configuration.isIdempotenceEnabled,
            limit: self.configuration.maxInFlightRequests
        )
        return partition.inFlight.count < limit
    }

    private mutating func takeBatch(of index: Int) -> ProducerBatch {
        let batch = self.partitions[index].queue.removeFirst()
        self.partitions[index].notBefore = nil
        batch.attempts += 1
        batch.wasSent = true
        batch.topicID = self.topicID(of: index)
        if batch.isRetry { self.statistics.batchesRetried += 1 }
        if batch.ordinal == nil {
            let isIdempotent = self.configuration.isIdempotenceEnabled
            if isIdempotent, self.partitions[index].identity == nil {
                self.partitions[index].identity = self.producerID.current
            }
            self.partitions[index].number(batch, isIdempotent: isIdempotent)
        }
        self.partitions[index].inFlight.append(batch)
        return batch
    }
}
