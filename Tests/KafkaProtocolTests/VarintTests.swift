import KafkaProtocol
import NIOCore
import Testing

@Suite struct VarintTests {
    private func encoded(_ value: Int64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Varint.maximumSize)
        let count = bytes.withUnsafeMutableBytes { target -> Int in
            guard let start = target.baseAddress else { return 0 }
            return Varint.write(value, to: start) - start
        }
        return Array(bytes[..<count])
    }

    @Test(
        arguments: [
            (0, "00"), (-1, "01"), (1, "02"), (63, "7e"), (-64, "7f"), (64, "8001"), (-65, "8101"),
            (8191, "fe7f"), (-8192, "ff7f"), (8192, "808001"), (-8193, "818001"),
            (1_048_575, "feff7f"), (1_048_576, "80808001"), (134_217_727, "feffff7f"),
            (134_217_728, "8080808001"), (Int64(Int32.max), "feffffff0f"),
            (Int64(Int32.min), "ffffffff0f"), (17_179_869_183, "feffffff7f"),
            (-17_179_869_185, "818080808001"), (2_199_023_255_551, "feffffffff7f"),
            (.max, "feffffffffffffffff01"), (.min, "ffffffffffffffffff01"),
            (23, "2e"), (-23, "2d"), (253, "fa03"), (1_234_567_890_101_112, "f08dd3c8a7b5b104"),
        ] as [(Int64, String)]
    )
    func `a zig-zag integer has Kafka's bytes`(value: Int64, bytes: String) {
        #expect(hexText(self.encoded(value)) == bytes)
        #expect(Varint.size(value) == bytes.utf8.count / 2)
        var index = 0
        let read = hex(bytes).withUnsafeBytes { Varint.read($0, at: &index) }
        #expect(read == value)
        #expect(index == bytes.utf8.count / 2)
    }

    @Test(arguments: ["", "80", "ffffffffffffffffff02", "8080808080808080808001"])
    func `a zig-zag integer that is cut or overlong is refused`(bytes: String) {
        var index = 0
        #expect(hex(bytes).withUnsafeBytes { Varint.read($0, at: &index) } == nil)
    }

    @Test(arguments: ["808080808001", "ffffffff1f"])
    func `a zig-zag integer over 32 bits is refused where 32 are meant`(bytes: String) {
        var index = 0
        #expect(hex(bytes).withUnsafeBytes { Varint.readInt32($0, at: &index) } == nil)
    }

    @Test(
        arguments: [
            (0, "00"), (63, "3f"), (64, "40"), (8191, "ff3f"), (8192, "8040"),
            (1_048_575, "ffff3f"),
            (UInt32(Int32.max), "ffffffff07"), (.max, "ffffffff0f"),
        ] as [(UInt32, String)]
    )
    func `an unsigned integer has Kafka's bytes`(value: UInt32, bytes: String) throws {
        var writer = MessageWriter(isFlexible: true)
        writer.writeUnsignedVarint(value)
        #expect(hexText(writer.finish().joined.readableBytesView) == bytes)
        var reader = MessageReader(ByteBuffer(bytes: hex(bytes)), isFlexible: true)
        #expect(try reader.readUnsignedVarint() == value)
    }

    @Test(arguments: ["808080808001", "ffffffff1f", "ffffffff7f"])
    func `an overlong unsigned integer is refused`(bytes: String) {
        var reader = MessageReader(ByteBuffer(bytes: hex(bytes)), isFlexible: true)
        #expect(throws: ProtocolError.invalidVarint) { try reader.readUnsignedVarint() }
    }
}
