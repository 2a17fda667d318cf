internal import KafkaProtocol

extension TransactionCoordinator {
    /// Commits or aborts a producer's transaction; returns the identity to go on with.
    ///
    /// `raisesEpoch` stands for `transaction.version` 2: each transaction then ends with a new
    /// epoch, so that nothing that is late can get into the next one.
    mutating func end(
        _ id: String,
        _ identity: Identity,
        commit: Bool,
        raisesEpoch: Bool,
        now: Instant
    ) -> Result<Identity, Refusal> {
        self.expire(id, now: now)
        guard !id.isEmpty else { return .failure(Refusal(.invalidRequest)) }
        guard let transaction = self.transactions[id] else {
            return .failure(Refusal(.invalidProducerIDMapping))
        }
        let verdict =
            raisesEpoch
            ? transaction.judgeWithNewEpoch(identity, commit: commit)
            : transaction.judge(identity, commit: commit)
        switch verdict {
        case .refused(let error): return .failure(Refusal(error))
        case .repeated:
            return .success(Identity(producerID: transaction.producerID, epoch: transaction.epoch))
        case .ends:
            return .success(
                self.prepare(id, transaction, commit: commit, raisesEpoch: raisesEpoch, now: now)
            )
        }
    }

    private mutating func prepare(
        _ id: String,
        _ before: Transaction,
        commit: Bool,
        raisesEpoch: Bool,
        now: Instant
    ) -> Identity {
        var transaction = before
        if raisesEpoch, transaction.isEpochExhausted {
            transaction.nextProducerID = self.takeProducerID()
        }
        transaction.prepare(commit: commit, raisesEpoch: raisesEpoch, now: now)
        self.transactions[id] = transaction
        self.scheduleMarkers(of: id, now: now)
        return Identity(
            producerID: transaction.nextProducerID ?? transaction.producerID,
            epoch: transaction.nextProducerID == nil ? transaction.epoch : 0
        )
    }
}

extension Transaction {
    /// What becomes of a request to end the transaction.
    enum Verdict: Equatable {
        case ends
        /// It has ended this way before; the answer got lost.
        case repeated
        case refused(KafkaError)
    }

    typealias Identity = TransactionCoordinator.Identity

    /// The rules of `transaction.version` 1, where a transaction ends without a new epoch.
    func judge(_ identity: Identity, commit: Bool) -> Verdict {
        guard self.producerID == identity.producerID else {
            return .refused(.invalidProducerIDMapping)
        }
        guard self.epoch == identity.epoch else { return .refused(.producerFenced) }
        switch self.state {
        case .ongoing: return .ends
        case .empty: return .refused(.invalidTxnState)
        case .prepareCommit, .prepareAbort:
            let isSame = commit == (self.state == .prepareCommit)
            return .refused(isSame ? .concurrentTransactions : .invalidTxnState)
        case .completeCommit, .completeAbort:
            let isSame = commit == (self.state == .completeCommit)
            return isSame ? .repeated : .refused(.invalidTxnState)
        }
    }

    /// The rules of `transaction.version` 2, where the epoch tells a repeated request from a new one.
    func judgeWithNewEpoch(_ identity: Identity, commit: Bool) -> Verdict {
        let isAfterOverflow =
            self.lastProducerID == identity.producerID && identity.epoch == Int16.max - 1
            && self.epoch == 0
        guard self.producerID == identity.producerID || isAfterOverflow else {
            return .refused(.invalidProducerIDMapping)
        }
        let isCurrent = self.epoch == identity.epoch
        let isRepeated = isAfterOverflow || Int32(self.epoch) == Int32(identity.epoch) + 1
        switch self.state {
        case .ongoing: return isCurrent ? .ends : .refused(.producerFenced)
        case .empty where !isCurrent: return .refused(.producerFenced)
        // A transaction that wrote nothing may be aborted, but not committed.
        case .empty: return commit ? .refused(.invalidTxnState) : .ends
        case .prepareCommit, .prepareAbort:
            guard isRepeated else { return .refused(.producerFenced) }
            let isSame = commit == (self.state == .prepareCommit)
            return .refused(isSame ? .concurrentTransactions : .invalidTxnState)
        case .completeCommit, .completeAbort:
            let isSame = commit == (self.state == .completeCommit)
            if isRepeated { return isSame ? .repeated : .refused(.invalidTxnState) }
            guard isCurrent else { return .refused(.producerFenced) }
            return commit ? .refused(.invalidTxnState) : .ends
        }
    }
}
