internal import Checkpointing
internal import Kafka
internal import Logging

/// What the thread of the transactions is told.
enum TransactionMessage: Sendable {
    /// There is something to be committed, since a moment.
    case changed(at: ContinuousClock.Instant)
    case rested(round: Int, hasSent: Bool)
    case failed(because: String, isKnown: Bool)
    case answered(KafkaProducerError?, ProducerIdentity?)
    /// Nothing is on its way: a commit need not wait.
    case hurry
    /// The last commit is wanted now.
    case finish
}

/// The work of the transactions' thread: it performs what ``TransactionCycle`` decides.
///
/// It reads no clock, so a simulation can run it too.
struct TransactionWorker: Sendable {
    struct Surroundings: Sendable {
        let transactionalID: String
        let checkpoints: GatheredCheckpoints
        /// Has the producer asked; the result comes as a message.
        let ask: @Sendable (TransactionOperation) -> Void
        /// Tells every lane.
        let tell: @Sendable (LaneMessage) -> Void
        /// Called before what is gathered is taken: what changes later is for the next transaction.
        let beginCut: @Sendable () -> Void
        let logger: Logger
    }

    private(set) var cycle: TransactionCycle
    private let surroundings: Surroundings
    private(set) var failure: TransactionFailure?
    /// Whether the last try to write failed.
    private(set) var isStoreFailing = false

    init(_ surroundings: Surroundings, _ cycle: TransactionCycle) {
        self.surroundings = surroundings
        self.cycle = cycle
    }

    mutating func step(_ messages: [TransactionMessage], now: ContinuousClock.Instant) {
        for message in messages { receive(message, now: now) }
        while let action = cycle.nextAction(now: now) { perform(action, now: now) }
    }

    private mutating func receive(_ message: TransactionMessage, now: ContinuousClock.Instant) {
        switch message {
        case .changed(let instant): cycle.changed(at: instant)
        case .rested(let round, let hasSent): cycle.rested(round: round, hasSent: hasSent)
        case .failed(let reason, let isKnown):
            noteAbort(because: reason)
            cycle.failed(isKnown: isKnown)
        case .answered(let error, let identity): receive(error, identity, now: now)
        case .hurry: cycle.hurry()
        case .finish: cycle.finish()
        }
    }

    private mutating func receive(
        _ error: KafkaProducerError?,
        _ identity: ProducerIdentity?,
        now: ContinuousClock.Instant
    ) {
        let isResuming = cycle.isResuming
        if !isResuming, let error { noteAbort(because: "\(error)") }
        cycle.answered(error, identity, now: now)
        guard isResuming, error == nil || error == .transactionAborted else { return }
        surroundings.logger.notice(
            "a commit was under way; it is known now what became of it",
            metadata: [
                "event": "transaction.resumed",
                "transactional_id": "\(surroundings.transactionalID)",
                "outcome": error == nil ? "committed" : "aborted",
            ]
        )
    }

    private mutating func perform(
        _ action: TransactionCycle.Action,
        now: ContinuousClock.Instant
    ) {
        switch action {
        case .resume(let pending):
            let identity = ProducerIdentity(id: pending.producerID, epoch: pending.epoch)
            surroundings.ask(.resume(identity))
        case .initialize: surroundings.ask(.restart)
        case .begin: surroundings.ask(.begin)
        case .commit: surroundings.ask(.commit)
        case .abort: surroundings.ask(.abort)
        case .rest(let round): surroundings.tell(.rest(round: round))
        case .rewind(let round): surroundings.tell(.rewind(round: round))
        case .goOn(let isCommitted):
            if !isCommitted { forgetChanges(now: now) }
            surroundings.tell(.goOn(isCommitted: isCommitted))
        case .save, .keepPending, .commitPending, .dropPending: store(action, now: now)
        case .stop(let failure): stop(failure)
        }
    }

    /// Only what was saved on the way back, or beside the lanes, is left to be written.
    private mutating func forgetChanges(now: ContinuousClock.Instant) {
        surroundings.beginCut()
        if !surroundings.checkpoints.isEmpty { cycle.changed(at: now) }
    }

    private mutating func store(
        _ action: TransactionCycle.Action,
        now: ContinuousClock.Instant
    ) {
        let checkpoints = surroundings.checkpoints
        let id = surroundings.transactionalID
        do throws(CheckpointError) {
            switch action {
            case .save:
                surroundings.beginCut()
                try checkpoints.write()
            case .commitPending: try checkpoints.commitPending(id)
            case .dropPending: try checkpoints.dropPending(id)
            case .keepPending(let identity):
                surroundings.beginCut()
                let kept = try checkpoints.keepPending(
                    id,
                    producerID: identity.id,
                    epoch: identity.epoch
                )
                cycle.kept(kept)
                return noteStored()
            default: preconditionFailure("\(action) writes nothing")
            }
            cycle.stored()
            noteStored()
        } catch {
            noteStoreFailure(error)
            cycle.storeFailed(now: now)
        }
    }

    private mutating func noteStored() {
        if isStoreFailing {
            surroundings.logger.notice(
                "checkpoints can be written again",
                metadata: ["event": "checkpoint.resumed"]
            )
        }
        isStoreFailing = false
    }

    private mutating func noteStoreFailure(_ error: CheckpointError) {
        isStoreFailing = true
        surroundings.logger.error(
            "checkpoints cannot be written",
            metadata: ["event": "checkpoint.failed", "cause": "\(error)"]
        )
    }

    private func noteAbort(because reason: String) {
        surroundings.logger.warning(
            "a transaction is aborted; what it had is read again",
            metadata: [
                "event": "transaction.aborted",
                "transactional_id": "\(surroundings.transactionalID)",
                "cause": "\(reason)",
            ]
        )
    }

    private mutating func stop(_ failure: TransactionFailure) {
        self.failure = failure
        surroundings.logger.error(
            "nothing can be sent any more",
            metadata: [
                "event": failure.isFenced ? "transaction.fenced" : "transaction.stopped",
                "transactional_id": "\(surroundings.transactionalID)",
                "cause": "\(failure.message)",
            ]
        )
    }
}
