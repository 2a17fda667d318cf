import Glibc

/// The kernel's hints about directories.
///
/// A hint says where to look; nothing else is ever concluded from it.
final class Inotify {
    /// Changes of a directory's names, and of the files behind them.
    static let directoryMask = UInt32(
        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE
            | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
    )
    /// Changes of one file that is reached by a symbolic link.
    static let fileMask = UInt32(IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

    struct Hint {
        var watch: Int32
        var mask: UInt32

        func contains(_ flags: Int32) -> Bool { mask & UInt32(flags) != 0 }

        var isOverflow: Bool { mask & UInt32(IN_Q_OVERFLOW) != 0 }
    }

    let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 8)

    /// Nil when the kernel gives no instance; `errno` says why.
    init?() {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        if descriptor < 0 { return nil }
    }

    deinit {
        buffer.deallocate()
        if descriptor >= 0 { close(descriptor) }
    }

    /// Watches a path; nil with `errno` if that is not possible.
    func watch(_ path: String, _ mask: UInt32) -> Int32? {
        let watch = inotify_add_watch(descriptor, path, mask)
        return watch < 0 ? nil : watch
    }

    func unwatch(_ watch: Int32) {
        inotify_rm_watch(descriptor, watch)
    }

    /// Gives each hint that waits to `body`, with the name of the file that it is about.
    func drain(_ body: (Hint, UnsafeRawBufferPointer) -> Void) {
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            guard count > 0 else { return }
            deliver(count, body)
        }
    }

    private func deliver(_ count: Int, _ body: (Hint, UnsafeRawBufferPointer) -> Void) {
        let headerLength = MemoryLayout<inotify_event>.size
        var place = 0
        while place + headerLength <= count {
            let event = buffer.loadUnaligned(fromByteOffset: place, as: inotify_event.self)
            let start = place + headerLength
            let end = min(start + Int(event.len), count)
            let padded = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
            let length = padded.firstIndex(of: 0) ?? padded.count
            let name = UnsafeRawBufferPointer(rebasing: padded[..<length])
            body(Hint(watch: event.wd, mask: event.mask), name)
            place = end
        }
    }
}
