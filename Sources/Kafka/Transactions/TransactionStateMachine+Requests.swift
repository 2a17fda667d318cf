internal import KafkaProtocol

extension TransactionStateMachine {
    /// What is to be asked now, if anything; ``sending(_:)`` tells that it is.
    ///
    /// `isDrained` says that every batch is acknowledged or has failed: nothing ends before that.
    mutating func wantedRequest(
        isDrained: @autoclosure () -> Bool,
        now: ContinuousClock.Instant
    ) -> TransactionRequest? {
        guard self.outstanding == nil, self.notBefore.map({ $0 <= now }) ?? true else { return nil }
        if case .ending(let ending) = self.state, self.missing.isEmpty, self.orders.isEmpty,
            self.start == .no || self.isForgotten, isDrained()
        {
            // The coordinator knows of no transaction.
            self.ended(asCommit: ending.isCommit, nil)
        }
        guard let request = self.nextRequest(isDrained()) else { return nil }
        switch request {
        case .findGroupCoordinator, .commitOffsets: return request
        default: return self.coordinator == nil ? .findCoordinator : request
        }
    }

    /// Whether a broker has to be asked who the coordinator is.
    var needsCoordinator: Bool {
        guard self.outstanding == nil else { return false }
        switch self.state {
        case .initializing, .resuming, .ending: return self.coordinator == nil
        case .open:
            return (!self.missing.isEmpty || !self.orders.isEmpty)
                && (self.coordinator == nil || self.groupCoordinator == nil)
        default: return false
        }
    }

    private func nextRequest(_ isDrained: @autoclosure () -> Bool) -> TransactionRequest? {
        switch self.state {
        case .initializing(.first): return .initProducerID(raising: nil)
        case .initializing: return .initProducerID(raising: self.identity)
        case .resuming(let resumption): return self.request(of: resumption)
        case .open: return self.missingPartitions ?? self.offsetsRequest
        case .ending(let ending):
            if let request = self.missingPartitions ?? self.offsetsRequest { return request }
            guard let identity, isDrained() else { return nil }
            return .end(commit: ending.isCommit, identity)
        default: return nil
        }
    }

    private var missingPartitions: TransactionRequest? {
        guard !self.missing.isEmpty, let identity else { return nil }
        return .addPartitions(self.missing, identity)
    }

    mutating func sending(_ request: TransactionRequest) {
        self.outstanding = request
        self.notBefore = nil
        if case .addPartitions(let partitions, _) = request {
            self.missing.removeAll { partitions.contains($0) }
        }
        if case .commitOffsets = request, self.version == .two { self.start = .yes }
    }

    /// Tells what the broker at the other end of a new connection can do.
    mutating func connected(to broker: BrokerID, _ support: TransactionSupport) {
        let isNewer = support.featuresEpoch >= self.support.featuresEpoch
        if isNewer {
            self.support.version = support.version
            self.support.featuresEpoch = support.featuresEpoch
        }
        if broker == self.coordinator || self.coordinator == nil {
            self.support.raisesEpochs = support.raisesEpochs
            self.support.commitsOffsets = support.commitsOffsets
        }
    }

    /// Tells that the connection to a broker is gone: if it was the coordinator, another may be it now.
    mutating func disconnected(from broker: BrokerID) {
        if broker == self.coordinator { self.coordinator = nil }
        if broker == self.groupCoordinator?.broker { self.groupCoordinator = nil }
    }

    /// Tells that no answer will come.
    mutating func lost(_ request: TransactionRequest, now: ContinuousClock.Instant) {
        guard request == self.outstanding else { return }
        self.outstanding = nil
        self.backOff(\.backoff, now: now)
        switch request {
        case .addPartitions(let partitions, _):
            if self.start == .no { self.start = .maybe }
            if self.isOpen { self.missing = partitions + self.missing }
        case .end: self.noteUncertainty()
        case .addOffsets: if self.start == .no { self.start = .maybe }
        case .findCoordinator, .initProducerID, .findGroupCoordinator, .commitOffsets: break
        }
    }

    private mutating func noteUncertainty() {
        guard case .ending(var ending) = self.state else { return }
        ending.isUncertain = true
        self.state = .ending(ending)
    }

    /// Tells what a broker answered.
    mutating func received(
        _ answer: TransactionAnswer,
        to request: TransactionRequest,
        now: ContinuousClock.Instant
    ) {
        guard request == self.outstanding else { return }
        self.outstanding = nil
        if case .fatal = self.state { return }
        switch (answer, request) {
        case (.coordinator(let error, let broker), .findCoordinator):
            self.received(coordinator: broker, error, now: now)
        case (.producerID(let answer), .initProducerID): self.received(answer, now: now)
        case (.partitionsAdded(let errors), .addPartitions(let partitions, _)):
            self.received(errors, for: partitions, now: now)
        case (.ended(let error, let identity), .end(let isCommit, _)):
            self.received(error, identity, isCommit: isCommit, now: now)
        case (.coordinator(let error, let broker), .findGroupCoordinator(let group)):
            self.received(groupCoordinator: broker, of: group, error, now: now)
        case (.offsetsAdded(let error), .addOffsets): self.received(offsetsAdded: error, now: now)
        case (.offsetsCommitted(let errors), .commitOffsets(let offsets, _)):
            self.received(offsetsCommitted: errors, offsets, now: now)
        default: preconditionFailure("\(answer) cannot answer \(request)")
        }
    }

