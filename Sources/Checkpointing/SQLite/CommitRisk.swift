import Glibc

/// Whether the last commits may be gone at the next start.
///
/// Without waiting for the disk, commits live in the kernel's memory at first: they outlive the
/// process, and not the host.
struct CommitRisk: Equatable {
    let rawValue: Int64

    /// None is: each waited for the disk, or the database was closed in order.
    static let none = CommitRisk(rawValue: 0)
    /// Some are gone, and it is not found out yet what they said.
    static let unresolved = CommitRisk(rawValue: 1)

    /// They are if another boot of the host comes before they are on the disk.
    static var ofThisBoot: CommitRisk {
        let descriptor = Glibc.open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        // Where nobody tells one boot from another, each start has to look.
        guard descriptor >= 0 else { return .unresolved }
        defer { Glibc.close(descriptor) }
        var text = [UInt8](repeating: 0, count: 36)
        let count = pread(descriptor, &text, text.count, 0)
        let digits = String(decoding: text.prefix(max(0, count)), as: UTF8.self)
            .filter(\.isHexDigit).prefix(15)
        guard let number = Int64(digits, radix: 16), number > 1 else { return .unresolved }
        return CommitRisk(rawValue: number)
    }

    /// Whether commits may be gone, for a start that finds this.
    var hasCome: Bool { self != .none && (self == .unresolved || self != .ofThisBoot) }
}
