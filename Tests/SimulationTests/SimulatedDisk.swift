import Glibc
import Kafka

@testable import FileTailing

/// A disk in memory: files with inodes that are used again, one directory level, and hints that may
/// get lost.
///
/// With a ``MirrorFolder`` all is done on the machine's own disk as well, and who reads sees that
/// one: its inodes, its inotify and the order of its directories.
///
/// One thread at a time uses it.
final class SimulatedDisk: Disk, @unchecked Sendable {
    /// A file, whatever names it has.
    final class Inode {
        let key: FileKey
        let birth: Int64
        var content: [UInt8] = []
        var modified: Int64
        var links = 0
        var opened = 0

        init(key: FileKey, birth: Int64) {
            self.key = key
            self.birth = birth
            modified = birth
        }

        var number: UInt64 { key.inode }
    }

    /// What becomes of hints on their way.
    struct HintFaults {
        var lost = 0.0
        var doubled = 0.0
        var reordered = 0.0
        var queueLimit = Int.max
    }

    private(set) var names: [String: Inode] = [:]
    private let directories: [String: UInt64]
    private var freeNumbers: [UInt64] = []
    private var nextNumber: UInt64 = 100
    var generator: SeededGenerator
    var faults = HintFaults()
    /// Nanoseconds since 1970.
    var time: Int64 = 1_795_428_000_000_000_000
    private var hints: [WeakHints] = []
    private let mirror: MirrorFolder?
    private var descriptors: [Int: Inode] = [:]
    private var nextDescriptor = 0

    private struct WeakHints { weak var value: SimulatedHints? }

    init(directories: [String], seed: UInt64, mirror: MirrorFolder? = nil) {
        self.mirror = mirror
        generator = SeededGenerator(seed: seed)
        var number: UInt64 = 2
        var table: [String: UInt64] = [:]
        for directory in directories {
            table[directory] = number
            number += 1
        }
        self.directories = table
        for directory in directories { mirror?.makeDirectory(directory) }
    }

    var hasHints: Bool { hints.contains { $0.value?.isWaiting == true } }

    // MARK: What writers do

    func create(_ path: String) -> Inode {
        unlink(path)
        let inode = mirror?.create(path) ?? Inode(key: takeKey(), birth: time)
        attach(inode, to: path)
        return inode
    }

    func append(_ bytes: [UInt8], to inode: Inode) {
        inode.content += bytes
        mirror?.append(bytes, to: inode)
        touch(inode)
    }

    func truncate(_ inode: Inode, to size: Int) {
        inode.content = Array(inode.content.prefix(size))
        mirror?.truncate(inode, to: size)
        touch(inode)
    }

    func rename(_ from: String, to path: String) {
        guard let inode = names[from] else { return }
        mirror?.rename(from, to: path)
        detach(path)
        names[from] = nil
        inode.links -= 1
        tell(from, .names)
        attach(inode, to: path)
    }

    func link(_ path: String, to inode: Inode) {
        unlink(path)
        mirror?.link(path, to: inode, names.first { $0.value === inode }?.key)
        attach(inode, to: path)
    }

    func unlink(_ path: String) {
        if names[path] != nil { mirror?.unlink(path) }
        detach(path)
    }

    private func detach(_ path: String) {
        guard let inode = names.removeValue(forKey: path) else { return }
        inode.links -= 1
        tell(path, .names)
        free(inode)
    }

    private func free(_ inode: Inode) {
        if inode.links == 0, inode.opened == 0 { freeNumbers.append(inode.number) }
    }

    fileprivate func addDescriptor(of inode: Inode) -> Int {
        defer { nextDescriptor += 1 }
        descriptors[nextDescriptor] = inode
        inode.opened += 1
        return nextDescriptor
    }

    fileprivate func close(_ descriptor: Int) {
        guard let inode = descriptors.removeValue(forKey: descriptor) else { return }
        inode.opened -= 1
        free(inode)
    }

    /// Closes what a process had open, as its death does.
    ///
    /// Requests that are still on their way keep something of the process in memory here.
    func closeDescriptors() {
        for descriptor in descriptors.keys.sorted() { close(descriptor) }
    }

    private func takeKey() -> FileKey {
        // Most file systems hand out the lowest free inode again at once.
        if !freeNumbers.isEmpty, Double.random(in: 0..<1, using: &generator) < 0.7 {
            return FileKey(device: 1, inode: freeNumbers.removeLast())
        }
        nextNumber += 1
        return FileKey(device: 1, inode: nextNumber)
    }

    /// Lets the writers go of files that nobody writes to any more and that have no name: their
    /// inodes are free.
    func closeUnlinked(besides written: [Inode?]) { mirror?.closeUnlinked(besides: written) }

    private func attach(_ inode: Inode, to path: String) {
        names[path] = inode
        inode.links += 1
        tell(path, .names)
    }

    private func touch(_ inode: Inode) {
        inode.modified = time
        mirror?.stamp(inode, time)
        if let path = names.filter({ $0.value === inode }).keys.min() { tell(path, .contents) }
    }

    // MARK: Hints

    private func tell(_ path: String, _ change: DirectoryHint.Change) {
        for hint in hints { hint.value?.add(path, change, faults, &generator) }
    }

