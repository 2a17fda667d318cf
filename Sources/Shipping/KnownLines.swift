/// Lines of which records were made already, to see whether they are still there when more is to be
/// made of them.
///
/// The bytes before a place show that a file was rewritten before it. Nothing shows that at the
/// beginning of a file, or where a truncation has ended, until the line itself is read again.
struct KnownLines {
    private var hashes: [UInt32] = []
    private var next = 0

    var isEmpty: Bool { next == hashes.count }

    mutating func append(_ line: UnsafeRawBufferPointer) { hashes.append(Self.hash(line)) }

    /// Whether a line is the first of them, if there is one.
    func mayBegin(with line: UnsafeRawBufferPointer) -> Bool {
        isEmpty || hashes[next] == Self.hash(line)
    }

    mutating func removeFirst() { if !isEmpty { next += 1 } }

    private static func hash(_ line: UnsafeRawBufferPointer) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(bytes: line)
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }
}
