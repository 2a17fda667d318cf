import Checkpointing
import Kafka
import PipelineLanguage

@testable import FileTailing
@testable import Shipping

/// A random history of writers, rotations and crashes, and what must arrive of it.
///
/// Every line has a number of its own. A line may be missing only if its bytes vanished from
/// where Forktail could read them before it had; it may come twice only if a kill came between its
/// delivery and its checkpoint.
final class History: @unchecked Sendable {
    // Safe: one thread at a time runs a history.

    struct Shape {
        var steps = 200
        /// Whether rotated files keep a name that the pattern matches.
        var keepsRotatedInGlob: Bool
        var hints = SimulatedDisk.HintFaults()
        var usesEvents = true
        var kills = true
        /// Whether what is sent is journaled, so that nothing comes twice.
        var isExact = false
        /// How records find their partitions.
        var sends = Sends.one
        /// How many partitions the topics have.
        var partitions: Int32 = 1
        /// Whether what is sent goes through the real producer and a bad network to brokers; else
        /// it gets there.
        var hasBrokers = false
        /// Whether files are on the machine's own disk, watched by its inotify.
        var usesRealDisk = false
        /// How much of its trace a failure shows.
        var traceLength = 60
    }

    /// What becomes of each line.
    enum Sends: String, CaseIterable {
        /// A record that names its partition.
        case one
        /// A record whose key says its partition.
        case keyed
        /// A record without a key.
        case sticky
        /// A record with a key, and one without to another topic.
        case both
    }

    /// What many histories came to.
    struct Sum: CustomStringConvertible {
        private var written = 0
        private var delivered = 0
        private var repeatedAfterKill = 0
        private var repeatedAsKept = 0
        private var destroyed: [Destruction: Int64] = [:]
        private var countedBytes: Int64 = 0
        private var kills = 0
        private var faults: [Fault: Int] = [:]
        private var caught: [SimulatedKafka.Caught: Int] = [:]
        private var networkFaults: [NetworkFault: Int] = [:]
        private var recovery: SimulatedProducer.RecoverySum?

        mutating func add(_ history: History) {
            let log = history.mainLog.compactMap { history.number(of: $0.value) }
            let distinct = Set(log)
            written += history.lines.count
            delivered += distinct.count
            destroyed.merge(history.destroyedBytes, uniquingKeysWith: +)
            countedBytes += history.abandonedBytes
            kills += history.kills
            faults.merge(history.faults, uniquingKeysWith: +)
            caught.merge(history.plainKafka?.caught ?? [:], uniquingKeysWith: +)
            if let producer = history.producer {
                networkFaults.merge(producer.faultCounts, uniquingKeysWith: +)
                recovery = (recovery ?? .init()) + producer.recovery
            }
            var seen: Set<Int> = []
            for line in log where !seen.insert(line).inserted {
                if history.lines[line].isKept {
                    repeatedAsKept += 1
                } else {
                    repeatedAfterKill += 1
                }
            }
        }

        var description: String {
            """
            \(written) lines written, \(delivered) delivered, 0 lost, 0 out of order
              \(repeatedAfterKill) repeated after \(kills) kills, \
            \(repeatedAsKept) that a truncation or a copy left in a file of their own
              bytes destroyed unread: \(causes); \(countedBytes) were counted as abandoned
              faults: \(Self.list(Fault.allCases, faults))
              \(kafka)
            """
        }

        private var kafka: String {
            if let recovery {
                return """
                    of the network: \(Self.list(NetworkFault.allCases, networkFaults))
                      \(recovery.partitions) partitions recovered: \(recovery.found) records found \
                    in the log, \(recovery.sent) sent again, \(recovery.absent) absent
                    """
            }
            return "batches that a crash caught: "
                + Self.list(SimulatedKafka.Caught.allCases, caught)
        }

