import CZlib
import CZstd
import Glibc
import Testing

@testable import FileTailing

struct DecompressedFileTests {
    static let both = [FileCompression.gzip, .zstd]

    // MARK: What is compressed

    @Test func `a compression is known by a file's first bytes`() {
        #expect(FileCompression(head: gzip([])) == .gzip)
        #expect(FileCompression(head: zstd([])) == .zstd)
        #expect(FileCompression(head: skippableFrame(3)) == .zstd)
        #expect(FileCompression(head: Array("plain text\n".utf8)) == nil)
        #expect(FileCompression(head: [0x1F, 0x8B, 0x07, 0x00]) == nil)
        #expect(FileCompression(head: [0x1F, 0x8B]) == nil)
        #expect(FileCompression(head: []) == nil)
    }

    @Test(arguments: both)
    func `one member is read to its end`(compression: FileCompression) throws {
        let plain = logText(100_000)
        let file = open(compress(plain, compression), compression)
        #expect(file.end == .unknown)
        #expect(try contents(of: file) == plain)
        #expect(file.end == .whole(decompressedSize: 100_000))
    }

    @Test(arguments: both)
    func `members follow one another, empty ones too`(compression: FileCompression) throws {
        let parts = [logText(5_000), [], Array("x".utf8), [], logText(40_000), []]
        let file = open(parts.flatMap { compress($0, compression) }, compression)
        #expect(try contents(of: file) == Array(parts.joined()))
        #expect(file.end == .whole(decompressedSize: 45_001))
    }

    @Test(arguments: both)
    func `an empty file and an empty member are whole`(compression: FileCompression) throws {
        for bytes in [[], compress([], compression)] {
            let file = open(bytes, compression)
            #expect(try contents(of: file) == [])
            #expect(file.end == .whole(decompressedSize: 0))
        }
    }

    @Test func `a gzip header may hold all its fields`() throws {
        let plain = logText(1_000)
        let file = open(withFullHeader(gzip(plain)) + gzip(plain), .gzip)
        #expect(try contents(of: file) == plain + plain)
        #expect(file.end == .whole(decompressedSize: 2_000))
    }

    @Test func `zeros behind a gzip member are padding`() throws {
        let plain = logText(1_000)
        let zeros = [UInt8](repeating: 0, count: 300_000)
        let file = open(gzip(plain) + zeros + gzip(plain) + [0], .gzip)
        #expect(try contents(of: file) == plain + plain)
        #expect(file.end == .whole(decompressedSize: 2_000))
        let empty = open([0, 0], .gzip)
        #expect(try contents(of: empty) == [])
        #expect(empty.end == .damaged(reason: "no gzip member begins here", at: 0))
    }

    @Test func `metadata between zstd frames is skipped`() throws {
        let plain = logText(1_000)
        let bytes =
            skippableFrame(300_000) + zstd(plain) + skippableFrame(0) + zstd(plain)
            + skippableFrame(5)
        let file = open(bytes, .zstd)
        #expect(try contents(of: file) == plain + plain)
        #expect(file.end == .whole(decompressedSize: 2_000))
        let cut = open(Array(bytes.dropLast()), .zstd)
        #expect(try contents(of: cut) == plain + plain)
        #expect(cut.end == .incomplete)
    }

    @Test func `a zstd window of up to 128 MiB is taken, as zstd --long writes it`() throws {
        let plain = logText(1_000)
        let file = open(zstd(plain, windowLog: 27), .zstd)
        #expect(try contents(of: file) == plain)
        #expect(file.end == .whole(decompressedSize: 1_000))
        let largest = open(emptyFrame(windowLog: 27), .zstd)
        #expect(try contents(of: largest) == [])
        #expect(largest.end == .whole(decompressedSize: 0))
    }

