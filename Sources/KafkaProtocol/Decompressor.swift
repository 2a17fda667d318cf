internal import CLZ4
internal import CZlib
internal import CZstd
package import NIOCore

/// Decompresses batches of any codec, up to a limit of bytes.
package enum Decompressor {
    /// The records that `bytes` hold.
    package static func decompress(
        _ bytes: UnsafeRawBufferPointer,
        codec: Compression,
        limit: Int
    ) throws -> ByteBuffer {
        switch codec {
        case .none: ByteBuffer(bytes: bytes)
        case .gzip: try self.inflated(bytes, limit)
        case .snappy: try SnappyDecoder.decode(bytes, limit: limit)
        case .lz4: try self.unframedLZ4(bytes, limit)
        case .zstd: try self.unframedZstd(bytes, limit)
        }
    }

    /// Grows an output step by step, so that a small batch cannot claim much memory.
    ///
    /// `step` fills what it is given, and says how much it took and whether it has ended.
    private static func collect(
        _ input: Int,
        _ limit: Int,
        _ step: (UnsafeMutableRawBufferPointer) throws -> (written: Int, isDone: Bool)
    ) throws -> ByteBuffer {
        let first = min(max(input &* 4, 4096), limit &+ 1)
        var output = ByteBufferAllocator().buffer(capacity: first)
        var isDone = false
        while !isDone {
            let room = max(output.readableBytes, 4096)
            let before = output.readableBytes
            try output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
                let result = try step(target)
                isDone = result.isDone
                return result.written
            }
            guard output.readableBytes <= limit else {
                throw ProtocolError.decompressedTooLarge(limit: limit)
            }
            guard isDone || output.readableBytes > before else {
                throw ProtocolError.invalidCompression("the stream is cut off")
            }
        }
        return output
    }

    private static func unframedLZ4(
        _ bytes: UnsafeRawBufferPointer,
        _ limit: Int
    ) throws -> ByteBuffer {
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0
        else { throw ProtocolError.invalidCompression("no memory for LZ4") }
        defer { LZ4F_freeDecompressionContext(context) }
        var rest = bytes
        return try self.collect(bytes.count, limit) { target in
            var written = target.count
            var taken = rest.count
            let hint = LZ4F_decompress(
                context,
                target.baseAddress,
                &written,
                rest.baseAddress,
                &taken,
                nil
            )
            guard LZ4F_isError(hint) == 0 else {
                throw ProtocolError.invalidCompression(String(cString: LZ4F_getErrorName(hint)))
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            return (written, hint == 0)
        }
    }

    private static func unframedZstd(
        _ bytes: UnsafeRawBufferPointer,
        _ limit: Int
    ) throws -> ByteBuffer {
        guard let context = ZSTD_createDCtx() else {
            throw ProtocolError.invalidCompression("no memory for zstd")
        }
        defer { ZSTD_freeDCtx(context) }
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        return try self.collect(bytes.count, limit) { target in
            var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
            let hint = ZSTD_decompressStream(context, &output, &input)
            guard ZSTD_isError(hint) == 0 else {
                throw ProtocolError.invalidCompression(String(cString: ZSTD_getErrorName(hint)))
            }
            return (output.pos, hint == 0 && input.pos == input.size)
        }
    }

    private static func inflated(
        _ bytes: UnsafeRawBufferPointer,
        _ limit: Int
    ) throws -> ByteBuffer {
        guard let length = UInt32(exactly: bytes.count) else {
            throw ProtocolError.tooLong(bytes.count)
        }
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(stream, gzipWindow, ZLIB_VERSION, size) == Z_OK else {
            throw ProtocolError.invalidCompression("no memory for gzip")
        }
        defer { inflateEnd(stream) }
        let source = bytes.bindMemory(to: UInt8.self)
        stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
        stream.pointee.avail_in = length
        return try self.collect(bytes.count, limit) { target in
            let room = target.bindMemory(to: UInt8.self)
            stream.pointee.next_out = room.baseAddress
            stream.pointee.avail_out = UInt32(clamping: room.count)
            let asked = Int(stream.pointee.avail_out)
            let code = inflate(stream, Z_NO_FLUSH)
            guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
                throw ProtocolError.invalidCompression("inflate returned \(code)")
            }
            return (asked - Int(stream.pointee.avail_out), code == Z_STREAM_END)
        }
    }
}
