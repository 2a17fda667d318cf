/// A decoder of members that stand one behind the other: gzip's, or zstd's frames.
protocol StreamDecoder: AnyObject {
    /// Whether all input so far makes whole members, and all their bytes were given out.
    var isBetweenMembers: Bool { get }
    /// Whether more output may come without more input.
    var holdsOutput: Bool { get }

    /// Decodes a piece of the input; neither buffer may be empty, but the input while
    /// ``holdsOutput``.
    func decode(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) -> DecodeStep

    /// Begins again, at the first member.
    func reset()
}

/// What one call of a decoder did.
struct DecodeStep {
    var consumed = 0
    var produced = 0
    /// Why it cannot go on behind the bytes that it produced.
    var problem: Problem?

    enum Problem: Equatable {
        case damaged(String)
        case noMemory
    }
}

extension FileCompression {
    func makeDecoder() -> any StreamDecoder {
        switch self {
        case .gzip: GzipDecoder()
        case .zstd: ZstdDecoder()
        }
    }
}
