import Testing

@testable import Shipping

struct LaneStateMachineTests {
    private let start = ContinuousClock.now

    @Test func `files with bytes take turns in the order in which they asked`() {
        var lane = LaneStateMachine()
        lane.added(1)
        lane.added(2)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .more)
        #expect(lane.nextAction(now: start) == .turn(2))
        lane.turnEnded(2, .caughtUp)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .caughtUp)
        #expect(lane.nextAction(now: start) == nil)
        #expect(lane.nextDeadline == nil)
    }

    @Test func `a change that comes during a turn is not lost`() {
        var lane = LaneStateMachine()
        lane.added(1)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.changed(1)
        lane.turnEnded(1, .caughtUp)
        #expect(lane.nextAction(now: start) == .turn(1))
    }

    @Test func `a change of a file that is already queued gives it one turn only`() {
        var lane = LaneStateMachine()
        lane.added(1)
        lane.changed(1)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .caughtUp)
        #expect(lane.nextAction(now: start) == nil)
    }

    @Test func `a file without memory goes on when a batch is acknowledged`() {
        var lane = LaneStateMachine()
        lane.added(1)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .needsMemory)
        lane.changed(1)
        lane.metadataChanged()
        #expect(lane.nextAction(now: start) == nil)
        lane.memoryReturned()
        #expect(lane.nextAction(now: start) == .turn(1))
    }

    @Test func `files that met a topic first are first when its partitions are known`() {
        var lane = LaneStateMachine()
        for file in 1...3 { lane.added(file) }
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .needsMetadata)
        #expect(lane.nextAction(now: start) == .turn(2))
        lane.turnEnded(2, .needsMetadata)
        lane.metadataChanged()
        for file in 1...3 {
            #expect(lane.nextAction(now: start) == .turn(file))
            lane.turnEnded(file, .caughtUp)
        }
    }

    @Test func `memory goes to the file that has waited longest`() {
        var lane = LaneStateMachine()
        lane.added(1)
        lane.added(2)
        for file in 1...2 {
            #expect(lane.nextAction(now: start) == .turn(file))
            lane.turnEnded(file, .needsMemory)
        }
        for file in [1, 2, 1, 2] {
            lane.memoryReturned()
            #expect(lane.nextAction(now: start) == .turn(file))
            lane.turnEnded(file, .more)
            let other = 3 - file
            #expect(lane.nextAction(now: start) == .turn(other))
            lane.turnEnded(other, .needsMemory)
            #expect(lane.nextAction(now: start) == .turn(file))
            lane.turnEnded(file, .needsMemory)
        }
    }

    @Test func `a file that waits for a moment is woken then and not before`() {
        var lane = LaneStateMachine()
        lane.added(1)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .wait(until: start + .seconds(5)))
        #expect(lane.nextDeadline == start + .seconds(5))
        #expect(lane.nextAction(now: start + .seconds(4)) == nil)
        #expect(lane.nextAction(now: start + .seconds(5)) == .turn(1))
    }

    @Test func `checkpoints are written once an interval and again after a failure`() {
        var lane = LaneStateMachine()
        lane.checkpointMoved(now: start)
        lane.checkpointMoved(now: start + .milliseconds(100))
        let due = start + LaneStateMachine.checkpointInterval
        #expect(lane.nextDeadline == due)
        #expect(lane.nextAction(now: due) == .saveCheckpoints)
        lane.checkpointsFailed(now: due)
        #expect(lane.nextAction(now: due) == nil)
        #expect(lane.nextAction(now: due + .seconds(1)) == .saveCheckpoints)
        lane.checkpointsSaved()
        #expect(lane.nextDeadline == nil)
    }

    @Test func `while it is paused, files that are exempt take turns, and the others after it`() {
        var lane = LaneStateMachine()
        for file in [1, 2, 3] { lane.added(file) }
        lane.pause(besides: [2])
        #expect(lane.nextAction(now: start) == .turn(2))
        lane.turnEnded(2, .more)
        lane.pause()
        #expect(lane.nextAction(now: start) == nil)
        lane.resume()
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .caughtUp)
        #expect(lane.nextAction(now: start) == .turn(3))
        lane.turnEnded(3, .caughtUp)
        #expect(lane.nextAction(now: start) == .turn(2))
    }

    @Test func `a file that took no more turns can be looked at again`() {
        var lane = LaneStateMachine()
        lane.added(1)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .ended)
        lane.revive(1)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .caughtUp)
        lane.revive(1)
        lane.revive(1)
        #expect(lane.nextAction(now: start) == .turn(1))
        lane.turnEnded(1, .caughtUp)
        #expect(lane.nextAction(now: start) == nil)
    }

    @Test func `a paused lane gives no turns but still writes checkpoints`() {
        var lane = LaneStateMachine()
        lane.added(1)
        lane.checkpointMoved(now: start)
        lane.pause()
        #expect(lane.nextAction(now: start) == nil)
        #expect(lane.nextAction(now: start + .seconds(1)) == .saveCheckpoints)
    }
}
