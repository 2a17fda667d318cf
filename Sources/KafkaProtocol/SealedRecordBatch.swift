package import NIOCore

/// A batch whose records are closed; only its number is missing.
///
/// The body's checksum is kept, so that numbering costs no second pass over the bytes.
package struct SealedRecordBatch: Sendable, Equatable {
    package private(set) var header: RecordBatchHeader
    /// Header and records, as they go on the wire.
    package private(set) var buffer: ByteBuffer
    /// The checksum of what follows the header.
    package let bodyCRC: UInt32
    package let bodyLength: Int
    /// Bytes of the records before compression.
    package let uncompressedLength: Int
    /// Bytes of the largest record before compression.
    package let largestRecord: Int

    /// Takes `bytes` and leaves them empty: as long as two refer to a buffer, a header that is
    /// written over its first bytes copies all of them.
    init(
        header: RecordBatchHeader,
        taking bytes: inout ByteBuffer,
        uncompressedLength: Int,
        largestRecord: Int
    ) {
        self.header = header
        self.buffer = ByteBuffer()
        swap(&self.buffer, &bytes)
        self.uncompressedLength = uncompressedLength
        self.largestRecord = largestRecord
        self.bodyLength = self.buffer.readableBytes - RecordBatchHeader.size
        self.bodyCRC = self.buffer.withUnsafeReadableBytes { bytes in
            CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: bytes[RecordBatchHeader.size...]))
        }
        self.writeHeader()
    }

    package var recordCount: Int { Int(self.header.recordCount) }
    package var byteCount: Int { self.buffer.readableBytes }
    /// A copy of it as it goes on the wire.
    package var bytes: [UInt8] { Array(self.buffer.readableBytesView) }
    package var compression: Compression { self.header.compression ?? .none }

    /// Numbers the batch; -1 for all three takes the number away.
    package mutating func assign(
        producerID: Int64,
        epoch: Int16,
        baseSequence: Int32,
        isTransactional: Bool = false
    ) {
        self.header.producerID = producerID
        self.header.producerEpoch = epoch
        self.header.baseSequence = baseSequence
        self.header.attributes = Int16(self.compression.rawValue) | (isTransactional ? 0x10 : 0)
        self.writeHeader()
    }

    private mutating func writeHeader() {
        self.header.overwrite(&self.buffer)
        let headerCRC = self.buffer.withUnsafeReadableBytes { bytes in
            let covered = RecordBatchHeader.attributesOffset..<RecordBatchHeader.size
            return CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: bytes[covered]))
        }
        self.header.crc = CRC32C.combine(headerCRC, self.bodyCRC, length: self.bodyLength)
        self.buffer.setInteger(
            self.header.crc,
            at: self.buffer.readerIndex + RecordBatchHeader.crcOffset
        )
    }
}