    @Test func `a larger zstd window is told from damage`() throws {
        let before = zstd(logText(1_000))
        let file = open(before + emptyFrame(windowLog: 28), .zstd)
        #expect(try contents(of: file) == logText(1_000))
        let reason = "its window is larger than 128 MiB; compress it with --long=27 or less"
        guard case .damaged(reason, let offset) = file.end else {
            Issue.record("it ended as \(file.end)")
            return
        }
        #expect(Int(offset) >= before.count)
    }

    // MARK: How it is read

    @Test(arguments: both)
    func `any reads give the slices of the plain content`(compression: FileCompression) throws {
        var random = SeededGenerator(seed: seed())
        let plain = logText(400_000, &random)
        let bytes = inMembers(plain, compression, &random)
        let file = open(bytes, compression)
        var offset = 0
        for _ in 0..<400 {
            offset = nextOffset(after: offset, in: plain, &random)
            let length = randomLength(&random)
            let expected = plain.dropFirst(offset).prefix(length)
            #expect(try read(file, offset, length) == Array(expected))
            if expected.count < length { #expect(file.end == .whole(decompressedSize: 400_000)) }
        }
    }

    @Test(arguments: both)
    func `reading forward decodes each byte once`(compression: FileCompression) throws {
        let plain = logText(1_500_000)
        let memory = MemoryFile(compress(plain, compression))
        let file = DecompressedFile(memory, compression: compression)
        #expect(try contents(of: file, length: 256 * 1_024) == plain)
        #expect(memory.blockReads.reduce(0, +) == memory.bytes.count)
        #expect(memory.blockReads.allSatisfy { $0 <= 128 * 1_024 })
        #expect(file.bufferedByteCount < 512 * 1_024)
    }

    @Test(arguments: both)
    func `the head is read at any time without decoding again`(
        compression: FileCompression
    ) throws {
        let plain = logText(1_500_000)
        let memory = MemoryFile(compress(plain, compression))
        let file = DecompressedFile(memory, compression: compression)
        #expect(try read(file, 0, 100) == Array(plain[..<100]))
        #expect(try read(file, 1_000_000, 100) == Array(plain[1_000_000..<1_000_100]))
        let before = memory.blockReads.count
        #expect(try read(file, 0, 1_024) == Array(plain[..<1_024]))
        #expect(try read(file, 1_000, 24) == Array(plain[1_000..<1_024]))
        #expect(memory.blockReads.count == before)
        #expect(try read(file, 1_000, 25) == Array(plain[1_000..<1_025]))
        #expect(memory.blockReads.count > before)
    }

    @Test(arguments: both)
    func `a new object resumes in the middle`(compression: FileCompression) throws {
        let plain = logText(500_000)
        let bytes = compress(plain, compression)
        for offset in [0, 1, 64, 131_072, 250_000, 499_999, 500_000] {
            let file = open(bytes, compression)
            #expect(try contents(of: file, from: offset) == Array(plain[offset...]))
        }
    }

    @Test(arguments: both)
    func `a place beyond the end holds nothing`(compression: FileCompression) throws {
        let file = open(compress(logText(1_000), compression), compression)
        #expect(try read(file, 1_001, 10) == [])
        #expect(file.end == .whole(decompressedSize: 1_000))
        #expect(try read(file, 990, 20) == Array(logText(1_000)[990...]))
    }

    @Test(arguments: both)
    func `the end of much content is reached in little memory`(
        compression: FileCompression
    ) throws {
        let part = compress([UInt8](repeating: 0, count: 50_000_000), compression)
        let file = open(part + part + part + part, compression)
        #expect(try read(file, 199_999_000, 2_000) == [UInt8](repeating: 0, count: 1_000))
        #expect(file.end == .whole(decompressedSize: 200_000_000))
        #expect(file.bufferedByteCount < 300_000)
    }

    @Test(arguments: both)
    func `a read that failed can be tried again`(compression: FileCompression) throws {
        let plain = logText(500_000)
        let memory = MemoryFile(compress(plain, compression))
        let file = DecompressedFile(memory, compression: compression)
        memory.failingRead = 3
        var content: [UInt8] = []
        var failures = 0
        while content.count < plain.count {
            do {
                content += try read(file, content.count, 5_000)
            } catch let error as TailError {
                #expect(error.code == EIO)
                failures += 1
            }
        }
        #expect(content == plain)
        #expect(failures > 30)
    }

    @Test func `the status is that of the compressed file`() throws {
        let bytes = gzip(logText(10_000))
        let file = open(bytes, .gzip)
        #expect(try file.status().size == Int64(bytes.count))
        #expect(try file.compressedSize == Int64(bytes.count))
        #expect(file.birthTime == 7)
        #expect(file.compressedOffset == 0)
        _ = try contents(of: file)
        #expect(file.compressedOffset == Int64(bytes.count))
    }

    // MARK: Files that grow and change

    @Test(arguments: both)
    func `a file that grows by a byte is read as far as it goes`(
        compression: FileCompression
    ) throws {
        let parts = [logText(300), [], logText(200)]
        let members = parts.map { compress($0, compression) }
        let ends = members.indices.map { members[...$0].joined().count }
        let memory = MemoryFile([])
        let file = DecompressedFile(memory, compression: compression)
        for byte in members.joined() {
            memory.bytes.append(byte)
            let content = try contents(of: file)
            #expect(parts.joined().starts(with: content))
            let isWhole = ends.contains(memory.bytes.count)
            #expect(file.end == (isWhole ? .whole(decompressedSize: content.count64) : .incomplete))
        }
        #expect(try contents(of: file) == Array(parts.joined()))
    }

    @Test(arguments: both)
    func `a file that grows in steps of any size is read once and whole`(
        compression: FileCompression
    ) throws {
        var random = SeededGenerator(seed: seed())
        let plain = logText(600_000, &random)
        let bytes = inMembers(plain, compression, &random)
        let memory = MemoryFile([])
        let file = DecompressedFile(memory, compression: compression)
        var content: [UInt8] = []
        while memory.bytes.count < bytes.count {
            let step = 1 + randomLength(&random)
            memory.bytes += bytes[memory.bytes.count...].prefix(step)
            let overlap = min(64, content.count)
            let new = try contents(of: file, from: content.count - overlap)
            #expect(Array(new.prefix(overlap)) == Array(content[(content.count - overlap)...]))
            content += new.dropFirst(overlap)
            #expect(file.end != .unknown)
        }
        #expect(content == plain)
        #expect(file.end == .whole(decompressedSize: 600_000))
        #expect(memory.blockReads.reduce(0, +) == bytes.count)
    }

    @Test(arguments: both)
    func `a member that is cut off goes on when the rest arrives`(
        compression: FileCompression
    ) throws {
        let plain = logText(400_000)
        let bytes = compress(plain, compression)
        let memory = MemoryFile(Array(bytes[..<(bytes.count / 2)]))
        let file = DecompressedFile(memory, compression: compression)
        let first = try contents(of: file)
        #expect(!first.isEmpty && plain.starts(with: first))
        #expect(file.end == .incomplete)
        #expect(try read(file, first.count, 100) == [])
        memory.bytes = bytes
        #expect(try first + contents(of: file, from: first.count) == plain)
        #expect(file.end == .whole(decompressedSize: 400_000))
    }

    @Test(arguments: both)
    func `a cut file gives all that is in it, in pieces of any size`(
        compression: FileCompression
    ) throws {
        // A few bytes hold much: the decoder has output when it has no input any more.
        let plain = [UInt8](repeating: 0, count: 1_000_000)
        let bytes = compress(plain, compression)
        for length in stride(from: 0, to: bytes.count, by: bytes.count / 20) {
            let whole = try contents(of: open(Array(bytes[..<length]), compression))
            let file = open(Array(bytes[..<length]), compression)
            #expect(try contents(of: file, length: 10_007) == whole)
            #expect(file.end == (length == 0 ? .whole(decompressedSize: 0) : .incomplete))
            guard whole.count > 3 else { continue }
            let other = open(Array(bytes[..<length]), compression)
            #expect(try read(other, whole.count - 3, 2) == [0, 0])
            #expect(try read(other, whole.count - 1, 2) == [0])
        }
    }

    @Test(arguments: both)
    func `a file that shrank is read again from its start`(compression: FileCompression) throws {
        let memory = MemoryFile(compress(logText(5_000), compression))
        let file = DecompressedFile(memory, compression: compression)
        #expect(try contents(of: file).count == 5_000)
        let other = Array("other\n".utf8)
        memory.bytes = compress(other, compression)
        #expect(try read(file, 4_936, 1_000) == [])
        #expect(file.end == .whole(decompressedSize: 6))
        #expect(try contents(of: file) == other)
        memory.bytes = []
        #expect(try contents(of: file) == [])
        #expect(file.end == .whole(decompressedSize: 0))
    }

    @Test(arguments: both)
    func `a file that was rewritten and is longer now is read from its start`(
        compression: FileCompression
    ) throws {
        var random = SeededGenerator(seed: seed())
        let (old, new) = (logText(5_000, &random), logText(500_000, &random))
        let memory = MemoryFile(compress(old, compression))
        let file = DecompressedFile(memory, compression: compression)
        #expect(try contents(of: file) == old)
        memory.bytes = compress(new, compression)
        #expect(try read(file, 4_936, 1_000) == Array(new[4_936..<5_936]))
        #expect(try read(file, 0, 1_024) == Array(new[..<1_024]))
        #expect(try contents(of: file) == new)
    }

    // MARK: Damage

    @Test(arguments: both)
    func `what follows a member and is none is damage behind good content`(
        compression: FileCompression
    ) throws {
        let plain = logText(200_000)
        let member = compress(plain, compression)
        let file = open(member + Array("plain text".utf8), compression)
        #expect(try contents(of: file) == plain)
        let name = compression == .gzip ? "gzip member" : "zstd frame"
        let expected = DecompressedFile.End.damaged(
            reason: "no \(name) begins here",
            at: Int64(member.count)
        )
        #expect(file.end == expected)
        #expect(try read(file, 199_990, 100) == Array(plain[199_990...]))
        #expect(try read(file, 200_000, 100) == [])
        #expect(try read(file, 300_000, 100) == [])
        #expect(file.end == expected)
    }

    @Test(arguments: both)
    func `a wrong checksum is damage at the trailer`(compression: FileCompression) throws {
        let plain = logText(200_000)
        var bytes = compress(plain, compression)
        let trailer = compression == .gzip ? 8 : 4
        bytes[bytes.count - trailer] ^= 1
        let file = open(bytes, compression)
        #expect(try contents(of: file) == plain)
        guard case .damaged(_, let offset) = file.end else {
            Issue.record("it ended as \(file.end)")
            return
        }
        #expect(Int(offset) >= bytes.count - trailer)
    }

    @Test func `zstd blocks before a bad one are all given out`() throws {
        let plain = logText(1_000_000)
        var bytes = zstd(plain)
        let good = try contents(of: open(Array(bytes.dropLast(10)), .zstd))
        bytes.replaceSubrange((bytes.count - 10)..., with: [UInt8](repeating: 0xFF, count: 10))
        for length in [1_000, 131_072, 2_000_000] {
            let file = open(bytes, .zstd)
            #expect(try contents(of: file, length: length).prefix(good.count) == good[...])
            #expect(file.isDamaged)
        }
        #expect(good.count >= 7 * 131_072)
    }

    @Test(arguments: both)
    func `a flipped bit anywhere is noticed, and what stands before it is read`(
        compression: FileCompression
    ) throws {
        let plain = logText(120)
        let bytes = compress(plain, compression) + compress(plain, compression)
        for position in bytes.indices {
            let before = try contents(of: open(Array(bytes[..<position]), compression))
            for bit in 0..<8 {
                var flipped = bytes
                flipped[position] ^= 1 << bit
                let file = open(flipped, compression)
                let content = try contents(of: file)
                #expect(content.starts(with: before), "byte \(position), bit \(bit)")
                // Some bits mean nothing: the time in a gzip header, one reserved by zstd.
                let isRight = content == plain + plain && file.end == .whole(decompressedSize: 240)
                let isNoticed = file.isDamaged || file.end == .incomplete
                #expect(isRight || isNoticed, "byte \(position), bit \(bit): \(file.end)")
                #expect(try contents(of: file, length: 50) == content)
            }
        }
    }

    @Test(arguments: both)
    func `damage reads the same in pieces of any size`(compression: FileCompression) throws {
        var random = SeededGenerator(seed: seed())
        let plain = logText(300_000, &random)
        let bytes = inMembers(plain, compression, &random)
        for _ in 0..<20 {
            var damaged = bytes
            let position = Int.random(in: 0..<bytes.count, using: &random)
            damaged[position] ^= UInt8.random(in: 1...255, using: &random)
            let file = open(damaged, compression)
            let content = try contents(of: file)
            let other = open(damaged, compression)
            let length = Int.random(in: 100...100_000, using: &random)
            #expect(try contents(of: other, length: length) == content)
            #expect(other.end == file.end)
        }
    }
}

// MARK: Files in memory

/// A file that a test holds and changes.
private final class MemoryFile: DiskFile, @unchecked Sendable {
    // Safe: a test has it on one thread.
    var bytes: [UInt8]
    /// Every how many reads one fails.
    var failingRead = Int.max
    private var readCount = 0
    /// How much each read gave, but for those that only look whether the file is the same.
    private(set) var blockReads: [Int] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var birthTime: Int64? { 7 }

    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(TailError) -> Int {
        readCount += 1
        if readCount % failingRead == 0 { throw TailError(code: EIO, path: "memory") }
        let slice = bytes.dropFirst(Int(offset)).prefix(buffer.count)
        buffer.copyBytes(from: slice)
        if buffer.count > 64 { blockReads.append(slice.count) }
        return slice.count
    }

