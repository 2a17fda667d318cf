/// Finds what looks like a card number, an address for mail, or a bank account.
struct Redaction: OptionSet, Sendable {
    let rawValue: Int

    static let card = Redaction(rawValue: 1)
    static let email = Redaction(rawValue: 2)
    static let iban = Redaction(rawValue: 4)

    init(rawValue: Int) {
        self.rawValue = rawValue
    }

    init(named names: [String]) {
        let all = ["card": Self.card, "email": .email, "iban": .iban]
        self = names.reduce(into: []) { $0.formUnion(all[$1] ?? []) }
    }

    /// Writes a word for each range; nil when there is none.
    private static func replacing(_ ranges: [Range<Int>], in bytes: [UInt8], with word: String)
        -> [UInt8]?
    {
        guard !ranges.isEmpty else { return nil }
        var result: [UInt8] = []
        var place = 0
        for range in ranges {
            result.append(contentsOf: bytes[place..<range.lowerBound])
            result.append(contentsOf: word.utf8)
            place = range.upperBound
        }
        result.append(contentsOf: bytes[place...])
        return result
    }

    // MARK: Cards

    static let cardLengths = 13...19  // ISO/IEC 7812: 19 at most, and 13 is the shortest in use

    static func redactCards(_ bytes: [UInt8]) -> [UInt8]? {
        var ranges: [Range<Int>] = []
        var place = 0
        while place < bytes.count {
            guard isDigit(bytes[place]) else {
                place += 1
                continue
            }
            let isInWord = place > 0 && isLetter(bytes[place - 1])
            if !isInWord, let end = cardEnd(in: bytes, from: place) {
                ranges.append(place..<end)
                place = end
            } else {
                while place < bytes.count, isDigit(bytes[place]) { place += 1 }
            }
        }
        return replacing(ranges, in: bytes, with: "[card]")
    }

    /// The end of the longest card number that begins here.
    private static func cardEnd(in bytes: [UInt8], from start: Int) -> Int? {
        // Cards begin with 2 to 6; times in milliseconds, which are as long, begin with 1.
        guard (UInt8(ascii: "2")...UInt8(ascii: "6")).contains(bytes[start]) else { return nil }
        var digits: [UInt8] = []
        var place = start
        var end: Int?
        while place < bytes.count {
            let groupStart = place
            while place < bytes.count, isDigit(bytes[place]), digits.count <= cardLengths.upperBound
            {
                digits.append(bytes[place] - UInt8(ascii: "0"))
                place += 1
            }
            let isWhole = place == bytes.count || !(isDigit(bytes[place]) || isLetter(bytes[place]))
            guard isWhole, place > groupStart, digits.count <= cardLengths.upperBound else { break }
            if cardLengths.contains(digits.count), passesLuhn(digits) { end = place }
            // Groups are 4-4-4-4, 4-6-5 or 4-6-4.
            let isFirst = groupStart == start
            guard isFirst ? place - start == 4 : (2...7).contains(place - groupStart) else { break }
            guard place + 1 < bytes.count,
                bytes[place] == UInt8(ascii: " ") || bytes[place] == UInt8(ascii: "-"),
                isDigit(bytes[place + 1])
            else { break }
            place += 1
        }
        return end
    }

    /// Every second digit from the right is doubled; the sum ends in 0 (ISO/IEC 7812-1, annex B).
    private static func passesLuhn(_ digits: [UInt8]) -> Bool {
        let sum = digits.reversed().enumerated().reduce(0) { sum, digit in
            let value = Int(digit.element) << (digit.offset & 1)
            return sum + (value > 9 ? value - 9 : value)
        }
        return sum % 10 == 0
    }

    // MARK: Addresses

    static func redactEmails(_ bytes: [UInt8]) -> [UInt8]? {
        var ranges: [Range<Int>] = []
        for at in bytes.indices where bytes[at] == UInt8(ascii: "@") {
            let floor = ranges.last?.upperBound ?? 0
            var start = at
            while start > floor, isLocal(bytes[start - 1]) { start -= 1 }
            guard start < at, let end = domainEnd(in: bytes, from: at + 1) else { continue }
            ranges.append(start..<end)
        }
        return replacing(ranges, in: bytes, with: "[email]")
    }

    private static func isLocal(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || byte >= 0x80 || [UInt8]("._%+-'".utf8).contains(byte)
    }

    /// The end of a domain with a dot and at least two letters behind it.
    private static func domainEnd(in bytes: [UInt8], from start: Int) -> Int? {
        var end = start
        while end < bytes.count,
            isLetter(bytes[end]) || isDigit(bytes[end]) || bytes[end] >= 0x80
                || bytes[end] == UInt8(ascii: ".") || bytes[end] == UInt8(ascii: "-")
        {
            end += 1
        }
        while end > start, !isLetter(bytes[end - 1]), bytes[end - 1] < 0x80 { end -= 1 }
        let domain = bytes[start..<end]
        guard let dot = domain.lastIndex(of: UInt8(ascii: ".")), dot > start, end - dot > 2 else {
            return nil
        }
        return end
    }

    // MARK: Bank accounts

    private static let ibanLengths = 15...34  // ISO 13616: from Norway's 15 to 34

    static func redactIBANs(_ bytes: [UInt8]) -> [UInt8]? {
        var ranges: [Range<Int>] = []
        var place = 0
        while place < bytes.count {
            let isInWord = place > 0 && (isLetter(bytes[place - 1]) || isDigit(bytes[place - 1]))
            if !isInWord, let end = ibanEnd(in: bytes, from: place) {
                ranges.append(place..<end)
                place = end
            } else {
                place += 1
            }
        }
        return replacing(ranges, in: bytes, with: "[iban]")
    }

    /// The end of the longest account that begins here, in one piece or in groups of four.
    private static func ibanEnd(in bytes: [UInt8], from start: Int) -> Int? {
        guard start + 4 < bytes.count, isLetter(bytes[start]), isLetter(bytes[start + 1]),
            isDigit(bytes[start + 2]), isDigit(bytes[start + 3])
        else { return nil }
        var signs: [UInt8] = []
        var place = start
        var end: Int?
        while place < bytes.count {
            let groupStart = place
            while place < bytes.count, isLetter(bytes[place]) || isDigit(bytes[place]) {
                guard signs.count < ibanLengths.upperBound else { return end }
                signs.append(bytes[place])
                place += 1
            }
            if ibanLengths.contains(signs.count), passesMod97(signs) { end = place }
            guard place - groupStart == 4, place + 1 < bytes.count,
                bytes[place] == UInt8(ascii: " ")
            else { return end }
            place += 1
        }
        return end
    }

    /// With its first four signs at its end, and letters as 10 to 35, it leaves 1 (ISO 7064).
    private static func passesMod97(_ signs: [UInt8]) -> Bool {
        let remainder = (signs[4...] + signs[..<4]).reduce(0) { remainder, sign in
            let isNumber = isDigit(sign)
            let value = isNumber ? Int(sign - UInt8(ascii: "0")) : Int(sign | 0x20) - 87
            return (remainder * (isNumber ? 10 : 100) + value) % 97
        }
        return remainder == 1
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
