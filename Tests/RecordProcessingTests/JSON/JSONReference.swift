/// JSON read letter by letter as RFC 8259's grammar stands: slow, recursive, without a trick.
///
/// What the scanner must agree with.
struct JSONReference {
    struct Member: Equatable {
        var name: [UInt8]
        /// As it stands in the text.
        var value: [UInt8]
    }

    private struct Refusal: Error {}

    private let text: [UInt8]
    private var place = 0

    private init(_ text: [UInt8]) { self.text = text }

    /// The outermost members; nil for what is no object.
    static func object(_ text: [UInt8]) -> [Member]? {
        var reference = JSONReference(text)
        return try? reference.whole()
    }

    /// Whether a text is one JSON value of any kind.
    static func isValue(_ text: [UInt8]) -> Bool {
        var reference = JSONReference(text)
        return (try? reference.value(inside: 0)) != nil && reference.place == text.count
    }

    /// What a string between its quotes stands for.
    static func content(_ escaped: [UInt8]) -> [UInt8] {
        var units: [UInt16] = []
        var bytes: [UInt8] = []
        func flush() {
            // Half of a pair becomes U+FFFD, as Unicode says.
            bytes += Array(String(decoding: units, as: UTF16.self).utf8)
            units = []
        }
        var index = 0
        while index < escaped.count {
            guard escaped[index] == UInt8(ascii: "\\") else {
                flush()
                bytes.append(escaped[index])
                index += 1
                continue
            }
            let letter = Character(Unicode.Scalar(escaped[index + 1]))
            if letter == "u" {
                let digits = String(decoding: escaped[(index + 2)..<(index + 6)], as: UTF8.self)
                units.append(UInt16(digits, radix: 16) ?? 0)
                index += 6
                continue
            }
            flush()
            let meanings: [Character: UInt8] = [
                "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "\"": 34, "\\": 92, "/": 47,
            ]
            bytes.append(meanings[letter] ?? 0)
            index += 2
        }
        flush()
        return bytes
    }

    // MARK: The grammar

    private mutating func whole() throws -> [Member] {
        var members: [Member] = []
        space()
        try take("{")
        space()
        if peek != UInt8(ascii: "}") {
            repeat {
                space()
                let start = place
                try string()
                let name = Self.content(Array(text[(start + 1)..<(place - 1)]))
                space()
                try take(":")
                space()
                let valueStart = place
                try value(inside: 0)
                members.append(Member(name: name, value: Array(text[valueStart..<place])))
                space()
            } while takes(",")
        }
        try take("}")
        space()
        guard place == text.count else { throw Refusal() }
        return members
    }

    private var peek: UInt8? { place < text.count ? text[place] : nil }

    private mutating func takes(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    private mutating func take(_ character: Unicode.Scalar) throws {
        guard takes(character) else { throw Refusal() }
    }

    private mutating func take(word: String) throws {
        for scalar in word.unicodeScalars { try take(scalar) }
    }

    private mutating func space() {
        while [0x20, 0x09, 0x0A, 0x0D].contains(peek) { place += 1 }
    }

    /// - Parameter depth: how many brackets of the same member are open.
    private mutating func value(inside depth: Int) throws {
        switch peek {
        case UInt8(ascii: "{"): try structure("{", "}", depth)
        case UInt8(ascii: "["): try structure("[", "]", depth)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try take(word: "true")
        case UInt8(ascii: "f"): try take(word: "false")
        case UInt8(ascii: "n"): try take(word: "null")
        default: try number()
        }
    }

    private mutating func structure(
        _ open: Unicode.Scalar,
        _ close: Unicode.Scalar,
        _ depth: Int
    ) throws {
        // RFC 8259 lets a reader set a limit: ours is 512.
        guard depth < 512 else { throw Refusal() }
        try take(open)
        space()
        if takes(close) { return }
        repeat {
            space()
            if open == "{" {
                try string()
                space()
                try take(":")
                space()
            }
            try value(inside: depth + 1)
            space()
        } while takes(",")
        try take(close)
    }

    private mutating func string() throws {
        try take("\"")
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw Refusal() }
            place += 1
            if byte == UInt8(ascii: "\\") { try escape() }
        }
        try take("\"")
    }

    private mutating func escape() throws {
        guard let letter = peek, "\"\\/bfnrtu".utf8.contains(letter) else { throw Refusal() }
        place += 1
        guard letter == UInt8(ascii: "u") else { return }
        for _ in 0..<4 {
            guard let digit = peek, "0123456789abcdefABCDEF".utf8.contains(digit) else {
                throw Refusal()
            }
            place += 1
        }
    }

    private mutating func number() throws {
        _ = takes("-")
        if !takes("0") { try digits() }
        if takes(".") { try digits() }
        if takes("e") || takes("E") {
            if !takes("+") { _ = takes("-") }
            try digits()
        }
    }

    private mutating func digits() throws {
        let start = place
        while let digit = peek, "0123456789".utf8.contains(digit) { place += 1 }
        guard place > start else { throw Refusal() }
    }
}
