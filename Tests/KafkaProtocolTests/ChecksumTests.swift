import CPlatform
import KafkaProtocol
import Testing

@Suite struct ChecksumTests {
    private static let million = (0..<1_048_576).map { UInt8(truncatingIfNeeded: $0 * 31 + 7) }

    @Test(
        arguments: [
            ([UInt8](), 0),
            (Array("a".utf8), 0xc1d0_4330),
            (Array("123456789".utf8), 0xe306_9283),
            (Array("Some String".utf8), 0x2445_290f),
            ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
            ([UInt8](repeating: 255, count: 32), 0x62a8_ab43),
            (Array(0...31), 0x46dd_794e),
            (Array((0...31).reversed()), 0x113f_db5c),
            (Self.million, 0xff5b_e3fc),
        ] as [([UInt8], UInt32)]
    )
    func `CRC-32C has the values that others compute`(bytes: [UInt8], expected: UInt32) {
        let crc = bytes.withUnsafeBytes { CRC32C.checksum(of: $0) }
        #expect(crc == expected)
        let tables = bytes.withUnsafeBytes {
            forktail_crc32c_software(0, $0.baseAddress, $0.count)
        }
        #expect(tables == expected)
    }

    @Test func `hardware and tables agree at every length and alignment`() {
        Self.million.withUnsafeBytes { all in
            for start in 0..<9 {
                for length in Array(0...80) + [767, 768, 769, 1536, 12_287, 12_288, 24_700, 99_999]
                {
                    let part = UnsafeRawBufferPointer(rebasing: all[start..<(start + length)])
                    let crc = CRC32C.checksum(of: part)
                    let tables = forktail_crc32c_software(0, part.baseAddress, part.count)
                    #expect(crc == tables, "\(length) bytes from \(start)")
                }
            }
        }
    }

    @Test(arguments: [0, 1, 8, 40, 255, 256, 4096, 65_537, 1_048_536, 1_048_576])
    func `two checksums combine to that of the whole`(split: Int) {
        Self.million.withUnsafeBytes { all in
            let first = CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: all[..<split]))
            let rest = UnsafeRawBufferPointer(rebasing: all[split...])
            let second = CRC32C.checksum(of: rest)
            #expect(CRC32C.combine(first, second, length: rest.count) == 0xff5b_e3fc)
            #expect(CRC32C.checksum(of: rest, continuing: first) == 0xff5b_e3fc)
        }
    }
}
