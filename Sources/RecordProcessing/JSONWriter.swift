import CPlatform

/// Writes values as JSON into memory that is used again for each record.
final class JSONWriter {
    // Safe: one processor has it, and each function ends before the next begins.

    @exclusivity(unchecked) private var memory: UnsafeMutableRawBufferPointer
    @exclusivity(unchecked) private(set) var count = 0

    init() {
        memory = .allocate(byteCount: 4096, alignment: 16)
    }

    deinit { memory.deallocate() }

    /// What is written; valid until more is.
    var text: Text { Text(rebasing: memory[..<count]) }

    func reset() { count = 0 }

    /// Takes back what was written last.
    func removeLast() { count -= 1 }

    /// Where the next byte goes, with room for some.
    @inline(__always)
    private func place(for room: Int) -> UnsafeMutableRawPointer {
        if memory.count - count < room { grow(room) }
        // Safe: the memory is never empty.
        return memory.baseAddress.unsafelyUnwrapped + count
    }

    private func grow(_ room: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(memory.count * 2, count + room),
            alignment: 16
        )
        larger.copyMemory(from: text)
        memory.deallocate()
        memory = larger
    }

    // MARK: Bytes

    @inline(__always)
    func write(_ byte: UInt8) {
        place(for: 1).storeBytes(of: byte, as: UInt8.self)
        count += 1
    }

    @inline(__always)
    func write(raw text: Text) {
        guard let start = text.baseAddress else { return }
        place(for: text.count).copyMemory(from: start, byteCount: text.count)
        count += text.count
    }

    /// Writes a constant that has sixteen bytes of memory behind it.
    @inline(__always)
    func write(label: Text) {
        guard label.count <= 16, let start = label.baseAddress else { return write(raw: label) }
        // Safe: there are as many bytes. A short text is copied faster as what it never is longer than.
        let block = start.loadUnaligned(as: SIMD16<UInt8>.self)
        place(for: 16).storeBytes(of: block, as: SIMD16<UInt8>.self)
        count += label.count
    }

    func write(ascii text: StaticString) {
        write(raw: Text(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func write(_ string: String) {
        var string = string
        string.withUTF8 { write(raw: Text($0)) }
    }

    func write(_ number: Int64) {
        let longest = 20
        let end = place(for: longest) + longest
        var start = end
        var rest = number.magnitude
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            start -= 1
            start.storeBytes(
                of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit),
                as: UInt8.self
            )
            rest = quotient
        } while rest > 0
        if number < 0 {
            start -= 1
            start.storeBytes(of: UInt8(ascii: "-"), as: UInt8.self)
        }
        // Written backwards, as digits come, and then moved to where they belong.
        place(for: longest).copyMemory(from: start, byteCount: end - start)
        count += end - start
    }

    // MARK: Values

    func write(_ value: Value) {
        switch value {
        case .missing, .null: write(ascii: "null")
        case .bool(let flag): flag ? write(ascii: "true") : write(ascii: "false")
        case .int(let number): write(number)
        case .decimal(let digits), .json(let digits): write(raw: digits)
        case .float(let number): number.isFinite ? write("\(number)") : write(ascii: "null")
        case .string(let text), .bytes(let text): write(quoted: text)
        case .time(let nanoseconds): write(quoted: formatISO8601(nanoseconds))
        case .duration(let nanoseconds): write(quoted: DurationText.text(nanoseconds))
        case .list(let elements): write(elements)
        case .object(let object): write(object)
        }
    }

    private func write(_ elements: [Value]) {
        write(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { write(UInt8(ascii: ",")) }
            write(element)
        }
        write(UInt8(ascii: "]"))
    }

    private func write(_ object: ObjectValue) {
        write(UInt8(ascii: "{"))
        var isFirst = true
        for member in object.members {
            if case .missing = member.value { continue }
            if !isFirst { write(UInt8(ascii: ",")) }
            isFirst = false
            write(quoted: member.name)
            write(UInt8(ascii: ":"))
            write(member.value)
        }
        write(UInt8(ascii: "}"))
    }

    private func write(quoted string: String) {
        var string = string
        string.withUTF8 { write(quoted: Text($0)) }
    }

    /// A JSON string; bytes that JSON does not allow as they are become escapes.
    func write(quoted text: Text) {
        write(UInt8(ascii: "\""))
        var written = 0
        while let start = text.baseAddress, written < text.count {
            let rest = text.count - written
            let plain = Int(forktail_copy_plain(place(for: rest), start + written, rest))
            count += plain
            written += plain
            guard written < text.count else { break }
            write(escaped: text[written])
            written += 1
        }
        write(UInt8(ascii: "\""))
    }

    private func write(escaped byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): write(ascii: "\\\"")
        case UInt8(ascii: "\\"): write(ascii: "\\\\")
        case 0x0A: write(ascii: "\\n")
        case 0x0D: write(ascii: "\\r")
        case 0x09: write(ascii: "\\t")
        default:
            write(ascii: "\\u00")
            write(hexDigit(byte >> 4))
            write(hexDigit(byte & 15))
        }
    }
}
