import KafkaProtocol
import NIOCore
import Testing

extension RecordBatchBuilder {
    mutating func append(
        _ key: String?,
        _ value: String?,
        headers: [(String, String?)] = [],
        timestamp: Int64,
        limit: Int = .max
    ) -> Int {
        let owned = headers.map { (Array($0.0.utf8), $0.1.map { Array($0.utf8) }) }
        return withSpan(of: key) { key in
            withSpan(of: value) { value in
                self.append(key, value, owned[...], [], timestamp, limit)
            }
        }
    }

    private mutating func append(
        _ key: UnsafeRawBufferPointer?,
        _ value: UnsafeRawBufferPointer?,
        _ rest: ArraySlice<([UInt8], [UInt8]?)>,
        _ spans: [RecordHeaderSpan],
        _ timestamp: Int64,
        _ limit: Int
    ) -> Int {
        guard let first = rest.first else {
            return spans.withUnsafeBufferPointer {
                self.append(key: key, value: value, headers: $0, timestamp: timestamp, limit: limit)
            }
        }
        return first.0.withUnsafeBytes { name in
            withSpan(of: first.1) { content in
                let span = RecordHeaderSpan(name: name, value: content)
                return self.append(key, value, rest.dropFirst(), spans + [span], timestamp, limit)
            }
        }
    }
}

private func withSpan<Result>(
    of text: String?,
    _ body: (UnsafeRawBufferPointer?) throws -> Result
) rethrows -> Result {
    try withSpan(of: text.map { Array($0.utf8) }, body)
}

private func withSpan<Result>(
    of bytes: [UInt8]?,
    _ body: (UnsafeRawBufferPointer?) throws -> Result
) rethrows -> Result {
    guard let bytes else { return try body(nil) }
    return try bytes.withUnsafeBytes { try body($0) }
}

@Suite struct RecordBatchTests {
    private static let time: Int64 = 1_700_000_000_000

    private func builder() -> RecordBatchBuilder {
        RecordBatchBuilder(buffer: ByteBufferAllocator().buffer(capacity: 4096))
    }

    private func batch(_ bytes: [UInt8]) throws -> RecordBatch {
        var buffer = ByteBuffer(bytes: bytes)
        return try #require(try RecordBatch(from: &buffer))
    }