        private static func list<Kind: RawRepresentable<String> & Hashable>(
            _ kinds: [Kind],
            _ counts: [Kind: Int]
        ) -> String {
            kinds.map { "\(counts[$0] ?? 0) \($0.rawValue)" }.joined(separator: ", ")
        }

        private var causes: String {
            Destruction.allCases.map { "\(destroyed[$0] ?? 0) \($0.rawValue)" }
                .joined(separator: ", ")
        }
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    enum Destruction: String, CaseIterable {
        case stopped = "while Forktail was stopped"
        case killed = "by a kill, from a file that had no name any more"
        case outOfReach = "in a file that no pattern leads to"
        case running = "while Forktail ran and had not read them yet"
    }

    /// What is done to Forktail and Kafka.
    enum Fault: String, CaseIterable {
        case kill = "kills between two steps of a thread"
        case stop = "stops"
        case giveUp = "stops that gave up waiting for Kafka"
        case unsettled = "batches answered before a kill and not passed by a checkpoint"
        case kafkaAway = "times Kafka was away"
        case leaderless = "times a partition had no leader"
        case diskFull = "times the database could not be written"
        case downtime = "days of downtime"
    }

    /// A line, and what may have become of it.
    private struct Line {
        var stream: Int
        /// Why its bytes were gone before they were read.
        var destruction: Destruction?
        /// Its bytes are gone; a kill before it is in the log loses it.
        var isFragile = false
        var mayRepeat = false
        /// It stands in a file of its own besides.
        var isKept = false
    }

    let seed: UInt64
    private let shape: Shape
    private let pipeline: LoadedPipeline
    private let disk: SimulatedDisk
    private let kafka: any SimulatedDownstream
    /// The same, where Kafka is as it is.
    private var producer: SimulatedProducer? { kafka as? SimulatedProducer }
    /// Or as simple as can be.
    private var plainKafka: SimulatedKafka? { kafka as? SimulatedKafka }
    private let store = SimulatedCheckpoints()
    private let journal = SimulatedJournal()
    private var process: SimulatedProcess?
    private var generator: SeededGenerator
    private let began: ContinuousClock.Instant
    private var now: ContinuousClock.Instant
    private var lines: [Line] = []
    private var writer: SimulatedDisk.Inode?
    private var oldWriter: SimulatedDisk.Inode?
    private var streams: [ObjectIdentifier: Int] = [:]
    private var streamCount = 0
    private var partial: [UInt8] = []
    private var others = 0
    private(set) var trace: [String] = []
    private(set) var kills = 0
    private(set) var faults: [Fault: Int] = [:]
    private var lives: UInt64 = 0
    private var hasCrashed = false
    private var failure: String?

    private let folder: String
    private let folderAside: String
    private static let rotatedCount = 3

    init(seed: UInt64, _ shape: Shape) throws {
        self.seed = seed
        self.shape = shape
        generator = SeededGenerator(seed: seed)
        began = .now
        now = began
        let mirror = shape.usesRealDisk ? MirrorFolder() : nil
        let root = mirror?.root ?? ""
        folder = root + "/logs"
        folderAside = root + "/old"
        disk = SimulatedDisk(
            directories: [folder, folderAside],
            seed: seed &+ 1,
            mirror: mirror
        )
        disk.faults = shape.hints
        let story = Story()
        kafka = try Self.kafka(shape, seed: seed, firstTime: disk.time / 1_000_000, now, story)
        pipeline = try Self.pipeline(
            glob: folder + (shape.keepsRotatedInGlob ? "/*" : "/*.log"),
            shape.sends
        )
        store.onSave = { [unowned self] row in checkCheckpoint(row) }
        story.onEvent = { [unowned self] in note($0) }
    }

    /// What is told before anybody listens is lost.
    private final class Story {
        var onEvent: (String) -> Void = { _ in }
    }

