import Glibc

/// The kernel's hints about directories.
final class Inotify: DirectoryHints {
    /// Changes of a directory's names, and of the files behind them.
    private static let directoryMask = UInt32(
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE
            | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
    )
    private static let fileMask = UInt32(IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

    let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 8)

    init() throws(TailError) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        if descriptor < 0 { throw TailError(code: errno, path: "inotify") }
    }

    deinit {
        buffer.deallocate()
        if descriptor >= 0 { close(descriptor) }
    }

    func watch(directory path: String) throws(TailError) -> Int32 {
        try watch(path, Self.directoryMask | UInt32(IN_ONLYDIR))
    }

    func watch(file path: String) throws(TailError) -> Int32 {
        try watch(path, Self.fileMask)
    }

    private func watch(_ path: String, _ mask: UInt32) throws(TailError) -> Int32 {
        let watch = inotify_add_watch(descriptor, path, mask)
        if watch < 0 { throw TailError(code: errno, path: path) }
        return watch
    }

    func unwatch(_ watch: Int32) {
        inotify_rm_watch(descriptor, watch)
    }

    func drain(_ body: (DirectoryHint, UnsafeRawBufferPointer) -> Void) {
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            guard count > 0 else { return }
            deliver(count, body)
        }
    }

    private func deliver(_ count: Int, _ body: (DirectoryHint, UnsafeRawBufferPointer) -> Void) {
        let headerLength = MemoryLayout<inotify_event>.size
        var place = 0
        while place + headerLength <= count {
            let event = buffer.loadUnaligned(fromByteOffset: place, as: inotify_event.self)
            let start = place + headerLength
            let end = min(start + Int(event.len), count)
            let padded = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
            let length = padded.firstIndex(of: 0) ?? padded.count
            let name = UnsafeRawBufferPointer(rebasing: padded[..<length])
            body(DirectoryHint(watch: event.wd, change: .init(mask: event.mask)), name)
            place = end
        }
    }
}

extension DirectoryHint.Change {
    fileprivate init(mask: UInt32) {
        self = []
        let contents = UInt32(IN_MODIFY | IN_CLOSE_WRITE)
        if mask & contents != 0 { insert(.contents) }
        if mask & UInt32(IN_MOVE_SELF) != 0 { insert(.movedSelf) }
        if mask & UInt32(IN_IGNORED) != 0 { insert(.ignored) }
        if mask & UInt32(IN_Q_OVERFLOW) != 0 { insert(.overflow) }
        let rest = ~(contents | UInt32(IN_MOVE_SELF | IN_IGNORED | IN_Q_OVERFLOW | IN_ISDIR))
        if mask & rest != 0 { insert(.names) }
    }
}
