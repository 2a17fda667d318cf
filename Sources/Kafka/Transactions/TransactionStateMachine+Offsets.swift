internal import KafkaProtocol

/// Offsets of consumer groups as part of a transaction (KIP-98, KIP-447).
extension TransactionStateMachine {
    /// A call that puts offsets into the transaction.
    struct OffsetsOrder {
        let offsets: GroupOffsets
        let call: TransactionCallID
        /// Whether the transaction's coordinator knows of the group; with version 2 it need not.
        var isAdded = false
    }

    /// Tells that the application puts offsets into the transaction.
    mutating func sendOffsets(_ offsets: GroupOffsets, _ call: TransactionCallID) {
        switch self.state {
        case .open where !self.support.commitsOffsets:
            let reason = "the brokers take no offsets in transactions"
            self.answer(call, .refused(.unsupportedVersion, message: reason))
        case .open: self.orders.append(OffsetsOrder(offsets: offsets, call: call))
        case .abortable(let error), .fatal(let error): self.answer(call, error)
        default: self.answer(call, .invalidTransactionState("no transaction is open"))
        }
    }

    /// What has to be asked for the oldest call.
    var offsetsRequest: TransactionRequest? {
        guard let order = self.orders.first, let identity else { return nil }
        let group = order.offsets.group.groupID
        if self.version == .one, !order.isAdded { return .addOffsets(group: group, identity) }
        guard self.groupCoordinator?.group == group else { return .findGroupCoordinator(group) }
        return .commitOffsets(order.offsets, identity)
    }

    /// Ends the calls whose transaction cannot be committed.
    mutating func failOrders(_ error: KafkaProducerError) {
        for order in self.orders { self.answer(order.call, error) }
        self.orders = []
    }

    mutating func received(
        groupCoordinator broker: ClusterMetadata.Broker,
        of group: String,
        _ error: KafkaError,
        now: ContinuousClock.Instant
    ) {
        switch TransactionErrorDisposition(offsets: error) {
        case .succeeded:
            self.groupCoordinator = (group, broker.id)
            self.resetBackoff()
        case .retry, .findCoordinator: self.backOff(\.backoff, now: now)
        case .abort, .startOver: self.becomeAbortable("group \"\(group)\": \(error)")
        case .fenced, .stop: self.becomeFatal(.refused(error, message: "group \"\(group)\""))
        }
    }

    mutating func received(offsetsAdded error: KafkaError, now: ContinuousClock.Instant) {
        switch TransactionErrorDisposition(offsets: error) {
        case .succeeded:
            self.start = .yes
            if !self.orders.isEmpty { self.orders[0].isAdded = true }
            self.resetBackoff()
        case .retry where error == .concurrentTransactions:
            self.backOff(\.shortBackoff, now: now)
        case .retry: self.backOff(\.backoff, now: now)
        case .findCoordinator:
            self.coordinator = nil
            self.backOff(\.backoff, now: now)
        case .abort: self.becomeAbortable("AddOffsetsToTxn: \(error)")
        case .startOver: self.coordinatorForgot("AddOffsetsToTxn: \(error)")
        case .fenced: self.becomeFatal(self.fenced("AddOffsetsToTxn: \(error)"))
        case .stop: self.becomeFatal(.refused(error, message: "AddOffsetsToTxn"))
        }
    }

    mutating func received(
        offsetsCommitted errors: [TopicPartition: KafkaError],
        _ offsets: GroupOffsets,
        now: ContinuousClock.Instant
    ) {
        var mustRepeat = false
        for offset in offsets.offsets {
            let partition = TopicPartition(topic: offset.topic, partition: offset.partition)
            let error = errors[partition] ?? .unknownServerError
            switch TransactionErrorDisposition(offsets: error) {
            case .succeeded: break
            case .retry: mustRepeat = true
            case .findCoordinator:
                self.groupCoordinator = nil
                mustRepeat = true
            case .abort: self.becomeAbortable("TxnOffsetCommit, \(partition): \(error)")
            case .startOver: self.coordinatorForgot("TxnOffsetCommit: \(error)")
            case .fenced:
                return self.becomeFatal(self.fenced("TxnOffsetCommit: \(error)"))
            case .stop:
                return self.becomeFatal(.refused(error, message: "TxnOffsetCommit, \(partition)"))
            }
        }
        guard self.isOpen, !self.orders.isEmpty else { return }
        guard !mustRepeat else { return self.backOff(\.backoff, now: now) }
        self.resetBackoff()
        self.answer(self.orders.removeFirst().call, nil)
    }
}
