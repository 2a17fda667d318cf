/// A strptime format, ready to read times by.
struct TimePattern: Sendable {
    private enum Piece: Sendable {
        case byte(UInt8)
        /// Any white space, or none.
        case space
        case year, shortYear, month, monthName, day, dayOfYear, dayName
        case hour, minute, second, half, offset, unixSeconds
        /// Digits of a fraction; `nil` takes one to nine.
        case fraction(Int?)
    }

    private let pieces: [Piece]

    /// - Throws: `TimePatternError` for a letter that is not known.
    init(_ format: String) throws(TimePatternError) {
        var pieces: [Piece] = []
        var rest = Array(format.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                pieces += try Self.directive(&rest)
            } else {
                pieces.append(isSpace(byte) ? .space : .byte(byte))
            }
        }
        self.pieces = pieces
    }

    private static func directive(_ rest: inout ArraySlice<UInt8>) throws(TimePatternError)
        -> [Piece]
    {
        guard let letter = rest.popFirst() else {
            throw TimePatternError(description: "it ends with a single `%`")
        }
        if letter == UInt8(ascii: "3") || letter == UInt8(ascii: "6")
            || letter == UInt8(ascii: "9"),
            rest.first == UInt8(ascii: "f")
        {
            rest.removeFirst()
            return [.fraction(Int(letter - UInt8(ascii: "0")))]
        }
        guard let pieces = Self.pieces(for: Character(Unicode.Scalar(letter))) else {
            throw TimePatternError(
                description: "`%\(Character(Unicode.Scalar(letter)))` is not a letter of strptime"
            )
        }
        return pieces
    }

    private static func pieces(for letter: Character) -> [Piece]? {
        let colon = Piece.byte(UInt8(ascii: ":"))
        let dash = Piece.byte(UInt8(ascii: "-"))
        let slash = Piece.byte(UInt8(ascii: "/"))
        return switch letter {
        case "Y": [.year]
        case "y": [.shortYear]
        case "m": [.month]
        case "b", "B", "h": [.monthName]
        case "d", "e": [.day]
        case "j": [.dayOfYear]
        case "a", "A": [.dayName]
        case "H", "I", "k", "l": [.hour]
        case "M": [.minute]
        case "S": [.second]
        case "p", "P": [.half]
        case "z": [.offset]
        case "s": [.unixSeconds]
        case "f": [.fraction(nil)]
        case "T": [.hour, colon, .minute, colon, .second]
        case "R": [.hour, colon, .minute]
        case "r": [.hour, colon, .minute, colon, .second, .space, .half]
        case "F": [.year, dash, .month, dash, .day]
        case "D": [.month, slash, .day, slash, .shortYear]
        case "n", "t": [.space]
        case "%": [.byte(UInt8(ascii: "%"))]
        default: nil
        }
    }

    /// Nanoseconds since 1970, or `nil` when the text does not fit.
    ///
    /// - Parameter year: of a text that names none.
    func parse(_ text: Text, zone: TimeZoneRules?, year: Int64 = 1970) -> Int64? {
        var reader = DateReader(text)
        var parts = DateParts(year: year)
        for piece in pieces {
            guard take(piece, &reader, &parts) else { return nil }
        }
        return reader.isAtEnd ? parts.nanoseconds(in: zone) : nil
    }

    private func take(_ piece: Piece, _ reader: inout DateReader, _ parts: inout DateParts) -> Bool
    {
        switch piece {
        case .byte(let byte): return reader.take(byte)
        case .space:
            reader.skipSpace()
            return true
        case .year: return reader.number(4, into: &parts.year)
        case .shortYear:
            guard reader.number(2, into: &parts.year) else { return false }
            // POSIX: 69 to 99 are of the twentieth century.
            parts.year += parts.year < 69 ? 2000 : 1900
            return true
        case .month: return reader.number(2, into: &parts.month)
        case .monthName: return reader.month(into: &parts.month)
        case .day:
            reader.skipSpace()
            return reader.number(2, into: &parts.day)
        case .dayOfYear:
            var day: Int64 = 0
            defer { parts.dayOfYear = day }
            return reader.number(3, into: &day)
        case .dayName: return reader.skipDayName()
        case .hour:
            reader.skipSpace()
            return reader.number(2, into: &parts.hour)
        case .minute: return reader.number(2, into: &parts.minute)
        case .second: return reader.number(2, into: &parts.second)
        case .half: return reader.half(into: &parts.isAfternoon)
        case .offset: return reader.offset(into: &parts.offset)
        case .unixSeconds:
            var seconds: Int64 = 0
            defer { parts.unixSeconds = seconds }
            return reader.number(12, into: &seconds)
        case .fraction(let digits): return reader.fraction(digits, into: &parts.nanosecond)
        }
    }
}

