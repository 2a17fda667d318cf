import Glibc
import KafkaProtocol
import NIOCore
import Testing

/// Bytes that no broker and no client would send, to each decoder there is.
///
/// None of them may end the process, and none may take more memory than a small multiple of what
/// came. FORKTAIL_INPUTS says how many are tried, FORKTAIL_SEED which.
@Suite struct FuzzTests {
    /// Counts that a message claims to have, in the forms that a count can take.
    private static let claims: [[UInt8]] = [
        hex("7fffffff"), hex("80000000"), hex("ffffffff"), hex("fffffffe"), hex("0000ffff"),
        hex("ffffffff0f"), hex("ffffffff07"), hex("feffffff0f"), hex("ffff03"), hex("7fff"),
    ]

    @Test func `whatever arrives is refused or read, and nothing else happens`() throws {
        var fuzz = try Fuzz(seed: UInt64(variable("FORKTAIL_SEED") ?? 1))
        let wanted = variable("FORKTAIL_INPUTS") ?? 150_000
        let before = peakMemory()
        for _ in 0..<wanted { fuzz.tryNext() }
        let grown = peakMemory() - before
        print("\(wanted) inputs: \(fuzz.outcomes), \(grown >> 20) MiB more at the peak")
        #expect(fuzz.outcomes.read > wanted / 50)
        #expect(fuzz.outcomes.refused > wanted / 4)
        // Others run in the same process, unless this was asked for by itself.
        if variable("FORKTAIL_INPUTS") != nil { #expect(grown < 64 << 20) }
    }

    @Test(arguments: Sample.all)
    func `a count that a message claims takes no memory before its elements are there`(
        sample: Sample
    ) throws {
        let rest = [UInt8](repeating: 0, count: 5000)
        for version in sample.versions {
            let good = try sample.encode(version)
            for place in stride(from: 0, to: good.count, by: max(1, good.count / 12)) {
                for claim in Self.claims {
                    let bytes = good[..<place] + claim + rest
                    _ = sample.decodes(ByteBuffer(bytes: bytes), version)
                }
            }
        }
    }

    private func variable(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }

    /// The most memory that the process has had, in bytes.
    private func peakMemory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    }
}

/// Makes inputs, one after the other, and tries them.
private struct Fuzz {
    private enum Target {
        case message(Sample, Int16)
        case batches, snappy, frames
    }

    private struct Seed {
        let target: Target
        let bytes: [UInt8]
    }

    private(set) var outcomes = (read: 0, refused: 0)
    private var random: SeededNumbers
    private let seeds: [Seed]
    private static let decompressedLimit = 1 << 20

    init(seed: UInt64) throws {
        self.random = SeededNumbers(seed: seed)
        var seeds: [Seed] = []
        for sample in Sample.all {
            for version in sample.versions {
                let bytes = try sample.encode(version)
                seeds.append(Seed(target: .message(sample, version), bytes: bytes))
            }
        }
        // As often as messages, for much more depends on them.
        let batches = try Compression.allCases.map { Array(try Self.batch($0).readableBytesView) }
        for number in 0..<seeds.count / 2 {
            let bytes = batches[number % batches.count]
            seeds.append(Seed(target: .batches, bytes: bytes + (number % 3 == 0 ? bytes : [])))
        }
        let snappy = batches[Int(Compression.snappy.rawValue)].dropFirst(RecordBatchHeader.size)
        for _ in 0..<seeds.count / 16 {
            seeds.append(Seed(target: .snappy, bytes: Array(snappy)))
            seeds.append(Seed(target: .frames, bytes: hex("00000003 010203 00000001 09")))
        }
        self.seeds = seeds
    }

    private static func batch(_ codec: Compression) throws -> ByteBuffer {
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        for number in 0..<12 {
            _ = builder.append("k", "value \(number) value", headers: [("h", nil)], timestamp: 5)
        }
        return try builder.seal(with: codec == .none ? nil : Compressor(codec: codec)).buffer
    }

