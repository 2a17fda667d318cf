import FileTailing
import Testing

struct TailStateMachineTests {
    private let start = ContinuousClock.now

    @Test func `a file is opened, read to its end, and read again when it changes`() {
        var tail = tail()
        #expect(tail.nextAction(now: start) == .open)
        #expect(tail.nextAction(now: start) == nil)
        tail.opened(now: start)
        #expect(tail.nextAction(now: start) == .read(from: 0, length: 100, end: .open))
        #expect(tail.nextAction(now: start) == nil)
        tail.read(result(30, end: 30, size: 30), now: start)
        #expect(tail.nextAction(now: start) == nil)
        #expect(tail.isCaughtUp)
        #expect(tail.nextDeadline == nil)
        tail.changed(now: start)
        #expect(tail.nextAction(now: start) == .read(from: 30, length: 100, end: .open))
    }

    @Test func `a full chunk is followed by another turn`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(100, end: 90, size: 500), now: start)
        #expect(tail.nextAction(now: start) == .read(from: 90, length: 100, end: .open))
    }

    @Test func `the rest of an unfinished line is read again with what follows`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(30, end: 20, size: 30), now: start)
        #expect(tail.nextAction(now: start) == nil)
        tail.changed(now: start)
        #expect(tail.nextAction(now: start) == .read(from: 20, length: 100, end: .open))
        #expect(tail.position.guardBytes == [20])
    }

    @Test func `a read grows for an event that fills the chunk, up to the limit`() {
        var tail = opened()
        var lengths: [Int] = []
        for _ in 0..<4 {
            guard case .read(_, let length, _) = tail.nextAction(now: start) else { break }
            lengths.append(length)
            tail.read(result(length, end: 0, size: 9_999), now: start)
        }
        #expect(lengths == [100, 200, 400, 400])
        _ = tail.nextAction(now: start)
        tail.read(result(400, end: 300, size: 9_999), now: start)
        #expect(tail.nextAction(now: start) == .read(from: 300, length: 100, end: .open))
    }

    @Test func `what is abandoned of a rewritten file is not counted by its new bytes`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(30, end: 20, size: 50), now: start)
        _ = tail.close()
        tail.changed(now: start)
        #expect(tail.nextAction(now: start) == .open)
        tail.opened(now: start)
        _ = tail.nextAction(now: start)
        var result = result(0, end: 20, size: 900)
        result.guardHeld = false
        tail.read(result, now: start)
        #expect(tail.nextAction(now: start) == .rewritten(.overwritten))
        tail.lost()
        tail.settled(through: 20)
        #expect(tail.nextAction(now: start) == .finished(abandonedBytes: 30))
    }

    @Test func `a file that cannot be opened is tried again, ever more slowly`() {
        var tail = tail()
        _ = tail.nextAction(now: start)
        tail.openFailed(isGone: false, now: start)
        #expect(tail.nextAction(now: start) == nil)
        let first = tail.nextDeadline ?? start
        #expect(tail.nextAction(now: first) == .open)
        tail.openFailed(isGone: false, now: first)
        #expect((tail.nextDeadline ?? start) - first > first - start)
    }

    @Test func `a failed read opens the file anew`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.readFailed(now: start)
        #expect(tail.nextAction(now: start) == nil)
        #expect(tail.nextDeadline.flatMap { tail.nextAction(now: $0) } == .open)
    }

    @Test func `what a pause gave back is read again`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.paused(at: TailPosition(offset: 10, guardBytes: [1]), size: 100, now: start)
        #expect(tail.nextAction(now: start) == .read(from: 10, length: 100, end: .open))
    }

    @Test func `a drop that is still being written is read once it has settled`() {
        var configuration = configuration()
        configuration.settle = .seconds(5)
        var tail = TailStateMachine(position: .start, configuration: configuration)
        tail.changed(now: start)
        #expect(tail.nextAction(now: start + .seconds(4)) == nil)
        tail.changed(now: start + .seconds(4))
        #expect(tail.nextDeadline == start + .seconds(9))
        #expect(tail.nextAction(now: start + .seconds(9)) == .open)
    }
}

// MARK: - Shrinking

