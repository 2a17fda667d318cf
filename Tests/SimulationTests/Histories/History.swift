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
        case powerCut = "power cuts that took back commits"
        case diskFull = "times the database could not be written"
        case downtime = "days of downtime"
    }

    /// A line, and what may have become of it.
    struct Line {
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
    let shape: Shape
    let pipeline: LoadedPipeline
    let disk: SimulatedDisk
    let kafka: any SimulatedDownstream
    /// The same, where Kafka is as it is.
    var producer: SimulatedProducer? { kafka as? SimulatedProducer }
    /// Or as simple as can be.
    var plainKafka: SimulatedKafka? { kafka as? SimulatedKafka }
    let store = SimulatedCheckpoints()
    let journal = SimulatedJournal()
    var process: SimulatedProcess?
    var generator: SeededGenerator
    let began: ContinuousClock.Instant
    var now: ContinuousClock.Instant
    var lines: [Line] = []
    var writer: SimulatedDisk.Inode?
    var oldWriter: SimulatedDisk.Inode?
    var streams: [ObjectIdentifier: Int] = [:]
    var streamCount = 0
    /// Keeps inodes alive, for streams go by their identity.
    var kept: [SimulatedDisk.Inode] = []
    var partial: [UInt8] = []
    var others = 0
    private(set) var trace: [String] = []
    var kills = 0
    var faults: [Fault: Int] = [:]
    var lives: UInt64 = 0
    var hasCrashed = false
    /// What of the database no power cut takes back.
    var durable: Durable?
    /// Whether the database may have lost its last commits.
    var isBehind = false
    /// Whether no byte is destroyed but by rotation.
    let isGentle: Bool
    var failure: String?

    let folder: String
    let folderAside: String
    var rotatedCount: Int { isGentle ? 50 : 3 }

    init(seed: UInt64, _ shape: Shape) throws {
        self.seed = seed
        self.shape = shape
        generator = SeededGenerator(seed: seed)
        isGentle = shape.isExact && Bool.random(using: &generator)
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
        store.onDurableCommit = { [unowned self] in noteDurable() }
        journal.onDurableCommit = store.onDurableCommit
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
    func finish() {
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

    func note(_ text: String) {
        trace.append("\((now - began) / .milliseconds(1)) ms: \(text)")
    }

    func start() {
        note("start")
        lives += 1
        do {
            process = try SimulatedProcess(pipeline, on: host(), limits())
        } catch {
            failure = failure ?? "it does not start: \(error)"
        }
    }

    var isSeeing: Bool { shape.usesEvents && shape.hints.lost == 0 }

    // A file that was closed for want of descriptors is lost if its deletion is not seen at once.
    var openFileLimit: Int {
        isSeeing ? [2, 100].randomElement(using: &generator) ?? 100 : 100
    }

    func host() -> SimulatedProcess.Host {
        SimulatedProcess.Host(
            disk: disk,
            kafka: kafka,
            store: store,
            wallClock: { [disk] in disk.time / 1_000_000 },
            hasHints: shape.usesRealDisk ? nil : { [disk] in disk.hasHints },
            onLog: { [unowned self] in note($0) },
            journal: shape.isExact ? journal : nil,
            isBehind: isBehind,
            onRecovered: { [unowned self] in noteRecovered() },
            files: { [store] in Array(store.rows.values) }
        )
    }

    func limits() -> SimulatedProcess.Limits {
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
    func pass(_ time: Duration) {
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

    func move(to instant: ContinuousClock.Instant) {
        disk.time += Int64((instant - now) / .nanoseconds(1))
        now = instant
        kafka.move(to: now)
    }
}
