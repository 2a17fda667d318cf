internal import KafkaProtocol

extension TransactionCoordinator {
    /// Gives a transactional id its producer id and a new epoch, which fences who had it before.
    ///
    /// A transaction that is open is aborted first; the client is told to ask again.
    mutating func initialize(
        _ id: String,
        timeout: Duration,
        as expected: Identity?,
        now: Instant
    ) -> Result<Identity, Refusal> {
        guard !id.isEmpty else { return .failure(Refusal(.invalidRequest)) }
        guard timeout > .zero, timeout <= self.timeoutLimit else {
            return .failure(Refusal(.invalidTransactionTimeout))
        }
        self.expire(id, now: now)
        var transaction = self.transactions[id] ?? self.fresh(timeout, now: now)
        guard expected.map({ Self.isKnown($0, in: transaction) }) ?? true else {
            return .failure(Refusal(.producerFenced))
        }
        switch transaction.state {
        case .prepareCommit, .prepareAbort: return .failure(Refusal(.concurrentTransactions))
        case .ongoing:
            self.fence(id, now: now)
            return .failure(Refusal(.concurrentTransactions))
        case .empty, .completeCommit, .completeAbort: break
        }
        guard self.raiseEpoch(of: &transaction, as: expected) else {
            return .failure(Refusal(.producerFenced))
        }
        transaction.timeout = timeout
        transaction.state = .empty
        transaction.updatedAt = now
        self.transactions[id] = transaction
        return .success(Identity(producerID: transaction.producerID, epoch: transaction.epoch))
    }

    private mutating func fresh(_ timeout: Duration, now: Instant) -> Transaction {
        Transaction(producerID: self.takeProducerID(), timeout: timeout, updatedAt: now)
    }

    /// Whether the identity is the current one, or the one before whose epochs ran out.
    private static func isKnown(_ identity: Identity, in transaction: Transaction) -> Bool {
        let wasExhausted =
            identity.producerID == transaction.lastProducerID && identity.epoch >= Int16.max - 1
        return transaction.epoch == -1 || identity.producerID == transaction.producerID
            || wasExhausted
    }

    /// Gives the next epoch, or the same once more to a request that is repeated (KIP-360).
    private mutating func raiseEpoch(
        of transaction: inout Transaction,
        as expected: Identity?
    ) -> Bool {
        let isCurrent = expected.map { $0.epoch == transaction.epoch } ?? true
        if transaction.isEpochExhausted, isCurrent {
            transaction.lastProducerID = transaction.producerID
            transaction.lastEpoch = expected == nil ? -1 : transaction.epoch
            transaction.producerID = self.takeProducerID()
            transaction.epoch = 0
            return true
        }
        if isCurrent || transaction.epoch == -1 {
            transaction.lastProducerID = transaction.producerID
            transaction.lastEpoch = expected == nil ? -1 : transaction.epoch
            transaction.epoch += 1
            return true
        }
        return expected?.epoch == transaction.lastEpoch
    }
}
