package import NIOCore

/// A record's header as it lies in memory, valid as long as its owner says.
package struct RecordHeaderSpan {
    package var name: UnsafeRawBufferPointer
    package var value: UnsafeRawBufferPointer?

    package init(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) {
        self.name = name
        self.value = value
    }
}

/// Writes records straight into the batch that goes on the wire.
///
/// ```swift
/// var builder = RecordBatchBuilder(buffer: pool.take())
/// builder.append(key: nil, value: line, headers: .init(), timestamp: now)
/// var batch = try builder.seal(with: compressor)
/// batch.assign(producerID: 4711, epoch: 0, baseSequence: 0)
/// ```
package struct RecordBatchBuilder: Sendable {
    private var buffer: ByteBuffer
    private let start: Int
    package private(set) var recordCount = 0
    package private(set) var baseTimestamp: Int64 = -1
    package private(set) var maxTimestamp: Int64 = -1
    /// Bytes of the largest record, before compression.
    private var largestRecord = 0

    /// Begins a batch in `buffer`, whose bytes are dropped and whose memory is used.
    package init(buffer: ByteBuffer) {
        var buffer = buffer
        self.init(taking: &buffer)
    }

    /// The same, and leaves `buffer` empty: memory that two refer to is allocated anew to be cleared.
    package init(taking buffer: inout ByteBuffer) {
        self.buffer = ByteBuffer()
        swap(&self.buffer, &buffer)
        self.buffer.clear()
        self.buffer.writeRepeatingByte(0, count: RecordBatchHeader.size)
        self.start = self.buffer.readerIndex
    }

    /// Bytes of the batch so far, with its header and before compression.
    package var byteCount: Int { self.buffer.readableBytes }
    /// Bytes that fit without taking more memory.
    package var remainingCapacity: Int { self.buffer.writableBytes }
    package var isEmpty: Bool { self.recordCount == 0 }

    /// Bytes that a record takes at most in any batch, without the batch's header.
    package static func upperBound(
        key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?,
        headers: UnsafeBufferPointer<RecordHeaderSpan> = .init(start: nil, count: 0)
    ) -> Int {
        // Lengths, deltas and counts take no more than this, and neither do those of a header.
        var size = 41 + (key?.count ?? 0) + (value?.count ?? 0)
        for header in headers { size += 10 + header.name.count + (header.value?.count ?? 0) }
        return size
    }

    /// Adds a record, and returns how many bytes it takes: zero if it was not added, for the batch
    /// would be over `limit` bytes.
    ///
    /// Takes more memory only if `limit` is over the buffer's capacity.
    @discardableResult
    package mutating func append(
        key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?,
        headers: UnsafeBufferPointer<RecordHeaderSpan> = .init(start: nil, count: 0),
        timestamp: Int64,
        limit: Int = Int(Int32.max)
    ) -> Int {
        let timestampDelta = self.recordCount == 0 ? 0 : timestamp &- self.baseTimestamp
        let body = Self.bodySize(key, value, headers, timestampDelta, self.recordCount)
        let size = body &+ Varint.size(Int64(body))
        guard self.buffer.readableBytes &+ size <= limit, self.recordCount < Int32.max else {
            return 0
        }
        let offsetDelta = Int64(self.recordCount)
        self.buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            guard var next = target.baseAddress else { return 0 }
            // Safe: the size was counted from the same fields that are written here.
            next = Varint.write(Int64(body), to: next)
            next.storeBytes(of: 0, as: UInt8.self)
            next = Varint.write(timestampDelta, to: next + 1)
            next = Varint.write(offsetDelta, to: next)
            next = Self.write(key, to: next)
            next = Self.write(value, to: next)
            next = Varint.write(Int64(headers.count), to: next)
            for header in headers {
                next = Self.write(header.name, to: next)
                next = Self.write(header.value, to: next)
            }
            return size
        }
        self.count(timestamp)
        if size > self.largestRecord { self.largestRecord = size }
        return size
    }

    @inline(__always)
    private mutating func count(_ timestamp: Int64) {
        if self.recordCount == 0 {
            self.baseTimestamp = timestamp
            self.maxTimestamp = timestamp
        } else if timestamp > self.maxTimestamp {
            self.maxTimestamp = timestamp
        }
        self.recordCount &+= 1
    }

    @inline(__always)
    private static func bodySize(
        _ key: UnsafeRawBufferPointer?,
        _ value: UnsafeRawBufferPointer?,
        _ headers: UnsafeBufferPointer<RecordHeaderSpan>,
        _ timestampDelta: Int64,
        _ offsetDelta: Int
    ) -> Int {
        var size = 1 + Varint.size(timestampDelta) + Varint.size(Int64(offsetDelta))
        size += Self.size(key) + Self.size(value) + Varint.size(Int64(headers.count))
        for header in headers { size += Self.size(header.name) + Self.size(header.value) }
        return size
    }

    @inline(__always)
    private static func size(_ bytes: UnsafeRawBufferPointer?) -> Int {
        guard let bytes else { return 1 }
        return Varint.size(Int64(bytes.count)) + bytes.count
    }

    @inline(__always)
    private static func write(
        _ bytes: UnsafeRawBufferPointer?,
        to pointer: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        guard let bytes else { return Varint.write(-1, to: pointer) }
        let next = Varint.write(Int64(bytes.count), to: pointer)
        guard let source = bytes.baseAddress else { return next }
        next.copyMemory(from: source, byteCount: bytes.count)
        return next + bytes.count
    }
}

