internal import KafkaProtocol

/// A call of the application that waits for its result.
package typealias TransactionCallID = UInt64

/// What an application asks of its transactions.
package enum TransactionOperation: Sendable, Hashable {
    case initialize, begin, commit, abort
    /// Ask once more for the commit that an earlier process, or a producer that was stopped, had asked
    /// for under this identity, without fencing it.
    ///
    /// Ends well if the transaction is committed, and with ``KafkaProducerError/transactionAborted`` if
    /// it never will be.
    case resume(ProducerIdentity)
    /// Take the transactional id over anew, whatever came before.
    case restart
}

/// The transactions of one transactional id, one after the other.
///
/// Told of calls, batches and answers, it says what to ask the coordinator next, whether a batch may
/// be sent, and how each call ended. At most one request of a transaction is on its way at a time.
///
/// What a commit came to is known only from its answer: until that is there the same question is
/// asked again, which Kafka answers the same each time. Where it cannot be known any more the call
/// ends with ``KafkaProducerError/transactionOutcomeUnknown(_:)``, never as a success.
package struct TransactionStateMachine {
    enum State: Equatable {
        case uninitialized
        case initializing(Purpose)
        /// It is found out what became of a commit that somebody else began.
        case resuming(Resumption)
        case ready
        case open
        case ending(Ending)
        /// A batch or a partition failed: nothing but an abort is possible.
        case abortable(KafkaProducerError)
        case fatal(KafkaProducerError)
    }

    /// What a producer id, or a higher epoch of it, is asked for.
    enum Purpose: Equatable {
        /// `initTransactions()`, which fences who had the transactional id before.
        case first
        /// An abort that left numbers out, which no later batch could pass.
        case recovery
        /// The first transaction after the cluster went to `transaction.version` 2.
        case upgrade
    }

    struct Resumption: Equatable {
        let identity: ProducerIdentity
        /// How the transaction was begun; nil until the cluster's version is refused.
        var version: TransactionVersion?
    }

    struct Ending: Equatable {
        let isCommit: Bool
        /// An earlier request to end may have been obeyed.
        var isUncertain = false
    }

    /// Whether the coordinator knows of the open transaction.
    enum Start: Equatable {
        case no, maybe, yes
    }

    let transactionalID: String
    var state = State.uninitialized
    /// The producer id under which batches go out, from `initTransactions()` on.
    var identity: ProducerIdentity?
    var version = TransactionVersion.one
    var coordinator: BrokerID?
    var support = TransactionSupport(version: .one, raisesEpochs: false)
    /// The request that is not answered.
    var outstanding: TransactionRequest?
    /// When to ask again.
    var notBefore: ContinuousClock.Instant?
    var backoff: Backoff
    /// For what stands in the way only until the coordinator has ended the last transaction.
    var shortBackoff: Backoff
    private var generator: SeededGenerator
    /// The calls that wait for what is under way, and what that is.
    private var waiting: [TransactionCallID] = []
    private var operation = TransactionOperation.initialize
    /// What ended well after its callers had given up waiting: they may ask once more.
    var unclaimed: TransactionOperation?
    private var results: [(call: TransactionCallID, error: KafkaProducerError?)] = []

    // The open transaction.
    var start = Start.no
    var added: Set<TopicPartition> = []
    /// To be added before a batch may go there, in the order of the batches.
    var missing: [TopicPartition] = []
    var needsRaisedEpoch = false
    /// The coordinator has forgotten the producer id: it knows of no transaction to end.
    var isForgotten = false
    /// Calls that put offsets into it, the oldest first.
    var orders: [OffsetsOrder] = []
    /// The coordinator of the group whose offsets were last put into a transaction.
    var groupCoordinator: (group: String, broker: BrokerID)?

    init(transactionalID: String, backoff: Backoff, seed: UInt64) {
        self.transactionalID = transactionalID
        self.backoff = backoff
        let short = min(backoff.base, Self.shortestBackoff)
        self.shortBackoff = Backoff(base: short, limit: backoff.limit)
        self.generator = SeededGenerator(seed: seed)
    }

    /// Markers are written within milliseconds as a rule; Kafka's own client waits as long as this.
    private static let shortestBackoff = Duration.milliseconds(20)
}

// MARK: Calls

extension TransactionStateMachine {
    /// Tells what the application wants; the result comes from ``nextResult()``.
    mutating func call(_ operation: TransactionOperation, _ call: TransactionCallID) {
        switch operation {
        case .resume(let identity): return self.resume(identity, call)
        case .restart: return self.restart(call)
        case .initialize, .begin, .commit, .abort: break
        }
        if case .fatal(let error) = self.state { return self.results.append((call, error)) }
        if self.unclaimed == operation, self.state == .ready {
            self.unclaimed = nil
            return self.results.append((call, nil))
        }
        switch operation {
        case .initialize: self.initialize(call)
        case .begin: self.begin(call)
        case .commit: self.commit(call)
        case .abort: self.abort(call)
        case .resume, .restart: preconditionFailure("\(operation) was not taken before")
        }
    }