    func status() throws(TailError) -> FileStatus {
        FileStatus(
            key: FileKey(device: 1, inode: 2),
            size: Int64(bytes.count),
            modified: 0,
            kind: .regular
        )
    }
}

extension DecompressedFile {
    fileprivate var isDamaged: Bool {
        if case .damaged = end { true } else { false }
    }
}

extension [UInt8] {
    fileprivate var count64: Int64 { Int64(count) }
}

private func open(_ bytes: [UInt8], _ compression: FileCompression) -> DecompressedFile {
    DecompressedFile(MemoryFile(bytes), compression: compression)
}

private func read(_ file: DecompressedFile, _ offset: Int, _ length: Int) throws -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 1)
    defer { buffer.deallocate() }
    let count = try file.read(into: buffer, at: Int64(offset))
    return Array(buffer[..<count])
}

/// All content from a place on, as a lane reads it: each read begins in the one before.
private func contents(
    of file: DecompressedFile,
    from offset: Int = 0,
    length: Int = 1 << 17
) throws -> [UInt8] {
    var result: [UInt8] = []
    while true {
        let overlap = min(64, result.count, length / 2)
        let piece = try read(file, offset + result.count - overlap, length)
        #expect(Array(piece.prefix(overlap)) == Array(result[(result.count - overlap)...]))
        result += piece.dropFirst(overlap)
        if piece.count < length { return result }
    }
}

