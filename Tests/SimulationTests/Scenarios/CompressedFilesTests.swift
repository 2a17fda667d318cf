import Checkpointing
import Testing

@testable import Shipping

/// D: compressed files.
extension ScenarioTests {
    @Test func `55: a compressed file is read once, whole, also over a restart`() throws {
        let it = try Scenario("\"*.log.gz\"", keeping: .database)
        let bytes = gzip(numbered(0..<1000))
        it.write("a.log.gz", bytes: bytes)
        try it.start()
        it.pass(.seconds(30))
        #expect(it.values == numbers(0..<1000))
        #expect(it.records.last?.offset == Int64(numbered(0..<999).utf8.count))
        try it.restart()
        it.pass(.seconds(30))
        it.kill()
        try it.start()
        it.pass(.seconds(30))
        #expect(it.values == numbers(0..<1000))
        #expect(try it.checkpoints().count == 1)
    }

    @Test(arguments: [false, true])
    func `55: the compressed copy of a rotated file is not read again, but its rest is`(
        isStopped: Bool
    ) throws {
        let it = try Scenario("\"a.log*\"", keeping: .database)
        it.write("a.log", numbered(0..<100))
        try it.start()
        if isStopped { it.stop() }
        it.append("a.log", numbered(100..<120))
        it.rename("a.log", "a.log.1")
        it.write("a.log", numbered(200..<210))
        if !isStopped { it.pass() }
        it.write("a.log.1.gz", bytes: gzip(numbered(0..<120)))
        it.remove("a.log.1")
        if isStopped { try it.start() }
        it.pass(.seconds(60))
        #expect(it.values.filter { Int($0) ?? 0 < 200 } == numbers(0..<120))
        #expect(it.values.filter { Int($0) ?? 0 >= 200 } == numbers(200..<210))
        try it.restart()
        it.pass(.seconds(60))
        #expect(it.values.count == 130)
    }

    @Test func `56: all members of a compressed file are read`() throws {
        let it = try Scenario("\"*.log.gz\"")
        let parts = [numbered(0..<10) + "ha", "lf\n", "", numbered(10..<20)]
        it.write("a.log.gz", bytes: parts.flatMap { gzip($0) })
        try it.start()
        it.pass(.seconds(30))
        #expect(it.values == numbers(0..<10) + ["half"] + numbers(10..<20))
    }

    enum Damage: CaseIterable { case cut, checksum, body }

    @Test(arguments: Damage.allCases)
    func `57: of a damaged compressed file the good part arrives once, and others go on`(
        damage: Damage
    ) throws {
        let it = try Scenario("\"*.log.gz\"", keeping: .database)
        let good = gzip(numbered(0..<10))
        var bad = gzip(numbered(10..<20))
        switch damage {
        case .cut: bad.removeLast(20)
        case .checksum: bad[bad.count - 8] ^= 0xFF
        // No such kind of block.
        case .body: bad[10] = 0x07
        }
        it.write("a.log.gz", bytes: good + bad)
        it.write("b.log.gz", bytes: gzip(numbered(20..<30)))
        try it.start()
        it.pass(.seconds(60))
        #expect(it.values(of: "b.log.gz") == numbers(20..<30))
        let fromDamaged = it.values(of: "a.log.gz")
        #expect(fromDamaged.starts(with: numbers(0..<10)))
        // Only behind them the checksum says that they are damaged.
        #expect(fromDamaged.count < 20 || damage == .checksum)
        #expect(it.folder.bytes("a.log.gz") == good + bad)
        if damage != .cut { #expect(try it.counter(.damaged) == 1) }
        try it.restart()
        it.pass(.seconds(60))
        it.write("c.log.gz", bytes: gzip(numbered(30..<40)))
        it.pass(.seconds(30))
        #expect(it.values(of: "a.log.gz") == fromDamaged)
        #expect(it.values(of: "c.log.gz") == numbers(30..<40))
    }

    @Test func `57: a compressed file that is still being written goes on when it grows`() throws {
        let it = try Scenario("\"*.log.gz\"")
        let bytes = gzip(numbered(0..<1000))
        it.write("a.log.gz", bytes: Array(bytes.prefix(bytes.count / 2)))
        try it.start()
        it.append("a.log.gz", bytes: Array(bytes.dropFirst(bytes.count / 2)))
        it.pass(.seconds(30))
        #expect(it.values == numbers(0..<1000))
    }
}

/// One gzip member that stores a text as it is.
private func gzip(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    let length = UInt16(bytes.count)
    var result: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1]
    result += littleEndian(length) + littleEndian(~length) + bytes
    return result + littleEndian(checksum(bytes)) + littleEndian(UInt32(bytes.count))
}

private func checksum(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { sum, byte in
        (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in
            sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1
        }
    }
}

private func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