/// Why a time format cannot be used.
struct TimePatternError: Error, CustomStringConvertible {
    let description: String
}

private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

/// A place in the text of a time that only moves forward.
private struct DateReader {
    private let text: Text
    private var place = 0

    init(_ text: Text) { self.text = text }

    var isAtEnd: Bool { place == text.count }

    mutating func take(_ byte: UInt8) -> Bool {
        guard place < text.count, text[place] == byte else { return false }
        place += 1
        return true
    }

    mutating func skipSpace() {
        while place < text.count, isSpace(text[place]) { place += 1 }
    }

    private mutating func digit() -> Int64? {
        guard place < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[place])
        else { return nil }
        defer { place += 1 }
        return Int64(text[place] - UInt8(ascii: "0"))
    }

    /// One to `most` digits.
    mutating func number(_ most: Int, into result: inout Int64) -> Bool {
        guard var number = digit() else { return false }
        for _ in 1..<most {
            guard let next = digit() else { break }
            number = number * 10 + next
        }
        result = number
        return true
    }

    /// Just so many digits.
    mutating func digits(_ count: Int, into result: inout Int64) -> Bool {
        var number: Int64 = 0
        for _ in 0..<count {
            guard let next = digit() else { return false }
            number = number * 10 + next
        }
        result = number
        return true
    }

    /// ISO 8601's `hh:mm[:ss[.fraction]]`, or without colons.
    mutating func clock(_ isExtended: Bool, into parts: inout DateParts) -> Bool {
        guard digits(2, into: &parts.hour), !isExtended || take(UInt8(ascii: ":")),
            digits(2, into: &parts.minute)
        else { return false }
        let hasSeconds = isExtended ? take(UInt8(ascii: ":")) : isAtDigit
        guard hasSeconds else { return true }
        guard digits(2, into: &parts.second) else { return false }
        guard take(UInt8(ascii: ".")) || take(UInt8(ascii: ",")) else { return true }
        return fraction(nil, into: &parts.nanosecond)
    }

    private var isAtDigit: Bool {
        place < text.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[place])
    }

    mutating func fraction(_ count: Int?, into nanoseconds: inout Int64) -> Bool {
        var value: Int64 = 0
        var taken = 0
        while taken < count ?? 9, let next = digit() {
            value = value * 10 + next
            taken += 1
        }
        guard taken > 0, count == nil || taken == count else { return false }
        for _ in taken..<9 { value *= 10 }
        nanoseconds = value
        return true
    }

    /// A name by its first three letters, and the rest of it if it is there.
    ///
    /// - Parameter known: for three small letters, the name's number and its other letters.
    private mutating func name(_ known: (UInt32) -> (Int64, StaticString)?) -> Int64? {
        guard place + 3 <= text.count else { return nil }
        let letters = text[place..<(place + 3)].reduce(0) { $0 << 8 | UInt32($1 | 0x20) }
        guard let (number, rest) = known(letters) else { return nil }
        place += 3
        if matches(rest) { place += rest.utf8CodeUnitCount }
        return number
    }

    private func matches(_ letters: StaticString) -> Bool {
        let letters = Text(start: letters.utf8Start, count: letters.utf8CodeUnitCount)
        guard place + letters.count <= text.count else { return false }
        return zip(letters, text[place...]).allSatisfy { $0 == $1 | 0x20 }
    }

    mutating func month(into result: inout Int64) -> Bool {
        let number = name { letters in
            switch letters {
            case 0x6A_616E: (1, "uary")
            case 0x66_6562: (2, "ruary")
            case 0x6D_6172: (3, "ch")
            case 0x61_7072: (4, "il")
            case 0x6D_6179: (5, "")
            case 0x6A_756E: (6, "e")
            case 0x6A_756C: (7, "y")
            case 0x61_7567: (8, "ust")
            case 0x73_6570: (9, "tember")
            case 0x6F_6374: (10, "ober")
            case 0x6E_6F76: (11, "ember")
            case 0x64_6563: (12, "ember")
            default: nil
            }
        }
        result = number ?? 1
        return number != nil
    }

    mutating func skipDayName() -> Bool {
        name { letters in
            switch letters {
            case 0x6D_6F6E: (1, "day")
            case 0x74_7565: (2, "sday")
            case 0x77_6564: (3, "nesday")
            case 0x74_6875: (4, "rsday")
            case 0x66_7269: (5, "day")
            case 0x73_6174: (6, "urday")
            case 0x73_756E: (7, "day")
            default: nil
            }
        } != nil
    }

    mutating func half(into isAfternoon: inout Bool?) -> Bool {
        guard place + 2 <= text.count, text[place + 1] | 0x20 == UInt8(ascii: "m") else {
            return false
        }
        let letter = text[place] | 0x20
        guard letter == UInt8(ascii: "a") || letter == UInt8(ascii: "p") else { return false }
        isAfternoon = letter == UInt8(ascii: "p")
        place += 2
        return true
    }

    /// `Z`, `+hh`, `+hhmm` or `+hh:mm`.
    mutating func offset(into offset: inout Int64?) -> Bool {
        if take(UInt8(ascii: "Z")) || take(UInt8(ascii: "z")) {
            offset = 0
            return true
        }
        let isNegative = place < text.count && text[place] == UInt8(ascii: "-")
        guard isNegative || (place < text.count && text[place] == UInt8(ascii: "+")) else {
            return false
        }
        place += 1
        guard let a = digit(), let b = digit() else { return false }
        _ = take(UInt8(ascii: ":"))
        var minutes: Int64 = 0
        if let c = digit() {
            guard let d = digit() else { return false }
            minutes = c * 10 + d
        }
        let seconds = (a * 10 + b) * 3600 + minutes * 60
        offset = isNegative ? -seconds : seconds
        return minutes < 60 && seconds < Calendar.secondsPerDay
    }
}

