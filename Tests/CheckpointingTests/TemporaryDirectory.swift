import Glibc

/// A folder of a test's own, gone with it.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/forktail-test-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary folder: errno \(errno)")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        removeTree(path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ name: String, _ text: String) { put(name, Array(text.utf8), O_TRUNC) }

    func write(_ name: String, bytes: [UInt8]) { put(name, bytes, O_TRUNC) }

    func append(_ name: String, _ text: String) { put(name, Array(text.utf8), O_APPEND) }

    func bytes(_ name: String) -> [UInt8] {
        let descriptor = open(file(name), O_RDONLY)
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        var result = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = read(descriptor, &result, result.count)
        return Array(result.prefix(max(0, count)))
    }

    func move(_ from: String, _ to: String) {
        precondition(rename(file(from), file(to)) == 0, "cannot rename: errno \(errno)")
    }

    func remove(_ name: String) {
        precondition(unlink(file(name)) == 0, "cannot delete: errno \(errno)")
    }

    func makeDirectory(_ name: String) {
        precondition(mkdir(file(name), 0o755) == 0, "cannot make a directory: errno \(errno)")
    }

    private func put(_ name: String, _ bytes: [UInt8], _ flag: Int32) {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | flag, 0o644)
        precondition(descriptor >= 0, "cannot open \(name): errno \(errno)")
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            precondition(count > 0, "cannot write \(name): errno \(errno)")
            rest = rest.dropFirst(count)
        }
    }
}

/// Deletes a folder of a test with all that is in it.
func removeTree(_ path: String) {
    removeTree(Array(path.utf8CString))
}

// In bytes: a name need not be UTF-8.
private func removeTree(_ path: [CChar]) {
    guard let stream = opendir(path) else { return }
    var names: [[CChar]] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
        }
        if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
    }
    closedir(stream)
    for name in names {
        let child = path.dropLast() + [0x2F] + name + [0]
        if unlink(Array(child)) != 0 { removeTree(Array(child)) }
    }
    rmdir(path)
}

/// A generator that a failed test can be run with again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// FORKTAIL_SEED, or another one each time; prints how to run the same again.
func testSeed(for suite: String) -> UInt64 {
    let given = getenv("FORKTAIL_SEED").flatMap { UInt64(String(cString: $0)) }
    let seed = given ?? UInt64.random(in: 0...UInt64.max)
    print("FORKTAIL_SEED=\(seed) swift test --filter \(suite)")
    return seed
}
