internal import Checkpointing
internal import FileTailing
internal import Logging
internal import Synchronization

/// The thread that watches directories and hands files to lanes.
final class WatcherThread: Sendable {
    private struct State {
        var isStopping = false
        var isRunning = false
        var hasScanned = false
    }

    private let fleet: Fleet
    private let startPosition: StartPosition?
    private let endsAtEndOfFile: Bool
    private let state = Mutex(State())
    private let wakeUp: WakePipe

    init(fleet: Fleet, start: StartPosition?, endsAtEndOfFile: Bool) throws {
        self.fleet = fleet
        startPosition = start
        self.endsAtEndOfFile = endsAtEndOfFile
        wakeUp = try WakePipe()
    }

    /// - Throws: `ServiceError` when the files cannot be watched at all.
    func start() throws {
        let worker = try WatcherWorker.Plan(fleet: fleet, start: startPosition)
        state.withLock { $0.isRunning = true }
        try startThread(name: "watcher") { [self] in run(worker) }
    }

    /// Whether every file that was there at the start has been handed to its lane.
    var hasScanned: Bool { state.withLock { $0.hasScanned } }

    /// Stops watching; returns when no further file can be handed out.
    func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.wake()
        let done = state.withLock { !$0.isRunning }
        if !done { waitUntilEnded() }
    }

    private func waitUntilEnded() {
        while state.withLock({ $0.isRunning }) {
            waitForInput([], until: .now + .milliseconds(1), now: .now)
        }
    }

    private func run(_ plan: WatcherWorker.Plan) {
        var worker = WatcherWorker(plan, fleet: fleet, endsAtEndOfFile: endsAtEndOfFile)
        while !state.withLock({ $0.isStopping }) {
            worker.advance(now: .now)
            state.withLock { $0.hasScanned = true }
            worker.sleep(or: wakeUp)
        }
        state.withLock { $0.isRunning = false }
    }
}

/// The body of the watcher's thread: it names files, registers them, and tells their lanes.
struct WatcherWorker {
    /// What is known when the thread starts.
    struct Plan: Sendable {
        let sets: [WatchSet]
        let known: [[FileCheckpoint]]

        init(fleet: Fleet, start: StartPosition?) throws {
            sets = try fleet.surroundings.pipelines.map { try $0.makeWatchSet(start: start) }
            do {
                known = try fleet.surroundings.pipelines.map {
                    try fleet.surroundings.store.files(pipeline: $0.name)
                }
            } catch let error as CheckpointError {
                throw ServiceError(.cannotCreate, error.message)
            }
        }
    }

    private struct Claim: Hashable {
        let set: Int
        let key: FileKey
    }

    private let fleet: Fleet
    private let endsAtEndOfFile: Bool
    private var rows: [Int64: FileCheckpoint] = [:]
    private var files: [Claim: Int] = [:]
    /// By row, the file that a lane reads.
    private var active: [Int64: Int] = [:]
    private var nextFile = 0
    private let watcher: FileWatcher

    private var logger: Logger { fleet.surroundings.logger }

    init(_ plan: Plan, fleet: Fleet, endsAtEndOfFile: Bool) {
        self.fleet = fleet
        self.endsAtEndOfFile = endsAtEndOfFile
        for row in plan.known.joined() { rows[row.id] = row }
        watcher = FileWatcher(
            sets: plan.sets,
            known: plan.known.map { $0.map { KnownFile($0) } }
        )
    }

    mutating func advance(now: ContinuousClock.Instant) {
        for ended in fleet.surroundings.endedFiles.take() { release(ended) }
        for event in watcher.advance(now: now, knowing: lastKnown) { handle(event) }
    }

    func sleep(or wakeUp: WakePipe) {
        var descriptors = [wakeUp.descriptor]
        if watcher.descriptor >= 0 { descriptors.append(watcher.descriptor) }
        waitForInput(descriptors, until: watcher.nextDeadline, now: .now)
        wakeUp.drain()
    }

    // MARK: Files that end

    private mutating func release(_ ended: EndedFile) {
        let key = FileKey(device: ended.row.device, inode: ended.row.inode)
        files[Claim(set: ended.pipeline, key: key)] = nil
        active[ended.row.id] = nil
        rows[ended.row.id] = ended.row
        watcher.forget(set: ended.pipeline, key, as: KnownFile(ended.row))
    }

    /// Where the reading of a file that left stands, as far as it is written down.
    private func lastKnown(set: Int, key: FileKey) -> KnownFile? {
        let saved = try? fleet.surroundings.store.files(pipeline: name(set))
        let row = saved?.last { $0.device == key.device && $0.inode == key.inode }
        return row.map { KnownFile($0) }
    }