// MARK: - Other notations

/// `2026-11-24T10:00:00.123+01:00`, with a space for the `T`, without `-` and `:`, or a date alone.
///
/// - Parameter zone: of a text that names none; UTC, if there is none either.
func parseISO8601(_ text: Text, zone: TimeZoneRules? = nil) -> Int64? {
    var reader = DateReader(text)
    var parts = DateParts()
    guard reader.digits(4, into: &parts.year) else { return nil }
    let isExtended = reader.take(UInt8(ascii: "-"))
    guard reader.digits(2, into: &parts.month), !isExtended || reader.take(UInt8(ascii: "-")),
        reader.digits(2, into: &parts.day)
    else { return nil }
    if reader.isAtEnd { return isExtended ? parts.nanoseconds(in: zone) : nil }
    guard
        reader.take(UInt8(ascii: "T")) || reader.take(UInt8(ascii: "t"))
            || reader.take(UInt8(ascii: " ")),
        reader.clock(isExtended, into: &parts)
    else { return nil }
    if !reader.isAtEnd, !reader.offset(into: &parts.offset) { return nil }
    return reader.isAtEnd ? parts.nanoseconds(in: zone) : nil
}

/// Seconds since 1970, with or without a fraction.
func parseUnixSeconds(_ text: Text) -> Int64? {
    let point = text.firstIndex(of: UInt8(ascii: ".")) ?? text.count
    guard let seconds = parseInt(Text(rebasing: text[..<point])) else { return nil }
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow else { return nil }
    guard point < text.count else { return whole }
    var reader = DateReader(Text(rebasing: text[(point + 1)...]))
    var fraction: Int64 = 0
    guard reader.fraction(nil, into: &fraction), reader.isAtEnd else { return nil }
    let isNegative = text.first == UInt8(ascii: "-")
    let (result, overflowed) = whole.addingReportingOverflow(isNegative ? -fraction : fraction)
    return overflowed ? nil : result
}

func parseUnixMilliseconds(_ text: Text) -> Int64? {
    guard let value = parseInt(text) else { return nil }
    let (result, overflow) = value.multipliedReportingOverflow(by: 1_000_000)
    return overflow ? nil : result
}

func parseUnixMicroseconds(_ text: Text) -> Int64? {
    guard let value = parseInt(text) else { return nil }
    let (result, overflow) = value.multipliedReportingOverflow(by: 1000)
    return overflow ? nil : result
}

func parseUnixNanoseconds(_ text: Text) -> Int64? { parseInt(text) }