extension TailStateMachineTests {
    @Test func `a file shorter than what was read is over once its last record is settled`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(50, end: 40, size: 50), now: start)
        tail.changed(now: start)
        _ = tail.nextAction(now: start)
        tail.read(result(0, end: 40, size: 8), now: start)
        #expect(tail.nextAction(now: start) == .rewritten(.truncated))
        #expect(tail.nextAction(now: start) == nil)
        tail.lost()
        #expect(tail.nextAction(now: start) == nil)
        tail.settled(through: 40)
        #expect(tail.nextAction(now: start) == .finished(abandonedBytes: 10))
    }

    @Test func `other bytes before the place mean a rewritten file`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(50, end: 50, size: 50), now: start)
        tail.changed(now: start)
        _ = tail.nextAction(now: start)
        tail.read(result(10, end: 50, size: 90, guardHeld: false), now: start)
        #expect(tail.nextAction(now: start) == .rewritten(.overwritten))
        #expect(tail.nextAction(now: start) == nil)
    }

    @Test func `a rewritten file goes on where its bytes are now`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(50, end: 50, size: 50), now: start)
        tail.changed(now: start)
        _ = tail.nextAction(now: start)
        tail.read(result(0, end: 50, size: 0, guardHeld: false), now: start)
        _ = tail.nextAction(now: start)
        tail.continued(at: nil, size: 80, isOpen: false, now: start)
        #expect(tail.nextAction(now: start) == .open)
        tail.opened(now: start)
        #expect(tail.nextAction(now: start) == .read(from: 50, length: 100, end: .open))
    }

    @Test func `lines that wait for others of their event are taken for all of it after a while`() {
        var configuration = configuration()
        configuration.eventTimeout = .seconds(5)
        var tail = TailStateMachine(
            position: .start,
            configuration: configuration,
            isOpen: true
        )
        _ = tail.nextAction(now: start)
        tail.read(result(30, end: 20, size: 30), now: start)
        #expect(tail.nextAction(now: start) == nil)
        #expect(tail.nextDeadline == start + .seconds(5))
        let later = start + .seconds(5)
        #expect(tail.nextAction(now: later) == .read(from: 20, length: 100, end: .quiet))
        tail.read(result(10, end: 20, size: 30), now: later)
        #expect(tail.nextAction(now: later) == nil)
        #expect(tail.nextDeadline == nil)
    }
}

// MARK: - Rotating

extension TailStateMachineTests {
    @Test func `a rotated file is held until it is read, quiet and settled`() {
        var tail = opened()
        tail.moved(now: start)
        #expect(tail.nextAction(now: start) == .read(from: 0, length: 100, end: .open))
        tail.read(result(30, end: 20, size: 30), now: start)
        #expect(tail.nextAction(now: start) == nil)
        let second = start + .seconds(1)
        #expect(tail.nextDeadline == second)
        #expect(tail.nextAction(now: second) == .read(from: 20, length: 100, end: .open))
        tail.read(result(20, end: 30, size: 40), now: second)
        #expect(
            tail.nextAction(now: start + .seconds(5)) == .read(from: 30, length: 100, end: .open)
        )
        tail.read(result(10, end: 30, size: 40), now: start + .seconds(5))
        let over = second + .seconds(5)
        #expect(tail.nextAction(now: over) == .read(from: 30, length: 100, end: .final))
        tail.read(result(10, end: 40, size: 40), now: over)
        #expect(tail.nextAction(now: over) == nil)
        tail.settled(through: 39)
        #expect(tail.nextAction(now: over) == nil)
        tail.settled(through: 40)
        #expect(tail.nextAction(now: over) == .read(from: 40, length: 100, end: .final))
        tail.read(result(10, end: 50, size: 50), now: over)
        #expect(tail.nextAction(now: over) == nil)
        tail.settled(through: 50)
        #expect(tail.nextAction(now: over) == .read(from: 50, length: 100, end: .final))
        tail.read(result(0, end: 50, size: 50), now: over)
        #expect(tail.nextAction(now: over) == .finished(abandonedBytes: 0))
        #expect(tail.nextAction(now: over) == nil)
        #expect(tail.isFinished)
    }

    @Test func `a file that comes back is alive again`() {
        var tail = opened()
        tail.removed(now: start)
        tail.renamed(now: start)
        _ = tail.nextAction(now: start)
        tail.read(result(30, end: 20, size: 30), now: start)
        #expect(tail.nextDeadline == nil)
        #expect(tail.nextAction(now: start + .seconds(60)) == nil)
    }

    @Test func `a file that is gone before it could be opened is over, and its bytes are counted`()
    {
        var tail = TailStateMachine(position: .start, configuration: configuration(), size: 70)
        tail.removed(now: start)
        #expect(tail.nextAction(now: start) == .open)
        tail.openFailed(isGone: true, now: start)
        #expect(tail.nextAction(now: start) == .finished(abandonedBytes: 70))
    }

    @Test func `a long unfinished tail of a rotated file is read to its end`() {
        var tail = opened()
        tail.removed(now: start)
        var now = start
        var reads = 0
        while reads < 30, !tail.isFinished {
            switch tail.nextAction(now: now) {
            case .read(let from, let length, let end):
                reads += 1
                let count = min(length, 250 - Int(from))
                let isLast = end == .final && count < length
                tail.read(result(count, end: isLast ? 250 : Int(from), size: 250), now: now)
                if isLast { tail.settled(through: 250) }
            case nil: now = tail.nextDeadline ?? now
            default: break
            }
        }
        #expect(tail.isFinished)
        #expect(tail.position.offset == 250)
    }

    @Test func `in a one-shot run the end of the file is the end`() {
        var tail = opened()
        tail.finishAtEnd()
        #expect(tail.nextAction(now: start) == .read(from: 0, length: 100, end: .open))
        tail.read(result(30, end: 20, size: 30), now: start)
        #expect(tail.nextAction(now: start) == .read(from: 20, length: 100, end: .final))
        tail.read(result(10, end: 30, size: 30), now: start)
        tail.settled(through: 30)
        #expect(tail.nextAction(now: start) == .finished(abandonedBytes: 0))
    }

    @Test func `an inactive file is closed, and opened again at its place when it grows`() {
        var configuration = configuration()
        configuration.closeInactive = .seconds(60)
        var tail = TailStateMachine(position: .start, configuration: configuration)
        _ = tail.nextAction(now: start)
        tail.opened(now: start)
        _ = tail.nextAction(now: start)
        tail.read(result(20, end: 20, size: 20), now: start)
        #expect(tail.nextDeadline == start + .seconds(60))
        #expect(tail.nextAction(now: start + .seconds(60)) == .close)
        #expect(tail.nextAction(now: start + .seconds(61)) == nil)
        tail.changed(now: start + .seconds(70))
        #expect(tail.nextAction(now: start + .seconds(70)) == .open)
        tail.opened(now: start + .seconds(70))
        #expect(
            tail.nextAction(now: start + .seconds(70)) == .read(from: 20, length: 100, end: .open)
        )
    }

    @Test func `a file with an unfinished line is closed only when a descriptor is needed`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(30, end: 20, size: 30), now: start)
        #expect(tail.isClosable && !tail.isIdle)
    }
}

