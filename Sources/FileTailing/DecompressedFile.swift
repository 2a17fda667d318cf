/// A gzip or zstd file that reads as if its content had never been compressed.
///
/// Offsets are those of the content. Reading forward is cheap: a window of the content, from where
/// the last read began, is kept. A read that begins before it decodes the file from its start. The
/// head of the content stays in memory, because a file is recognised by it at any time.
///
///     let file = DecompressedFile(compressed, compression: .gzip)
///     let count = try file.read(into: buffer, at: offset)
///     if count < buffer.count, case .damaged(let reason, _) = file.end { report(reason) }
///
/// The file may still grow: what is not there yet is no more than a short read. Damage is no error
/// either: the content ends before it. A file that was cut or written anew since the last read is
/// seen by the compressed bytes before the place, as a plain file is by its guard.
package final class DecompressedFile: DiskFile, @unchecked Sendable {
    // Safe: one thread at a time has it; it is handed from the watcher's to a lane's, never shared.

    /// How the content ends, as far as it was read.
    package enum End: Equatable, Sendable {
        /// The end was not reached; a read that fell short has reached it.
        case unknown
        /// The file ends within a member or frame: it is being written, or cut off.
        case incomplete
        /// The file ends behind a whole member, or is empty; more may follow if it grows.
        case whole(decompressedSize: Int64)
        /// The file cannot be decoded beyond this place or the zstd block around it; the content
        /// before it can be read.
        case damaged(reason: String, at: Int64)
    }

    package private(set) var end = End.unknown
    private let file: any DiskFile
    private let decoder: any StreamDecoder
    private var input = CompressedInput()
    private var window = DecompressedWindow()
    private var head: [UInt8] = []

    package init(_ file: any DiskFile, compression: FileCompression) {
        self.file = file
        decoder = compression.makeDecoder()
        head.reserveCapacity(HeadFingerprint.fullLength)
    }

    /// The status of the compressed file; its size, too, is that of the compressed bytes.
    package func status() throws(TailError) -> FileStatus { try file.status() }

    package var birthTime: Int64? { file.birthTime }

    /// How many bytes the compressed file has now, as ``status()`` says.
    package var compressedSize: Int64 {
        get throws(TailError) { try file.status().size }
    }

    /// How much of the compressed file was decoded to reach the last read.
    package var compressedOffset: Int64 { input.consumedOffset }

    /// The memory of its buffers; the decoder's own, up to zstd's window, comes on top.
    package var bufferedByteCount: Int { CompressedInput.bufferLength + window.capacity }

    /// How many bytes of content there are, decoding what was not read.
    func contentSize() throws(TailError) -> Int64 {
        try skip(to: .max)
        return window.end
    }

    /// Reads content at an offset of the content, fewer bytes than there is room for only at
    /// its end.
    ///
    /// - Throws: when the compressed file cannot be read, or no memory is left; never for damage.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(TailError) -> Int {
        precondition(offset >= 0, "a file has no bytes before its first")
        if try input.wasReplaced(in: file) { restart() }
        if offset < window.start {
            if let count = readHead(into: buffer, at: offset) { return count }
            rewind()
        }
        try skip(to: offset)
        try fill(to: offset, buffer.count)
        return window.copy(into: buffer, at: offset)
    }

    /// Answers from the head, if it holds all that is asked for.
    private func readHead(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int? {
        guard offset + Int64(buffer.count) <= Int64(head.count) else { return nil }
        buffer.copyBytes(from: head[Int(offset)...].prefix(buffer.count))
        return buffer.count
    }

    /// Decodes and forgets all content before a place.
    private func skip(to offset: Int64) throws(TailError) {
        window.discard(before: offset)
        while window.end < offset {
            window.reserve(1)
            guard try decode(atMost: offset - window.end) else { return }
            window.discard(before: offset)
        }
    }

    /// Decodes until the window holds `length` bytes from a place on, or all there are.
    private func fill(to offset: Int64, _ length: Int) throws(TailError) {
        guard window.start == offset else { return }
        window.reserve(length)
        let limit = offset + Int64(length)
        while window.end < limit, try decode(atMost: limit - window.end) {}
    }

    /// Decodes some bytes into the window; false if there are no more now.
    private func decode(atMost length: Int64) throws(TailError) -> Bool {
        if case .damaged = end { return false }
        guard try hasInput() else {
            let size = window.end
            end = decoder.isBetweenMembers ? .whole(decompressedSize: size) : .incomplete
            return false
        }
        end = .unknown
        let room = window.room(atMost: length)
        let step = decoder.decode(input.bytes, into: room)
        input.consume(step.consumed)
        extendHead(UnsafeRawBufferPointer(rebasing: room[..<step.produced]))
        window.append(step.produced)
        try meet(step.problem)
        return true
    }

    private func hasInput() throws(TailError) -> Bool {
        if decoder.holdsOutput || !input.bytes.isEmpty { return true }
        return try input.refill(from: file)
    }

    private func meet(_ problem: DecodeStep.Problem?) throws(TailError) {
        switch problem {
        case nil: break
        case .damaged(let reason): end = .damaged(reason: reason, at: input.consumedOffset)
        case .noMemory:
            // The decoder's state is lost with it.
            rewind()
            throw .noMemoryToDecompress
        }
    }

    /// Keeps what belongs to the head of bytes that follow the window.
    private func extendHead(_ bytes: UnsafeRawBufferPointer) {
        let room = HeadFingerprint.fullLength - head.count
        let known = Int64(head.count) - window.end
        guard room > 0, known >= 0, known < bytes.count else { return }
        head.append(contentsOf: bytes.dropFirst(Int(known)).prefix(room))
    }

    /// Goes back to the start of the same file.
    private func rewind() {
        decoder.reset()
        input.rewind()
        window.rewind()
        end = .unknown
    }

    /// Begins another file, which has taken the place of the one before.
    private func restart() {
        rewind()
        head.removeAll(keepingCapacity: true)
    }
}
