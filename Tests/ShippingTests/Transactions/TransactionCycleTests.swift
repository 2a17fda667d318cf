import Checkpointing
import Kafka
import Testing

@testable import Shipping

/// When transactions end, and what is done in which order.
struct TransactionCycleTests {
    private var cycle = TransactionCycle(
        interval: .milliseconds(500),
        timeout: .seconds(60),
        lanes: 2,
        pending: nil
    )
    private var now = ContinuousClock.now
    private let identity = ProducerIdentity(id: 7, epoch: 1)
    private let kept = PendingCheckpoints(
        transactionalID: "t",
        producerID: 7,
        epoch: 1,
        files: []
    )
    private let fenced = KafkaProducerError.producerFenced(transactionalID: "t", "EndTxn")

    // MARK: How it goes

    @Test mutating func `a start takes the id over, and lets the lanes go`() {
        expect(.initialize)
        cycle.answered(nil, identity, now: now)
        expect(.begin)
        #expect(!cycle.hasBegun)
        cycle.answered(nil, identity, now: now)
        expect(.goOn(isCommitted: false), nil)
        #expect(cycle.hasBegun && cycle.isIdle)
        #expect(cycle.nextDeadline == nil)
    }

    @Test mutating func `an interval after the first change the lanes come to a cut`() {
        begin()
        cycle.changed(at: now)
        expect(nil)
        #expect(cycle.nextDeadline == now + .milliseconds(500))
        now += .milliseconds(500)
        expect(.rest(round: 1), nil)
    }

    @Test mutating func `checkpoints are pending before the commit is asked for`() {
        begin()
        rest()
        expect(.keepPending(identity), nil)
        cycle.kept(kept)
        expect(.commit, nil)
        cycle.answered(nil, identity, now: now)
        expect(.commitPending, nil)
        cycle.stored()
        expect(.begin)
        cycle.answered(nil, ProducerIdentity(id: 7, epoch: 2), now: now)
        expect(.goOn(isCommitted: true), nil)
        rest(round: 2)
        expect(.keepPending(ProducerIdentity(id: 7, epoch: 2)))
    }

    @Test mutating func `what one lane has sent is reason enough`() {
        begin()
        change()
        expect(.rest(round: 1))
        cycle.rested(round: 1, hasSent: true)
        expect(nil)
        cycle.rested(round: 1, hasSent: false)
        expect(.keepPending(identity))
    }

    @Test mutating func `without a record there is nothing to commit in Kafka`() {
        begin()
        rest(hasSent: false)
        expect(.save, nil)
        cycle.stored()
        expect(.goOn(isCommitted: true), nil)
        #expect(cycle.isIdle)
    }

    @Test mutating func `what changes during a commit is for the next one`() {
        begin()
        rest()
        expect(.keepPending(identity))
        cycle.changed(at: now)
        cycle.kept(kept)
        finishCommit()
        expect(.goOn(isCommitted: true), nil)
        #expect(!cycle.isIdle)
        now += .milliseconds(500)
        expect(.rest(round: 2))
    }

    @Test mutating func `a full disk is tried again each second`() {
        begin()
        rest()
        expect(.keepPending(identity))
        cycle.storeFailed(now: now)
        expect(nil)
        #expect(cycle.nextDeadline == now + .seconds(1))
        now += .seconds(1)
        expect(.keepPending(identity))
        cycle.kept(kept)
        expect(.commit)
        cycle.answered(nil, identity, now: now)
        expect(.commitPending)
        cycle.storeFailed(now: now)
        now += .seconds(1)
        expect(.commitPending)
    }

    // MARK: After a crash

    @Test mutating func `a commit that was asked for is asked for again first`() {
        cycle = resuming()
        expect(.resume(kept), nil)
        cycle.answered(nil, nil, now: now)
        expect(.commitPending, nil)
        #expect(!cycle.isResolved)
        cycle.stored()
        #expect(cycle.isResolved)
        expect(.initialize, nil)
    }

    @Test mutating func `one that was aborted leaves the checkpoints from before`() {
        cycle = resuming()
        expect(.resume(kept))
        cycle.answered(.transactionAborted, nil, now: now)
        expect(.dropPending, nil)
        cycle.stored()
        expect(.initialize, nil)
        cycle.answered(nil, identity, now: now)
        expect(.begin)
        cycle.answered(nil, identity, now: now)
        expect(.goOn(isCommitted: false), nil)
    }

