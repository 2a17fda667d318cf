internal import NIOCore

/// What a broker does to batches whose topic wants them otherwise than the producer sent them.
///
/// Producer id, epoch, sequences and record count are kept by all of it.
extension RecordBatch {
    /// A batch of that header and these records, with the length and checksum that fit.
    init(assembling header: RecordBatchHeader, body: ByteBuffer) throws {
        var header = header
        let size = RecordBatchHeader.size + body.readableBytes
        guard let length = Int32(exactly: size - RecordBatchHeader.lengthOverhead) else {
            throw ProtocolError.tooLong(size)
        }
        header.batchLength = length
        var bytes = ByteBufferAllocator().buffer(capacity: size)
        bytes.writeRepeatingByte(0, count: RecordBatchHeader.size)
        bytes.writeImmutableBuffer(body)
        header.overwrite(&bytes)
        let crc = bytes.withUnsafeReadableBytes { bytes in
            let covered = bytes[RecordBatchHeader.attributesOffset...]
            return CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: covered))
        }
        bytes.setInteger(crc, at: RecordBatchHeader.crcOffset)
        guard let batch = try RecordBatch(from: &bytes) else { throw ProtocolError.truncated }
        self = batch
    }

    /// The batch with the broker's time, in milliseconds, in place of the producer's.
    package func stamped(withAppendTime milliseconds: Int64) throws -> RecordBatch {
        var header = self.header
        header.attributes |= 0x08
        header.maxTimestamp = milliseconds
        return try RecordBatch(assembling: header, body: self.body)
    }

    /// The batch with its records compressed by another codec, even where that makes it longer.
    package func recompressed(with codec: Compression) throws -> RecordBatch {
        var header = self.header
        header.attributes = header.attributes & ~0x07 | Int16(codec.rawValue)
        let records = try self.body.withUnsafeReadableBytes { bytes in
            try Decompressor.decompress(
                bytes,
                codec: self.header.compression ?? .none,
                limit: Self.decompressedLimit
            )
        }
        guard codec != .none else {
            return try RecordBatch(assembling: header, body: records)
        }
        let compressed = try records.withUnsafeReadableBytes { bytes in
            try Compressor(codec: codec).compress(bytes) { ByteBuffer(bytes: $0) }
        }
        return try RecordBatch(assembling: header, body: compressed)
    }

    private var body: ByteBuffer {
        var bytes = self.buffer
        bytes.moveReaderIndex(forwardBy: RecordBatchHeader.size)
        return bytes
    }
}