    /// Tells that nobody waits for the call any more; what it began goes on.
    mutating func abandon(_ call: TransactionCallID) {
        self.waiting.removeAll { $0 == call }
    }

    /// How a call ended: with nil if well.
    mutating func nextResult() -> (call: TransactionCallID, error: KafkaProducerError?)? {
        self.results.isEmpty ? nil : self.results.removeFirst()
    }

    private mutating func initialize(_ call: TransactionCallID) {
        switch self.state {
        case .uninitialized:
            self.state = .initializing(.first)
            self.wait(call, for: .initialize)
        case .initializing(.first): self.waiting.append(call)
        default: self.refuse(call, "initTransactions() was called before")
        }
    }

    private mutating func begin(_ call: TransactionCallID) {
        switch self.state {
        case .uninitialized: return self.refuse(call, "call initTransactions() first")
        case .ready: break
        case .initializing(.upgrade): return self.waiting.append(call)
        case .initializing: return self.refuse(call, "initTransactions() has not ended")
        default: return self.refuse(call, "the last transaction has not ended")
        }
        guard self.unclaimed != .commit else {
            return self.refuse(call, "call commitTransaction() again for its result")
        }
        self.unclaimed = nil
        let isUpgrade = self.support.version > self.version
        self.version = self.support.version
        if isUpgrade, self.support.raisesEpochs {
            // What is late of transactions before must not get into those that add partitions unasked.
            self.state = .initializing(.upgrade)
            self.wait(call, for: .begin)
        } else {
            self.identity?.transactions = self.version
            self.state = .open
            self.results.append((call, nil))
        }
    }

    private mutating func commit(_ call: TransactionCallID) {
        switch self.state {
        case .open:
            self.state = .ending(Ending(isCommit: true))
            self.wait(call, for: .commit)
        case .ending(let ending) where ending.isCommit: self.waiting.append(call)
        case .ending, .initializing(.recovery):
            self.refuse(call, "the transaction is being aborted")
        case .abortable(let error): self.results.append((call, error))
        default: self.refuse(call, "no transaction is open")
        }
    }

    private mutating func abort(_ call: TransactionCallID) {
        switch self.state {
        case .open, .abortable:
            self.beginAbort()
            self.wait(call, for: .abort)
        case .ending(let ending) where ending.isCommit:
            let way = "call commitTransaction() again for its result"
            self.refuse(call, "a commit is under way and cannot be taken back: \(way)")
        case .ending, .initializing(.recovery): self.waiting.append(call)
        case .ready where self.unclaimed == .commit:
            self.refuse(call, "the transaction is committed")
        default: self.refuse(call, "no transaction is open")
        }
    }

    private mutating func beginAbort() {
        self.state = .ending(Ending(isCommit: false))
        self.missing = []
        self.failOrders(.transactionAborted)
    }

    mutating func wait(_ call: TransactionCallID, for operation: TransactionOperation) {
        self.operation = operation
        self.waiting = [call]
    }

    mutating func answer(_ call: TransactionCallID, _ error: KafkaProducerError?) {
        self.results.append((call, error))
    }

    private mutating func refuse(_ call: TransactionCallID, _ reason: String) {
        self.results.append((call, .invalidTransactionState(reason)))
    }

    mutating func answerCalls(_ error: KafkaProducerError?) {
        if error == nil, self.waiting.isEmpty { self.unclaimed = self.operation }
        for call in self.waiting { self.results.append((call, error)) }
        self.waiting = []
    }

    /// Tells that the producer is to end: what is open is aborted, what is under way goes on.
    mutating func close() {
        switch self.state {
        case .open, .abortable:
            self.beginAbort()
            self.operation = .abort
        case .initializing where self.operation != .abort:
            self.state = .uninitialized
            self.answerCalls(.closed)
        case .resuming:
            self.state = .uninitialized
            self.answerCalls(.closed)
        default: break
        }
    }

    /// Tells that the producer ends at once.
    mutating func stop(_ error: KafkaProducerError) {
        if case .fatal = self.state { return }
        var error = error
        if case .ending(let ending) = self.state, ending.isCommit,
            ending.isUncertain || self.isEndOutstanding
        {
            error = .transactionOutcomeUnknown("\(error)")
        }
        self.state = .fatal(error)
        self.failOrders(error)
        self.answerCalls(error)
    }

    private var isEndOutstanding: Bool {
        if case .end? = self.outstanding { true } else { false }
    }

    /// How long to wait before asking again.
    mutating func backOff(
        _ path: WritableKeyPath<Self, Backoff>,
        now: ContinuousClock.Instant
    ) {
        var backoff = self[keyPath: path]
        self.notBefore = now + backoff.next(using: &self.generator)
        self[keyPath: path] = backoff
    }

    mutating func resetBackoff() {
        self.backoff.reset()
        self.shortBackoff.reset()
    }

    /// Whether something is under way that the producer's end waits for.
    var isEnding: Bool {
        switch self.state {
        case .ending, .initializing(.recovery): true
        default: false
        }
    }

    /// What the producer cannot go on after, if there was such a thing.
    var fatalError: KafkaProducerError? {
        if case .fatal(let error) = self.state { error } else { nil }
    }
}