// MARK: Chance

private func seed() -> UInt64 {
    let given = getenv("FORKTAIL_SEED").flatMap { UInt64(String(cString: $0)) }
    let seed = given ?? .random(in: .min ... .max)
    print("FORKTAIL_SEED=\(seed) swift test --filter DecompressedFileTests")
    return seed
}

/// Where to read next: mostly a little before the last place or behind it, sometimes anywhere.
private func nextOffset(
    after offset: Int,
    in plain: [UInt8],
    _ random: inout SeededGenerator
) -> Int {
    switch Int.random(in: 0..<20, using: &random) {
    case 0: Int.random(in: 0...plain.count + 10, using: &random)
    case 1: Int.random(in: 0...1_024, using: &random)
    case 2...4: offset
    default: min(plain.count, offset + Int.random(in: 0...20_000, using: &random))
    }
}

private func randomLength(_ random: inout SeededGenerator) -> Int {
    Int.random(in: 0...(1 << Int.random(in: 0...17, using: &random)), using: &random)
}

/// A log, the same one each time.
private let sample: [UInt8] = {
    var random = SeededGenerator(seed: 1)
    var text: [UInt8] = []
    while text.count < 1_500_000 {
        text += "GET /item/\(random.next() % 100_000) 200 \(random.next())\n".utf8
    }
    return text
}()

