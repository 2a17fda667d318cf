internal import CZlib

/// Decodes gzip members by zlib, which also checks their lengths and checksums.
final class GzipDecoder: StreamDecoder {
    /// zlib's largest window, and a gzip header around it.
    private static let windowBits = MAX_WBITS + 16
    private static let firstMagicByte: UInt8 = 0x1F

    private(set) var isBetweenMembers = true
    private(set) var holdsOutput = false
    /// Made once: zlib keeps a pointer to it.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isPrepared = false
    private var isFirstMember = true

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
    }

    deinit {
        if isPrepared { inflateEnd(stream) }
        stream.deallocate()
    }

    func reset() {
        isBetweenMembers = true
        isFirstMember = true
        holdsOutput = false
    }

    func decode(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) -> DecodeStep {
        guard isBetweenMembers else { return inflate(input, into: output) }
        // Tapes and block devices pad the last member with zeros.
        let padding = isFirstMember ? 0 : input.prefix { $0 == 0 }.count
        if padding > 0 { return DecodeStep(consumed: padding) }
        guard input.first == Self.firstMagicByte else {
            return DecodeStep(problem: .damaged("no gzip member begins here"))
        }
        guard beginMember() else { return DecodeStep(problem: .noMemory) }
        return inflate(input, into: output)
    }

    private func beginMember() -> Bool {
        if isPrepared {
            inflateReset(stream)
        } else {
            let size = Int32(MemoryLayout<z_stream>.size)
            isPrepared = inflateInit2_(stream, Self.windowBits, ZLIB_VERSION, size) == Z_OK
        }
        isBetweenMembers = !isPrepared
        return isPrepared
    }

    private func inflate(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) -> DecodeStep {
        let inputLength = UInt32(clamping: input.count)
        let outputLength = UInt32(clamping: output.count)
        // Safe: zlib reads what is behind next_in and never writes there.
        let source = UnsafeMutableRawPointer(mutating: input.baseAddress)
        stream.pointee.next_in = source?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = inputLength
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = outputLength
        let code = CZlib.inflate(stream, Z_NO_FLUSH)
        let step = DecodeStep(
            consumed: Int(inputLength - stream.pointee.avail_in),
            produced: Int(outputLength - stream.pointee.avail_out),
            problem: problem(code)
        )
        if code == Z_STREAM_END { endMember() }
        holdsOutput = !isBetweenMembers && stream.pointee.avail_out == 0
        return step
    }

    private func endMember() {
        isBetweenMembers = true
        isFirstMember = false
    }

    private func problem(_ code: Int32) -> DecodeStep.Problem? {
        switch code {
        // No progress is no harm: there was no input, or no output left to give.
        case Z_OK, Z_STREAM_END, Z_BUF_ERROR: return nil
        case Z_MEM_ERROR: return .noMemory
        default:
            let text = stream.pointee.msg.map { String(cString: $0) }
            return .damaged(text ?? "inflate returned \(code)")
        }
    }
}