    @Test func `one record makes the batch that Java makes`() throws {
        var builder = self.builder()
        _ = builder.append(nil, "hello", timestamp: Self.time)
        let sealed = try builder.seal()
        #expect(
            hexText(sealed.buffer.readableBytesView)
                == hexText(
                    hex(
                        """
                        00000000 00000000 0000003d ffffffff 02 e641a44b 0000 00000000
                        0000018bcfe56800 0000018bcfe56800 ffffffffffffffff ffff ffffffff 00000001
                        16 00 00 00 01 0a 68656c6c6f 00
                        """
                    )
                )
        )
    }

    /// K2 of the known answers: keys, nulls, headers, a time that goes back, and a producer id.
    private static let numbered = hex(
        """
        0000000000000000 00000052 ffffffff 02 ac7b8354 0000 00000002 0000018bcfe56800
        0000018bcfe56805 0000000000001267 0003 0000002a 00000003
        20000000026b0476310402680278026e01 0c000a02010000 1000130404 6b330100
        """
    )

    @Test func `a numbered batch with headers makes the bytes that Java makes`() throws {
        var builder = self.builder()
        _ = builder.append("k", "v1", headers: [("h", "x"), ("n", nil)], timestamp: Self.time)
        _ = builder.append(nil, "", timestamp: Self.time + 5)
        _ = builder.append("k3", nil, timestamp: Self.time - 10)
        #expect(builder.maxTimestamp == Self.time + 5)
        var sealed = try builder.seal()
        sealed.assign(producerID: 4711, epoch: 3, baseSequence: 42)
        #expect(hexText(sealed.buffer.readableBytesView) == hexText(Self.numbered))
    }

    @Test func `a batch is read as it was written`() throws {
        let batch = try self.batch(Self.numbered)
        try batch.validateChecksum()
        #expect(batch.header.producerID == 4711)
        #expect(batch.header.lastSequence == 44)
        #expect(
            try batch.records() == [
                Record(
                    offset: 0,
                    timestamp: Self.time,
                    key: Array("k".utf8),
                    value: Array("v1".utf8),
                    headers: [
                        .init(name: "h", value: Array("x".utf8)), .init(name: "n", value: nil),
                    ]
                ),
                Record(offset: 1, timestamp: Self.time + 5, key: nil, value: []),
                Record(offset: 2, timestamp: Self.time - 10, key: Array("k3".utf8), value: nil),
            ]
        )
    }

    @Test(arguments: [
        (Compression.gzip, "1f8b08000000000000ffb362606060d4cb48cdc9c957c0201900c61e29891e000000"),
        (.lz4, "04224d1860408215000000c93a000000012e68656c6c6f20060050656c6c6f0000000000"),
        (.snappy, "82534e41505059000000000100000001000000131e2c3a000000012e68656c6c6f204206000000"),
        (.zstd, "28b52ffd00589c0000683a000000012e68656c6c6f20000100994b12010000"),
    ])
    func `what Java compresses is read`(codec: Compression, body: String) throws {
        let records = try hex(body).withUnsafeBytes { bytes in
            try Decompressor.decompress(bytes, codec: codec, limit: 1000)
        }
        let record = [0x3a, 0, 0, 0, 1, 0x2e] + Array("hello hello hello hello".utf8) + [0]
        #expect(Array(records.readableBytesView) == record)
    }

    @Test(arguments: Compression.allCases)
    func `a batch of any codec is read as it was written`(codec: Compression) throws {
        var random = SeededNumbers(seed: 7)
        let compressor = Compressor(codec: codec)
        for round in 0..<20 {
            var builder = self.builder()
            var values: [[UInt8]] = []
            for _ in 0..<Int.random(in: 1...400, using: &random) {
                let word = random.bytes(Int.random(in: 0...12, using: &random))
                let value = Array(
                    repeatElement(word, count: Int.random(in: 0...60, using: &random))
                )
                values.append(value.flatMap { $0 })
            }
            for value in values {
                value.withUnsafeBytes { bytes in
                    _ = builder.append(key: nil, value: bytes, timestamp: Self.time)
                }
            }
            var sealed = try builder.seal(with: codec == .none ? nil : compressor)
            sealed.assign(producerID: 1, epoch: 0, baseSequence: 9)
            let batch = try self.batch(Array(sealed.buffer.readableBytesView))
            try batch.validateChecksum()
            #expect(try batch.records().map(\.value) == values, "seed 7, round \(round)")
        }
    }

    @Test(arguments: [Compression.gzip, .snappy, .lz4, .zstd])
    func `a compressed batch is smaller and gives its buffer back`(codec: Compression) throws {
        var builder = self.builder()
        for _ in 0..<1000 { _ = builder.append("key", "the same again", timestamp: Self.time) }
        let size = builder.byteCount
        let sealed = try builder.seal(with: Compressor(codec: codec))
        #expect(sealed.compression == codec)
        #expect(sealed.byteCount < size / 4)
        #expect(sealed.uncompressedLength == size - RecordBatchHeader.size)
        #expect(builder.takeBuffer().capacity >= size)
    }

    private static func address(of buffer: ByteBuffer?) -> UnsafeRawPointer? {
        buffer?.withVeryUnsafeBytes { $0.baseAddress }
    }

    @Test func `a batch is filled, sealed and numbered in the memory that was given`() throws {
        var memory = ByteBufferAllocator().buffer(capacity: 65_536)
        let given = Self.address(of: memory)
        var builder = RecordBatchBuilder(taking: &memory)
        for _ in 0..<1000 { _ = builder.append("key", "the same again", timestamp: Self.time) }
        var sealed = try builder.seal()
        sealed.assign(producerID: 1, epoch: 0, baseSequence: 9)
        #expect(Self.address(of: sealed.buffer) == given)
    }

    @Test func `compressed records go to the memory that was given`() throws {
        var builder = self.builder()
        for _ in 0..<1000 { _ = builder.append("key", "the same again", timestamp: Self.time) }
        var memory: ByteBuffer? = ByteBufferAllocator().buffer(capacity: 65_536)
        let given = Self.address(of: memory)
        var sealed = try builder.seal(with: Compressor(codec: .lz4), into: &memory)
        sealed.assign(producerID: 1, epoch: 0, baseSequence: 9)
        #expect(Self.address(of: sealed.buffer) == given)
        #expect(memory == nil)
    }

    @Test func `records that do not compress go as they are`() throws {
        var random = SeededNumbers(seed: 3)
        var builder = self.builder()
        random.bytes(2000).withUnsafeBytes { bytes in
            _ = builder.append(key: nil, value: bytes, timestamp: 0)
        }
        #expect(try builder.seal(with: Compressor(codec: .lz4)).compression == .none)
    }

    @Test func `a record over the limit is not added`() {
        var builder = self.builder()
        let added = [73, 84, 85].map { builder.append(nil, "hello", timestamp: 0, limit: $0) }
        #expect(added == [12, 0, 12])
        #expect(builder.recordCount == 2 && builder.byteCount == 85)
    }

    @Test func `the size that is said beforehand is never too small`() {
        var builder = self.builder()
        for length in [0, 63, 64, 8191, 8192, 100_000] {
            let before = builder.byteCount
            let text = String(repeating: "x", count: length)
            withSpan(of: text) { span in
                let bound = RecordBatchBuilder.upperBound(key: span, value: span)
                _ = builder.append(key: span, value: span, timestamp: .max)
                #expect(builder.byteCount - before <= bound)
            }
        }
    }

    @Test func `timestamps at the ends of time do not overflow`() throws {
        var builder = self.builder()
        for timestamp in [Int64.min, .max, -1, 0] {
            _ = builder.append(nil, "x", timestamp: timestamp)
        }
        let batch = try self.batch(Array(try builder.seal().buffer.readableBytesView))
        #expect(try batch.records().map(\.timestamp) == [.min, .max, -1, 0])
    }

    @Test func `numbering changes the checksum as a second pass would`() throws {
        var builder = self.builder()
        for number in 0..<500 { _ = builder.append("k\(number)", "v", timestamp: Self.time) }
        var sealed = try builder.seal(with: Compressor(codec: .zstd))
        for sequence in [0, 17, Int32.max] {
            sealed.assign(
                producerID: .max,
                epoch: .max,
                baseSequence: sequence,
                isTransactional: sequence == 17
            )
            let batch = try self.batch(Array(sealed.buffer.readableBytesView))
            try batch.validateChecksum()
            #expect(batch.header == sealed.header)
            #expect(batch.header.isTransactional == (sequence == 17))
        }
    }

    @Test func `sealing and numbering do not copy the batch`() throws {
        var builder = self.builder()
        _ = builder.append(nil, "hello", timestamp: 0)
        var sealed = try builder.seal()
        let before = sealed.buffer.withUnsafeReadableBytes { $0.baseAddress }
        sealed.assign(producerID: 1, epoch: 1, baseSequence: 1)
        #expect(sealed.buffer.withUnsafeReadableBytes { $0.baseAddress } == before)
    }

    @Test func `a batch that a broker cut off is left alone`() throws {
        for length in 0..<Self.numbered.count {
            var buffer = ByteBuffer(bytes: Self.numbered[..<length])
            #expect(try RecordBatch(from: &buffer) == nil)
        }
    }

    @Test func `a changed bit is noticed`() throws {
        for index in 21..<Self.numbered.count {
            var bytes = Self.numbered
            bytes[index] ^= 0x10
            #expect(throws: ProtocolError.self) { try self.batch(bytes).validateChecksum() }
        }
    }

    @Test(arguments: [Compression.gzip, .lz4, .zstd, .snappy])
    func `a small batch cannot decompress to much`(codec: Compression) throws {
        let zeros = [UInt8](repeating: 0, count: 1_000_000)
        let packed = try zeros.withUnsafeBytes { bytes in
            try Compressor(codec: codec).compress(bytes) { Array($0) }
        }
        #expect(throws: ProtocolError.decompressedTooLarge(limit: 999_999)) {
            try packed.withUnsafeBytes {
                try Decompressor.decompress($0, codec: codec, limit: 999_999)
            }
        }
        let whole = try packed.withUnsafeBytes {
            try Decompressor.decompress($0, codec: codec, limit: 1_000_000)
        }
        #expect(whole.readableBytes == 1_000_000)
    }

    @Test func `sequences wrap inside a batch`() {
        var header = RecordBatchHeader()
        header.baseSequence = Int32.max - 1
        header.lastOffsetDelta = 3
        #expect(header.lastSequence == 1)
    }
}
