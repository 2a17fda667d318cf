internal import FileTailing
internal import PipelineLanguage
internal import RecordProcessing

/// The text of chunks, and the way back from it to the bytes of the file.
///
/// A lane has one for each pipeline. For a file in UTF-8 the text is the bytes.
final class ChunkText {
    /// Bytes of the shortest character; places in a file are multiples of it.
    let unitLength: Int
    private let decoder: TextDecoder?
    private let replacesInvalid: Bool
    private var scratch: [UInt8] = []

    init(_ pipeline: LoadedPipeline) {
        decoder = pipeline.makeDecoder()
        unitLength = decoder?.unitLength ?? 1
        replacesInvalid = decoder == nil && pipeline.plan.input.invalidUTF8 == .replace
    }

    /// The text of a chunk, valid until the next one is taken.
    ///
    /// - Parameter head: the first bytes of the file, which may tell its byte order.
    func text(
        of bytes: UnsafeRawBufferPointer,
        at offset: Int64,
        head: @autoclosure () -> [UInt8],
        _ end: ReadEnd
    ) -> UnsafeRawBufferPointer {
        guard let decoder else { return bytes.upTo(end) }
        if offset > 0 { head().withUnsafeBytes { decoder.use(head: $0) } }
        return decoder.decode(bytes, atFileStart: offset == 0, atEnd: end == .final).upTo(end)
    }

    /// Bytes of the chunk that the first `count` bytes of its text were made of.
    func sourceLength(of count: Int) -> Int { decoder?.sourceLength(ofDecoded: count) ?? count }

    /// Sequences that stood for no character among the first `count` bytes of the chunk's text.
    func replacedCount(in count: Int) -> Int { decoder?.replacedCount(inDecoded: count) ?? 0 }

    /// Gives `body` an event as it shall be processed, and how much of it was replaced.
    func withValidText<Result>(
        of event: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer, Int) -> Result
    ) -> Result {
        guard replacesInvalid else { return body(event, 0) }
        let count = InvalidUTF8.replace(in: event, into: &scratch)
        if count == 0 { return body(event, 0) }
        return scratch.withUnsafeBytes { body($0, count) }
    }
}

extension UnsafeRawBufferPointer {
    /// What counts of a text: an unfinished line is none, however long nothing has come.
    fileprivate func upTo(_ end: ReadEnd) -> UnsafeRawBufferPointer {
        guard end == .quiet else { return self }
        let whole = lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return UnsafeRawBufferPointer(rebasing: self[..<whole])
    }
}
