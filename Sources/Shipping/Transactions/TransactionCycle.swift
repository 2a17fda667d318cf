internal import Checkpointing
internal import Kafka

/// One transaction of Kafka after the other: when each ends, and what is done in which order.
///
/// A transaction ends at a cut: the lanes rest, all that they sent is acknowledged, and their
/// checkpoints stand behind exactly that. Then the checkpoints are kept as pending, the commit is
/// asked for, and its answer makes them the files' checkpoints. Whoever dies in between finds the
/// pending ones, and asks for the same commit again before anything else.
///
/// ```swift
/// cycle.rested(round: 3, hasSent: true, now: now)
/// while let action = cycle.nextAction(now: now) { perform(action) }
/// ```
struct TransactionCycle: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Action: Equatable, Sendable {
        /// Ask for the commit that was asked for before, without taking the producer id over.
        case resume(PendingCheckpoints)
        /// Take the transactional id over; what was left open under it is aborted.
        case initialize
        case begin
        /// Let every lane come to a cut, and tell ``rested(round:hasSent:now:)``.
        case rest(round: Int)
        /// Let every lane go back to the last commit, and tell the same.
        case rewind(round: Int)
        /// Let every lane read on; whether what it had sent is committed now.
        case goOn(isCommitted: Bool)
        /// Write checkpoints for which nothing was sent.
        case save
        case keepPending(ProducerIdentity)
        case commit
        case commitPending
        case dropPending
        case abort
        /// Nothing can be sent any more.
        case stop(TransactionFailure)
    }

    private enum State: Equatable, Sendable {
        case resuming(PendingCheckpoints)
        case initializing, beginning
        case open
        case resting(left: Int), rewinding(left: Int)
        case saving, keeping, committing, settling, dropping, aborting
        case finished
        case stopped
    }

    let interval: Duration
    /// After this long Kafka aborts what is open, and fences who had it open.
    let timeout: Duration
    let lanes: Int

    private var state: State
    /// Under which the open transaction is.
    private var identity = ProducerIdentity(id: -1, epoch: -1)
    /// Whether what the state stands for is under way.
    private var isAsked = false
    private var notBefore: Instant?
    private var announcements: [Action] = []
    private var round = 0
    private var hasSent = false
    private var isCommitted = false
    /// Whether the producer id is this producer's own.
    private var isInitialized = false
    private var isFinishing = false
    private var isHurried = false
    /// Transactions in a row that were aborted without a reason that will not come again.
    private var failures = 0
    /// Since when there is something to commit.
    private(set) var changedSince: Instant?
    /// When the first record may have gone into the open transaction.
    private var begunAt: Instant?

    /// What is pending, for a producer that goes on under another identity.
    private var pending: PendingCheckpoints?

    /// Whether it is known what became of a commit that an earlier process began.
    private(set) var isResolved: Bool
    /// Whether lanes have been let go once.
    private(set) var hasBegun = false
    /// What had been sent last was aborted, and is not sent again in this run.
    private(set) var hasUncommitted = false

    /// - Parameter pending: what an earlier process has left.
    init(interval: Duration, timeout: Duration, lanes: Int, pending: PendingCheckpoints?) {
        self.interval = interval
        self.timeout = timeout
        self.lanes = lanes
        isResolved = pending == nil
        state = pending.map { .resuming($0) } ?? .initializing
    }

    /// Whether everything that was handed out is committed.
    var isIdle: Bool { isOpen && changedSince == nil }

    private var isOpen: Bool { state == .open }

    /// Whether it is being found out what became of a commit.
    var isResuming: Bool { if case .resuming = state { true } else { false } }

    /// Whether nothing is under way, and nothing will be begun.
    var isFinished: Bool { state == .finished || state == .stopped }
}

// MARK: - Told

extension TransactionCycle {
    /// Something is there to be committed, since a moment.
    mutating func changed(at instant: Instant) {
        if changedSince == nil { changedSince = instant }
        if begunAt == nil { begunAt = instant }
    }

    /// A lane has come to its cut, or gone back.
    ///
    /// - Parameter hasSent: whether the lane has sent a record since the last one.
    mutating func rested(round: Int, hasSent: Bool) {
        guard round == self.round else { return }
        switch state {
        case .resting(let left):
            self.hasSent = self.hasSent || hasSent
            guard left == 1 else { return state = .resting(left: left - 1) }
            changedSince = nil
            enter(self.hasSent ? .keeping : .saving)
        case .rewinding(let left):
            guard left == 1 else { return state = .rewinding(left: left - 1) }
            isCommitted = false
            enter(isInitialized ? .aborting : .initializing)
        default: preconditionFailure("a lane rested while the cycle was \(state)")
        }
    }

    /// A batch of the open transaction failed, or a line cannot be completed.
    ///
    /// - Parameter isKnown: whether the next transaction will do better, by what is known now.
    mutating func failed(isKnown: Bool) {
        switch state {
        case .open, .resting:
            failures = isKnown ? 0 : failures + 1
            beginRewind()
        default: break
        }
    }

    /// What was to be written is durable.
    mutating func stored() {
        switch state {
        case .saving: commitEnded(true)
        case .keeping: enter(.committing)
        case .settling: commitEnded(true)
        case .dropping: commitEnded(false)
        default: preconditionFailure("something was stored while the cycle was \(state)")
        }
    }

    /// The disk refused; it is tried again.
    mutating func storeFailed(now: Instant) {
        isAsked = false
        notBefore = now + .seconds(1)
    }

    /// Told under which identity, and what `keepPending` has written.
    mutating func kept(_ pending: PendingCheckpoints) {
        self.pending = pending
        stored()
    }