    private static func kafka(
        _ shape: Shape,
        seed: UInt64,
        firstTime: Int64,
        _ now: ContinuousClock.Instant,
        _ story: Story
    ) throws -> any SimulatedDownstream {
        guard shape.hasBrokers else {
            let kafka = SimulatedKafka()
            kafka.partitionCount = shape.partitions
            kafka.onEvent = { story.onEvent($0) }
            return kafka
        }
        return try SimulatedProducer(
            partitions: shape.partitions,
            seed: seed &+ 2,
            firstTime: firstTime,
            now: now,
            onEvent: { story.onEvent($0) }
        )
    }

    // MARK: Running

    func run() throws(Failure) {
        start()
        for _ in 0..<shape.steps {
            step()
            pass(.milliseconds(Int.random(in: 0...400, using: &generator)))
            if failure != nil || kafka.failure != nil { break }
        }
        finish()
        try check()
    }

    /// Faults off: everything that can arrive must.
    private func finish() {
        note("end")
        disk.faults = .init()
        producer?.endFaults()
        kafka.isPaused = false
        plainKafka?.leaderless = []
        setDiskFull(false)
        if process == nil { start() }
        completeLine()
        // A recovery waits for requests that may come late.
        pass(.seconds(shape.hasBrokers ? 400 : 90))
        stop()
    }

    private func note(_ text: String) {
        trace.append("\((now - began) / .milliseconds(1)) ms: \(text)")
    }

    private func start() {
        note("start")
        lives += 1
        do {
            process = try SimulatedProcess(pipeline, on: host(), limits())
        } catch {
            failure = failure ?? "it does not start: \(error)"
        }
    }

    private var isSeeing: Bool { shape.usesEvents && shape.hints.lost == 0 }

    // A file that was closed for want of descriptors is lost if its deletion is not seen at once.
    private var openFileLimit: Int {
        isSeeing ? [2, 100].randomElement(using: &generator) ?? 100 : 100
    }

    private func host() -> SimulatedProcess.Host {
        SimulatedProcess.Host(
            disk: disk,
            kafka: kafka,
            store: store,
            wallClock: { [disk] in disk.time / 1_000_000 },
            hasHints: shape.usesRealDisk ? nil : { [disk] in disk.hasHints },
            onLog: { [unowned self] in note($0) },
            journal: shape.isExact ? journal : nil,
            files: { [store] in Array(store.rows.values) }
        )
    }

    private func limits() -> SimulatedProcess.Limits {
        var limits = SimulatedProcess.Limits()
        limits.chunkLength = [80, 200, 4096].randomElement(using: &generator) ?? 80
        limits.openFileLimit = openFileLimit
        limits.usesEvents = shape.usesEvents
        limits.seed = seed &<< 32 &+ lives &<< 8
        limits.configuration.batchSize = 256
        limits.configuration.bufferMemory = 2048
        limits.configuration.maxRequestSize = 1024
        return limits
    }

    /// Lets time pass, and whoever has something to do do it.
    private func pass(_ time: Duration) {
        let end = now + time
        var budget = 200_000
        while budget > 0 {
            budget -= 1
            if let process, process.step(now: now, &generator) {
                move(to: now + .microseconds(20))
                if now >= end { return }
                continue
            }
            if process == nil, kafka.hasWork {
                kafka.step(&generator)
                continue
            }
            let deadline = process?.nextDeadline ?? kafka.nextDeadline
            let next = min(deadline ?? end, end)
            move(to: max(next, now))
            if now >= end { return }
        }
        failure = failure ?? "it never comes to rest: \(process?.restless(now: now) ?? "")"
    }

    private func move(to instant: ContinuousClock.Instant) {
        disk.time += Int64((instant - now) / .nanoseconds(1))
        now = instant
        kafka.move(to: now)
    }

    // MARK: Steps

