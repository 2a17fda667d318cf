import CPlatform

/// A member of a JSON object, as it stands in the text.
struct JSONMember {
    /// Between its quotes.
    var name: Text
    var nameHasEscapes: Bool
    var value: Text
    /// The slot that the program knows it by.
    var slot: Int?

    /// The whole member, if nothing but a colon stands between its name and its value.
    var compact: Text? {
        guard let name = name.baseAddress, let value = value.baseAddress,
            value - name == self.name.count + 2
        else { return nil }
        return Text(start: name - 1, count: self.name.count + 3 + self.value.count)
    }
}

/// Checks JSON as RFC 8259 says, and gives the outermost members as spans.
///
/// It keeps the open brackets on a stack of its own: deep nesting is refused, and never recursed.
enum JSONScanner {
    static let depthLimit = 512

    /// Appends the members of an object; what is wrong comes back in words.
    static func scanObject(_ text: Text, members: inout [JSONMember]) -> String? {
        var scanner = Scan(text)
        scanner.skipSpace()
        guard scanner.take(UInt8(ascii: "{")) else { return "it does not begin with `{`" }
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "}")) { return scanner.problemAtEnd() }
        while true {
            guard scanner.peek == UInt8(ascii: "\"") else { return scanner.problem("a name") }
            let start = scanner.place
            guard let hasEscapes = scanner.skipString() else {
                return scanner.problem("the end of a string")
            }
            let name = Text(rebasing: text[(start + 1)..<(scanner.place - 1)])
            scanner.skipSpace()
            guard scanner.take(UInt8(ascii: ":")) else { return scanner.problem("`:`") }
            scanner.skipSpace()
            let valueStart = scanner.place
            if let problem = scanner.skipValue() { return problem }
            let value = Text(rebasing: text[valueStart..<scanner.place])
            members.append(JSONMember(name: name, nameHasEscapes: hasEscapes, value: value))
            scanner.skipSpace()
            if scanner.take(UInt8(ascii: "}")) { return scanner.problemAtEnd() }
            guard scanner.take(UInt8(ascii: ",")) else { return scanner.problem("`,` or `}`") }
            scanner.skipSpace()
        }
    }

    /// Appends the elements of an array; what is wrong comes back in words.
    static func scanArray(_ text: Text, elements: inout [Text]) -> String? {
        var scanner = Scan(text)
        scanner.skipSpace()
        guard scanner.take(UInt8(ascii: "[")) else { return "it does not begin with `[`" }
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "]")) { return scanner.problemAtEnd() }
        while true {
            let start = scanner.place
            if let problem = scanner.skipValue() { return problem }
            elements.append(Text(rebasing: text[start..<scanner.place]))
            scanner.skipSpace()
            if scanner.take(UInt8(ascii: "]")) { return scanner.problemAtEnd() }
            guard scanner.take(UInt8(ascii: ",")) else { return scanner.problem("`,` or `]`") }
            scanner.skipSpace()
        }
    }

    /// What is wrong with a text that should be one value; nil for a value.
    static func problem(inValue text: Text) -> String? {
        var scanner = Scan(text)
        return scanner.skipValue() ?? scanner.problemAtEnd()
    }

    /// Whether a text is a number as JSON writes one.
    static func isNumber(_ text: Text) -> Bool {
        var scanner = Scan(text)
        return scanner.skipNumber() && scanner.place == text.count
    }

    /// Appends the text that a string stands for; `escaped` is what stands between its quotes.
    static func unescape(_ escaped: Text, into bytes: inout [UInt8]) {
        var place = 0
        while place < escaped.count {
            guard escaped[place] == UInt8(ascii: "\\"), place + 1 < escaped.count else {
                bytes.append(escaped[place])
                place += 1
                continue
            }
            place = unescapeOne(escaped, place + 1, into: &bytes)
        }
    }

    private static func unescapeOne(_ text: Text, _ place: Int, into bytes: inout [UInt8]) -> Int {
        switch text[place] {
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "u"): return unescapeUnit(text, place + 1, into: &bytes)
        default: bytes.append(text[place])
        }
        return place + 1
    }

    private static func unescapeUnit(_ text: Text, _ place: Int, into bytes: inout [UInt8]) -> Int {
        guard let unit = hexUnit(text, place) else { return place }
        let isHigh = (0xD800..<0xDC00).contains(unit)
        if isHigh, place + 6 <= text.count, text[place + 4] == UInt8(ascii: "\\"),
            text[place + 5] == UInt8(ascii: "u"), let low = hexUnit(text, place + 6),
            (0xDC00..<0xE000).contains(low)
        {
            append(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00), to: &bytes)
            return place + 10
        }
        // Half a surrogate pair stands for no character.
        append((0xD800..<0xE000).contains(unit) ? 0xFFFD : unit, to: &bytes)
        return place + 4
    }

    private static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(scalar) else { return }
        bytes.append(contentsOf: String(Character(scalar)).utf8)
    }

    private static func hexUnit(_ text: Text, _ place: Int) -> UInt32? {
        guard place + 4 <= text.count else { return nil }
        var unit: UInt32 = 0
        for index in place..<(place + 4) {
            guard let digit = hexValue(text[index]) else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
}

func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// A place in a JSON text that only moves forward.
private struct Scan {
    private let text: Text
    var place = 0

    init(_ text: Text) { self.text = text }

    @inline(__always) var peek: UInt8 { place < text.count ? text[place] : 0 }

    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard place < text.count, text[place] == byte else { return false }
        place += 1
        return true
    }

    @inline(__always)
    mutating func skipSpace() {
        if peek <= 0x20 { skipSpaces() }
    }

    private mutating func skipSpaces() {
        while place < text.count {
            switch text[place] {
            case 0x20, 0x09, 0x0A, 0x0D: place += 1
            default: return
            }
        }
    }

    @inline(never)
    func problem(_ wanted: String) -> String { "\(wanted) is missing at byte \(place)" }

    mutating func problemAtEnd() -> String? {
        skipSpace()
        return place == text.count ? nil : "there is text behind its end at byte \(place)"
    }

    // MARK: Values

    /// Passes one value of any depth.
    @inline(__always)
    mutating func skipValue() -> String? {
        skipSpace()
        if peek != UInt8(ascii: "{"), peek != UInt8(ascii: "[") { return skipScalar() }
        return skipStructure()
    }

    private mutating func skipStructure() -> String? {
        var open: [UInt8] = []
        while true {
            if let problem = skipScalarOrOpen(&open) { return problem }
            if let problem = closeAll(&open) { return problem }
            if open.isEmpty { return nil }
        }
    }

    /// Passes a scalar, or opens brackets up to the first one.
    private mutating func skipScalarOrOpen(_ open: inout [UInt8]) -> String? {
        while true {
            skipSpace()
            switch peek {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let isObject = peek == UInt8(ascii: "{")
                guard open.count < JSONScanner.depthLimit else { return "it is nested too deeply" }
                place += 1
                skipSpace()
                if take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return nil }
                open.append(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
                if isObject, let problem = skipName() { return problem }
            default: return skipScalar()
            }
        }
    }

    @inline(__always)
    private mutating func skipScalar() -> String? {
        switch peek {
        case UInt8(ascii: "\""): skipString() != nil ? nil : problem("the end of a string")
        case UInt8(ascii: "t"): skip("true") ? nil : problem("a value")
        case UInt8(ascii: "f"): skip("false") ? nil : problem("a value")
        case UInt8(ascii: "n"): skip("null") ? nil : problem("a value")
        default: skipNumber() ? nil : problem("a value")
        }
    }

    /// Closes brackets until another value follows.
    private mutating func closeAll(_ open: inout [UInt8]) -> String? {
        while let close = open.last {
            skipSpace()
            if take(close) {
                open.removeLast()
                continue
            }
            guard take(UInt8(ascii: ",")) else { return problem("`,`") }
            skipSpace()
            return close == UInt8(ascii: "}") ? skipName() : nil
        }
        return nil
    }

    private mutating func skipName() -> String? {
        skipSpace()
        guard peek == UInt8(ascii: "\""), skipString() != nil else { return problem("a name") }
        skipSpace()
        return take(UInt8(ascii: ":")) ? nil : problem("`:`")
    }

    private mutating func skip(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard place + count <= text.count else { return false }
        let wanted = Text(start: word.utf8Start, count: count)
        guard equal(Text(rebasing: text[place..<(place + count)]), wanted) else { return false }
        place += count
        return true
    }

    /// Passes a string, and says whether it has escapes; nil if it is none.
    @inline(__always)
    mutating func skipString() -> Bool? {
        guard take(UInt8(ascii: "\"")), let base = text.baseAddress else { return nil }
        var hasEscapes = false
        while true {
            // Safe: what is left of the text is of that length.
            place += Int(forktail_plain_length(base + place, text.count - place))
            switch peek {
            case UInt8(ascii: "\""):
                place += 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                guard skipEscape() else { return nil }
            default: return nil
            }
        }
    }

    private mutating func skipEscape() -> Bool {
        guard place + 1 < text.count else { return false }
        switch text[place + 1] {
        case UInt8(ascii: "u"):
            guard place + 6 <= text.count,
                text[(place + 2)..<(place + 6)].allSatisfy({ hexValue($0) != nil })
            else { return false }
            place += 6
            return true
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            place += 2
            return true
        default: return false
        }
    }

    @inline(__always)
    mutating func skipNumber() -> Bool {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")), skipDigits() == 0 { return false }
        if take(UInt8(ascii: ".")), skipDigits() == 0 { return false }
        guard take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) else { return true }
        if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
        return skipDigits() > 0
    }

    @inline(__always)
    private mutating func skipDigits() -> Int {
        let start = place
        while place < text.count, text[place] &- UInt8(ascii: "0") < 10 { place += 1 }
        return place - start
    }
}
