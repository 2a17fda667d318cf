import KafkaProtocol
import NIOCore
import Testing

/// Nothing that arrives may end the process; each test prints the seed that failed.
@Suite struct MutationTests {
    private func mutated(_ bytes: [UInt8], _ random: inout SeededNumbers) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard !bytes.isEmpty else { break }
            let index = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.removeLast(Int.random(in: 0...min(8, bytes.count), using: &random))
            case 3: bytes.insert(contentsOf: random.bytes(3), at: index)
            default:
                for place in index..<min(index + 4, bytes.count) {
                    bytes[place] = [0x00, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
                }
            }
        }
        return bytes
    }

    @Test(arguments: Compression.allCases)
    func `a damaged batch is refused or read, never more`(codec: Compression) throws {
        var random = SeededNumbers(seed: 41)
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        for number in 0..<40 {
            _ = builder.append("k", "value \(number) value", headers: [("h", nil)], timestamp: 5)
        }
        let sealed = try builder.seal(with: codec == .none ? nil : Compressor(codec: codec))
        let good = Array(sealed.buffer.readableBytesView)
        for _ in 0..<3000 {
            var buffer = ByteBuffer(bytes: self.mutated(good, &random))
            guard let batch = try? RecordBatch(from: &buffer) else { continue }
            try? batch.validateChecksum()
            guard let records = try? batch.records(limit: 1 << 20) else { continue }
            #expect(records.count == Int(max(0, batch.header.recordCount)), "seed 41")
        }
    }

    @Test func `a damaged message is refused or read, never more`() throws {
        var random = SeededNumbers(seed: 42)
        var outcomes = (read: 0, refused: 0)
        for sample in Sample.all {
            for version in sample.versions {
                let good = try sample.encode(version)
                for _ in 0..<60 {
                    let bytes = ByteBuffer(bytes: self.mutated(good, &random))
                    if sample.decodes(bytes, version) {
                        outcomes.read += 1
                    } else {
                        outcomes.refused += 1
                    }
                }
            }
        }
        #expect(outcomes.read > 100 && outcomes.refused > 1000, "seed 42: \(outcomes)")
    }

    @Test func `noise is no message`() {
        var random = SeededNumbers(seed: 43)
        for sample in Sample.all {
            for version in sample.versions {
                for length in [0, 1, 4, 37, 300] {
                    _ = sample.decodes(ByteBuffer(bytes: random.bytes(length)), version)
                }
            }
        }
    }

    @Test(arguments: ["7fffffff", "80000000", "fffffffe"])
    func `a count that no message can hold takes no memory`(count: String) {
        let body = ByteBuffer(bytes: hex(count + "0000"))
        #expect(throws: ProtocolError.self) { try MetadataRequest(body: body, version: 1) }
    }
}