    private func step() {
        disk.closeUnlinked(besides: [writer, oldWriter])
        let die = Int.random(in: 0..<100, using: &generator)
        switch die {
        case 0..<40: write()
        case 40..<47: writePartial()
        case 47..<57: rotate()
        case 57..<61: truncate(keeping: 0)
        case 61..<63: truncate(keeping: Int.random(in: 0..<200, using: &generator))
        case 63..<69: copyTruncate()
        case 69..<73: recreate()
        case 73..<75: link()
        case 75..<78: newFile()
        case 78..<81: save()
        case 81..<85: disturb()
        case 85..<92: restart()
        case 92..<96: kill()
        default: pass(.seconds(Int.random(in: 1...12, using: &generator)))
        }
    }

    private var active: String { folder + "/a.log" }

    private func rotated(_ number: Int) -> String { "\(folder)/a.log.\(number)" }

    /// The file that the writer has open, made when there is none.
    private func openWriter() -> SimulatedDisk.Inode {
        if let oldWriter { return oldWriter }
        if let writer, disk.names[active] === writer { return writer }
        let inode = disk.names[active] ?? disk.create(active)
        writer = inode
        return inode
    }

    private func write() {
        let inode = openWriter()
        let count = Int.random(in: 1...8, using: &generator)
        note("write \(count) from \(lines.count) to inode \(inode.number)")
        for _ in 0..<count { completeLine(in: inode) }
        // A writer goes over to the new file sooner or later.
        if oldWriter != nil, Bool.random(using: &generator) { oldWriter = nil }
    }

    private func completeLine(in inode: SimulatedDisk.Inode) {
        var bytes = Array(text(of: lines.count).utf8)
        if !partial.isEmpty {
            bytes = Array(bytes.dropFirst(partial.count))
            partial = []
        }
        var line = Line(stream: stream(of: inode))
        if !isReachable(inode) { line.destruction = .outOfReach }
        lines.append(line)
        disk.append(bytes, to: inode)
    }

    private func writePartial() {
        // Half a line in a file that is over is a record, and rightly so.
        guard partial.isEmpty, oldWriter == nil else { return }
        let inode = openWriter()
        let bytes = Array(text(of: lines.count).utf8)
        partial = Array(bytes.prefix(Int.random(in: 1..<bytes.count, using: &generator)))
        note("write \(partial.count) bytes of \(lines.count) to inode \(inode.number)")
        disk.append(partial, to: inode)
    }

    private func completeLine() {
        if !partial.isEmpty { completeLine(in: openWriter()) }
    }

    private func text(of number: Int) -> String {
        "\(number);" + String(repeating: "x", count: number * 7 % 40) + ";\n"
    }

    private func stream(of inode: SimulatedDisk.Inode) -> Int {
        if let stream = streams[ObjectIdentifier(inode)] { return stream }
        streamCount += 1
        streams[ObjectIdentifier(inode)] = streamCount
        kept.append(inode)
        return streamCount
    }

    /// Keeps inodes alive, for streams go by their identity.
    private var kept: [SimulatedDisk.Inode] = []

    private func newStream(of inode: SimulatedDisk.Inode) {
        streams[ObjectIdentifier(inode)] = nil
    }

    private func rotate() {
        completeLine()
        guard let inode = disk.names[active] else { return }
        note("rotate inode \(inode.number)")
        shift()
        vanishing { disk.rename(active, to: rotated(1)) }
        oldWriter = Bool.random(using: &generator) ? writer : nil
        if Bool.random(using: &generator) { writer = disk.create(active) }
    }

    /// Makes room for a new `a.log.1`.
    private func shift() {
        vanishing { disk.unlink(rotated(Self.rotatedCount)) }
        for number in (1..<Self.rotatedCount).reversed() {
            disk.rename(rotated(number), to: rotated(number + 1))
        }
    }