    // MARK: Events

    private mutating func handle(_ event: WatchEvent) {
        switch event {
        case .found(let set, let file): found(file, in: set)
        case .changed(let key):
            for set in fleet.surroundings.pipelines.indices {
                tell(set, key) { .changed($0) }
            }
        case .renamed(let set, let key, let path): tell(set, key) { .renamed($0, to: path) }
        case .moved(let set, let key, let path):
            logger.info(
                "a file was rotated away",
                metadata: [
                    "event": "file.rotated", "pipeline": "\(name(set))", "to": "\(path ?? "?")",
                ]
            )
            tell(set, key) { .detached($0, to: path) }
        case .removed(let set, let key):
            tell(set, key) { .detached($0, to: nil) }
        case .problem(let problem):
            logger.warning("\(problem)", metadata: ["event": "watch.problem"])
        }
    }

    private func name(_ set: Int) -> String { fleet.surroundings.pipelines[set].name }

    private func tell(_ set: Int, _ key: FileKey, _ message: (Int) -> LaneMessage) {
        guard let file = files[Claim(set: set, key: key)] else { return }
        fleet.lane(of: file).post(message(file))
    }

    private mutating func found(_ file: DiscoveredFile, in set: Int) {
        guard let row = durableRow(for: file, in: set) else { return }
        rows[row.id] = row
        // The file goes on under another inode: its old reader must not send what the new one will.
        if let old = active.removeValue(forKey: row.id) { fleet.lane(of: old).post(.release(old)) }
        let id = nextFile
        nextFile += 1
        active[row.id] = id
        files[Claim(set: set, key: file.key)] = id
        logger.info(
            "a file is read",
            metadata: [
                "event": "file.found", "pipeline": "\(name(set))", "file": "\(file.path)",
                "offset": "\(file.position.offset)",
            ]
        )
        fleet.lane(of: id).post(
            .add(
                LaneAssignment(
                    id: id,
                    pipeline: set,
                    row: row,
                    position: file.position,
                    file: file.file,
                    startsInsideLine: file.startsInsideLine,
                    endsAtEndOfFile: endsAtEndOfFile
                )
            )
        )
    }

    /// The file's row, written before its first byte is read.
    private mutating func durableRow(for file: DiscoveredFile, in set: Int) -> FileCheckpoint? {
        var row = file.row(known: rows, pipeline: name(set))
        do {
            if row.id == 0 {
                row.id = try fleet.surroundings.store.register(row)
            } else {
                try fleet.surroundings.store.save([row])
            }
            return row
        } catch {
            logger.error(
                "a file cannot be registered",
                metadata: [
                    "event": "checkpoint.failed", "file": "\(file.path)", "cause": "\(error)",
                ]
            )
            watcher.forget(set: set, file.key)
            return nil
        }
    }
}

/// A file that its lane has let go of.
struct EndedFile: Sendable {
    let pipeline: Int
    let row: FileCheckpoint
}

/// Files that lanes have let go of, until the watcher hears of it.
final class EndedFiles: Sendable {
    private let files = Mutex<[EndedFile]>([])

    func append(_ file: EndedFile) {
        files.withLock { $0.append(file) }
    }

    func take() -> [EndedFile] {
        files.withLock { exchange(&$0, with: []) }
    }
}

extension KnownFile {
    init(_ row: FileCheckpoint) {
        self.init(
            id: row.id,
            key: FileKey(device: row.device, inode: row.inode),
            path: row.path,
            birthTime: row.birthTime,
            head: HeadFingerprint(hash: row.headHash, length: row.headLength),
            position: TailPosition(
                offset: row.checkpoint.offset,
                guardBytes: row.checkpoint.guardBytes
            )
        )
    }
}

extension DiscoveredFile {
    /// What the checkpoint database shall say of this file before it is read.
    func row(known: [Int64: FileCheckpoint], pipeline: String) -> FileCheckpoint {
        var row = FileCheckpoint(
            pipeline: pipeline,
            path: path,
            device: key.device,
            inode: key.inode
        )
        switch verdict {
        case .new:
            row.checkpoint = Checkpoint(offset: position.offset, guardBytes: position.guardBytes)
        case .resume(let file), .renamed(let file):
            if let before = known[file.id] { row = before }
        case .rewritten(let file):
            row.id = file.id
            row.generation = (known[file.id]?.generation ?? 0) + 1
        }
        row.path = path
        row.device = key.device
        row.inode = key.inode
        row.birthTime = evidence.birthTime
        row.headHash = evidence.fingerprint.hash
        row.headLength = evidence.fingerprint.length
        row.state = .live
        return row
    }
}