extension RecordBatchBuilder {
    /// Closes the batch: compresses and checksums it while it is in the cache.
    package mutating func seal(with compressor: Compressor? = nil) throws -> SealedRecordBatch {
        var output: ByteBuffer?
        return try self.seal(with: compressor, into: &output)
    }

    /// The same; where that makes them smaller, compressed records go to `output`, which is taken.
    ///
    /// The builder's buffer is then left for ``takeBuffer()``.
    package mutating func seal(
        with compressor: Compressor?,
        into output: inout ByteBuffer?
    ) throws -> SealedRecordBatch {
        precondition(self.recordCount > 0, "a batch without records was sealed")
        let uncompressedLength = self.byteCount - RecordBatchHeader.size
        if let compressor, compressor.codec != .none,
            var compressed = try self.compressed(by: compressor, into: &output)
        {
            return self.sealed(&compressed, codec: compressor.codec, uncompressedLength)
        }
        var buffer = self.takeBuffer()
        return self.sealed(&buffer, codec: .none, uncompressedLength)
    }

    /// The memory that the batch was built in, for another one; empty if the sealed batch uses it.
    package mutating func takeBuffer() -> ByteBuffer {
        let buffer = self.buffer
        self.buffer = ByteBuffer()
        return buffer
    }

    private func compressed(
        by compressor: Compressor,
        into output: inout ByteBuffer?
    ) throws -> ByteBuffer? {
        let body = self.byteCount - RecordBatchHeader.size
        return try self.buffer.withUnsafeReadableBytes { bytes in
            let records = UnsafeRawBufferPointer(rebasing: bytes[RecordBatchHeader.size...])
            return try compressor.compress(records) { compressed -> ByteBuffer? in
                guard compressed.count < body else { return nil }
                let size = RecordBatchHeader.size + compressed.count
                // Taken, not copied: a buffer that two refer to is allocated anew to be cleared.
                var target = output.take() ?? ByteBufferAllocator().buffer(capacity: size)
                target.clear(minimumCapacity: size)
                target.writeRepeatingByte(0, count: RecordBatchHeader.size)
                target.writeBytes(compressed)
                return target
            }
        }
    }

    private func sealed(
        _ bytes: inout ByteBuffer,
        codec: Compression,
        _ uncompressedLength: Int
    ) -> SealedRecordBatch {
        var header = RecordBatchHeader()
        header.batchLength = Int32(
            truncatingIfNeeded: bytes.readableBytes - RecordBatchHeader.lengthOverhead
        )
        header.attributes = Int16(codec.rawValue)
        header.lastOffsetDelta = Int32(truncatingIfNeeded: self.recordCount - 1)
        header.baseTimestamp = self.baseTimestamp
        header.maxTimestamp = self.maxTimestamp
        header.recordCount = Int32(truncatingIfNeeded: self.recordCount)
        return SealedRecordBatch(
            header: header,
            taking: &bytes,
            uncompressedLength: uncompressedLength,
            largestRecord: self.largestRecord
        )
    }
}
