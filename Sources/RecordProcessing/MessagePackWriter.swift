/// Writes values as MessagePack says, with the shortest form of each.
struct MessagePackWriter {
    private(set) var bytes: [UInt8] = []

    mutating func writeNil() { bytes.append(0xC0) }

    mutating func write(_ flag: Bool) { bytes.append(flag ? 0xC3 : 0xC2) }

    mutating func write(_ number: Int64) {
        switch number {
        case -32..<128: bytes.append(UInt8(truncatingIfNeeded: number))
        case 128..<0x100: write(0xCC, number, 1)
        case 0x100..<0x1_0000: write(0xCD, number, 2)
        case 0x1_0000..<0x1_0000_0000: write(0xCE, number, 4)
        case 0x1_0000_0000...: write(0xCF, number, 8)
        case -128..<0: write(0xD0, number, 1)
        case -0x8000..<0: write(0xD1, number, 2)
        case -0x8000_0000..<0: write(0xD2, number, 4)
        default: write(0xD3, number, 8)
        }
    }

    mutating func write(_ number: Double) {
        write(0xCB, Int64(bitPattern: number.bitPattern), 8)
    }

    mutating func write(text: some Collection<UInt8>) {
        let count = Int64(text.count)
        switch count {
        case 0..<32: bytes.append(0xA0 | UInt8(count))
        case 32..<0x100: write(0xD9, count, 1)
        case 0x100..<0x1_0000: write(0xDA, count, 2)
        default: write(0xDB, count, 4)
        }
        bytes.append(contentsOf: text)
    }

    mutating func write(binary: some Collection<UInt8>) {
        let count = Int64(binary.count)
        switch count {
        case 0..<0x100: write(0xC4, count, 1)
        case 0x100..<0x1_0000: write(0xC5, count, 2)
        default: write(0xC6, count, 4)
        }
        bytes.append(contentsOf: binary)
    }

    mutating func beginList(_ count: Int) { begin(count, short: 0x90, long: 0xDC) }

    mutating func beginMap(_ count: Int) { begin(count, short: 0x80, long: 0xDE) }

    private mutating func begin(_ count: Int, short: UInt8, long: UInt8) {
        switch count {
        case 0..<16: bytes.append(short | UInt8(count))
        case 16..<0x1_0000: write(long, Int64(count), 2)
        default: write(long + 1, Int64(count), 4)
        }
    }

    /// A sign for what comes, and the lowest bytes of a number, the highest first.
    private mutating func write(_ sign: UInt8, _ number: Int64, _ count: Int) {
        bytes.append(sign)
        for index in (0..<count).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: number >> Int64(8 * index)))
        }
    }
}

extension RecordProcessor {
    func messagePack(_ value: Value) throws(EvaluationError) -> Text {
        var writer = MessagePackWriter()
        try write(value, to: &writer)
        return scratch.copy(writer.bytes)
    }

    private func write(_ value: Value, to writer: inout MessagePackWriter) throws(EvaluationError) {
        switch plain(value) {
        case .missing, .null, .json: writer.writeNil()
        case .bool(let flag): writer.write(flag)
        case .int(let number): writer.write(number)
        case .decimal(let digits): write(decimal: digits, to: &writer)
        case .float(let number): writer.write(number)
        case .string(let text): writer.write(text: text)
        case .bytes(let bytes): writer.write(binary: bytes)
        case .time, .duration: writer.write(text: try text(of: value))
        case .list(let elements):
            writer.beginList(elements.count)
            for element in elements { try write(element, to: &writer) }
        case .object(let object):
            let members = object.members.filter {
                if case .missing = $0.value { false } else { true }
            }
            writer.beginMap(members.count)
            for member in members {
                writer.write(text: member.name)
                try write(member.value, to: &writer)
            }
        }
    }

    /// A float where it stands for the same number, and else the digits themselves.
    private func write(decimal digits: Text, to writer: inout MessagePackWriter) {
        if let number = parseInt(digits) {
            writer.write(number)
        } else if let number = parseDouble(digits), digits.filter(isDigit).count <= 15,
            number.isFinite
        {
            // A double keeps 15 digits, whichever they are.
            writer.write(number)
        } else {
            writer.write(text: digits)
        }
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
