internal import KafkaProtocol

/// Where the producer's machine and its transactions meet.
extension ProducerStateMachine {
    /// The error of a batch that is told to a producer without transactions.
    private static let unnamed = KafkaProducerError.invalidTransactionState(
        "transactional.id is not set"
    )

    static func makeTransactions(
        _ configuration: KafkaProducerConfiguration,
        seed: UInt64
    ) -> TransactionStateMachine? {
        configuration.transactionalID.map { id in
            let backoff = Backoff(
                base: configuration.retryBackoff,
                limit: configuration.retryBackoffMax
            )
            return TransactionStateMachine(transactionalID: id, backoff: backoff, seed: seed)
        }
    }

    /// Tells what the application wants of its transactions; ``Action/completed(_:_:)`` has the result.
    package mutating func call(_ operation: TransactionOperation, _ call: TransactionCallID) {
        guard self.transactions != nil else {
            return self.actions.append(.completed(call, Self.unnamed))
        }
        switch self.phase {
        case .stopped(let error):
            guard operation.isFresh else { return self.actions.append(.completed(call, error)) }
            self.phase = .running
            self.transactions?.call(operation, call)
        case .draining, .finished: self.actions.append(.completed(call, .closed))
        case .running:
            self.transactions?.call(operation, call)
            self.passResults()
        }
    }

    /// Tells of offsets that the application puts into the open transaction.
    package mutating func sendOffsets(_ offsets: GroupOffsets, _ call: TransactionCallID) {
        switch self.phase {
        case .stopped(let error): self.actions.append(.completed(call, error))
        case .draining, .finished: self.actions.append(.completed(call, .closed))
        case .running where self.transactions == nil:
            self.actions.append(.completed(call, Self.unnamed))
        case .running:
            self.transactions?.sendOffsets(offsets, call)
            self.passResults()
        }
    }

    /// Tells that nobody waits for a call any more.
    package mutating func abandon(_ call: TransactionCallID) {
        self.transactions?.abandon(call)
    }

    /// Takes a batch into the open transaction, or fails it; without transactions it is taken as it is.
    mutating func admit(_ batch: ProducerBatch) -> Bool {
        let partition = TopicPartition(topic: batch.topic, partition: batch.partition)
        guard let error = self.transactions?.willSend(to: partition) else { return true }
        self.deliver(batch, .failed(error))
        return false
    }

    /// Whether the open transaction lets batches go to a partition.
    func mayTransact(with partition: TopicPartition) -> Bool {
        self.transactions?.maySend(to: partition) ?? true
    }

    /// Tells the open transaction that a batch of it failed.
    mutating func noteFailure(_ error: KafkaProducerError) {
        // A batch that came at the wrong time does not belong to it.
        if case .invalidTransactionState = error { return }
        self.transactions?.batchFailed(error)
    }

    /// Does what follows from the state of the transactions: before anything else is sent.
    mutating func settleTransactions() {
        guard self.transactions != nil else { return }
        self.dropAborted()
        if let error = self.transactions?.fatalError,
            self.phase == .running || self.phase == .draining
        {
            self.statistics.lastError = "\(error)"
            self.stop(error)
        }
        self.passResults()
        self.adoptIdentity()
    }

    private mutating func passResults() {
        while let result = self.transactions?.nextResult() {
            self.actions.append(.completed(result.call, result.error))
        }
    }

    /// Fails the batches whose transaction is going to be aborted.
    private mutating func dropAborted() {
        guard self.transactions?.isAborting ?? false else { return }
        for index in self.partitions.indices {
            if self.partitions[index].isTroubled { self.transactions?.noteGap() }
            for _ in 0..<self.partitions[index].queue.count {
                let batch = self.partitions[index].queue.removeFirst()
                let isNumbered = batch.sequence != nil
                let isBehindGap = self.partitions[index].isBeyondGap(batch)
                let isDropped =
                    self.transactions?.drops(isNumbered: isNumbered, behindGap: isBehindGap) ?? true
                if isDropped {
                    self.deliver(batch, .failed(.transactionAborted))
                } else {
                    self.partitions[index].queue.append(batch)
                }
            }
        }
    }

    /// Goes on under the identity that the coordinator gave: sequences begin anew.
    private mutating func adoptIdentity() {
        guard let identity = self.transactions?.identity, identity != self.producerID.current else {
            return
        }
        self.producerID.current = identity
        for index in self.partitions.indices {
            _ = self.partitions[index].adopt(identity, absenceProven: true)
        }
    }

    mutating func nextTransactionRequest(now: ContinuousClock.Instant) -> Action? {
        guard self.phase == .running || self.phase == .draining else { return nil }
        self.wantedCoordinator = nil
        if let id = self.transactions?.coordinator, self.brokers[id] == nil {
            // It left the cluster, so another one coordinates.
            self.transactions?.coordinator = nil
        }
        if let id = self.transactions?.groupCoordinator?.broker, self.brokers[id] == nil {
            self.transactions?.groupCoordinator = nil
        }
        let isDrained = (self.transactions?.isEnding ?? false) && self.isDrained
        let wanted = self.transactions?.wantedRequest(isDrained: isDrained, now: now)
        self.passResults()
        guard let request = wanted else { return nil }
        guard let broker = self.broker(for: request, now: now) else { return nil }
        self.transactions?.sending(request)
        return self.send(.transaction(request), to: broker, now: now)
    }

    /// The connection for a request, if it is there; else it is seen to that it will be.
    private mutating func broker(
        for request: TransactionRequest,
        now: ContinuousClock.Instant
    ) -> BrokerID? {
        let target: BrokerID?
        switch request {
        case .findCoordinator, .findGroupCoordinator: return self.controlBroker(now: now)
        case .commitOffsets: target = self.transactions?.groupCoordinator?.broker
        default: target = self.transactions?.coordinator
        }
        guard let id = target, let broker = self.brokers[id] else { return nil }
        self.wantedCoordinator = id
        return broker.link == .ready && (broker.mutedUntil ?? now) <= now ? id : nil
    }

    mutating func received(
        _ answer: TransactionAnswer,
        to request: TransactionRequest,
        throttle: Duration,
        from broker: BrokerID,
        now: ContinuousClock.Instant
    ) {
        if throttle > .zero { self.brokers[broker]?.mutedUntil = now + throttle }
        if case .coordinator(.none, let named) = answer, self.brokers[named.id] == nil {
            self.brokers[named.id] = self.makeBroker(named.address)
        }
        self.transactions?.received(answer, to: request, now: now)
    }
}

extension TransactionOperation {
    /// Whether it can be asked for after whatever went wrong before.
    fileprivate var isFresh: Bool {
        switch self {
        case .resume, .restart: true
        case .initialize, .begin, .commit, .abort: false
        }
    }
}