// MARK: - Helpers

extension TailStateMachineTests {
    // MARK: Going back

    @Test func `what was read behind a place is read again`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(30, end: 30, size: 30), now: start)
        tail.rewind(to: TailPosition(offset: 10, guardBytes: [9]), now: start)
        #expect(tail.nextAction(now: start) == .read(from: 10, length: 100, end: .open))
        #expect(tail.position.guardBytes == [9])
    }

    @Test func `a rotated file that was read to its end goes back as long as it is not settled`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(30, end: 30, size: 30), now: start)
        tail.removed(now: start)
        let over = start + .seconds(5)
        _ = tail.nextAction(now: over)
        tail.read(result(0, end: 30, size: 30), now: over)
        _ = tail.nextAction(now: over)
        tail.read(result(0, end: 30, size: 30), now: over)
        #expect(tail.nextAction(now: over) == nil)
        tail.rewind(to: .start, now: over)
        let action = tail.nextAction(now: over)
        guard case .read(from: 0, length: 100, _) = action else {
            Issue.record("\(String(describing: action))")
            return
        }
    }

    @Test func `of a file that was overwritten meanwhile, what goes back is lost, and counted`() {
        var tail = opened()
        _ = tail.nextAction(now: start)
        tail.read(result(30, end: 30, size: 40), now: start)
        tail.rewritten()
        tail.lost()
        tail.rewind(to: TailPosition(offset: 10, guardBytes: []), now: start)
        #expect(tail.nextAction(now: start) == nil)
        tail.settled(through: 10)
        #expect(tail.nextAction(now: start) == .finished(abandonedBytes: 30))
    }

    private func configuration() -> TailStateMachine.Configuration {
        var configuration = TailStateMachine.Configuration()
        configuration.chunkLength = 100
        configuration.longestRead = 400
        return configuration
    }

    private func tail() -> TailStateMachine {
        TailStateMachine(position: .start, configuration: configuration())
    }

    private func opened() -> TailStateMachine {
        TailStateMachine(position: .start, configuration: configuration(), isOpen: true)
    }

    private func result(
        _ bytesRead: Int,
        end: Int,
        size: Int64,
        guardHeld: Bool = true
    ) -> ReadResult {
        ReadResult(
            bytesRead: bytesRead,
            guardHeld: guardHeld,
            sizeNow: size,
            endOffsetOfLastWholeEvent: Int64(end),
            guardBytes: [UInt8(truncatingIfNeeded: end)]
        )
    }
}
