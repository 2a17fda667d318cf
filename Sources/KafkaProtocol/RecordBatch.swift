package import NIOCore

/// A record out of a batch, with memory of its own.
package struct Record: Sendable, Equatable {
    package struct Header: Sendable, Equatable {
        package var name: String
        package var value: [UInt8]?

        package init(name: String, value: [UInt8]?) {
            self.name = name
            self.value = value
        }
    }

    package var offset: Int64
    package var timestamp: Int64
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [Header]

    package init(
        offset: Int64,
        timestamp: Int64,
        key: [UInt8]?,
        value: [UInt8]?,
        headers: [Header] = []
    ) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// A batch as it came from a broker or a client.
package struct RecordBatch: Sendable, Equatable {
    package private(set) var header: RecordBatchHeader
    /// The header and the records.
    package private(set) var buffer: ByteBuffer

    /// Bytes that a batch may decompress to unless its reader says otherwise.
    package static let decompressedLimit = 128 << 20

    /// Takes the first batch out of `buffer`; nil where a broker cut the last one of an answer.
    ///
    /// Its length is checked, its checksum is not.
    package init?(from buffer: inout ByteBuffer) throws {
        guard buffer.readableBytes >= RecordBatchHeader.size else { return nil }
        let header = try RecordBatchHeader(peeking: buffer)
        guard header.totalLength >= RecordBatchHeader.size else {
            throw ProtocolError.invalidLength(Int64(header.batchLength))
        }
        guard let bytes = buffer.readSlice(length: header.totalLength) else { return nil }
        self.header = header
        self.buffer = bytes
    }

    /// All whole batches that `records` hold.
    package static func batches(in records: ByteBuffer) throws -> [RecordBatch] {
        var rest = records
        var batches: [RecordBatch] = []
        while let batch = try RecordBatch(from: &rest) { batches.append(batch) }
        return batches
    }

    /// Checks that the bytes are those which the checksum was made of.
    package func validateChecksum() throws {
        let actual = self.buffer.withUnsafeReadableBytes { bytes in
            let covered = bytes[RecordBatchHeader.attributesOffset...]
            return CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: covered))
        }
        guard actual == self.header.crc else {
            throw ProtocolError.checksumMismatch(expected: self.header.crc, actual: actual)
        }
    }

    /// Writes what a broker may change without touching the checksum.
    package mutating func place(atOffset offset: Int64, leaderEpoch: Int32) {
        self.header.baseOffset = offset
        self.header.partitionLeaderEpoch = leaderEpoch
        self.header.overwrite(&self.buffer)
    }

    /// The records, with their offsets and timestamps.
    package func records(limit: Int = Self.decompressedLimit) throws -> [Record] {
        var records: [Record] = []
        try self.forEachRecord(limit: limit) { span in records.append(self.record(span)) }
        return records
    }

    /// Calls `body` with each record, whose bytes are valid until it returns.
    package func forEachRecord(
        limit: Int = Self.decompressedLimit,
        _ body: (RecordSpan) throws -> Void
    ) throws {
        guard let codec = self.header.compression else {
            throw ProtocolError.unsupportedCompression(self.header.codecNumber)
        }
        try self.buffer.withUnsafeReadableBytes { bytes in
            let payload = UnsafeRawBufferPointer(rebasing: bytes[RecordBatchHeader.size...])
            guard codec != .none else { return try self.walk(payload, body) }
            let plain = try Decompressor.decompress(payload, codec: codec, limit: limit)
            try plain.withUnsafeReadableBytes { try self.walk($0, body) }
        }
    }

    private func walk(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (RecordSpan) throws -> Void
    ) throws {
        var cursor = RecordCursor(bytes)
        for _ in 0..<max(0, self.header.recordCount) {
            guard let span = try cursor.next() else {
                throw ProtocolError.invalidBatch("it has fewer records than it says")
            }
            try body(span)
        }
        guard cursor.isAtEnd else {
            throw ProtocolError.invalidBatch("bytes follow its last record")
        }
    }

    private func record(_ span: RecordSpan) -> Record {
        let appended = self.header.isLogAppendTime ? self.header.maxTimestamp : nil
        return Record(
            offset: self.header.baseOffset &+ Int64(span.offsetDelta),
            timestamp: appended ?? (self.header.baseTimestamp &+ span.timestampDelta),
            key: span.key.map(Array.init),
            value: span.value.map(Array.init),
            headers: span.headers.map { header in
                let name = String(decoding: header.name, as: UTF8.self)
                return Record.Header(name: name, value: header.value.map(Array.init))
            }
        )
    }
}

/// A record as it lies in a batch's bytes.
package struct RecordSpan {
    package var timestampDelta: Int64 = 0
    package var offsetDelta: Int32 = 0
    package var key: UnsafeRawBufferPointer?
    package var value: UnsafeRawBufferPointer?
    package var headers: [RecordHeaderSpan] = []
}

/// Walks over a batch's records and checks every length.
struct RecordCursor {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { self.index == self.bytes.count }

    mutating func next() throws -> RecordSpan? {
        guard !self.isAtEnd else { return nil }
        let length = try self.length()
        guard length <= self.bytes.count - self.index else { throw ProtocolError.truncated }
        let end = self.index + length
        var span = RecordSpan()
        guard length > 0 else { throw ProtocolError.truncated }
        self.index += 1  // The attributes, which nothing uses.
        guard let delta = Varint.read(self.bytes, at: &self.index) else {
            throw ProtocolError.invalidVarint
        }
        span.timestampDelta = delta
        span.offsetDelta = try self.integer()
        span.key = try self.nullableBytes()
        span.value = try self.nullableBytes()
        span.headers = try self.headers()
        guard self.index == end else {
            throw ProtocolError.invalidBatch("a record's length is not that of its fields")
        }
        return span
    }

    private mutating func headers() throws -> [RecordHeaderSpan] {
        let count = try self.length()
        // A header takes two bytes at least.
        guard count <= (self.bytes.count - self.index) / 2 else {
            throw ProtocolError.invalidLength(Int64(count))
        }
        var headers: [RecordHeaderSpan] = []
        for _ in 0..<count {
            guard let name = try self.nullableBytes() else { throw ProtocolError.unexpectedNull }
            headers.append(RecordHeaderSpan(name: name, value: try self.nullableBytes()))
        }
        return headers
    }

    private mutating func integer() throws -> Int32 {
        guard let value = Varint.readInt32(self.bytes, at: &self.index) else {
            throw ProtocolError.invalidVarint
        }
        return value
    }

    private mutating func length() throws -> Int {
        let value = try self.integer()
        guard value >= 0 else { throw ProtocolError.invalidLength(Int64(value)) }
        return Int(value)
    }

    private mutating func nullableBytes() throws -> UnsafeRawBufferPointer? {
        let length = Int(try self.integer())
        guard length != -1 else { return nil }
        guard length >= 0, length <= self.bytes.count - self.index else {
            throw ProtocolError.invalidLength(Int64(length))
        }
        let start = self.index
        self.index += length
        return UnsafeRawBufferPointer(rebasing: self.bytes[start..<self.index])
    }
}
