/// Memory for what a record computes, taken back as a whole when the next one begins.
///
/// Spans stay where they are until `reset()`, however much is added.
final class Scratch {
    // Safe: one processor has it, and each function ends before the next begins.

    private static let blockSize = 64 * 1024

    @exclusivity(unchecked) private var blocks: [UnsafeMutableRawBufferPointer] = []
    @exclusivity(unchecked) private var current = 0
    @exclusivity(unchecked) private var used = 0

    deinit {
        for block in blocks { block.deallocate() }
    }

    func reset() {
        // A block for one huge record is not kept for the small ones after it.
        while blocks.count > 4 { blocks.removeLast().deallocate() }
        current = 0
        used = 0
    }

    /// `count` bytes to be filled by the caller.
    func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
        while current < blocks.count {
            if blocks[current].count - used >= count { return take(count) }
            current += 1
            used = 0
        }
        blocks.append(.allocate(byteCount: max(count, Self.blockSize), alignment: 16))
        return take(count)
    }

    func copy(_ bytes: some Collection<UInt8>) -> Text {
        let target = allocate(bytes.count)
        target.copyBytes(from: bytes)
        return Text(target)
    }

    func copy(_ text: String) -> Text { copy(text.utf8) }

    private func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
        defer { used += count }
        return UnsafeMutableRawBufferPointer(rebasing: blocks[current][used..<(used + count)])
    }
}

/// Bytes that live as long as the program: literals, names, patterns.
final class ConstantPool: @unchecked Sendable {
    // Safe to share: nothing is added once the program is made, and nothing is ever changed.
    private var texts: [UnsafeMutableRawBufferPointer] = []
    private var isComplete = false

    deinit {
        for text in texts { text.deallocate() }
    }

    /// Ends the adding, before threads share what is there.
    func complete() { isComplete = true }

    func text(_ string: String) -> Text {
        var string = string
        return string.withUTF8 { keep(Text($0)) }
    }

    /// A name as JSON writes it before a value.
    func label(_ name: Text) -> Text {
        let writer = JSONWriter()
        writer.write(quoted: name)
        writer.write(UInt8(ascii: ":"))
        return withExtendedLifetime(writer) { keep(writer.text) }
    }

    private func keep(_ text: Text) -> Text {
        precondition(!isComplete, "Threads share these constants; nothing may be added.")
        // With room behind it for who reads sixteen bytes at once.
        let target = UnsafeMutableRawBufferPointer.allocate(
            byteCount: text.count + 16,
            alignment: 1
        )
        target.initializeMemory(as: UInt8.self, repeating: 0)
        target.copyBytes(from: text)
        texts.append(target)
        return Text(rebasing: target[..<text.count])
    }
}
