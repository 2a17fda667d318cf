import Glibc
import Synchronization

@testable import FileTailing

/// The machine's own disk, with less to give.
final class FaultyDisk: Disk, Sendable {
    private struct State {
        var openCount = 0
        var most = 0
        var refusals = 0
    }

    private let disk = LinuxDisk()
    private let openLimit: Int
    private let watchLimit: Int
    private let beforeOpen: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameter openLimit: files that may be open at once.
    /// - Parameter watchLimit: watches that inotify gives.
    /// - Parameter beforeOpen: what happens before a path is opened.
    init(
        openLimit: Int = .max,
        watchLimit: Int = .max,
        beforeOpen: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.beforeOpen = beforeOpen
        self.openLimit = openLimit
        self.watchLimit = watchLimit
    }

    var mostOpen: Int { state.withLock { $0.most } }
    var refusals: Int { state.withLock { $0.refusals } }

    func open(_ path: String) throws(TailError) -> any DiskFile {
        beforeOpen(path)
        let isFull = state.withLock { state in
            guard state.openCount < openLimit else {
                state.refusals += 1
                return true
            }
            state.openCount += 1
            state.most = max(state.most, state.openCount)
            return false
        }
        if isFull { throw TailError(code: EMFILE, path: path) }
        do throws(TailError) {
            return CountedFile(try disk.open(path)) { [self] in closed() }
        } catch {
            closed()
            throw error
        }
    }

    private func closed() {
        state.withLock { $0.openCount -= 1 }
    }

    func list(_ path: String, _ body: (DirectoryEntry) -> Void) throws(TailError) -> FileKey {
        try disk.list(path, body)
    }

    func makeHints() throws(TailError) -> any DirectoryHints {
        LimitedHints(try disk.makeHints(), watchLimit)
    }
}

private final class CountedFile: DiskFile {
    private let file: any DiskFile
    private let onClose: @Sendable () -> Void

    init(_ file: any DiskFile, onClose: @escaping @Sendable () -> Void) {
        self.file = file
        self.onClose = onClose
    }

    deinit {
        onClose()
    }

    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(TailError) -> Int {
        try file.read(into: buffer, at: offset)
    }

    func status() throws(TailError) -> FileStatus { try file.status() }

    var birthTime: Int64? { file.birthTime }
}

private final class LimitedHints: DirectoryHints {
    private let hints: any DirectoryHints
    private var left: Int

    init(_ hints: any DirectoryHints, _ limit: Int) {
        self.hints = hints
        left = limit
    }

    var descriptor: Int32 { hints.descriptor }

    func watch(directory path: String) throws(TailError) -> Int32 {
        try take(path)
        return try hints.watch(directory: path)
    }

    func watch(file path: String) throws(TailError) -> Int32 {
        try take(path)
        return try hints.watch(file: path)
    }

    private func take(_ path: String) throws(TailError) {
        guard left > 0 else { throw TailError(code: ENOSPC, path: path) }
        left -= 1
    }

    func unwatch(_ watch: Int32) { hints.unwatch(watch) }

    func drain(_ body: (DirectoryHint, UnsafeRawBufferPointer) -> Void) { hints.drain(body) }
}
