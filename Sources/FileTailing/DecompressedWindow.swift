/// The stretch of decompressed content that is held in memory.
struct DecompressedWindow: ~Copyable {
    /// Enough for a decoder to run at its full speed.
    private static let leastCapacity = 128 * 1024

    /// Where the first held byte stands in the content.
    private(set) var start: Int64 = 0
    private var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// Where the held bytes stand in the buffer.
    private var held = 0..<0

    deinit {
        buffer.deallocate()
    }

    /// How far the content was decoded.
    var end: Int64 { start + Int64(held.count) }

    var capacity: Int { buffer.count }

    /// Forgets the bytes before a place; those behind it stay.
    mutating func discard(before offset: Int64) {
        let length = Int(min(max(offset - start, 0), Int64(held.count)))
        start += Int64(length)
        held = (held.lowerBound + length)..<held.upperBound
        // Nothing has to be moved to make room.
        if held.isEmpty { held = 0..<0 }
    }

    /// Makes room to hold `length` bytes from the first held one on.
    mutating func reserve(_ length: Int) {
        guard held.lowerBound + length > buffer.count || buffer.isEmpty else { return }
        if length <= buffer.count {
            move(to: buffer)
        } else {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(length, Self.leastCapacity),
                alignment: 16
            )
            move(to: larger)
            buffer.deallocate()
            buffer = larger
        }
    }

    /// The place for what is decoded next, at most `length` bytes and never none.
    func room(atMost length: Int64) -> UnsafeMutableRawBufferPointer {
        let room = buffer[held.upperBound...].prefix(Int(clamping: length))
        precondition(!room.isEmpty, "no room was reserved")
        return UnsafeMutableRawBufferPointer(rebasing: room)
    }

    /// Holds what was decoded into the room, too.
    mutating func append(_ length: Int) {
        held = held.lowerBound..<(held.upperBound + length)
    }

    /// Copies the bytes at a place, as many as are held and fit.
    func copy(into target: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        guard offset >= start, offset < end else { return 0 }
        let source = buffer[held].dropFirst(Int(offset - start)).prefix(target.count)
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source))
        return source.count
    }

    mutating func rewind() {
        start = 0
        held = 0..<0
    }

    private mutating func move(to target: UnsafeMutableRawBufferPointer) {
        // Safe: copyMemory allows the two to overlap.
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[held]))
        held = 0..<held.count
    }
}
