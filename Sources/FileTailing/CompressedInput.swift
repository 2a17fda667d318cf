/// The compressed bytes of a file, a block at a time, in memory that is used again.
///
/// The buffer is the guard, a block behind it, and room to read the guard again:
///
///     | 64 bytes before the block | block …      | 64 |
///
/// Bytes that were consumed are gone; the guard is how one sees that they were replaced since.
struct CompressedInput: ~Copyable {
    static let blockLength = 128 * 1024
    private static let guardLength = 64
    static let bufferLength = guardLength + blockLength + guardLength

    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Self.bufferLength,
        alignment: 16
    )
    /// Where the block begins in the file.
    private var start: Int64 = 0
    private var count = 0
    private var position = 0

    deinit {
        buffer.deallocate()
    }

    /// How far the file was consumed.
    var consumedOffset: Int64 { start + Int64(position) }

    /// How far the file was read.
    private var readOffset: Int64 { start + Int64(count) }

    /// The bytes of the block that are not consumed.
    var bytes: UnsafeRawBufferPointer {
        let begin = Self.guardLength
        return UnsafeRawBufferPointer(rebasing: buffer[(begin + position)..<(begin + count)])
    }

    mutating func consume(_ length: Int) {
        precondition(length <= count - position, "more input was consumed than there is")
        position += length
    }

    /// Reads the next block, when this one is consumed; false if the file has no more now.
    mutating func refill(from file: any DiskFile) throws(TailError) -> Bool {
        precondition(position == count, "input would be lost")
        let last = UnsafeRawBufferPointer(rebasing: buffer[count..<(count + Self.guardLength)])
        UnsafeMutableRawBufferPointer(rebasing: buffer[..<Self.guardLength]).copyMemory(from: last)
        start = readOffset
        (position, count) = (0, 0)
        let block = buffer[Self.guardLength..<(Self.guardLength + Self.blockLength)]
        count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: block), at: start)
        return count > 0
    }

    /// Whether the file no longer holds what was read of it last.
    func wasReplaced(in file: any DiskFile) throws(TailError) -> Bool {
        let length = Int(min(readOffset, Int64(Self.guardLength)))
        guard length > 0 else { return false }
        let room = buffer[(buffer.count - Self.guardLength)...].prefix(length)
        let now = UnsafeMutableRawBufferPointer(rebasing: room)
        guard try file.read(into: now, at: readOffset - Int64(length)) == length else {
            return true
        }
        let before = buffer[..<(Self.guardLength + count)].suffix(length)
        return !now.elementsEqual(before)
    }

    mutating func rewind() {
        start = 0
        (position, count) = (0, 0)
    }
}
