import CPlatform
import Glibc

/// The file beside the database that tells a copy from the original.
///
/// Both hold a number that is chosen anew at each start, and the database holds the inode and the
/// time of birth of the file. A database put back from a backup has another number; a copied
/// directory has other files, and the file is made anew at each start, so that one into which a
/// backup was written in place has them as well. An ordinary restart, a rename of the directory and
/// another device number after a reboot change nothing.
struct OwnershipWitness: Equatable {
    /// 0 in a database that had no start yet.
    var token: Int64
    var inode: Int64
    /// Nanoseconds since 1970; -1 where the file system does not tell.
    var birthTime: Int64

    private static let name = "/forktail.owner"
    private static let draftName = "/forktail.owner.new"

    static func kept(in directory: String) throws(CheckpointError) -> OwnershipWitness? {
        try read(directory + name)
    }

    /// What a start left that was cut short.
    static func drafted(in directory: String) throws(CheckpointError) -> OwnershipWitness? {
        try read(directory + draftName)
    }

    /// Makes another one; ``keepDraft(in:)`` follows once the database knows it.
    static func draft(in directory: String) throws(CheckpointError) -> OwnershipWitness {
        let path = directory + draftName
        unlink(path)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
        let descriptor = Glibc.open(path, flags, 0o644)
        guard descriptor >= 0 else { throw .system(errno, "create", path) }
        defer { Glibc.close(descriptor) }
        let token = Int64.random(in: 1...Int64.max)
        let text = Array("\(token)\n".utf8)
        guard write(descriptor, text, text.count) == text.count, fsync(descriptor) == 0 else {
            throw .system(errno, "write", path)
        }
        try synchronizeDirectory(directory)
        return try OwnershipWitness(token: token, open: descriptor, path: path)
    }

    static func keepDraft(in directory: String) throws(CheckpointError) {
        guard rename(directory + draftName, directory + name) == 0 else {
            throw .system(errno, "create", directory + name)
        }
        try synchronizeDirectory(directory)
    }

    private static func read(_ path: String) throws(CheckpointError) -> OwnershipWitness? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(errno, "open", path)
        }
        defer { Glibc.close(descriptor) }
        var text = [UInt8](repeating: 0, count: 24)
        let count = pread(descriptor, &text, text.count, 0)
        guard count >= 0 else { throw .system(errno, "read", path) }
        let digits = text[..<count].prefix { $0 != 0x0A }
        let token = Int64(String(decoding: digits, as: UTF8.self)) ?? 0
        return try OwnershipWitness(token: token, open: descriptor, path: path)
    }

    private init(
        token: Int64,
        open descriptor: Int32,
        path: String
    ) throws(CheckpointError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(errno, "look at", path) }
        self.token = token
        inode = Int64(bitPattern: UInt64(status.st_ino))
        birthTime = forktail_birth_time(descriptor)
    }

    init(token: Int64, inode: Int64, birthTime: Int64) {
        self.token = token
        self.inode = inode
        self.birthTime = birthTime
    }
}

/// Which installation of Linux this is; empty where it does not say.
///
/// It tells a copy of a whole disk from the original, if the copy was prepared as one should be.
func machineID() -> String {
    let descriptor = Glibc.open("/etc/machine-id", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { Glibc.close(descriptor) }
    var text = [UInt8](repeating: 0, count: 32)
    let count = pread(descriptor, &text, text.count, 0)
    return String(decoding: text.prefix(max(0, count)), as: UTF8.self)
}
