import Checkpointing
import FileTailing
import Glibc
import Kafka
import KafkaProtocol
import PipelineLanguage
import Synchronization

@testable import Shipping

/// The real watcher and lanes on real files; only Kafka and the time are simulated.
///
/// Nothing waits: time passes when ``pass(_:)`` says so.
///
///     let it = try Scenario()
///     it.write("a.log", "1\n")
///     try it.start()
///     #expect(it.values == ["1"])
final class Scenario {
    /// Where checkpoints are kept.
    enum Keeping { case memory, database }

    /// Nanoseconds since 1970 and lines of the log, for closures of other threads' types.
    private final class Notes: Sendable {
        let wallClock = Mutex(systemNanoseconds())
        let log = Mutex<[String]>([])
    }

    /// FORKTAIL_SEED tries another order of watcher, lanes and Kafka.
    private static let seed: UInt64 =
        getenv("FORKTAIL_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1

    let folder: Folder
    let kafka = SimulatedKafka()
    /// The real producer and brokers, in its place.
    private(set) var brokers: SimulatedProducer?
    /// Called after commits that no power cut may take back.
    var onDurableCommit: () -> Void = {}
    var disk: any Disk = LinuxDisk()
    var limits = SimulatedProcess.Limits()
    /// Called before each step of the database with its name; a returned code is its failure.
    var beforeDatabaseStep: CheckpointStore.StepHook?
    private(set) var process: SimulatedProcess?
    /// Whether what is sent is journaled in the database.
    var isExact = false
    private var pipeline: LoadedPipeline
    private let text: String
    private let keeping: Keeping
    /// Whether the database has lost what was committed last.
    private var isBehind = false
    private let memory = SimulatedCheckpoints()
    private var database: CheckpointStore?
    private let notes = Notes()
    private var generator = SeededGenerator(seed: Scenario.seed)
    private(set) var now = ContinuousClock.now

    /// - Parameter from: paths, relative to the folder.
    /// - Parameter settings: those of `from`, each on a line.
    init(
        _ from: String = "\"*.log\"",
        _ settings: String = "",
        parse: String = "parse text",
        value: String = "@raw",
        onError: String = "stop",
        keeping: Keeping = .memory
    ) throws {
        folder = Folder()
        self.keeping = keeping
        text = """
            from \(from) {
              \(settings)
            }
            \(parse)
            send {
              topic     = "t"
              key       = null
              partition = 0
              value     = \(value)
              headers {
                source-file   = @path
                source-offset = @offset
              }
            }
            on error \(onError)
            """
        pipeline = try Self.pipeline(path: folder.file("it.pipeline"), text: text)
        mkdir("state")
    }

    /// Edits the pipeline, for the next start.
    func edit(_ part: String, to other: String) throws {
        let edited = text.split(separator: part, omittingEmptySubsequences: false)
        pipeline = try Self.pipeline(
            path: folder.file("it.pipeline"),
            text: edited.joined(separator: other)
        )
    }

    private static func pipeline(path: String, text: String) throws -> LoadedPipeline {
        let source = SourceText(path: path, text: text)
        let (plan, diagnostics) = PipelineCompiler.compile(source)
        guard let plan else { throw Problem(description: "\(diagnostics)") }
        return try LoadedPipeline(plan: plan)
    }

    struct Problem: Error, CustomStringConvertible {
        let description: String
    }
}

// MARK: - Lives

extension Scenario {
    /// Small chunks and batches, and memory for a few of them.
    func limitMemory() {
        limits.chunkLength = 1024
        limits.configuration.batchSize = 2048
        limits.configuration.bufferMemory = 16 * 1024
    }

    var databasePath: String { folder.file("state/checkpoints.db") }

    /// Starts the process and lets it read what is there.
    func start() throws {
        try begin()
        pass()
    }

    /// Starts the process; it has done nothing yet.
    func begin() throws {
        precondition(process == nil, "it is running already")
        if keeping == .database {
            database = try CheckpointStore(path: databasePath, beforeStep: beforeDatabaseStep)
        }
        let host = SimulatedProcess.Host(
            disk: disk,
            kafka: brokers ?? kafka,
            store: database ?? memory,
            wallClock: { [notes] in notes.wallClock.withLock { $0 } / 1_000_000 },
            onLog: { [notes] line in notes.log.withLock { $0.append(line) } },
            journal: isExact ? database.map { watched($0) } : nil,
            isBehind: isBehind,
            files: { [database] in try database?.allFiles() ?? [] }
        )
        process = try SimulatedProcess(pipeline, on: host, limits)
        isBehind = false
    }

    /// Has the real producer send to real brokers, over a network with faults.
    func useBrokers(partitions: Int32, seed: UInt64) throws {
        brokers = try SimulatedProducer(
            partitions: partitions,
            seed: seed,
            firstTime: notes.wallClock.withLock { $0 } / 1_000_000,
            now: now,
            onEvent: { [notes] event in notes.log.withLock { $0.append(event) } }
        )
    }

    private func watched(_ database: CheckpointStore) -> any JournalKeeping {
        WatchedJournal(database) { [weak self] in self?.onDurableCommit() }
    }

    /// What the disk has of the database now.
    func databaseOnDisk() -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for suffix in ["", "-wal"] { files[suffix] = folder.bytes("state/checkpoints.db" + suffix) }
        return files
    }