private func logText(_ length: Int) -> [UInt8] {
    Array(sample[..<length])
}

private func logText(_ length: Int, _ random: inout SeededGenerator) -> [UInt8] {
    let start = Int.random(in: 0...(sample.count - length), using: &random)
    return Array(sample[start...].prefix(length))
}

// MARK: Compressing

private func compress(_ plain: [UInt8], _ compression: FileCompression) -> [UInt8] {
    switch compression {
    case .gzip: gzip(plain)
    case .zstd: zstd(plain)
    }
}

/// The content in a random number of members.
private func inMembers(
    _ plain: [UInt8],
    _ compression: FileCompression,
    _ random: inout SeededGenerator
) -> [UInt8] {
    let cuts = (0..<Int.random(in: 0...5, using: &random))
        .map { _ in Int.random(in: 0...plain.count, using: &random) }
    let edges = [0] + cuts.sorted() + [plain.count]
    return zip(edges, edges.dropFirst()).flatMap { compress(Array(plain[$0..<$1]), compression) }
}

private func gzip(_ plain: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    let bits = MAX_WBITS + 16
    deflateInit2_(&stream, 1, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
    defer { deflateEnd(&stream) }
    var plain = plain
    var result = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(plain.count))) + 32)
    let count = plain.withUnsafeMutableBufferPointer { source in
        result.withUnsafeMutableBufferPointer { target in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(target.count)
            precondition(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate did not finish")
            return target.count - Int(stream.avail_out)
        }
    }
    return Array(result.prefix(count))
}

