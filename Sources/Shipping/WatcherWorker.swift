internal import Checkpointing
internal import FileTailing
internal import Logging

/// The work of the watcher's thread: it names files, registers them, and tells their lanes.
struct WatcherWorker {
    /// What is known when it begins.
    struct Plan: Sendable {
        let sets: [WatchSet]
        let known: [[FileCheckpoint]]

        /// - Throws: `ServiceError` when the globs or the checkpoints cannot be read.
        init(_ surroundings: LaneSurroundings, start: StartPosition?) throws {
            sets = try surroundings.pipelines.map { try $0.makeWatchSet(start: start) }
            do {
                known = try surroundings.pipelines.map {
                    try surroundings.store.files(pipeline: $0.name, job: "")
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

    /// The name under which a file was begun.
    private struct FirstName: Hashable {
        let set: Int
        let path: String
    }

    /// A file that a lane reads.
    private struct Active {
        let set: Int
        let lane: Int
        var row: FileCheckpoint
        let place: FilePlace
        /// Where its bytes end under the inode that its lane shall go over to, if that is before
        /// the place that reading has reached.
        var end: TailPosition?
    }

    /// Checkpoints of files gone for so long are forgotten, and of a pipeline the oldest beyond so
    /// many.
    private static let expirySeconds: Int64 = 30 * 24 * 3600
    private static let goneLimit = 10_000
    private static let sweepInterval: Duration = .seconds(3600)

    private let surroundings: LaneSurroundings
    private let laneCount: Int
    private let post: @Sendable (Int, LaneMessage) -> Void
    private let endsAtEndOfFile: Bool
    /// Rows that no lane has, as they were last written.
    private var rows: [Int64: FileCheckpoint] = [:]
    private var active: [Int: Active] = [:]
    private var files: [Claim: Int] = [:]
    private var byRow: [Int64: Int] = [:]
    private var byPath: [String: Int] = [:]
    /// The last file that was begun under a name, also in an earlier life.
    private var byFirstName: [FirstName: Int] = [:]
    private var nextFile = 0
    private var nextSweep: ContinuousClock.Instant?
    private var overflows: Int64 = 0
    private let watcher: FileWatcher
    /// Paths that could not be opened or listed when that was last tried.
    private(set) var unreadablePaths: Set<String> = []
    /// Paths of files whose checkpoints could not be made when that was last tried.
    private(set) var unregisteredPaths: Set<String> = []

    private var logger: Logger { surroundings.logger }

    /// - Parameter post: gives a lane a message.
    init(
        _ plan: Plan,
        _ surroundings: LaneSurroundings,
        lanes: Int,
        endsAtEndOfFile: Bool,
        usesEvents: Bool = true,
        post: @escaping @Sendable (Int, LaneMessage) -> Void
    ) {
        self.surroundings = surroundings
        self.endsAtEndOfFile = endsAtEndOfFile
        self.post = post
        laneCount = lanes
        for row in plan.known.joined() { rows[row.id] = row }
        watcher = FileWatcher(
            sets: plan.sets,
            known: plan.known.map { $0.map { KnownFile($0) } },
            disk: surroundings.disk,
            usesEvents: usesEvents
        )
    }

    /// Readable when there may be news; -1 if there is only ``nextDeadline``.
    var descriptor: Int32 { watcher.descriptor }

    var nextDeadline: ContinuousClock.Instant? { watcher.nextDeadline }

    /// Whether a file is in sight that no lane has yet.
    var isWaiting: Bool { watcher.isWaiting }

    /// Files that lanes were given so far.
    var assignedFiles: Int { nextFile }

    mutating func advance(now: ContinuousClock.Instant) {
        let isFirst = nextSweep == nil
        for item in surroundings.news.take() { take(item) }
        var events = watcher.advance(
            now: now,
            wallClock: surroundings.wallClock() &* 1_000_000,
            knowing: known
        )
        if isFirst { events.putInOrderOfBeginning() }
        register(events)
        for event in events { handle(event) }
        noteOverflows()
        if isFirst {
            noteEmptySets(events)
            notePassedAway()
        }
        if !isWaiting { surroundings.board?.claimedAll() }
        sweepIfDue(now)
    }

    // MARK: What lanes tell

    private mutating func take(_ news: LaneNews) {
        switch news {
        case .ended(let file, let row): release(file, row)
        case .rewritten(let file, let key, let opened): rewritten(file, key, opened)
        case .refused(let file, let next): refused(next, by: file)
        case .leftover(let file, let opened, let position):
            guard let source = active[file], !isKnown(opened.key, in: source.set) else { return }
            readNameless(opened, source.set, at: position)
        }
    }

    private mutating func release(_ file: Int, _ row: FileCheckpoint) {
        guard let source = active.removeValue(forKey: file) else { return }
        let key = FileKey(device: row.device, inode: row.inode)
        if byRow[row.id] == file { byRow[row.id] = nil }
        if byPath[row.path] == file { byPath[row.path] = nil }
        let firstName = FirstName(set: source.set, path: row.firstPath)
        if byFirstName[firstName] == file { byFirstName[firstName] = nil }
        let isOwner = files[Claim(set: source.set, key: key)] == file
        if isOwner { files[Claim(set: source.set, key: key)] = nil }
        if row.id == FileCheckpoint.unregisteredID {
            if isOwner { watcher.forget(set: source.set, key) }
            return
        }
        rows[row.id] = row
        // A one-shot reads what was there, once: it stays known, and is not found again.
        if endsAtEndOfFile { return }
        if isOwner {
            watcher.forget(set: source.set, key, as: KnownFile(row))
        } else {
            watcher.remember(set: source.set, KnownFile(row))
        }
    }

    private mutating func rewritten(_ file: Int, _ key: FileKey, _ opened: TailedFile?) {
        guard let source = active[file] else { return }
        // Unless this was the watcher's own word.
        if files[Claim(set: source.set, key: key)] == file, let known = knownFile(file) {
            disown(file)
            watcher.rewritten(set: source.set, key, as: known)
        }
        if let opened, !isKnown(key, in: source.set) {
            readNameless(opened, source.set, at: .start)
        }
    }

    /// Reads as a new file what turned out not to be the continuation of another.
    private mutating func refused(_ next: Continuation, by file: Int) {
        guard let source = active[file] else { return }
        let claim = Claim(set: source.set, key: next.key)
        if files[claim] == file { files[claim] = nil }
        // Without a descriptor it is found again by its name.
        guard let opened = next.file else { return watcher.forget(set: source.set, next.key) }
        adopt(opened, source.set, at: .start)
        if next.isLeaving { tell(source.set, next.key) { .detached($0, to: nil) } }
    }

    /// Reads an open file that was found by nobody's name.
    private mutating func adopt(_ opened: TailedFile, _ set: Int, at position: TailPosition) {
        guard let found = DiscoveredFile(opened, at: position) else { return }
        let event = WatchEvent.found(set: set, found)
        register([event])
        handle(event)
    }

    /// Reads what is written to a file that has no name any more.
    ///
    /// It is not remembered: nobody can open it again.
    private mutating func readNameless(_ opened: TailedFile, _ set: Int, at position: TailPosition)
    {
        guard let found = DiscoveredFile(opened, at: position), var row = draft(for: found, in: set)
        else { return }
        row.id = FileCheckpoint.unregisteredID
        watcher.isRead(set: set, opened.key)
        read(found, row, in: set)
        tell(set, opened.key) { .detached($0, to: nil) }
    }

    private func isKnown(_ key: FileKey, in set: Int) -> Bool {
        files[Claim(set: set, key: key)] != nil || watcher.isInSight(set: set, key)
    }

    /// Lets go of the inode of a file: other bytes are under it now.
    private mutating func disown(_ file: Int) {
        guard let source = active[file] else { return }
        let claim = Claim(set: source.set, key: FileKey(source.row))
        if files[claim] == file { files[claim] = nil }
    }

    /// Where the reading of a file of a set stands now.
    private func known(set: Int, key: FileKey) -> KnownFile? {
        files[Claim(set: set, key: key)].flatMap { knownFile($0) }
    }

    private func knownFile(_ file: Int) -> KnownFile? {
        guard let source = active[file] else { return nil }
        let place = source.place.get()
        var known = KnownFile(source.row)
        known.position = TailPosition(
            offset: place.checkpoint.offset,
            guardBytes: place.checkpoint.guardBytes
        )
        if let end = source.end, place.key != known.key, end.offset < place.checkpoint.offset {
            known.position = end
        }
        known.head = place.head
        known.waypoints = place.waypoints
        known.headChanges = place.headChanges
        return known
    }

    // MARK: Events

    private mutating func handle(_ event: WatchEvent) {
        switch event {
        case .found(let set, var file):
            file.align(to: surroundings.pipelines[set].encodedUnit)
            unreadablePaths.remove(file.path)
            found(file, in: set)
        case .changed(let key):
            for set in surroundings.pipelines.indices { tell(set, key) { .changed($0) } }
        case .renamed(let set, let key, let path): renamed(set, key, to: path)
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
        case .rewritten(let set, let key):
            tell(set, key) { .rewritten($0) }
            if let file = files[Claim(set: set, key: key)] { disown(file) }
        case .lost(let set, let known): lost(known, in: set)
        case .problem(let problem):
            if let path = problem.unreadablePath { unreadablePaths.insert(path) }
            logger.warning("\(problem)", metadata: ["event": "watch.problem"])
        }
    }

    private func name(_ set: Int) -> String { surroundings.pipelines[set].name }

    private func tell(_ set: Int, _ key: FileKey, _ message: (Int) -> LaneMessage) {
        guard let file = files[Claim(set: set, key: key)], let source = active[file] else { return }
        post(source.lane, message(file))
    }

    private mutating func renamed(_ set: Int, _ key: FileKey, to path: String) {
        if let file = files[Claim(set: set, key: key)] {
            active[file]?.row.path = path
        }
        tell(set, key) { .renamed($0, to: path) }
    }

    private func lost(_ known: KnownFile, in set: Int) {
        if let file = byRow[known.id], let source = active[file] {
            post(source.lane, .lost(file))
        }
    }

    // MARK: Found files

    /// Writes the rows of new files, all at once, before a byte of them is read.
    private mutating func register(_ events: [WatchEvent]) {
        var drafts: [FileCheckpoint] = []
        var claims: [Claim] = []
        for case .found(let set, let file) in events {
            guard let draft = draft(for: file, in: set) else { continue }
            drafts.append(draft)
            claims.append(Claim(set: set, key: file.key))
        }
        if drafts.isEmpty { return }
        do {
            let ids = try surroundings.store.register(drafts)
            for (index, id) in ids.enumerated() {
                drafts[index].id = id
                registered[claims[index]] = drafts[index]
                unregisteredPaths.remove(drafts[index].path)
            }
        } catch {
            logger.error(
                "files cannot be registered; it is tried again",
                metadata: ["event": "checkpoint.failed", "cause": "\(error)"]
            )
            for claim in claims { watcher.forget(set: claim.set, claim.key) }
            unregisteredPaths.formUnion(drafts.map(\.path))
        }
    }

    /// Rows written in this round.
    private var registered: [Claim: FileCheckpoint] = [:]

    /// The row of a file that has none yet.
    private func draft(for file: DiscoveredFile, in set: Int) -> FileCheckpoint? {
        var row = FileCheckpoint(
            pipeline: name(set),
            path: file.path,
            device: file.key.device,
            inode: file.key.inode
        )
        row.describe(file)
        switch file.verdict {
        case .resumed, .continued: return nil
        case .new(let replaced):
            row.generation = replaced.map { self.row($0.id)?.generation ?? 0 }.map { $0 + 1 } ?? 0
            var aligned = file
            aligned.align(to: surroundings.pipelines[set].encodedUnit)
            row.checkpoint = Checkpoint(
                offset: aligned.position.offset,
                guardBytes: aligned.position.guardBytes
            )
        case .copied(let known):
            let place = byRow[known.id].flatMap { active[$0]?.place.get() }
            guard let place, place.checkpoint.offset >= file.position.offset else { return row }
            row.checkpoint = place.checkpoint
            row.checkpoint.offset = file.position.offset
            row.checkpoint.guardBytes = file.position.guardBytes
            row.header = place.header
        }
        return row
    }

    private func row(_ id: Int64) -> FileCheckpoint? {
        rows[id] ?? byRow[id].flatMap { active[$0]?.row }
    }

    private mutating func found(_ file: DiscoveredFile, in set: Int) {
        let claim = Claim(set: set, key: file.key)
        switch file.verdict {
        case .new, .copied:
            if let row = registered.removeValue(forKey: claim) { read(file, row, in: set) }
        case .resumed(let known), .continued(let known):
            if let active = byRow[known.id] {
                carryOn(active, in: file, claim)
            } else if var row = rows.removeValue(forKey: known.id) {
                row.locate(file)
                // There is nothing else to know it by, and it may have changed since.
                if row.checkpoint.offset == 0 { row.takeHead(of: file) }
                row.state = .live
                if file.isShorter {
                    // Its bytes end here, and what comes behind is not what was read there.
                    row.generation += 1
                    row.checkpoint.offset = file.position.offset
                    row.checkpoint.guardBytes = file.position.guardBytes
                }
                read(file, row, in: set)
            }
        }
    }

    /// Gives a lane a file to read.
    private mutating func read(_ file: DiscoveredFile, _ row: FileCheckpoint, in set: Int) {
        let id = nextFile
        nextFile += 1
        let unitLength = surroundings.pipelines[set].encodedUnit
        let before = predecessor(of: row, at: file.path, in: set)
        let lane = before.flatMap { active[$0]?.lane } ?? id % laneCount
        let assignment = LaneAssignment(
            id: id,
            pipeline: set,
            row: row,
            version: surroundings.version(ofPipeline: set),
            position: file.position,
            size: file.evidence.isCompressed ? 0 : file.evidence.size,
            file: file.file,
            after: before,
            startsInsideLine: file.startsInsideLine(unitLength: unitLength),
            endsAtEndOfFile: endsAtEndOfFile
        )
        active[id] = Active(set: set, lane: lane, row: row, place: assignment.place)
        surroundings.board?.claim(FileBytes(row))
        assignment.place.set(FilePlace.Value(row))
        files[Claim(set: set, key: file.key)] = id
        if row.id != FileCheckpoint.unregisteredID {
            byRow[row.id] = id
            byPath[file.path] = id
            byFirstName[FirstName(set: set, path: row.firstPath)] = id
        }
        logger.info(
            "a file is read",
            metadata: [
                "event": "file.found", "pipeline": "\(name(set))", "file": "\(file.path)",
                "offset": "\(file.position.offset)",
            ]
        )
        post(lane, .add(assignment))
    }

    /// The file that had a file's name before it, if a lane has it: it is read first.
    private func predecessor(of row: FileCheckpoint, at path: String, in set: Int) -> Int? {
        if let named = byPath[path], active[named]?.set == set { return named }
        // It was renamed before a restart.
        guard let begun = byFirstName[FirstName(set: set, path: row.firstPath)],
            let source = active[begun], source.row.id < row.id
        else { return nil }
        return begun
    }

    /// Tells a lane where the bytes of one of its files are now.
    private mutating func carryOn(_ id: Int, in file: DiscoveredFile, _ claim: Claim) {
        guard let source = active[id] else { return }
        disown(id)
        files[claim] = id
        if byPath[source.row.path] != id || source.row.path != file.path { byPath[file.path] = id }
        active[id]?.row.describe(file)
        active[id]?.end = file.isShorter ? file.position : nil
        let continuation = Continuation(
            key: file.key,
            path: file.path,
            birthTime: file.evidence.birthTime,
            size: file.evidence.isCompressed ? 0 : file.evidence.size,
            end: file.isShorter ? file.position : nil,
            file: file.file
        )
        post(source.lane, .continued(id, continuation))
    }

    // MARK: Housekeeping

    /// Says which pipelines have nothing to read, lest a misspelt glob wait for ever unnoticed.
    private func noteEmptySets(_ first: [WatchEvent]) {
        var found: Set<Int> = []
        for event in first {
            switch event {
            case .found(let set, _): found.insert(set)
            // It may belong to any set, and was said.
            case .problem(.unreadable): return
            default: break
            }
        }
        for (set, pipeline) in surroundings.pipelines.enumerated() where !found.contains(set) {
            logger.notice(
                endsAtEndOfFile
                    ? "no file matches" : "no file matches yet; it is read when there is one",
                metadata: [
                    "event": "watch.no_file", "pipeline": "\(pipeline.name)",
                    "from": "\(pipeline.globPaths.joined(separator: ", "))",
                ]
            )
        }
    }

    private mutating func noteOverflows() {
        let count = watcher.overflows - overflows
        guard count > 0 else { return }
        overflows = watcher.overflows
        let names = surroundings.pipelines.map(\.name)
        let counts = names.map { (CounterName(FileCounter.overflows.rawValue, of: $0), count) }
        try? surroundings.store.save([], adding: Dictionary(uniqueKeysWithValues: counts))
    }

    /// Files that went while nobody looked are gone from now on.
    private mutating func notePassedAway() {
        var gone: [FileCheckpoint] = []
        for set in surroundings.pipelines.indices {
            for known in watcher.unmatched(set: set) {
                guard var row = rows[known.id], row.state == .live else { continue }
                row.state = .gone
                gone.append(row)
            }
        }
        do {
            try surroundings.store.save(gone)
            for row in gone { rows[row.id] = row }
        } catch {
            logger.warning(
                "checkpoints of files that are gone cannot be marked",
                metadata: ["event": "checkpoint.failed", "cause": "\(error)"]
            )
        }
    }

    private mutating func sweepIfDue(_ now: ContinuousClock.Instant) {
        if let nextSweep, now < nextSweep { return }
        nextSweep = now + Self.sweepInterval
        let limit = surroundings.wallClock() / 1000 - Self.expirySeconds
        guard
            let ids = try? surroundings.store.forgetGone(before: limit, keeping: Self.goneLimit)
        else { return }
        for id in ids {
            // A lane that has taken the file up again will write its row.
            guard let row = rows.removeValue(forKey: id) else { continue }
            let set = surroundings.pipelines.firstIndex { $0.name == row.pipeline }
            if let set { watcher.expired(set: set, id) }
        }
    }
}

extension DiscoveredFile {
    /// A file that is open already.
    fileprivate init?(_ opened: TailedFile, at position: TailPosition) {
        guard let evidence = try? opened.evidence() else { return nil }
        self.init(
            key: opened.key,
            path: opened.path,
            evidence: evidence,
            verdict: .new(replacing: nil),
            position: position,
            file: opened
        )
    }
}

extension WatchProblem {
    /// What could not be read.
    fileprivate var unreadablePath: String? {
        switch self {
        case .unreadable(let path, _), .directoryUnreadable(let path, _): path
        case .watchesExhausted, .eventsDropped, .linkCycle: nil
        }
    }
}

extension FilePlace.Value {
    fileprivate init(_ row: FileCheckpoint) {
        key = FileKey(row)
        checkpoint = row.checkpoint
        header = row.header
        head = HeadFingerprint(hash: row.headHash, length: row.headLength)
    }
}

extension FileCheckpoint {
    /// Takes over what a look at the file has shown.
    fileprivate mutating func describe(_ file: DiscoveredFile) {
        locate(file)
        takeHead(of: file)
    }

    fileprivate mutating func locate(_ file: DiscoveredFile) {
        path = file.path
        device = file.key.device
        inode = file.key.inode
        birthTime = file.evidence.birthTime
    }

    fileprivate mutating func takeHead(of file: DiscoveredFile) {
        headHash = file.evidence.fingerprint.hash
        headLength = file.evidence.fingerprint.length
    }
}

extension FileKey {
    init(_ row: FileCheckpoint) {
        self.init(device: row.device, inode: row.inode)
    }
}

extension KnownFile {
    init(_ row: FileCheckpoint) {
        self.init(
            id: row.id,
            key: FileKey(row),
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

extension [WatchEvent] {
    /// Has found files come first, of those the ones that were read before, the earliest begun
    /// foremost: others may have to wait for them.
    fileprivate mutating func putInOrderOfBeginning() {
        let found = indices.filter { if case .found = self[$0] { true } else { false } }
        let ordered = found.sorted {
            (self[$0].begun ?? .max, $0) < (self[$1].begun ?? .max, $1)
        }
        // What is said of a file comes behind it.
        let others = indices.filter { !found.contains($0) }
        self = (ordered + others).map { self[$0] }
    }
}

extension WatchEvent {
    /// The number of the row of a file that was read before.
    fileprivate var begun: Int64? {
        guard case .found(_, let file) = self else { return nil }
        switch file.verdict {
        case .resumed(let known), .continued(let known): return known.id
        case .new, .copied: return nil
        }
    }
}
