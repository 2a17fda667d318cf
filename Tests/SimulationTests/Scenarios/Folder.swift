import Glibc

/// A folder of a scenario's own, gone with it.
final class Folder {
    let path: String

    init() {
        var template = Array("/tmp/forktail-scenario-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary folder: errno \(errno)")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // One who is not root looks into it too.
        chmod(path, 0o755)
    }

    deinit {
        Self.removeTree(path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    /// A path as a scenario writes it.
    func shortened(_ path: String) -> String {
        path.hasPrefix(self.path + "/") ? String(path.dropFirst(self.path.count + 1)) : path
    }

    func put(_ name: String, _ bytes: [UInt8], _ flags: Int32) {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | flags, 0o644)
        precondition(descriptor >= 0, "cannot open \(name): errno \(errno)")
        defer { close(descriptor) }
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        precondition(count == bytes.count, "cannot write \(name): errno \(errno)")
    }

    func bytes(_ name: String) -> [UInt8] {
        let descriptor = open(file(name), O_RDONLY)
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return [] }
        var result = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = read(descriptor, &result, result.count)
        return Array(result.prefix(max(0, count)))
    }

    static func removeTree(_ path: String) {
        guard let stream = opendir(path) else { return }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        closedir(stream)
        for name in names where unlink(path + "/" + name) != 0 { removeTree(path + "/" + name) }
        rmdir(path)
    }
}

/// A writer that keeps its file open, whatever becomes of the name.
final class Writer {
    private let descriptor: Int32

    init(_ path: String) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        precondition(descriptor >= 0, "cannot open \(path): errno \(errno)")
    }

    deinit {
        close(descriptor)
    }

    func append(_ text: String) {
        let bytes = Array(text.utf8)
        let count = Glibc.write(descriptor, bytes, bytes.count)
        precondition(count == bytes.count, "cannot write: errno \(errno)")
    }
}
