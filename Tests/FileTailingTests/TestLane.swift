import FileTailing

/// The smallest lane: reads what the watcher finds, and takes every line for settled.
final class TestLane {
    private final class Reader {
        let id: Int64
        var path: String
        var key: FileKey
        var head: HeadFingerprint
        var tail: TailStateMachine
        var framer: LineFramer
        var file: TailedFile?

        init(_ id: Int64, _ found: DiscoveredFile, _ framer: LineFramer) {
            self.id = id
            path = found.path
            key = found.key
            head = found.evidence.fingerprint
            file = found.file
            self.framer = framer
            tail = TailStateMachine(
                position: found.position,
                configuration: .init(maxLine: 1_000),
                size: found.evidence.size,
                isOpen: found.file != nil
            )
        }
    }

    private let watcher: FileWatcher
    private let root: String
    private var readers: [FileKey: Reader] = [:]
    private var now = ContinuousClock.now
    private var output: [String] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
    private let usesEvents: Bool
    private var mustLookAgain = false
    private var lastID: Int64 = 100
    private(set) var rewrites = 0
    private(set) var problems: [WatchProblem] = []

    init(
        _ directory: TemporaryDirectory,
        _ pattern: String,
        exclude: String? = nil,
        start: WatchSet.Start = .beginning,
        known: [KnownFile] = [],
        usesEvents: Bool = true
    ) throws {
        root = directory.path + "/"
        self.usesEvents = usesEvents
        let set = WatchSet(
            patterns: [try GlobPattern(root + pattern)],
            exclude: try exclude.map { [try GlobPattern($0)] } ?? [],
            start: start
        )
        watcher = FileWatcher(sets: [set], known: [known], usesEvents: usesEvents)
    }

    deinit {
        buffer.deallocate()
    }

    /// What was read since, sorted; without events a scan's time goes by.
    func round(after time: Duration = .zero) -> [String] {
        now = now + (usesEvents ? time : max(time, .seconds(5)))
        // A rewritten file is looked at again before anything of it is read.
        repeat {
            mustLookAgain = false
            let events = watcher.advance(now: now) { [readers] _, key in
                readers[key].map { Self.known($0) }
            }
            for event in events { note(event) }
            for reader in readers.values { run(reader) }
        } while mustLookAgain
        defer { output.removeAll() }
        return output.sorted()
    }

    var openPaths: [String] {
        now = now + .seconds(10)
        _ = round()
        now = now + .seconds(10)
        _ = round()
        return readers.values.map { shortened($0.path) }.sorted()
    }

    var checkpoints: [KnownFile] { readers.values.map { Self.known($0) } }

    private static func known(_ reader: Reader) -> KnownFile {
        KnownFile(
            id: reader.id,
            key: reader.key,
            path: reader.path,
            head: reader.head,
            position: reader.tail.position
        )
    }

    private func note(_ event: WatchEvent) {
        switch event {
        case .found(_, let found): add(found)
        case .changed(let key): readers[key]?.tail.changed(now: now)
        case .renamed(_, let key, let path):
            readers[key]?.path = path
            readers[key]?.tail.renamed(now: now)
        case .moved(_, let key, let path):
            if let path { readers[key]?.path = path }
            readers[key]?.tail.moved(now: now)
        case .removed(_, let key): readers[key]?.tail.removed(now: now)
        case .rewritten(_, let key): readers[key]?.tail.rewritten()
        case .lost: break
        case .problem(let problem): problems.append(problem)
        }
    }

    private func add(_ found: DiscoveredFile) {
        if case .continued(let known) = found.verdict { readers[known.key] = nil }
        let state: LineFramer.State =
            found.startsInsideLine(unitLength: 1)
            ? .skippingLine : found.position.offset > 0 ? .event : .head
        let framer = LineFramer(framing: .lines, maxLine: 1_000, state: state)
        lastID += 1
        readers[found.key] = Reader(lastID, found, framer)
    }

    private func run(_ reader: Reader) {
        while let action = reader.tail.nextAction(now: now) {
            switch action {
            case .open: open(reader)
            case .read(_, let length, let end): read(reader, length, end == .final)
            case .rewritten:
                rewrites += 1
                readers[reader.key] = nil
                mustLookAgain = true
                watcher.rewritten(set: 0, reader.key, as: Self.known(reader))
            case .close: reader.file = nil
            case .finished:
                readers[reader.key] = nil
                watcher.forget(set: 0, reader.key, as: Self.known(reader))
            }
        }
    }

    private func open(_ reader: Reader) {
        do throws(TailError) {
            let file = try TailedFile(opening: reader.path, on: LinuxDisk(), expecting: reader.key)
            reader.file = file
            reader.tail.opened(now: now)
        } catch {
            reader.tail.openFailed(isGone: error.isGone, now: now)
        }
    }

    private func read(_ reader: Reader, _ length: Int, _ atEnd: Bool) {
        let target = UnsafeMutableRawBufferPointer(
            rebasing: buffer[..<(length + reader.tail.position.guardBytes.count)]
        )
        guard let chunk = try? reader.file?.read(at: reader.tail.position, into: target) else {
            return reader.tail.readFailed(now: now)
        }
        var consumed = 0
        if chunk.guardHeld { consumed = frame(reader, chunk, target, atEnd) }
        reader.tail.read(chunk.result(consumed: consumed, of: target), now: now)
        reader.tail.settled(through: reader.tail.position.offset)
    }

    private func frame(
        _ reader: Reader,
        _ chunk: ChunkRead,
        _ target: UnsafeMutableRawBufferPointer,
        _ atEnd: Bool
    ) -> Int {
        let bytes = chunk.bytes(of: target)
        reader.framer.begin(chunkAt: chunk.offset)
        while let event = reader.framer.next(in: bytes, atEnd: atEnd && chunk.reachedEnd) {
            let text = String(decoding: bytes[event.range], as: UTF8.self)
            output.append("\(shortened(reader.path)): \(text)")
        }
        return reader.framer.position
    }

    private func shortened(_ path: String) -> String {
        path.hasPrefix(root) ? String(path.dropFirst(root.count)) : path
    }
}
