import Glibc
import Testing

/// Certificates that Tests/tools/certificates makes, once for all tests of a run.
final class TestCertificates: Sendable {
    static let all = TestCertificates()

    let folder: String

    private init() {
        self.folder = Self.filledIn("/tmp/forktail-certificates-XXXXXX") { mkdtemp($0) != nil }
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let status = Self.run(root + "/tools/certificates", self.folder)
        if status != 0 { Issue.record("Tests/tools/certificates ended with \(status)") }
    }

    func path(_ name: String) -> String { "\(self.folder)/\(name)" }

    /// A file of its own, which a test can change.
    static func makeFile(_ text: [UInt8]) throws -> String {
        var file: Int32 = -1
        let path = self.filledIn("/tmp/forktail-security-XXXXXX") { template in
            file = mkstemp(template)
            return file >= 0
        }
        defer { close(file) }
        try #require(write(file, text, text.count) == text.count)
        return path
    }

    /// A name that nobody else has.
    private static func filledIn(
        _ template: String,
        _ make: (UnsafeMutablePointer<CChar>) -> Bool
    ) -> String {
        var bytes = Array(template.utf8CString)
        let isMade = bytes.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map(make) ?? false
        }
        if !isMade { Issue.record("\(template) could not be made") }
        return String(decoding: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Puts a new file in the place of another, as those do who renew certificates.
    static func replace(_ path: String, _ bytes: [UInt8]) throws {
        let new = try self.makeFile(bytes)
        try #require(rename(new, path) == 0)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        let file = open(self.path(name), O_RDONLY)
        try #require(file >= 0)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(file, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }

    private static func run(_ program: String, _ argument: String) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(program), strdup(argument), nil]
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        guard posix_spawn(&child, program, nil, nil, &arguments, environ) == 0 else { return -1 }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 {}
        return status
    }
}