    mutating func tryNext() {
        let seed = self.seeds[Int.random(in: self.seeds.indices, using: &self.random)]
        let bytes = self.input(from: seed.bytes)
        let isRead =
            switch seed.target {
            case .message(let sample, let version):
                sample.decodes(ByteBuffer(bytes: bytes), version)
            case .batches: Self.readsBatches(bytes)
            case .snappy: Self.readsSnappy(bytes)
            case .frames: Self.readsFrames(bytes)
            }
        if isRead { self.outcomes.read += 1 } else { self.outcomes.refused += 1 }
    }

    // MARK: Decoders

    private static func readsBatches(_ bytes: [UInt8]) -> Bool {
        do {
            for batch in try RecordBatch.batches(in: ByteBuffer(bytes: bytes)) {
                try? batch.validateChecksum()
                let records = try batch.records(limit: self.decompressedLimit)
                if records.count != Int(max(0, batch.header.recordCount)) {
                    Issue.record(
                        "\(records.count) records of \(batch.header.recordCount): \(bytes)"
                    )
                }
            }
            return true
        } catch {
            return false
        }
    }

    private static func readsSnappy(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            let limit = self.decompressedLimit
            let plain = try? Decompressor.decompress(bytes, codec: .snappy, limit: limit)
            return plain != nil
        }
    }

    private static func readsFrames(_ bytes: [UInt8]) -> Bool {
        var decoder = FrameDecoder(limit: 1 << 16)
        do {
            // Byte by byte, as the slowest network would deliver them.
            for byte in bytes {
                decoder.append(ByteBuffer(bytes: [byte]))
                while try decoder.next() != nil {}
            }
            return true
        } catch {
            return false
        }
    }

    // MARK: Inputs

    private mutating func input(from good: [UInt8]) -> [UInt8] {
        if self.chance(16) { return self.random.bytes(.random(in: 0...200, using: &self.random)) }
        var bytes = good
        for _ in 0..<Int.random(in: 1...4, using: &self.random) { self.mutate(&bytes) }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return bytes = self.random.bytes(4) }
        let place = Int.random(in: bytes.indices, using: &self.random)
        let length = Int.random(in: 1...min(16, bytes.count - place), using: &self.random)
        switch Int.random(in: 0..<9, using: &self.random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &self.random)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self.random)
        case 2: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &self.random) ?? 0
        case 3: bytes.removeSubrange(place..<place + length)
        case 4: bytes.removeSubrange(place...)
        case 5: bytes.insert(contentsOf: self.random.bytes(length), at: place)
        case 6: bytes.insert(contentsOf: Array(bytes[place..<place + length]), at: place)
        case 7: self.write(&bytes, at: place)
        default: self.splice(&bytes, at: place)
        }
    }

    /// Writes a number that is at the end of some range.
    private mutating func write(_ bytes: inout [UInt8], at place: Int) {
        let numbers: [Int64] = [0, -1, 1, .max, .min, 0x7FFF_FFFF, 0x7FFF, -0x8000_0000, 0xFFFF]
        let number = numbers.randomElement(using: &self.random) ?? 0
        let width = [2, 4, 8].randomElement(using: &self.random) ?? 4
        for index in 0..<width where place + index < bytes.count {
            bytes[place + index] = UInt8(
                truncatingIfNeeded: number >> Int64(8 * (width - 1 - index))
            )
        }
    }

    /// Goes on as another message does.
    private mutating func splice(_ bytes: inout [UInt8], at place: Int) {
        let other = self.seeds[Int.random(in: self.seeds.indices, using: &self.random)].bytes
        guard !other.isEmpty else { return }
        let start = Int.random(in: other.indices, using: &self.random)
        bytes.replaceSubrange(place..., with: other[start...])
    }

    private mutating func chance(_ times: Int) -> Bool {
        Int.random(in: 0..<times, using: &self.random) == 0
    }
}
