/// Reads a JSON text as RFC 8259 has it; numbers must be integers of 64 bits.
struct JSONReader {
    private static let nestingLimit = 600

    private let source: SourceText
    private var bytes: [UInt8] { source.bytes }
    private var position = 0

    init(source: SourceText) {
        self.source = source
    }

    mutating func tree() throws(ExportError) -> JSONTree {
        let tree = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw wrong("something follows the end of the JSON") }
        return tree
    }

    private func wrong(_ message: String) -> ExportError {
        let place = source.location(of: position)
        return ExportError("\(source.path):\(place.line):\(place.column): \(message)")
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard current == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(ExportError) -> JSONTree {
        guard depth < Self.nestingLimit else { throw wrong("this is nested too deeply") }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"): return try number()
        case let byte? where byte.isDigit: return try number()
        default: return try word()
        }
    }

    private mutating func word() throws(ExportError) -> JSONTree {
        let words: [(String, JSONTree)] = [
            ("null", .null), ("true", .bool(true)), ("false", .bool(false)),
        ]
        for (word, tree) in words where bytes[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return tree
        }
        throw wrong("this is not JSON: a value was expected")
    }

    private mutating func number() throws(ExportError) -> JSONTree {
        let rest = bytes[position...].prefix { byte in
            byte.isDigit || "+-.eE".utf8.contains(byte)
        }
        let digits = String(decoding: rest, as: UTF8.self)
        guard let value = Int64(digits), "\(value)" == digits else {
            throw wrong(
                "`\(digits)` is no integer of 64 bits; {\"decimal\": \"\(digits)\"} is a decimal"
            )
        }
        position += rest.count
        return .integer(value)
    }

    private mutating func array(depth: Int) throws(ExportError) -> JSONTree {
        position += 1
        var elements: [JSONTree] = []
        guard !skip("]") else { return .array([]) }
        repeat { elements.append(try value(depth: depth + 1)) } while skip(",")
        guard skip("]") else { throw wrong("`,` or `]` was expected") }
        return .array(elements)
    }

    private mutating func object(depth: Int) throws(ExportError) -> JSONTree {
        position += 1
        var members: [JSONTree.Member] = []
        guard !skip("}") else { return .object([]) }
        repeat {
            skipSpace()
            guard current == UInt8(ascii: "\"") else {
                throw wrong("a name in quotes was expected")
            }
            let name = try string()
            guard !members.contains(where: { $0.name == name }) else {
                throw wrong("\"\(name)\" is there twice")
            }
            guard skip(":") else { throw wrong("`:` was expected") }
            members.append(JSONTree.Member(name: name, value: try value(depth: depth + 1)))
        } while skip(",")
        guard skip("}") else { throw wrong("`,` or `}` was expected") }
        return .object(members)
    }

    private mutating func string() throws(ExportError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = current, byte >= 0x20 {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: text, as: UTF8.self) else {
                    throw wrong("this text is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
            default: text.append(byte)
            }
        }
        throw wrong("this text does not end")
    }

    private static let escapes: [UInt8: Unicode.Scalar] = [
        0x22: "\"", 0x5C: "\\", 0x2F: "/", 0x62: "\u{8}", 0x66: "\u{C}", 0x6E: "\n", 0x72: "\r",
        0x74: "\t",
    ]

    private mutating func escape() throws(ExportError) -> Unicode.Scalar {
        guard let byte = current else { throw wrong("this text does not end") }
        position += 1
        if let scalar = Self.escapes[byte] { return scalar }
        guard byte == UInt8(ascii: "u") else { throw wrong("this escape is not known to JSON") }
        let unit = try codeUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, bytes[position...].starts(with: "\\u".utf8) else {
            throw wrong("half of a surrogate pair is missing")
        }
        position += 2
        let low = try codeUnit()
        let value = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) &- 0xDC00)
        guard 0xDC00..<0xE000 ~= low, let scalar = Unicode.Scalar(value) else {
            throw wrong("half of a surrogate pair is missing")
        }
        return scalar
    }

    private mutating func codeUnit() throws(ExportError) -> UInt16 {
        let digits = bytes[position...].prefix(4)
        let text = String(decoding: digits, as: UTF8.self)
        guard digits.count == 4, let unit = UInt16(text, radix: 16), !text.hasPrefix("+") else {
            throw wrong("`\\u` needs four hexadecimal digits")
        }
        position += 4
        return unit
    }
}

/// Why a JSON text is no pipeline.
package struct ExportError: Error, CustomStringConvertible, Sendable {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
