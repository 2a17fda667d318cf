import Glibc

/// The process that has a state directory, or had it last, as others can see it.
package struct StateDirectoryOwner: Equatable, Sendable {
    package var processID: Int32
    /// What it said of itself; empty if nothing.
    package var description: String
    /// More that it said of itself, a line each.
    package var details: [String]
    /// Whether it has the directory now.
    package var isRunning: Bool

    /// Nil if no process had it yet, or the directory may not be looked into.
    package init?(of directory: String) {
        let path = directory + "/forktail.lock"
        var status = stat()
        guard stat(path, &status) == 0, let text = Self.contents(of: path) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let processID = Int32(first) else { return nil }
        self.processID = processID
        description = lines.count > 1 ? String(lines[1]) : ""
        details = lines.dropFirst(2).filter { !$0.isEmpty }.map(String.init)
        // To try the lock would keep out a process that starts at this moment.
        let locks = Self.contents(of: "/proc/locks") ?? ""
        isRunning = locks.split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            return words.contains("FLOCK") && words.contains("\(processID)")
                && words.contains { $0.hasSuffix(":\(status.st_ino)") }
        }
    }

    private static func contents(of path: String) -> String? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { Glibc.close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 4096)
        while case let count = Glibc.read(descriptor, &block, block.count), count > 0 {
            bytes += block[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