    // MARK: Disk

    func open(_ path: String) throws(TailError) -> any DiskFile {
        guard let inode = names[path] else { throw TailError(code: ENOENT, path: path) }
        return SimulatedFile(inode, on: self, try mirror?.disk.open(path))
    }

    func list(
        _ path: String,
        _ body: (DirectoryEntry) -> Void
    ) throws(TailError) -> FileKey {
        if let mirror { return try mirror.disk.list(path, body) }
        guard let number = directories[path] else { throw TailError(code: ENOENT, path: path) }
        for (name, inode) in names.sorted(by: { $0.key < $1.key }) where name.folder == path {
            var text = Array(name.utf8.dropFirst(path.utf8.count + 1)) + [0]
            text.withUnsafeMutableBytes { bytes in
                let name = UnsafeRawBufferPointer(rebasing: bytes.dropLast())
                let directory = SimulatedDirectory(inode)
                body(DirectoryEntry(name: name, inode: inode.number, kind: .file, in: directory))
            }
        }
        return FileKey(device: 1, inode: number)
    }

    func makeHints() throws(TailError) -> any DirectoryHints {
        if let mirror { return try mirror.disk.makeHints() }
        let made = SimulatedHints(directories)
        hints = hints.filter { $0.value != nil } + [WeakHints(value: made)]
        return made
    }
}

private final class SimulatedFile: DiskFile, @unchecked Sendable {
    private let inode: SimulatedDisk.Inode
    private let disk: SimulatedDisk
    private let real: (any DiskFile)?
    private let descriptor: Int

    init(_ inode: SimulatedDisk.Inode, on disk: SimulatedDisk, _ real: (any DiskFile)?) {
        self.inode = inode
        self.disk = disk
        self.real = real
        descriptor = disk.addDescriptor(of: inode)
    }

    deinit { disk.close(descriptor) }

    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(TailError) -> Int {
        if let real { return try real.read(into: buffer, at: offset) }
        let bytes = inode.content.dropFirst(Int(offset)).prefix(buffer.count)
        buffer.copyBytes(from: bytes)
        return bytes.count
    }

    func status() throws(TailError) -> FileStatus { try real?.status() ?? inode.status }

    var birthTime: Int64? { real.map(\.birthTime) ?? inode.birth }
}

private final class SimulatedDirectory: OpenDirectory {
    private let inode: SimulatedDisk.Inode

    init(_ inode: SimulatedDisk.Inode) {
        self.inode = inode
    }

    func status(of name: UnsafeRawBufferPointer) -> FileStatus? { inode.status }
}

extension SimulatedDisk.Inode {
    fileprivate var status: FileStatus {
        FileStatus(
            key: key,
            size: Int64(content.count),
            modified: modified,
            kind: .regular,
            links: links
        )
    }
}

/// A queue of hints, as an inotify instance is one.
final class SimulatedHints: DirectoryHints {
    private struct Waiting {
        var hint: DirectoryHint
        var name: [UInt8]
    }

    private let directories: [String: UInt64]
    private var watched: [String: Int32] = [:]
    private var waiting: [Waiting] = []

    init(_ directories: [String: UInt64]) {
        self.directories = directories
    }

    let descriptor: Int32 = -1

    var isWaiting: Bool { !waiting.isEmpty }

    func watch(directory path: String) throws(TailError) -> Int32 {
        guard let number = directories[path] else { throw TailError(code: ENOENT, path: path) }
        watched[path] = Int32(number)
        return Int32(number)
    }

    func watch(file path: String) throws(TailError) -> Int32 {
        throw TailError(code: ENOENT, path: path)
    }

    func unwatch(_ watch: Int32) {
        watched = watched.filter { $0.value != watch }
    }

    func drain(_ body: (DirectoryHint, UnsafeRawBufferPointer) -> Void) {
        let taken = waiting
        waiting = []
        for item in taken { item.name.withUnsafeBytes { body(item.hint, $0) } }
    }

    func add(
        _ path: String,
        _ change: DirectoryHint.Change,
        _ faults: SimulatedDisk.HintFaults,
        _ generator: inout SeededGenerator
    ) {
        guard let watch = watched[path.folder] else { return }
        func happens(_ probability: Double) -> Bool {
            probability > 0 && Double.random(in: 0..<1, using: &generator) < probability
        }
        if happens(faults.lost) { return }
        if waiting.count >= faults.queueLimit {
            let isMarked = waiting.last?.hint.change == .overflow
            if !isMarked {
                waiting.append(Waiting(hint: DirectoryHint(watch: -1, change: .overflow), name: []))
            }
            return
        }
        let name = Array(path.utf8.dropFirst(path.folder.utf8.count + 1))
        let item = Waiting(hint: DirectoryHint(watch: watch, change: change), name: name)
        waiting.append(item)
        if happens(faults.doubled) { waiting.append(item) }
        if waiting.count > 1, happens(faults.reordered) {
            waiting.swapAt(waiting.count - 1, Int.random(in: 0..<waiting.count, using: &generator))
        }
    }
}

extension String {
    var folder: String {
        guard let slash = lastIndex(of: "/") else { return "" }
        return String(self[..<slash])
    }
}