/// The member with a header of extra field, name, comment and checksum instead of its own.
private func withFullHeader(_ member: [UInt8]) -> [UInt8] {
    var header: [UInt8] = [0x1F, 0x8B, 8, 0b1_1110, 1, 2, 3, 4, 0, 3]
    header += [5, 0] + Array("extra".utf8)
    header += Array("access.log\0a comment\0".utf8)
    let sum = crc32(0, header, UInt32(header.count))
    header += [UInt8(truncatingIfNeeded: sum), UInt8(truncatingIfNeeded: sum >> 8)]
    return header + member.dropFirst(10)
}

private func zstd(_ plain: [UInt8], windowLog: Int32? = nil) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    if let windowLog { ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog) }
    var result = [UInt8](repeating: 0, count: ZSTD_compressBound(plain.count))
    let count = ZSTD_compress2(context, &result, result.count, plain, plain.count)
    precondition(ZSTD_isError(count) == 0, String(cString: ZSTD_getErrorName(count)))
    return Array(result.prefix(count))
}

/// A frame of metadata, `length` bytes of it.
private func skippableFrame(_ length: UInt32) -> [UInt8] {
    let size = withUnsafeBytes(of: length.littleEndian) { Array($0) }
    return [0x53, 0x2A, 0x4D, 0x18] + size + [UInt8](repeating: 7, count: Int(length))
}

/// A frame that asks for a window and holds one empty block.
private func emptyFrame(windowLog: UInt8) -> [UInt8] {
    [0x28, 0xB5, 0x2F, 0xFD, 0x00, (windowLog - 10) << 3, 0x01, 0x00, 0x00]
}
