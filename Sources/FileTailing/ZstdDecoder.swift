internal import CZstd

/// Decodes zstd frames by libzstd, which also checks their checksums and skips metadata.
final class ZstdDecoder: StreamDecoder {
    /// Windows of up to 128 MiB, as `zstd -d` takes them; `zstd --long` asks for that much.
    static let windowLogLimit: Int32 = 27
    private static let blockHeaderLength = 3
    private static let hintAtStart = 5

    private(set) var isBetweenMembers = true
    private(set) var holdsOutput = false
    private var context: OpaquePointer?
    /// How much input libzstd wants next: the rest of a block, and the header of the next.
    private var hint = ZstdDecoder.hintAtStart

    deinit {
        ZSTD_freeDCtx(context)
    }

    func reset() {
        if let context { ZSTD_DCtx_reset(context, ZSTD_reset_session_only) }
        isBetweenMembers = true
        holdsOutput = false
        hint = Self.hintAtStart
    }

    func decode(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) -> DecodeStep {
        guard prepare() else { return DecodeStep(problem: .noMemory) }
        let length = min(input.count, nextLength)
        var source = ZSTD_inBuffer(src: input.baseAddress, size: length, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let result = ZSTD_decompressStream(context, &target, &source)
        guard ZSTD_isError(result) == 0 else { return DecodeStep(problem: Self.problem(result)) }
        isBetweenMembers = result == 0
        holdsOutput = !isBetweenMembers && target.pos == target.size
        hint = isBetweenMembers ? Self.hintAtStart : result
        return DecodeStep(consumed: source.pos, produced: target.pos)
    }

    /// How much input to give: never a block together with the header behind it.
    ///
    /// A call that fails does not say what it wrote before. So no call gets more than one thing
    /// that can be wrong, and every block before a bad one is given out.
    private var nextLength: Int {
        hint > Self.blockHeaderLength ? hint - Self.blockHeaderLength : 1
    }

    private func prepare() -> Bool {
        if context != nil { return true }
        guard let context = ZSTD_createDCtx() else { return false }
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.windowLogLimit)
        self.context = context
        return true
    }

    private static func problem(_ result: Int) -> DecodeStep.Problem {
        switch ZSTD_getErrorCode(result) {
        case ZSTD_error_memory_allocation: .noMemory
        case ZSTD_error_frameParameter_windowTooLarge:
            .damaged("its window is larger than 128 MiB; compress it with --long=27 or less")
        case ZSTD_error_prefix_unknown: .damaged("no zstd frame begins here")
        default: .damaged(String(cString: ZSTD_getErrorName(result)))
        }
    }
}
