/// Writes values as JSON into memory that is used again for each record.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []

    mutating func reset() { bytes.removeAll(keepingCapacity: true) }

    mutating func write(_ byte: UInt8) { bytes.append(byte) }

    mutating func write(raw text: Text) { bytes.append(contentsOf: text) }

    mutating func write(_ value: Value) {
        switch value {
        case .missing, .null: write(ascii: "null")
        case .bool(let flag): write(ascii: flag ? "true" : "false")
        case .int(let number): write(ascii: number)
        case .decimal(let digits), .json(let digits): write(raw: digits)
        case .float(let number): number.isFinite ? write(ascii: "\(number)") : write(ascii: "null")
        case .string(let text), .bytes(let text): write(quoted: text)
        case .time(let nanoseconds): write(quoted: formatISO8601(nanoseconds).utf8)
        case .duration(let nanoseconds): write(quoted: DurationText.text(nanoseconds).utf8)
        case .list(let elements): write(elements)
        case .object(let object): write(object)
        }
    }

    mutating func write(_ elements: [Value]) {
        write(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { write(UInt8(ascii: ",")) }
            write(element)
        }
        write(UInt8(ascii: "]"))
    }

    mutating func write(_ object: ObjectValue) {
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

    /// A JSON string; bytes that JSON does not allow as they are become escapes.
    mutating func write(quoted text: some Collection<UInt8>) {
        write(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""): write(ascii: "\\\"")
            case UInt8(ascii: "\\"): write(ascii: "\\\\")
            case 0x0A: write(ascii: "\\n")
            case 0x0D: write(ascii: "\\r")
            case 0x09: write(ascii: "\\t")
            case 0..<0x20:
                write(ascii: "\\u00")
                write(hexDigit(byte >> 4))
                write(hexDigit(byte & 15))
            default: write(byte)
            }
        }
        write(UInt8(ascii: "\""))
    }

    private mutating func write(ascii text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func write(ascii number: Int64) { bytes.append(contentsOf: "\(number)".utf8) }
}