    private func truncate(keeping size: Int) {
        guard let inode = disk.names[active], oldWriter == nil else { return }
        note("truncate inode \(inode.number) from \(inode.content.count) to \(size)")
        // What stays is cut at a line, so that what follows is one as well.
        let whole = inode.content.prefix(size).lastIndex(of: 10).map { $0 + 1 } ?? 0
        if whole == inode.content.count { return }
        if !partial.isEmpty { completeLine() }
        vanishing(repeating: inode) { disk.truncate(inode, to: whole) }
        newStream(of: inode)
    }

    private func copyTruncate() {
        completeLine()
        guard let inode = disk.names[active], oldWriter == nil, !inode.content.isEmpty else {
            return
        }
        shift()
        let isInGlob = Bool.random(using: &generator)
        let path = isInGlob ? rotated(1) : folderAside + "/a.log.1"
        note("copy inode \(inode.number) to \(path)")
        vanishing { disk.unlink(path) }
        let copy = disk.create(path)
        let pieces = Int.random(in: 1...3, using: &generator)
        for piece in 1...pieces {
            let end = inode.content.count * piece / pieces
            disk.append(Array(inode.content[copy.content.count..<end]), to: copy)
            if piece < pieces || Bool.random(using: &generator) {
                pass(.milliseconds(Int.random(in: 0...50, using: &generator)))
            }
        }
        if Int.random(in: 0..<4, using: &generator) == 0 { write() }
        // What the copy does not have may be read all the same.
        if shape.isExact, Bool.random(using: &generator) {
            pass(.milliseconds(Int.random(in: 0...50, using: &generator)))
        }
        note("truncate inode \(inode.number)")
        vanishing { disk.truncate(inode, to: 0) }
        newStream(of: inode)
    }

    private func recreate() {
        completeLine()
        guard let inode = disk.names[active] else { return }
        note("delete inode \(inode.number) and create")
        oldWriter = nil
        vanishing { disk.unlink(active) }
        if Bool.random(using: &generator) { pass(.milliseconds(1)) }
        writer = disk.create(active)
        write()
    }

    private func link() {
        guard let inode = disk.names[active] else { return }
        let path = folder + "/link.log"
        note("link \(path) to inode \(inode.number)")
        vanishing { disk.link(path, to: inode) }
    }

    private func newFile() {
        others += 1
        let inode = disk.create("\(folder)/other\(others).log")
        note("create other\(others).log as inode \(inode.number) from \(lines.count)")
        if !partial.isEmpty { return }
        for _ in 0..<Int.random(in: 1...5, using: &generator) { completeLine(in: inode) }
    }

    /// As an editor does: a new file with the old content and more takes the name.
    private func save() {
        completeLine()
        guard let inode = disk.names[active], oldWriter == nil, !inode.content.isEmpty else {
            return
        }
        let copy = disk.create(folder + "/.tmp")
        note("save inode \(inode.number) as \(copy.number)")
        disk.append(inode.content, to: copy)
        streams[ObjectIdentifier(copy)] = stream(of: inode)
        kept.append(copy)
        vanishing { disk.rename(folder + "/.tmp", to: active) }
        // Two files with equal lines are two files as long as both are there.
        // And of one that was truncated before, unseen, nobody can tell what became of it.
        let reading = process?.reading(of: inode.number)?.position
        let isKnown = reading.map { ($0.offset > 0 || isSeeing) && inode.content.holds($0) } ?? true
        // Nor of one that was rewritten while the rest of a line waited for Kafka.
        let sent = process?.headOfSentLine(of: inode.number)
        let isOther = sent.map { !$0.holds(for: inode.content) } ?? false
        if inode.links > 0 || !isKnown || isOther {
            for line in linesOf(inode) {
                lines[line].mayRepeat = true
                lines[line].isKept = true
            }
        }
        writer = copy
        write()
    }

    private func disturb() {
        guard shape.isExact else { return pause() }
        switch Int.random(in: 0..<6, using: &generator) {
        case 0...2: pause()
        case 3, 4: loseLeader()
        default: setDiskFull(store.failure == nil)
        }
    }

