internal import CLZ4
internal import CZlib
internal import CZstd

/// Compresses batches one after the other, with contexts and memory that are used again.
///
/// Belongs to one thread.
package final class Compressor {
    package let codec: Compression
    private let level: Int32
    private var scratch = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var zstdContext: OpaquePointer?
    private var gzipStream: UnsafeMutablePointer<z_stream>?
    private var snappy = SnappyEncoder()

    /// Makes a compressor; `level` nil is the codec's fastest that is worth it.
    package init(codec: Compression, level: Int32? = nil) {
        self.codec = codec
        self.level = level ?? Self.defaultLevel(codec)
    }

    deinit {
        self.scratch.deallocate()
        ZSTD_freeCCtx(self.zstdContext)
        if let gzipStream {
            deflateEnd(gzipStream)
            gzipStream.deallocate()
        }
    }

    /// Calls `body` with `input` compressed; the bytes are valid until it returns.
    package func compress<Result>(
        _ input: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let count =
            switch self.codec {
            case .none: throw ProtocolError.unsupportedCompression(0)
            case .gzip: try self.compressGzip(input)
            case .snappy: self.compressSnappy(input)
            case .lz4: try self.compressLZ4(input)
            case .zstd: try self.compressZstd(input)
            }
        return try body(UnsafeRawBufferPointer(rebasing: self.scratch[..<count]))
    }

    private static func defaultLevel(_ codec: Compression) -> Int32 {
        switch codec {
        case .none, .snappy, .lz4: 0
        case .gzip: -1
        case .zstd: 1
        }
    }

    private func reserve(_ size: Int) {
        guard self.scratch.count < size else { return }
        self.scratch.deallocate()
        self.scratch = .allocate(byteCount: size, alignment: 16)
    }

    private func compressSnappy(_ input: UnsafeRawBufferPointer) -> Int {
        self.reserve(SnappyEncoder.bound(input.count))
        return self.snappy.encode(input, into: self.scratch)
    }

    private func compressLZ4(_ input: UnsafeRawBufferPointer) throws -> Int {
        var preferences = LZ4F_preferences_t()
        // Java reads no other block mode than this, and needs neither size nor checksums.
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        preferences.frameInfo.blockSizeID = LZ4F_max64KB
        preferences.compressionLevel = self.level
        preferences.autoFlush = 1
        self.reserve(LZ4F_compressFrameBound(input.count, &preferences))
        let count = LZ4F_compressFrame(
            self.scratch.baseAddress,
            self.scratch.count,
            input.baseAddress,
            input.count,
            &preferences
        )
        guard LZ4F_isError(count) == 0 else {
            throw ProtocolError.invalidCompression(String(cString: LZ4F_getErrorName(count)))
        }
        return count
    }

    private func compressZstd(_ input: UnsafeRawBufferPointer) throws -> Int {
        if self.zstdContext == nil { self.zstdContext = ZSTD_createCCtx() }
        self.reserve(ZSTD_compressBound(input.count))
        let count = ZSTD_compressCCtx(
            self.zstdContext,
            self.scratch.baseAddress,
            self.scratch.count,
            input.baseAddress,
            input.count,
            self.level
        )
        guard ZSTD_isError(count) == 0 else {
            throw ProtocolError.invalidCompression(String(cString: ZSTD_getErrorName(count)))
        }
        return count
    }

    private func compressGzip(_ input: UnsafeRawBufferPointer) throws -> Int {
        let stream = try self.resetGzipStream()
        guard let length = UInt32(exactly: input.count) else {
            throw ProtocolError.tooLong(input.count)
        }
        // A gzip header and trailer are 18 bytes more than what deflateBound counts for zlib's.
        self.reserve(Int(deflateBound(stream, UInt(input.count))) + 18)
        let source = input.bindMemory(to: UInt8.self)
        let target = self.scratch.bindMemory(to: UInt8.self)
        stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
        stream.pointee.avail_in = length
        stream.pointee.next_out = target.baseAddress
        stream.pointee.avail_out = UInt32(clamping: target.count)
        guard deflate(stream, Z_FINISH) == Z_STREAM_END else {
            throw ProtocolError.invalidCompression("deflate did not finish")
        }
        return target.count - Int(stream.pointee.avail_out)
    }

    private func resetGzipStream() throws -> UnsafeMutablePointer<z_stream> {
        if let stream = self.gzipStream {
            deflateReset(stream)
            return stream
        }
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let size = Int32(MemoryLayout<z_stream>.size)
        let strategy = Z_DEFAULT_STRATEGY
        let code = deflateInit2_(
            stream,
            self.level,
            Z_DEFLATED,
            gzipWindow,
            8,
            strategy,
            ZLIB_VERSION,
            size
        )
        guard code == Z_OK else {
            stream.deallocate()
            throw ProtocolError.invalidCompression("deflateInit2 returned \(code)")
        }
        self.gzipStream = stream
        return stream
    }
}

/// The largest window, in a gzip stream.
let gzipWindow: Int32 = 15 + 16