    @Test mutating func `without the right to know nothing is forgotten`() {
        cycle = resuming()
        expect(.resume(kept))
        let error = KafkaProducerError.refused(code: 53, name: "DENIED", message: nil)
        cycle.answered(error, nil, now: now)
        expect(.stop(TransactionFailure(error)), nil)
        #expect(cycle.isFinished)
    }

    // MARK: Aborts

    @Test mutating func `a batch that failed sends the lanes back to the last commit`() {
        begin()
        change()
        cycle.failed(isKnown: true)
        expect(.rewind(round: 1), nil)
        cycle.failed(isKnown: true)
        cycle.rested(round: 1, hasSent: false)
        expect(nil)
        cycle.rested(round: 1, hasSent: false)
        expect(.abort, nil)
        cycle.answered(nil, identity, now: now)
        expect(.begin)
        cycle.answered(nil, identity, now: now)
        expect(.goOn(isCommitted: false), nil)
    }

    @Test mutating func `one that failed on the way to a cut does so too`() {
        begin()
        change()
        expect(.rest(round: 1))
        cycle.rested(round: 1, hasSent: true)
        cycle.failed(isKnown: true)
        expect(.rewind(round: 2))
        cycle.rested(round: 1, hasSent: true)
        cycle.rested(round: 2, hasSent: false)
        cycle.rested(round: 2, hasSent: false)
        expect(.abort)
    }

    @Test mutating func `a commit that is refused is dropped before the lanes go back`() {
        begin()
        rest()
        expect(.keepPending(identity))
        cycle.kept(kept)
        expect(.commit)
        cycle.answered(.transactionAbortable("a batch"), identity, now: now)
        expect(.dropPending, nil)
        cycle.stored()
        expect(.rewind(round: 2), nil)
        goBack(round: 2)
        expect(.abort)
    }

    @Test mutating func `what nobody understands is tried ever more seldom, until a commit`() {
        begin()
        for (round, milliseconds) in [(1, 200), (2, 400), (3, 800)] {
            change()
            cycle.failed(isKnown: false)
            expect(.rewind(round: round))
            goBack(round: round)
            expect(.abort)
            cycle.answered(nil, identity, now: now)
            expect(nil)
            #expect(cycle.nextDeadline == now + .milliseconds(milliseconds))
            now += .milliseconds(milliseconds)
            expect(.begin)
            cycle.answered(nil, identity, now: now)
            expect(.goOn(isCommitted: false), nil)
        }
        rest(round: 4)
        expect(.keepPending(identity))
        cycle.kept(kept)
        finishCommit()
        expect(.goOn(isCommitted: true))
        change()
        cycle.failed(isKnown: false)
        expect(.rewind(round: 5))
        goBack(round: 5)
        expect(.abort)
        cycle.answered(nil, identity, now: now)
        #expect(cycle.nextDeadline == now + .milliseconds(200))
    }

    // MARK: Fencing

    @Test mutating func `who is fenced within the timeout stops`() {
        begin()
        rest()
        expect(.keepPending(identity))
        cycle.kept(kept)
        expect(.commit)
        now += .seconds(59)
        cycle.answered(fenced, identity, now: now)
        expect(.stop(TransactionFailure(fenced)), nil)
        #expect(TransactionFailure(fenced).status == .noPermission)
    }

    @Test mutating func `who is fenced after it was so by nobody but Kafka, and goes on`() {
        begin()
        change()
        cycle.failed(isKnown: false)
        expect(.rewind(round: 1))
        goBack(round: 1)
        expect(.abort)
        now += .seconds(60)
        cycle.answered(fenced, identity, now: now)
        expect(.initialize, nil)
        cycle.answered(nil, ProducerIdentity(id: 7, epoch: 5), now: now)
        expect(.begin)
        cycle.answered(nil, ProducerIdentity(id: 7, epoch: 5), now: now)
        expect(.goOn(isCommitted: false), nil)
    }

    @Test(arguments: [true, false])
    mutating func `a commit of which nobody knows after the timeout is asked for again`(
        isCommitted: Bool
    ) {
        begin()
        rest()
        expect(.keepPending(identity))
        cycle.kept(kept)
        expect(.commit)
        now += .seconds(60)
        cycle.answered(.transactionOutcomeUnknown("EndTxn"), identity, now: now)
        expect(.resume(kept), nil)
        cycle.answered(isCommitted ? nil : .transactionAborted, nil, now: now)
        expect(isCommitted ? .commitPending : .dropPending, nil)
        cycle.stored()
        if !isCommitted {
            expect(.rewind(round: 2), nil)
            goBack(round: 2)
        }
        expect(.initialize, nil)
        cycle.answered(nil, identity, now: now)
        expect(.begin)
        cycle.answered(nil, identity, now: now)
        expect(.goOn(isCommitted: isCommitted), nil)
    }