    /// A partition's leader goes, or another one's comes back.
    private func loseLeader() {
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

    private func setDiskFull(_ isFull: Bool) {
        guard isFull != (store.failure != nil) else { return }
        note(isFull ? "the database cannot be written" : "the database can be written")
        store.failure = isFull ? CheckpointError(.diskFull, "no space left on device") : nil
        journal.failure = store.failure
        if isFull { count(.diskFull) }
    }

    private func count(_ fault: Fault, _ times: Int = 1) { faults[fault, default: 0] += times }

    private func pause() {
        kafka.isPaused.toggle()
        if kafka.isPaused { count(.kafkaAway) }
        note(kafka.isPaused ? "pause Kafka" : "resume Kafka")
    }

    private func restart() {
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

    private func stop() {
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

    private func kill() {
        guard process != nil, shape.kills else { return }
        if shape.isExact { beBusy() }
        note("kill")
        kills += 1
        count(.kill)
        count(.unsettled, journal.current.batches.count - (plainKafka?.journaledCount ?? 0))
        noteCrash()
        endProcess()
        if Bool.random(using: &generator) { start() }
    }

    /// Lets something happen, so that a kill comes at any moment of it.
    private func beBusy() {
        if Bool.random(using: &generator) { write() }
        for _ in 0..<Int.random(in: 0...60, using: &generator) {
            guard let process else { return }
            let isBusy = process.step(now: now, &generator)
            let next = isBusy ? now + .microseconds(20) : process.nextDeadline ?? now
            move(to: max(now, min(next, now + .milliseconds(5))))
        }
    }

    private func endProcess() {
        kafka.cutOff(&generator)
        // What only a descriptor held is gone with it, unless it is in the log.
        let open = kept.filter { $0.links == 0 && $0.opened > 0 }
        let before = visibleLines().union(open.flatMap { linesOf($0) })
        process = nil
        let log = deliveredLines()
        for line in before.subtracting(visibleLines()) where !log.contains(line) {
            lines[line].destruction = lines[line].destruction ?? .killed
        }
    }

    // MARK: What may be missing

    /// Runs something that may destroy bytes, and excuses lines that cannot be read any more.
    private func vanishing(
        repeating inode: SimulatedDisk.Inode? = nil,
        _ destroy: () -> Void
    ) {
        let before = visibleLines()
        let read = readLines()
        // What stays at the head of a truncated file is read as a new file.
        let heldBefore = inode.map { linesOf($0) } ?? []
        destroy()
        let after = visibleLines()
        if let inode {
            for line in linesOf(inode) where heldBefore.contains(line) {
                lines[line].mayRepeat = true
                lines[line].isKept = true
            }
        }
        for line in before.subtracting(after) {
            if read.contains(line) {
                lines[line].isFragile = true
            } else {
                lines[line].destruction = process == nil ? .stopped : .running
            }
        }
    }

    /// Lines in files that Forktail can get at: by a pattern, by a descriptor, or by a checkpoint.
    private func visibleLines() -> Set<Int> {
        var result: Set<Int> = []
        for (path, inode) in disk.names where isReachable(path, inode) {
            result.formUnion(linesOf(inode))
        }
        for inode in kept where inode.links == 0 && inode.opened > 0 {
            let offset = process?.reading(of: inode.number)?.position.offset ?? 0
            result.formUnion(Set(linesOf(inode)).subtracting(linesOf(inode, upTo: Int(offset))))
        }
        return result
    }

    private func isReachable(_ inode: SimulatedDisk.Inode) -> Bool {
        inode.opened > 0
            || disk.names.contains { $0.value === inode && isReachable($0.key, inode) }
    }

    private func isReachable(_ path: String, _ inode: SimulatedDisk.Inode) -> Bool {
        if inode.opened > 0 { return true }
        guard path.folder == folder, !path.hasSuffix("/.tmp") else { return false }
        if shape.keepsRotatedInGlob || path.hasSuffix(".log") { return true }
        return store.rows.values.contains { row in
            row.inode == inode.number && row.birthTime == inode.birth && holdsGuard(row, inode)
                && HeadFingerprint(hash: row.headHash, length: row.headLength).holds(
                    for: inode.content
                )
        }
    }

    private func readLines() -> Set<Int> {
        var result = deliveredLines()
        for inode in kept + Array(disk.names.values) {
            guard let (start, position) = process?.reading(of: inode.number),
                inode.content.holds(position)
            else { continue }
            let read = Set(linesOf(inode, upTo: Int(position.offset)))
            result.formUnion(read.subtracting(linesOf(inode, upTo: Int(start))))
        }
        return result
    }

    /// What came to the topic that every line is sent to.
    private var mainLog: [SimulatedKafka.Entry] {
        kafka.entries.filter { $0.partition.topic == "t" }
    }

    private var topics: [String] { shape.sends == .both ? ["t", "u"] : ["t"] }

    /// Lines of which everything is in the log.
    private func deliveredLines() -> Set<Int> {
        let sets = topics.map { topic in
            Set(
                kafka.entries.lazy.filter { $0.partition.topic == topic }
                    .compactMap { self.number(of: $0.value) }
            )
        }
        return sets.dropFirst().reduce(sets[0]) { $0.intersection($1) }
    }

    private func linesOf(_ inode: SimulatedDisk.Inode, upTo end: Int = .max) -> [Int] {
        let content = inode.content.prefix(end)
        let whole = content.lastIndex(of: 10).map { content[...$0] } ?? []
        return whole.split(separator: 10).compactMap {
            number(of: String(decoding: $0, as: UTF8.self))
        }
    }

    private func number(of text: String) -> Int? {
        guard let end = text.firstIndex(of: ";") else { return nil }
        return Int(text[..<end])
    }

    private func noteCrash() {
        hasCrashed = true
        let log = deliveredLines()
        let covered = coveredLines()
        for line in lines.indices {
            if lines[line].isFragile, !log.contains(line) { lines[line].destruction = .killed }
            if !shape.isExact, !covered.contains(line) { lines[line].mayRepeat = true }
        }
    }

    /// Lines before the checkpoints as they are written.
    private func coveredLines() -> Set<Int> {
        var result: Set<Int> = []
        for row in store.rows.values {
            guard let inode = inode(of: row), holdsGuard(row, inode) else { continue }
            result.formUnion(linesOf(inode, upTo: Int(row.checkpoint.offset)))
        }
        return result
    }

    private func inode(of row: FileCheckpoint) -> SimulatedDisk.Inode? {
        (Array(disk.names.values) + kept).first {
            $0.number == row.inode && $0.birth == row.birthTime
        }
    }

    /// Of lines that never came.
    private var destroyedBytes: [Destruction: Int64] {
        let delivered = deliveredLines()
        return lines.indices.reduce(into: [:]) { sum, line in
            guard !delivered.contains(line), let cause = lines[line].destruction else { return }
            sum[cause, default: 0] += Int64(text(of: line).utf8.count)
        }
    }

    private var abandonedBytes: Int64 {
        store.counters.reduce(0) { sum, counter in
            counter.key.name.hasPrefix("abandoned_bytes") ? sum + counter.value : sum
        }
    }

    // MARK: What must hold

    /// A checkpoint never passes a line that is not in the log.
    private func checkCheckpoint(_ row: FileCheckpoint) {
        guard failure == nil, let inode = inode(of: row),
            holdsGuard(row, inode)
        else { return }
        let log = deliveredLines()
        let before = Set(linesOf(inode, upTo: Int(store.firstOffsets[row.id] ?? 0)))
        for line in linesOf(inode, upTo: Int(row.checkpoint.offset)) where !log.contains(line) {
            if lines[line].destruction != nil || before.contains(line) { continue }
            failure =
                "the checkpoint \(row.checkpoint.offset) of inode \(row.inode) passes line \(line)"
            return
        }
    }

    private func holdsGuard(_ row: FileCheckpoint, _ inode: SimulatedDisk.Inode) -> Bool {
        let checkpoint = row.checkpoint
        let position = TailPosition(offset: checkpoint.offset, guardBytes: checkpoint.guardBytes)
        return inode.content.holds(position)
    }

    private func check() throws(Failure) {
        if let failure = failure ?? kafka.failure { throw fail(failure) }
        for topic in topics { try check(kafka.entries.filter { $0.partition.topic == topic }) }
        let destroyed = destroyedBytes.values.reduce(0, +)
        // After a crash what was delivered is unread again, and may vanish so.
        if abandonedBytes > destroyed, !hasCrashed {
            throw fail("\(abandonedBytes) bytes abandoned, \(destroyed) destroyed")
        }
    }

    private struct Sequence: Hashable {
        let stream: Int
        let partition: SimulatedKafka.Partition
    }

    private func check(_ log: [SimulatedKafka.Entry]) throws(Failure) {
        var first: [Int: Int] = [:]
        for (place, entry) in log.enumerated() {
            let text = entry.value
            guard let line = number(of: text), line < lines.count,
                self.text(of: line) == text + "\n"
            else { throw fail("\"\(text)\" was never written") }
            if first[line] == nil {
                first[line] = place
            } else if !lines[line].mayRepeat {
                throw fail("line \(line) came twice")
            }
        }
        var last: [Sequence: (line: Int, place: Int)] = [:]
        for (number, line) in lines.enumerated() {
            guard let place = first[number] else {
                if line.destruction != nil { continue }
                throw fail("line \(number) never came")
            }
            // It stands in two files, and without a key the later one's may be there first.
            if line.isKept, isKeyless(log[place].partition.topic) { continue }
            let sequence = Sequence(stream: line.stream, partition: log[place].partition)
            if let before = last[sequence], before.place > place {
                throw fail("line \(number) came before line \(before.line)")
            }
            last[sequence] = (number, place)
        }
    }

    private func isKeyless(_ topic: String) -> Bool { shape.sends == .sticky || topic == "u" }

    private func fail(_ what: String) -> Failure {
        Failure(
            description: """
                seed \(seed): \(what)
                \(trace.suffix(shape.traceLength).joined(separator: "\n"))
                replay: SWIFT_DETERMINISTIC_HASHING=1 FORKTAIL_SEED=\(seed) swift test --filter RandomHistoriesTests
                """
        )
    }

    private static func pipeline(glob: String, _ sends: Sends) throws -> LoadedPipeline {
        let text = """
            from "\(glob)"
            parse text
            \(steps(sends))
            on error stop
            """
        let source = SourceText(path: "history.pipeline", text: text)
        let (plan, diagnostics) = PipelineCompiler.compile(source)
        guard let plan else { throw Failure(description: "\(diagnostics)") }
        return try LoadedPipeline(plan: plan)
    }
}

extension History {
    private static func steps(_ sends: Sends) -> String {
        let one = #"send { topic = "t" key = null partition = 0 value = @raw }"#
        let keyed = #"send { topic = "t" key = @raw value = @raw }"#
        let sticky = #"send { topic = "t" key = null value = @raw }"#
        let other = #"send { topic = "u" key = null value = @raw }"#
        return switch sends {
        case .one: one
        case .keyed: keyed
        case .sticky: sticky
        case .both: keyed + "\n" + other
        }
    }
}

extension [UInt8] {
    /// Whether the bytes before a place are the remembered ones.
    fileprivate func holds(_ position: TailPosition) -> Bool {
        let before = prefix(Int(position.offset))
        return before.count == Int(position.offset)
            && before.suffix(position.guardBytes.count).elementsEqual(position.guardBytes)
    }
}
