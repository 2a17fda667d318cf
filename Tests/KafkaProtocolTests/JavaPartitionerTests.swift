import KafkaProtocol
import Testing

@Suite struct JavaPartitionerTests {
    @Test(
        arguments: [
            ("21", -973_932_308, 0, 0, 0, 40),
            ("foobar", -790_332_482, 0, 6, 6, 66),
            ("a-little-bit-long-string", -985_981_536, 2, 2, 8, 12),
            ("a-little-bit-longer-string", -1_486_304_829, 2, 9, 11, 19),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971, 2, 7, 5, 77),
            ("abc", 479_470_107, 0, 7, 3, 7),
            ("kafka", -798_503_068, 1, 0, 4, 80),
            ("giberish123456789", -1_890_243_828, 2, 0, 8, 20),
            ("", 275_646_681, 0, 1, 9, 81),
            ("a", -1_563_381_124, 1, 4, 4, 24),
            ("ab", 316_155_434, 2, 4, 2, 34),
            ("abcd", -1_323_649_548, 2, 0, 8, 0),
            ("host-01:/var/log/syslog", 18_322_406, 2, 6, 2, 6),
            ("/var/log/nginx/access.log", -1_615_157_955, 2, 3, 5, 93),
            ("ünïcödé", 201_421_315, 1, 5, 7, 15),
        ] as [(String, Int32, Int32, Int32, Int32, Int32)]
    )
    func `a key goes where Java's producer sends it`(
        key: String,
        hash: Int32,
        of3: Int32,
        of10: Int32,
        of12: Int32,
        of100: Int32
    ) {
        Array(key.utf8).withUnsafeBytes { bytes in
            #expect(murmur2(bytes) == hash)
            #expect(JavaPartitioner.partition(key: bytes, count: 3) == of3)
            #expect(JavaPartitioner.partition(key: bytes, count: 10) == of10)
            #expect(JavaPartitioner.partition(key: bytes, count: 12) == of12)
            #expect(JavaPartitioner.partition(key: bytes, count: 100) == of100)
        }
    }

    @Test(
        arguments: [
            ("1234", 0x9fc9_7b14), ("234", 0xe7c0_09ca), ("34", 0x8739_30da), ("4", 0x5a4b_5ca1),
            ("PreAmbleWillBeRemoved,ThePrePartThatIs", 0x7842_4f1c),
            ("reAmbleWillBeRemoved,ThePrePartThatIs", 0x4a62_b377),
            ("eAmbleWillBeRemoved,ThePrePartThatIs", 0xe0e4_e09e),
            ("AmbleWillBeRemoved,ThePrePartThatIs", 0x62b8_b43f),
        ] as [(String, UInt32)]
    )
    func `the hash is that of librdkafka's tests`(key: String, hash: UInt32) {
        Array(key.utf8).withUnsafeBytes { #expect(UInt32(bitPattern: murmur2($0)) == hash) }
    }
}
