internal import Glibc
internal import NIOCore

/// The file in which a cluster is kept, in a folder that one process has at a time.
///
/// What is appended survives the end of the process, however it ends, but a power cut only when it
/// was synced, as with Kafka's own log.
final class JournalFile {
    private let folder: String
    private var descriptor: Int32 = -1
    private let lock: Int32

    private var path: String { "\(self.folder)/journal" }
    private var newPath: String { "\(self.folder)/journal.new" }

    /// Takes the folder, which is made if it is not there.
    init(folder: String) throws {
        self.folder = folder
        if mkdir(folder, 0o755) != 0, errno != EEXIST {
            throw JournalError("make", folder)
        }
        let lockPath = "\(folder)/lock"
        self.lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard self.lock >= 0 else { throw JournalError("open", lockPath) }
        guard flock(self.lock, LOCK_EX | LOCK_NB) == 0 else {
            let error = JournalError("lock", lockPath)
            Glibc.close(self.lock)
            throw error
        }
    }

    deinit {
        if self.descriptor >= 0 { Glibc.close(self.descriptor) }
        Glibc.close(self.lock)
    }

    /// Calls `body` with what was read so far and not taken; nothing if there is no journal yet.
    func read(_ body: (inout ByteBuffer) throws -> Void) throws {
        let file = open(self.path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            guard errno == ENOENT else { throw JournalError("open", self.path) }
            return
        }
        defer { Glibc.close(file) }
        var buffer = ByteBuffer()
        while true {
            let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 20) { bytes in
                max(0, retrying { Glibc.read(file, bytes.baseAddress, bytes.count) })
            }
            guard count > 0 else { return }
            try body(&buffer)
            buffer.discardReadBytes()
        }
    }

    /// Begins the journal anew with `frames`, which are on the disk when this returns.
    func replace(with frames: [ByteBuffer]) throws {
        let file = open(self.newPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw JournalError("open", self.newPath) }
        do {
            for frame in frames { try self.write(frame, to: file) }
            guard fsync(file) == 0 else { throw JournalError("sync", self.newPath) }
            guard rename(self.newPath, self.path) == 0 else { throw JournalError("rename", path) }
            try self.syncFolder()
        } catch {
            Glibc.close(file)
            throw error
        }
        if self.descriptor >= 0 { Glibc.close(self.descriptor) }
        self.descriptor = file
    }

    func append(_ frame: ByteBuffer) throws {
        try self.write(frame, to: self.descriptor)
    }

    private func syncFolder() throws {
        let file = open(self.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw JournalError("open", self.folder) }
        defer { Glibc.close(file) }
        guard fsync(file) == 0 else { throw JournalError("sync", self.folder) }
    }

    private func write(_ frame: ByteBuffer, to file: Int32) throws {
        try frame.withUnsafeReadableBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = UnsafeRawBufferPointer(rebasing: rest)
                let count = retrying { Glibc.write(file, piece.baseAddress, piece.count) }
                guard count > 0 else { throw JournalError("write", self.path) }
                rest = rest.dropFirst(count)
            }
        }
    }
}

/// Calls again what a signal interrupted.
private func retrying(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// Why a cluster cannot be kept on disk.
package struct JournalError: Error, CustomStringConvertible {
    package let description: String

    /// Says what `errno` means now.
    init(_ verb: String, _ path: String) {
        let reason = String(cString: strerror(errno))
        self.description = "cannot \(verb) \(path): \(reason)"
    }
}
