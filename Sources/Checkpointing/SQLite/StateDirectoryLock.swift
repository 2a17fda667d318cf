import Glibc

/// The one owner of a state directory, for as long as this value lives.
///
/// The kernel drops the lock when the process ends, however it ends.
final class StateDirectoryLock: Sendable {
    private let descriptor: Int32

    init(directory: String) throws(CheckpointError) {
        let path = directory + "/forktail.lock"
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system(errno, "create", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let owner = Self.readOwner(descriptor)
            Glibc.close(descriptor)
            throw .locked(directory, by: owner)
        }
        Self.writeOwner(descriptor)
        self.descriptor = descriptor
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// Tells who only looks what the owner does.
    func describe(_ text: String, _ details: [String]) {
        Self.writeOwner(descriptor, ([text] + details).joined(separator: "\n"))
    }

    private static func readOwner(_ descriptor: Int32) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &text, text.count, 0)
        guard count > 0 else { return nil }
        let digits = text[..<count].prefix { (0x30...0x39).contains($0) }
        return Int32(String(decoding: digits, as: UTF8.self))
    }

    // Only for people; the lock itself is the kernel's.
    private static func writeOwner(_ descriptor: Int32, _ description: String = "") {
        let text = Array("\(getpid())\n\(description)\n".utf8)
        // In this order, for somebody may read it meanwhile, and the process is in the first line.
        guard pwrite(descriptor, text, text.count, 0) == text.count else { return }
        _ = ftruncate(descriptor, off_t(text.count))
    }
}

extension CheckpointError {
    static func locked(_ directory: String, by processID: Int32?) -> CheckpointError {
        let owner = processID.map { "process \($0)" } ?? "another process"
        return CheckpointError(
            .locked(processID: processID ?? 0),
            "the state directory '\(directory)' belongs to \(owner); "
                + "stop it, or give this one another --state-dir"
        )
    }

    static func system(_ code: Int32, _ verb: String, _ path: String) -> CheckpointError {
        let reason = String(cString: strerror(code))
        if code == ENOSPC || code == EDQUOT {
            return CheckpointError(.diskFull, "no room to \(verb) '\(path)' (\(reason)); free some")
        }
        return CheckpointError(
            .unwritable,
            "cannot \(verb) '\(path)' (\(reason)); check that the directory exists "
                + "and that this user may write to it"
        )
    }
}

func parentDirectory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: 0x2F) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Whether there is a file; a directory that may not be looked into is an error, not "no".
func fileExists(_ path: String) throws(CheckpointError) -> Bool {
    if access(path, F_OK) == 0 { return true }
    guard errno == ENOENT else { throw .system(errno, "open", path) }
    return false
}

func synchronizeDirectory(_ path: String) throws(CheckpointError) {
    let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(errno, "open", path) }
    defer { Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .system(errno, "write", path) }
}

/// Which file is under a path.
struct FileIdentity: Equatable {
    private let device: UInt64
    private let inode: UInt64

    /// Nil if there is none.
    ///
    /// - Throws: when that cannot be told.
    init?(of path: String) throws(CheckpointError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .system(errno, "look at", path)
        }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}
