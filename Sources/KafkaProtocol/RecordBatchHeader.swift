package import NIOCore

/// The 61 bytes before a batch's records.
package struct RecordBatchHeader: Sendable, Equatable {
    /// How long the header is.
    package static let size = 61
    /// Where the checksum is, and where that what it covers begins.
    static let crcOffset = 17
    static let attributesOffset = 21
    static let producerIDOffset = 43
    /// The bytes up to the end of the length field, which the length does not count.
    package static let lengthOverhead = 12

    package var baseOffset: Int64 = 0
    /// Bytes from the leader epoch to the batch's end.
    package var batchLength: Int32 = 0
    package var partitionLeaderEpoch: Int32 = -1
    package var magic: Int8 = 2
    package var crc: UInt32 = 0
    package var attributes: Int16 = 0
    package var lastOffsetDelta: Int32 = 0
    package var baseTimestamp: Int64 = -1
    package var maxTimestamp: Int64 = -1
    package var producerID: Int64 = -1
    package var producerEpoch: Int16 = -1
    package var baseSequence: Int32 = -1
    package var recordCount: Int32 = 0

    package init() {}

    /// Reads a header at the beginning of `buffer`, which it leaves as it is.
    package init(peeking buffer: ByteBuffer) throws {
        var buffer = buffer
        guard
            let start = buffer.readMultipleIntegers(as: (Int64, Int32, Int32, Int8, UInt32).self),
            let middle = buffer.readMultipleIntegers(as: (Int16, Int32, Int64, Int64).self),
            let end = buffer.readMultipleIntegers(as: (Int64, Int16, Int32, Int32).self)
        else { throw ProtocolError.truncated }
        (baseOffset, batchLength, partitionLeaderEpoch, magic, crc) = start
        (attributes, lastOffsetDelta, baseTimestamp, maxTimestamp) = middle
        (producerID, producerEpoch, baseSequence, recordCount) = end
    }

    /// Bytes of the whole batch, as the header says.
    package var totalLength: Int { Int(self.batchLength) + Self.lengthOverhead }
    package var bodyLength: Int { self.totalLength - Self.size }
    package var codecNumber: Int8 { Int8(self.attributes & 0x07) }
    package var compression: Compression? { Compression(rawValue: self.codecNumber) }
    package var isLogAppendTime: Bool { self.attributes & 0x08 != 0 }
    package var isTransactional: Bool { self.attributes & 0x10 != 0 }
    package var isControl: Bool { self.attributes & 0x20 != 0 }
    package var hasProducerID: Bool { self.producerID >= 0 }

    /// The sequence of the last record; sequences wrap from 2³¹−1 to 0.
    package var lastSequence: Int32 {
        RecordSequence.advance(self.baseSequence, by: self.lastOffsetDelta)
    }

    /// Writes the header over the first 61 bytes of `buffer`.
    func overwrite(_ buffer: inout ByteBuffer) {
        let start = buffer.readerIndex
        buffer.setInteger(self.baseOffset, at: start)
        buffer.setInteger(self.batchLength, at: start + 8)
        buffer.setInteger(self.partitionLeaderEpoch, at: start + 12)
        buffer.setInteger(self.magic, at: start + 16)
        buffer.setInteger(self.crc, at: start + Self.crcOffset)
        buffer.setInteger(self.attributes, at: start + Self.attributesOffset)
        buffer.setInteger(self.lastOffsetDelta, at: start + 23)
        buffer.setInteger(self.baseTimestamp, at: start + 27)
        buffer.setInteger(self.maxTimestamp, at: start + 35)
        buffer.setInteger(self.producerID, at: start + Self.producerIDOffset)
        buffer.setInteger(self.producerEpoch, at: start + 51)
        buffer.setInteger(self.baseSequence, at: start + 53)
        buffer.setInteger(self.recordCount, at: start + 57)
    }
}

/// Arithmetic of sequences, which wrap from 2³¹−1 to 0, also inside a batch.
package enum RecordSequence {
    package static func advance(_ sequence: Int32, by count: Int32) -> Int32 {
        Int32(truncatingIfNeeded: (Int64(sequence) + Int64(count)) & 0x7FFF_FFFF)
    }

    /// How far `other` lies behind `sequence` the shorter way round; below 0 where it lies before.
    package static func distance(from sequence: Int32, to other: Int32) -> Int32 {
        let forward = (Int64(other) - Int64(sequence)) & 0x7FFF_FFFF
        return Int32(forward < 0x4000_0000 ? forward : forward - 0x8000_0000)
    }
}
