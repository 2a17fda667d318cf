internal import KafkaProtocol

/// How a commit is asked for again by somebody who did not begin the transaction.
///
/// Kafka answers a commit that it has obeyed the same each time, as long as nobody has begun
/// anything else under the transactional id. So the question comes before the producer id is taken
/// over, which would abort a transaction that is still open.
extension TransactionStateMachine {
    mutating func resume(_ identity: ProducerIdentity, _ call: TransactionCallID) {
        self.forgetTransaction()
        self.state = .resuming(Resumption(identity: identity))
        self.wait(call, for: .resume(identity))
    }

    mutating func restart(_ call: TransactionCallID) {
        self.forgetTransaction()
        self.state = .initializing(.first)
        self.wait(call, for: .restart)
    }

    private mutating func forgetTransaction() {
        self.start = .no
        self.added = []
        self.missing = []
        self.failOrders(.transactionAborted)
        self.answerCalls(.transactionAborted)
        self.unclaimed = nil
        self.isForgotten = false
        self.needsRaisedEpoch = false
        // What is answered to an earlier question says nothing any more.
        self.outstanding = nil
        self.notBefore = nil
        self.resetBackoff()
    }

    func request(of resumption: Resumption) -> TransactionRequest {
        var identity = resumption.identity
        identity.transactions = resumption.version ?? self.support.version
        return .end(commit: true, identity)
    }

    mutating func received(
        _ error: KafkaError,
        to resumption: Resumption,
        now: ContinuousClock.Instant
    ) {
        switch TransactionErrorDisposition(error) {
        case .succeeded: self.resumed(nil)
        case .retry where error == .concurrentTransactions:
            self.backOff(\.shortBackoff, now: now)
        case .retry: self.backOff(\.backoff, now: now)
        case .findCoordinator:
            self.coordinator = nil
            self.backOff(\.backoff, now: now)
        case .stop where error == .unknownServerError:
            // It says nothing of the transaction.
            self.backOff(\.backoff, now: now)
        case .stop where error == .invalidTxnState: self.judgeState(of: resumption)
        case .abort, .startOver, .fenced: self.resumed(.transactionAborted)
        case .stop: self.becomeFatal(.refused(error, message: self.advice(on: error)))
        }
    }

    /// The transaction has ended otherwise, or the cluster has gone to another version since: then the
    /// question has to be put as it was at the time.
    private mutating func judgeState(of resumption: Resumption) {
        let asked = resumption.version ?? self.support.version
        guard asked == .two else { return self.resumed(.transactionAborted) }
        self.state = .resuming(Resumption(identity: resumption.identity, version: .one))
    }

    private mutating func resumed(_ error: KafkaProducerError?) {
        self.resetBackoff()
        self.state = .uninitialized
        self.answerCalls(error)
        self.unclaimed = nil
    }
}