    private mutating func received(
        coordinator broker: ClusterMetadata.Broker,
        _ error: KafkaError,
        now: ContinuousClock.Instant
    ) {
        switch TransactionErrorDisposition(error) {
        case .succeeded:
            self.coordinator = broker.id
            self.resetBackoff()
        case .retry, .findCoordinator: self.backOff(\.backoff, now: now)
        case .abort where self.isOpen: self.becomeAbortable("\(error)")
        default: self.becomeFatal(.refused(error, message: self.advice(on: error)))
        }
    }

    private mutating func received(
        _ answer: ProducerIDAnswer,
        now: ContinuousClock.Instant
    ) {
        guard case .initializing(let purpose) = self.state else { return }
        switch TransactionErrorDisposition(answer.error) {
        case .succeeded: self.initialized(answer.identity, for: purpose)
        case .retry where answer.error == .concurrentTransactions:
            self.backOff(\.shortBackoff, now: now)
        case .retry: self.backOff(\.backoff, now: now)
        case .findCoordinator:
            self.coordinator = nil
            self.backOff(\.backoff, now: now)
        case .fenced: self.becomeFatal(self.fenced("InitProducerId: \(answer.error)"))
        case .abort, .startOver, .stop:
            self.becomeFatal(.refused(answer.error, message: self.advice(on: answer.error)))
        }
    }

    private mutating func initialized(_ identity: ProducerIdentity, for purpose: Purpose) {
        if purpose == .first { self.version = self.support.version }
        self.identity = identity
        self.identity?.transactions = self.version
        self.resetBackoff()
        self.needsRaisedEpoch = false
        self.state = purpose == .upgrade ? .open : .ready
        self.answerCalls(nil)
    }

    private mutating func received(
        _ errors: [TopicPartition: KafkaError],
        for partitions: [TopicPartition],
        now: ContinuousClock.Instant
    ) {
        var again: [TopicPartition] = []
        var isShort = true
        for partition in partitions {
            let error = errors[partition] ?? .unknownServerError
            switch TransactionErrorDisposition(addingPartition: error) {
            case .succeeded:
                self.added.insert(partition)
                self.start = .yes
            case .retry:
                again.append(partition)
                isShort = isShort && error == .concurrentTransactions
            case .findCoordinator:
                self.coordinator = nil
                again.append(partition)
            case .abort: self.becomeAbortable("\(partition): \(error)")
            case .startOver: self.coordinatorForgot("\(error)")
            case .fenced: return self.becomeFatal(self.fenced("AddPartitionsToTxn: \(error)"))
            case .stop:
                let message = self.advice(on: error) ?? "\(partition)"
                return self.becomeFatal(.refused(error, message: message))
            }
        }
        guard self.isOpen, !again.isEmpty else { return self.resetBackoff() }
        self.missing = again + self.missing
        self.backOff(isShort ? \.shortBackoff : \.backoff, now: now)
    }

    mutating func coordinatorForgot(_ reason: String) {
        guard self.support.raisesEpochs else { return self.becomeFatal(.fatal(reason)) }
        self.isForgotten = true
        self.needsRaisedEpoch = true
        self.becomeAbortable(reason)
    }

    private mutating func received(
        _ error: KafkaError,
        _ identity: ProducerIdentity?,
        isCommit: Bool,
        now: ContinuousClock.Instant
    ) {
        if case .resuming(let resumption) = self.state {
            return self.received(error, to: resumption, now: now)
        }
        guard case .ending(let ending) = self.state else { return }
        switch TransactionErrorDisposition(error) {
        case .succeeded: return self.ended(asCommit: isCommit, identity)
        case .retry where error == .concurrentTransactions:
            self.backOff(\.shortBackoff, now: now)
        case .retry:
            self.noteUncertainty()
            self.backOff(\.backoff, now: now)
        case .findCoordinator:
            // It may have been written down before the coordinator stepped back.
            self.noteUncertainty()
            self.coordinator = nil
            self.backOff(\.backoff, now: now)
        case _ where isCommit && (ending.isUncertain || error == .unknownServerError):
            self.becomeFatal(.transactionOutcomeUnknown("EndTxn: \(error)"))
        case .abort where isCommit: self.becomeAbortable("EndTxn: \(error)")
        case .startOver where isCommit: self.coordinatorForgot("EndTxn: \(error)")
        case .startOver:
            self.isForgotten = true
            self.needsRaisedEpoch = true
            self.ended(asCommit: false, nil)
        case .stop where error == .invalidTxnState && !isCommit && self.start == .maybe:
            // The partitions whose answer was lost were never added.
            self.ended(asCommit: false, nil)
        case .fenced: self.becomeFatal(self.fenced("EndTxn: \(error)"))
        case .abort, .stop:
            self.becomeFatal(.refused(error, message: self.advice(on: error)))
        }
    }

    private mutating func ended(asCommit isCommit: Bool, _ fresh: ProducerIdentity?) {
        self.start = .no
        self.added = []
        self.orders = []
        self.missing = []
        self.resetBackoff()
        let isForgotten = self.isForgotten
        self.isForgotten = false
        if let fresh, fresh.id >= 0 {
            self.identity = fresh
            self.identity?.transactions = self.version
        }
        if self.needsRaisedEpoch, !isCommit, self.version == .one || isForgotten {
            self.state = .initializing(.recovery)
            return
        }
        self.needsRaisedEpoch = false
        self.state = .ready
        self.answerCalls(nil)
    }

    func advice(on error: KafkaError) -> String? {
        switch error {
        case .transactionalIDAuthorizationFailed:
            "the principal needs WRITE on the transactional id \"\(self.transactionalID)\""
        case .invalidTransactionTimeout:
            "transaction.timeout.ms is over the brokers' transaction.max.timeout.ms"
        case .clusterAuthorizationFailed: "the principal needs IDEMPOTENT_WRITE"
        default: nil
        }
    }
}
