import Checkpointing

@testable import Shipping

/// What becomes of Forktail, its disk and Kafka.
extension History {
    func disturb() {
        guard shape.isExact else { return pause() }
        switch Int.random(in: 0..<6, using: &generator) {
        case 0...2: pause()
        case 3, 4: loseLeader()
        default: setDiskFull(store.failure == nil)
        }
    }

    /// A partition's leader goes, or another one's comes back.
    func loseLeader() {
        // Brokers lose theirs on their own account.
        guard let kafka = plainKafka else { return pause() }
        guard kafka.leaderless.isEmpty else {
            note("leaders are back")
            return kafka.leaderless = []
        }
        kafka.leaderless = [Int32.random(in: 0..<shape.partitions, using: &generator)]
        count(.leaderless)
        note("partition \(kafka.leaderless) has no leader")
    }

    func setDiskFull(_ isFull: Bool) {
        guard isFull != (store.failure != nil) else { return }
        note(isFull ? "the database cannot be written" : "the database can be written")
        store.failure = isFull ? CheckpointError(.diskFull, "no space left on device") : nil
        journal.failure = store.failure
        if isFull { count(.diskFull) }
    }

    func count(_ fault: Fault, _ times: Int = 1) { faults[fault, default: 0] += times }

    func pause() {
        kafka.isPaused.toggle()
        if kafka.isPaused { count(.kafkaAway) }
        note(kafka.isPaused ? "pause Kafka" : "resume Kafka")
    }

    func restart() {
        if process == nil { return start() }
        stop()
        if shape.isExact, Int.random(in: 0..<8, using: &generator) == 0 {
            note("a day passes")
            count(.downtime)
            // No request is on its way for so long.
            pass(.seconds(60))
            move(to: now + .seconds(24 * 3600))
        }
        if Bool.random(using: &generator) { start() }
    }

    func stop() {
        guard process != nil else { return }
        note("stop")
        count(.stop)
        process?.drain()
        for _ in 0..<50 where process?.isDone == false { pass(.milliseconds(100)) }
        if process?.isDone == false {
            // It would wait for Kafka for ever: --drain-timeout has passed.
            count(.giveUp)
            noteCrash()
            process?.abort()
        } else if store.failure != nil {
            noteCrash()
        }
        process?.end(now: now)
        endProcess()
    }

    func kill() {
        guard process != nil, shape.kills else { return }
        let isPowerCut = cutsPower && Int.random(in: 0..<3, using: &generator) == 0
        if isPowerCut { noteDurable() }
        if shape.isExact { beBusy() }
        note(isPowerCut ? "power cut" : "kill")
        kills += 1
        count(.kill)
        count(.unsettled, journal.current.batches.count - (plainKafka?.journaledCount ?? 0))
        noteCrash()
        endProcess()
        if isPowerCut { loseCommits() }
        if Bool.random(using: &generator) { start() }
    }

    /// Whether it is known where every line goes that was sent and is written down nowhere.
    ///
    /// Without a key nobody knows. What is there of a destroyed line only the database does.
    var cutsPower: Bool { isGentle && shape.hasBrokers && [.one, .keyed].contains(shape.sends) }

    struct Durable {
        let checkpoints: SimulatedCheckpoints.Content
        let journal: Journal
    }

    func noteDurable() {
        durable = Durable(checkpoints: store.content, journal: journal.current)
    }

    /// As what is written then is, that is durable.
    func noteRecovered() {
        guard isBehind else { return }
        isBehind = false
        noteDurable()
    }

    func loseCommits() {
        guard let durable else { return }
        store.content = durable.checkpoints
        journal.current = durable.journal
        isBehind = true
        count(.powerCut)
    }

    /// Lets something happen, so that a kill comes at any moment of it.
    func beBusy() {
        if kafka.isPaused, Bool.random(using: &generator) { pause() }
        if isGentle || Bool.random(using: &generator) { write() }
        for _ in 0..<Int.random(in: 0...60, using: &generator) {
            guard let process else { return }
            let isBusy = process.step(now: now, &generator)
            let next = isBusy ? now + .microseconds(20) : process.nextDeadline ?? now
            move(to: max(now, min(next, now + .milliseconds(5))))
        }
    }

    func endProcess() {
        kafka.cutOff(&generator)
        // What only a descriptor held is gone with it, unless it is in the log.
        let open = kept.filter { $0.links == 0 && $0.opened > 0 }
        let before = visibleLines().union(open.flatMap { linesOf($0) })
        process = nil
        disk.closeDescriptors()
        let log = deliveredLines()
        for line in before.subtracting(visibleLines()) where !log.contains(line) {
            lines[line].destruction = lines[line].destruction ?? .killed
        }
    }
}