    // MARK: The end

    @Test mutating func `the last commit does not wait for its interval`() {
        begin()
        cycle.changed(at: now)
        cycle.finish()
        expect(.rest(round: 1))
        cycle.rested(round: 1, hasSent: true)
        cycle.rested(round: 1, hasSent: true)
        expect(.keepPending(identity))
        cycle.kept(kept)
        expect(.commit)
        cycle.answered(nil, identity, now: now)
        expect(.commitPending)
        #expect(!cycle.isFinished)
        cycle.stored()
        expect(nil)
        #expect(cycle.isFinished && !cycle.hasUncommitted)
    }

    @Test mutating func `with nothing to commit the lanes come to rest all the same`() {
        begin()
        cycle.finish()
        expect(.rest(round: 1), nil)
        cycle.rested(round: 1, hasSent: false)
        cycle.rested(round: 1, hasSent: false)
        expect(.save)
        cycle.stored()
        expect(nil)
        #expect(cycle.isFinished && !cycle.hasUncommitted)
    }

    @Test mutating func `when nothing is on its way a commit need not wait`() {
        begin()
        cycle.hurry()
        expect(nil)
        cycle.changed(at: now)
        cycle.hurry()
        expect(.rest(round: 1), nil)
        cycle.rested(round: 1, hasSent: true)
        cycle.rested(round: 1, hasSent: true)
        expect(.keepPending(identity))
        cycle.kept(kept)
        cycle.hurry()
        finishCommit()
        cycle.changed(at: now)
        expect(.goOn(isCommitted: true), nil)
    }

    @Test mutating func `a wish to end that comes between two transactions begins none`() {
        begin()
        rest()
        expect(.keepPending(identity))
        cycle.kept(kept)
        expect(.commit)
        cycle.answered(nil, identity, now: now)
        expect(.commitPending)
        cycle.stored()
        expect(.begin)
        cycle.finish()
        cycle.answered(nil, identity, now: now)
        expect(nil)
        #expect(cycle.isFinished && !cycle.hasUncommitted)
    }

    @Test mutating func `an end before Kafka has answered leaves nothing behind`() {
        expect(.initialize)
        cycle.finish()
        #expect(cycle.isFinished && !cycle.hasUncommitted)
        cycle.answered(nil, identity, now: now)
        expect(nil)
    }

    @Test mutating func `what is aborted at the end is not tried again`() {
        begin()
        change()
        cycle.finish()
        expect(.rest(round: 1))
        cycle.failed(isKnown: true)
        expect(.rewind(round: 2))
        goBack(round: 2)
        expect(.abort)
        cycle.answered(nil, identity, now: now)
        expect(nil)
        #expect(cycle.isFinished && cycle.hasUncommitted)
    }

    // MARK: Helpers

    private mutating func expect(
        _ actions: TransactionCycle.Action?...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for action in actions {
            let next = cycle.nextAction(now: now)
            #expect(next == action, sourceLocation: sourceLocation)
        }
    }

    private func resuming() -> TransactionCycle {
        TransactionCycle(
            interval: .milliseconds(500),
            timeout: .seconds(60),
            lanes: 2,
            pending: kept
        )
    }

    private mutating func begin() {
        expect(.initialize)
        cycle.answered(nil, identity, now: now)
        expect(.begin)
        cycle.answered(nil, identity, now: now)
        expect(.goOn(isCommitted: false), nil)
    }

    private mutating func change() {
        cycle.changed(at: now)
        now += .milliseconds(500)
    }

    private mutating func rest(round: Int = 1, hasSent: Bool = true) {
        change()
        expect(.rest(round: round))
        cycle.rested(round: round, hasSent: hasSent)
        cycle.rested(round: round, hasSent: hasSent)
    }

    private mutating func goBack(round: Int) {
        cycle.rested(round: round, hasSent: false)
        cycle.rested(round: round, hasSent: false)
    }

    private mutating func finishCommit() {
        expect(.commit)
        cycle.answered(nil, identity, now: now)
        expect(.commitPending)
        cycle.stored()
        expect(.begin)
        cycle.answered(nil, identity, now: now)
    }
}