    /// Ends the process as a power cut does that finds this on the disk.
    func cutPower(_ files: [String: [UInt8]]) {
        kill()
        for (suffix, bytes) in files {
            folder.put("state/checkpoints.db" + suffix, bytes, O_TRUNC)
        }
        unlink(folder.file("state/checkpoints.db-shm"))
        isBehind = true
    }

    /// The next start does not know either whether commits were lost.
    func loseAgain() { isBehind = true }

    /// Ends the process as SIGTERM does; false if it had to give up waiting for Kafka.
    @discardableResult
    func stop(timeout: Duration = .seconds(5)) -> Bool {
        process?.drain()
        let end = now + timeout
        while process?.isDone == false, now < end { pass(.milliseconds(100)) }
        let isDrained = process?.isDone == true
        if !isDrained { process?.abort() }
        process?.end(now: now)
        forgetProcess()
        return isDrained
    }

    /// Ends the process as `kill -9` does.
    func kill() {
        forgetProcess()
    }

    func restart() throws {
        stop()
        try start()
    }

    private func forgetProcess() {
        process = nil
        database = nil
        kafka.cutOff(&generator)
        brokers?.cutOff(&generator)
    }

    /// Lets time pass, and whoever has something to do do it.
    func pass(_ time: Duration = .seconds(1)) {
        let end = now + time
        var budget = 1_000_000
        while let process, budget > 0 {
            budget -= 1
            if process.step(now: now, &generator) {
                move(to: now + .microseconds(1))
                continue
            }
            if now >= end { return }
            move(to: max(min(process.nextDeadline ?? end, end), now))
        }
        precondition(process == nil, "it never comes to rest: \(process?.restless(now: now) ?? "")")
        move(to: max(end, now))
    }

    /// Lets the process work until something holds, and no longer.
    func run(until condition: () -> Bool) {
        let end = now + .seconds(60)
        while let process, now < end, !condition() {
            let isBusy = process.step(now: now, &generator)
            let next = isBusy ? now + .microseconds(1) : process.nextDeadline ?? end
            move(to: max(min(next, end), now))
        }
    }

    /// Lets so many steps be done.
    func run(steps: Int) {
        var done = 0
        run {
            done += 1
            return done > steps
        }
    }

    private func move(to instant: ContinuousClock.Instant) {
        let time = Int64((instant - now) / .nanoseconds(1))
        notes.wallClock.withLock { $0 += time }
        now = instant
        brokers?.move(to: now)
    }

    /// Somebody sets the clock of the host.
    func setClock(by time: Duration) {
        notes.wallClock.withLock { $0 += Int64(time / .nanoseconds(1)) }
    }
}

// MARK: - What came of it

extension Scenario {
    struct Arrived: Equatable {
        let value: String
        let file: String
        let offset: Int64
    }

    /// All records in the log, in its order.
    var records: [Arrived] {
        kafka.records.map { record in
            Arrived(
                value: record.valueText,
                file: folder.shortened(record.header("source-file")),
                offset: Int64(record.header("source-offset")) ?? -1
            )
        }
    }

    var values: [String] { kafka.log }

    /// Without those that came before.
    var firstValues: [String] {
        var seen: Set<String> = []
        return values.filter { seen.insert($0).inserted }
    }

    func values(of file: String) -> [String] { records.filter { $0.file == file }.map(\.value) }

    /// What the current process has counted.
    var ledger: Ledger { process?.ledger ?? Ledger() }

    /// What was counted over all lives, as it is written.
    func counter(_ counter: FileCounter) throws -> Int64 {
        let all = try database?.counters() ?? memory.counters
        return all.filter { $0.key.name == counter.rawValue }.values.reduce(0, +)
    }

    /// The rows of all files, in the order in which they were registered.
    func checkpoints() throws -> [FileCheckpoint] {
        if keeping == .memory { return memory.rows.values.sorted { $0.id < $1.id } }
        if let database { return try database.allFiles().sorted { $0.id < $1.id } }
        let reader = try CheckpointStore.open(readOnly: databasePath)
        return try reader.allFiles().sorted { $0.id < $1.id }
    }

    /// The offset that is remembered for a path.
    func offset(of file: String) throws -> Int64? {
        try checkpoints().last { folder.shortened($0.path) == file }?.checkpoint.offset
    }

    /// Whether a line of the log says something.
    func said(_ text: String) -> Bool {
        notes.log.withLock { $0.contains { $0.contains(text) } }
    }
}

extension Record {
    var valueText: String { String(decoding: value ?? [], as: UTF8.self) }

    func header(_ name: String) -> String {
        String(decoding: headers.first { $0.name == name }?.value ?? [], as: UTF8.self)
    }
}

/// The journal of a database, which tells of what must not be lost.
private final class WatchedJournal: JournalKeeping, @unchecked Sendable {
    // Safe: one thread at a time runs a scenario.
    private let database: CheckpointStore
    private let onDurableCommit: () -> Void

    init(_ database: CheckpointStore, onDurableCommit: @escaping () -> Void) {
        self.database = database
        self.onDurableCommit = onDurableCommit
    }

    func journal() throws(CheckpointError) -> Journal { try database.journal() }

    func write(_ changes: JournalChanges) throws(CheckpointError) {
        try database.write(changes)
        if changes.isDurable { onDurableCommit() }
    }
}