    /// The producer has answered the last question.
    mutating func answered(
        _ error: KafkaProducerError?,
        _ identity: ProducerIdentity?,
        now: Instant
    ) {
        if isFinished { return }
        guard let error else { return succeeded(identity, now: now) }
        switch (state, error) {
        case (.resuming, .transactionAborted): enter(.dropping)
        case (.committing, .transactionAbortable), (.committing, .transactionAborted):
            failures += 1
            enter(.dropping)
        case (.committing, _) where isOverdue(now): resumeCommit()
        case (.aborting, _) where isOverdue(now):
            isInitialized = false
            enter(.initializing)
        default: stop(error)
        }
    }

    /// The last commit is wanted now; nothing is begun after it.
    ///
    /// It leaves the lanes at rest, behind checkpoints that are written.
    mutating func finish() {
        isFinishing = true
        if !hasBegun { enter(.finished) }
    }

    /// Nothing is on its way, so that waiting for the end of the interval serves nobody.
    mutating func hurry() {
        if isOpen, changedSince != nil { isHurried = true }
    }
}

// MARK: - Asked

extension TransactionCycle {
    /// The next thing to do; to be asked until it is nil.
    mutating func nextAction(now: Instant) -> Action? {
        if !announcements.isEmpty { return announcements.removeFirst() }
        if state == .open { endIfDue(now) }
        guard !isAsked, notBefore.map({ $0 <= now }) ?? true else { return nil }
        isAsked = true
        notBefore = nil
        return action
    }

    /// The moment of the next action that no event announces.
    var nextDeadline: Instant? {
        if let notBefore { return notBefore }
        return state == .open ? changedSince.map { $0 + interval } : nil
    }

    private mutating func endIfDue(_ now: Instant) {
        let isDue = changedSince.map { $0 + interval <= now } ?? false
        guard isFinishing || isHurried || isDue else { return }
        isHurried = false
        round += 1
        enter(.resting(left: lanes))
    }

    private var action: Action? {
        switch state {
        case .resuming(let pending): .resume(pending)
        case .initializing: .initialize
        case .beginning: .begin
        case .resting: .rest(round: round)
        case .rewinding: .rewind(round: round)
        case .saving: .save
        case .keeping: .keepPending(identity)
        case .committing: .commit
        case .settling: .commitPending
        case .dropping: .dropPending
        case .aborting: .abort
        case .open, .finished, .stopped: nil
        }
    }
}

// MARK: - Helpers

extension TransactionCycle {
    private mutating func enter(_ state: State) {
        self.state = state
        isAsked = false
    }

    private mutating func succeeded(_ identity: ProducerIdentity?, now: Instant) {
        switch state {
        case .resuming: enter(.settling)
        case .initializing:
            isInitialized = true
            enter(isFinishing ? .finished : .beginning)
        case .beginning:
            guard let identity else { preconditionFailure("a transaction without a producer id") }
            self.identity = identity
            if isFinishing { enter(.finished) } else { begin() }
        case .committing: enter(.settling)
        case .aborting:
            next()
            notBefore = now + retryDelay
        default: preconditionFailure("the producer answered while the cycle was \(state)")
        }
    }

    private mutating func begin() {
        hasSent = false
        hasBegun = true
        hasUncommitted = false
        // What had changed before an abort is taken back.
        if !isCommitted { changedSince = nil }
        begunAt = changedSince
        announcements.append(.goOn(isCommitted: isCommitted))
        enter(.open)
    }

    /// It is known what became of what was pending, and that is written.
    private mutating func commitEnded(_ isCommitted: Bool) {
        pending = nil
        isResolved = true
        if isCommitted { failures = 0 }
        self.isCommitted = isCommitted
        if !isCommitted, hasBegun { return beginRewind() }
        next()
    }

    private mutating func next() {
        if isFinishing { return enter(.finished) }
        // With nothing sent the transaction that is open is as good as a new one.
        if isInitialized, isCommitted, !hasSent { return begin() }
        enter(isInitialized ? .beginning : .initializing)
    }

    /// What nobody understands may go away by itself.
    private var retryDelay: Duration {
        failures == 0 ? .zero : min(.milliseconds(100) * (1 << min(failures, 10)), .seconds(10))
    }

    private mutating func beginRewind() {
        round += 1
        hasUncommitted = true
        enter(.rewinding(left: lanes))
    }

    /// Whether Kafka itself may have aborted the transaction, so that nobody else need have done it.
    private func isOverdue(_ now: Instant) -> Bool {
        begunAt.map { now - $0 >= timeout } ?? false
    }

    private mutating func resumeCommit() {
        guard let pending else { preconditionFailure("a commit without checkpoints") }
        isInitialized = false
        enter(.resuming(pending))
    }

    private mutating func stop(_ error: KafkaProducerError) {
        announcements.append(.stop(TransactionFailure(error)))
        enter(.stopped)
    }
}

/// Why nothing can be sent any more.
struct TransactionFailure: Equatable, Sendable {
    let status: ExitStatus
    let message: String
    let isFenced: Bool

    init(_ error: KafkaProducerError) {
        switch error {
        case .producerFenced(let id, _):
            isFenced = true
            status = .noPermission
            message =
                "another process has taken over the transactional id \"\(id)\": it runs on a copy of this"
                + " state directory, or was given the same transactional.id; never run both"
        case .transactionOutcomeUnknown:
            isFenced = false
            status = .temporary
            message = "\(error); the next start asks again"
        case .closed:
            isFenced = false
            status = .temporary
            message = "\(error)"
        default:
            isFenced = false
            status = .noPermission
            message = "\(error)"
        }
    }
}
