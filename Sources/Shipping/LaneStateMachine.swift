/// Whose turn it is, and why somebody waits.
///
/// A lane serves many files on one thread. Every file that has bytes gets one chunk at a time, in
/// the order in which it asked, so a live small file never waits behind a large backlog. A file
/// that cannot go on says what it waits for: memory, a topic's metadata, or a moment in time.
///
/// ```swift
/// machine.changed(7)
/// while let action = machine.nextAction(now: now) { perform(action) }
/// sleep(until: machine.nextDeadline)
/// ```
package struct LaneStateMachine {
    package enum Action: Equatable {
        /// Let this file take one turn, and report it by `turnEnded`.
        case turn(Int)
        /// Write the checkpoints that have moved, and report it by `checkpointsSaved`.
        case saveCheckpoints
    }

    /// How a turn left its file.
    package enum TurnOutcome: Equatable {
        /// There may be more bytes at once.
        case more
        /// All that is there has been read; an event will tell of more.
        case caughtUp
        /// The buffer memory is spent until a batch is acknowledged.
        case needsMemory
        /// A topic's partitions are not known yet.
        case needsMetadata
        /// Nothing to do before this moment.
        case wait(until: ContinuousClock.Instant)
        /// The file takes no more turns.
        case ended
    }

    private enum Standing { case idle, ready, turning, turningAgain, needsMemory, needsMetadata }

    /// Checkpoints that have moved are written this often.
    package static let checkpointInterval = Duration.milliseconds(250)

    private var standing: [Int: Standing] = [:]
    private var ready: [Int] = []
    private var firstReady = 0
    /// Files that wait for memory or metadata, in the order in which they came to.
    private var waiting: [Int] = []
    private var timers: [Int: ContinuousClock.Instant] = [:]
    private var nextTimer: ContinuousClock.Instant?
    private var checkpointsDue: ContinuousClock.Instant?
    private var isPaused = false
    /// Those that go on while the others are paused.
    private var exempt: Set<Int> = []

    package init() {}

    // MARK: Facts

    package mutating func added(_ file: Int) {
        precondition(standing[file] == nil, "file \(file) was added twice")
        standing[file] = .idle
        makeReady(file)
    }

    /// The file takes no more turns, and is forgotten.
    package mutating func removed(_ file: Int) {
        standing[file] = nil
        timers[file] = nil
        waiting.removeAll { $0 == file }
    }

    package mutating func changed(_ file: Int) {
        switch standing[file] {
        case .idle: makeReady(file)
        case .turning: standing[file] = .turningAgain
        case .ready, .turningAgain, .needsMemory, .needsMetadata, nil: break
        }
    }

    package mutating func turnEnded(_ file: Int, _ outcome: TurnOutcome) {
        guard let before = standing[file] else {
            preconditionFailure("file \(file) ended a turn that it did not have")
        }
        timers[file] = nil
        switch outcome {
        case .more: makeReady(file)
        case .caughtUp: becomeIdle(file, before)
        case .needsMemory: wait(file, .needsMemory)
        case .needsMetadata: wait(file, .needsMetadata)
        case .wait(let instant):
            becomeIdle(file, before)
            timers[file] = instant
            nextTimer = nextTimer.map { min($0, instant) } ?? instant
        case .ended: standing[file] = nil
        }
    }

    package mutating func memoryReturned() {
        for file in release(.needsMemory) { makeReady(file) }
    }

    /// Whether a file waits for buffer memory.
    package var waitsForMemory: Bool { waiting.contains { standing[$0] == .needsMemory } }

    /// Who waited goes first, so that a backlog keeps its order when a topic is first met.
    package mutating func metadataChanged() {
        let files = release(.needsMetadata)
        for file in files { standing[file] = .ready }
        ready.insert(contentsOf: files, at: firstReady)
    }

    package mutating func checkpointMoved(now: ContinuousClock.Instant) {
        if checkpointsDue == nil { checkpointsDue = now + Self.checkpointInterval }
    }

    package mutating func checkpointsSaved() { checkpointsDue = nil }

    /// The disk refused; the checkpoints stay where they were and are tried again.
    package mutating func checkpointsFailed(now: ContinuousClock.Instant) {
        checkpointsDue = now + .seconds(1)
    }

    /// No further turns: the service stops, or a transaction ends.
    package mutating func pause(besides files: Set<Int> = []) {
        isPaused = true
        exempt = files
    }

    package mutating func resume() {
        isPaused = false
        exempt = []
    }

    /// The file has to be looked at, also if it took no more turns.
    package mutating func revive(_ file: Int) {
        switch standing[file] {
        case nil: added(file)
        case .idle: makeReady(file)
        case .turning: standing[file] = .turningAgain
        case .ready, .turningAgain, .needsMemory, .needsMetadata: break
        }
    }

    // MARK: Decisions

    package mutating func nextAction(now: ContinuousClock.Instant) -> Action? {
        if let due = checkpointsDue, due <= now { return .saveCheckpoints }
        if isPaused, exempt.isEmpty { return nil }
        wakeTimers(now)
        guard let file = isPaused ? popExempt() : popReady() else { return nil }
        standing[file] = .turning
        return .turn(file)
    }

    /// The moment of the next action that no event announces.
    package var nextDeadline: ContinuousClock.Instant? {
        let timer = isPaused ? nil : nextTimer
        guard let due = checkpointsDue else { return timer }
        return timer.map { min($0, due) } ?? due
    }

    // MARK: Helpers

    private mutating func makeReady(_ file: Int) {
        standing[file] = .ready
        ready.append(file)
    }

    private mutating func becomeIdle(_ file: Int, _ before: Standing) {
        // An event that came during the turn may tell of bytes that the turn did not see.
        if before == .turningAgain { makeReady(file) } else { standing[file] = .idle }
    }

    private mutating func popReady() -> Int? {
        while firstReady < ready.count {
            let file = ready[firstReady]
            firstReady += 1
            if firstReady == ready.count {
                ready.removeAll(keepingCapacity: true)
                firstReady = 0
            } else if firstReady >= 1024 {
                ready.removeFirst(firstReady)
                firstReady = 0
            }
            if standing[file] == .ready { return file }
        }
        return nil
    }

    private mutating func popExempt() -> Int? {
        let index = ready[firstReady...].firstIndex {
            exempt.contains($0) && standing[$0] == .ready
        }
        return index.map { ready.remove(at: $0) }
    }

    private mutating func wait(_ file: Int, _ reason: Standing) {
        standing[file] = reason
        waiting.append(file)
    }

    // In the order in which they came to wait: none takes all that comes before the others.
    private mutating func release(_ reason: Standing) -> [Int] {
        let released = waiting.filter { standing[$0] == reason }
        if !released.isEmpty { waiting.removeAll { standing[$0] == reason } }
        return released
    }

    private mutating func wakeTimers(_ now: ContinuousClock.Instant) {
        guard let next = nextTimer, next <= now else { return }
        for (file, instant) in timers where instant <= now {
            timers[file] = nil
            if standing[file] == .idle { makeReady(file) }
        }
        nextTimer = timers.values.min()
    }
}
