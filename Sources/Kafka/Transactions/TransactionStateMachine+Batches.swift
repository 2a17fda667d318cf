internal import KafkaProtocol

extension TransactionStateMachine {
    /// Takes a batch into the transaction; returns why it cannot, if it cannot.
    mutating func willSend(to partition: TopicPartition) -> KafkaProducerError? {
        switch self.state {
        case .open:
            if self.version == .one, !self.added.contains(partition),
                !self.missing.contains(partition)
            {
                self.missing.append(partition)
            }
            return nil
        case .abortable: return .transactionAborted
        case .ending(let ending) where !ending.isCommit: return .transactionAborted
        case .fatal(let error): return error
        default: return .invalidTransactionState("no transaction is open")
        }
    }

    /// Whether batches may go to the partition now.
    func maySend(to partition: TopicPartition) -> Bool {
        switch self.state {
        // What is still there of a transaction that is aborted has numbers that must not be left out.
        case .open, .ending, .abortable:
            self.version == .two || self.added.contains(partition)
        default: false
        }
    }

    /// Tells that batches go out: with version 2 they open the transaction.
    mutating func sendingBatches() {
        if self.version == .two { self.start = .yes }
    }

    /// Whether batches that wait are to fail, for their transaction is going to be aborted.
    var isAborting: Bool {
        switch self.state {
        case .abortable: true
        case .ending(let ending): !ending.isCommit
        default: false
        }
    }

    /// Whether a batch of an aborted transaction fails at once.
    ///
    /// With version 1 the next transaction goes on with the same sequences, so one that may be in the
    /// log is sent until it is known whether it is, unless a gap before it keeps it out anyway.
    func drops(isNumbered: Bool, behindGap: Bool) -> Bool {
        !isNumbered || self.version == .two || behindGap
    }

    /// Tells that a sequence was left out, which no later batch of its partition can pass.
    mutating func noteGap() {
        guard self.isAborting, self.version == .one, !self.needsRaisedEpoch else { return }
        self.needsRaisedEpoch = true
        guard !self.support.raisesEpochs else { return }
        let reason = "a batch was left out, and brokers before Kafka 2.5 cannot raise the epoch"
        self.becomeFatal(.fatal(reason))
    }

    /// Tells that a batch of the transaction failed.
    mutating func batchFailed(_ error: KafkaProducerError) {
        guard self.isAborting || self.isOpen else { return }
        switch TransactionErrorDisposition(batch: error) {
        case .fenced: self.becomeFatal(self.fenced(error.description))
        case .stop: self.becomeFatal(error)
        default: self.becomeAbortable(error.description)
        }
    }

    /// Whether records belong to a transaction that may yet be committed.
    var isOpen: Bool {
        switch self.state {
        case .open: true
        case .ending(let ending): ending.isCommit
        default: false
        }
    }

    mutating func becomeAbortable(_ reason: String) {
        guard self.isOpen else { return }
        let error = KafkaProducerError.transactionAbortable(reason)
        self.state = .abortable(error)
        self.missing = []
        self.failOrders(error)
        self.answerCalls(error)
    }

    mutating func becomeFatal(_ error: KafkaProducerError) {
        self.state = .fatal(error)
        self.missing = []
        self.failOrders(error)
        self.answerCalls(error)
    }

    func fenced(_ reason: String) -> KafkaProducerError {
        .producerFenced(transactionalID: self.transactionalID, reason)
    }
}
