import CPlatform
import Glibc

/// The file beside the database that tells a copy from the original.
///
/// Both hold a number that is chosen anew at each start, and the database holds the inode and the
/// time of birth of the file. A database put back from a backup has another number, or has seen
/// fewer commits than the file; a copied directory has other files, and the file is made anew at
/// each start, so that one into which a backup was written in place has them as well. An ordinary
/// restart, a rename of the directory and another device number after a reboot change nothing. Only
/// a whole disk that was set back to an earlier state looks like one that was not.
struct OwnershipWitness: Equatable {
    /// 0 in a database that had no start yet.
    var token: Int64
    var inode: Int64
    /// Nanoseconds since 1970; -1 where the file system does not tell.
    var birthTime: Int64
}

/// The witness as a file, to be written to with each commit.
final class OwnershipWitnessFile: Sendable {
    let witness: OwnershipWitness
    /// How many commits the database had, by what the kernel was told last.
    let commits: Int64
    /// Whose power cut may take commits back.
    let risk: CommitRisk
    private let descriptor: Int32

    private static let name = "/forktail.owner"
    private static let draftName = "/forktail.owner.new"

    static func kept(in directory: String) throws(CheckpointError) -> OwnershipWitnessFile? {
        try OwnershipWitnessFile(reading: directory + name)
    }

    /// What a start left that was cut short.
    static func drafted(in directory: String) throws(CheckpointError) -> OwnershipWitnessFile? {
        try OwnershipWitnessFile(reading: directory + draftName)
    }

    /// Makes another one; ``keepDraft(in:)`` follows once the database knows it.
    static func draft(
        in directory: String,
        commits: Int64,
        risk: CommitRisk
    ) throws(CheckpointError) -> OwnershipWitnessFile {
        let file = try OwnershipWitnessFile(
            creating: directory + draftName,
            commits: commits,
            risk: risk
        )
        try synchronizeDirectory(directory)
        return file
    }

    static func keepDraft(in directory: String) throws(CheckpointError) {
        guard rename(directory + draftName, directory + name) == 0 else {
            throw .system(errno, "create", directory + name)
        }
        try synchronizeDirectory(directory)
    }

    private init(
        creating path: String,
        commits: Int64,
        risk: CommitRisk
    ) throws(CheckpointError) {
        unlink(path)
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
        descriptor = Glibc.open(path, flags, 0o644)
        guard descriptor >= 0 else { throw .system(errno, "create", path) }
        let token = Int64.random(in: 1...Int64.max)
        let text = Self.line(token) + Self.line(commits) + Self.line(risk.rawValue)
        guard write(descriptor, text, text.count) == text.count, fsync(descriptor) == 0 else {
            let error = CheckpointError.system(errno, "write", path)
            Glibc.close(descriptor)
            throw error
        }
        self.commits = commits
        self.risk = risk
        witness = OwnershipWitness(token: token, fileOpenAt: descriptor)
    }

    private init?(reading path: String) throws(CheckpointError) {
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(errno, "open", path)
        }
        var text = [UInt8](repeating: 0, count: 3 * Self.lineLength)
        let count = pread(descriptor, &text, text.count, 0)
        let numbers = text.prefix(max(0, count)).split(separator: 0x0A).map {
            Int64(String(decoding: $0, as: UTF8.self)) ?? 0
        }
        commits = numbers.count > 1 ? numbers[1] : 0
        risk = CommitRisk(rawValue: numbers.count > 2 ? numbers[2] : 0)
        witness = OwnershipWitness(token: numbers.first ?? 0, fileOpenAt: descriptor)
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// Tells how many commits the database has.
    ///
    /// It need not be durable: after a power cut the file may only have seen fewer than there are.
    func note(commits: Int64) {
        let line = Self.line(commits)
        _ = pwrite(descriptor, line, line.count, off_t(Self.lineLength))
    }

    /// Tells durably whose power cut may take commits back from now on.
    func note(_ risk: CommitRisk) throws(CheckpointError) {
        let line = Self.line(risk.rawValue)
        guard pwrite(descriptor, line, line.count, off_t(2 * Self.lineLength)) == line.count,
            fsync(descriptor) == 0
        else { throw .system(errno, "write", "the owner's file of the state directory") }
    }

    private static let lineLength = 20

    /// Always of the same length.
    private static func line(_ number: Int64) -> [UInt8] {
        let digits = Array("\(number)".utf8)
        return [UInt8](repeating: 0x30, count: lineLength - 1 - digits.count) + digits + [0x0A]
    }
}

extension OwnershipWitness {
    fileprivate init(token: Int64, fileOpenAt descriptor: Int32) {
        var status = stat()
        fstat(descriptor, &status)
        self.token = token
        inode = Int64(bitPattern: UInt64(status.st_ino))
        birthTime = forktail_birth_time(descriptor)
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
