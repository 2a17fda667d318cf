/// Times as text, by the letters that `TimePattern` reads.
struct TimeWriter: Sendable {
    let notation: TimeReader.Notation
    /// The pattern's text, when the notation is one.
    let pattern: [UInt8]
    let zone: TimeZoneRules?

    func text(_ nanoseconds: Int64) -> String {
        let seconds = nanoseconds.flooredDivision(by: 1_000_000_000)
        let date = LocalDate(
            seconds: seconds,
            nanosecond: nanoseconds - seconds * 1_000_000_000,
            offset: zone?.utcOffset(atSeconds: seconds) ?? 0
        )
        switch notation {
        case .unix: return "\(seconds)"
        case .unixMilliseconds: return "\(nanoseconds.flooredDivision(by: 1_000_000))"
        case .unixMicroseconds: return "\(nanoseconds.flooredDivision(by: 1000))"
        case .unixNanoseconds: return "\(nanoseconds)"
        // Syslog's notation belongs to a format of lines, and no call can name it.
        case .iso8601, .syslog: return iso8601(date, nanoseconds)
        case .pattern: return patternText(date)
        }
    }

    private func iso8601(_ date: LocalDate, _ nanoseconds: Int64) -> String {
        guard date.offset != 0 else { return formatISO8601(nanoseconds) }
        let local = formatISO8601(nanoseconds &+ date.offset &* 1_000_000_000)
        let offset = date.offsetDigits
        return "\(local.dropLast())\(offset.prefix(3)):\(offset.suffix(2))"
    }

    private func patternText(_ date: LocalDate) -> String {
        var bytes: [UInt8] = []
        var rest = pattern[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%"), let letter = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            let isFraction = rest.first == UInt8(ascii: "f")
            if isFraction, let digits = Self.fractionDigits(letter) {
                rest.removeFirst()
                bytes.append(contentsOf: padded(date.nanosecond, 9).utf8.prefix(digits))
            } else {
                bytes.append(contentsOf: date.text(for: Unicode.Scalar(letter)).utf8)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func fractionDigits(_ letter: UInt8) -> Int? {
        switch letter {
        case UInt8(ascii: "3"), UInt8(ascii: "6"), UInt8(ascii: "9"):
            Int(letter - UInt8(ascii: "0"))
        default: nil
        }
    }
}

/// A moment as the clocks of a place show it.
private struct LocalDate {
    let seconds: Int64
    let nanosecond: Int64
    /// Seconds east of UTC.
    let offset: Int64
    let year: Int64
    let month: Int64
    let day: Int64
    let days: Int64
    let secondOfDay: Int64

    init(seconds: Int64, nanosecond: Int64, offset: Int64) {
        self.seconds = seconds
        self.nanosecond = nanosecond
        self.offset = offset
        let local = seconds + offset
        days = local.flooredDivision(by: Calendar.secondsPerDay)
        secondOfDay = local - days * Calendar.secondsPerDay
        (year, month, day) = Calendar.date(days: days)
    }

    private var hour: Int64 { secondOfDay / 3600 }
    private var hour12: Int64 { (hour + 11) % 12 + 1 }

    var offsetDigits: String {
        let minutes = offset.magnitude / 60
        let sign = offset < 0 ? "-" : "+"
        return sign + padded(Int64(minutes / 60), 2) + padded(Int64(minutes % 60), 2)
    }

    func text(for letter: Unicode.Scalar) -> String {
        switch letter {
        case "Y": padded(year, 4)
        case "y": padded(((year % 100) + 100) % 100, 2)
        case "m": padded(month, 2)
        case "d": padded(day, 2)
        case "e": spaced(day)
        case "j": padded(days - Calendar.days(year: year, month: 1, day: 1) + 1, 3)
        case "B": Self.months[Int(month - 1)]
        case "b", "h": String(Self.months[Int(month - 1)].prefix(3))
        case "A": Self.weekdays[weekday]
        case "a": String(Self.weekdays[weekday].prefix(3))
        case "H": padded(hour, 2)
        case "k": spaced(hour)
        case "I": padded(hour12, 2)
        case "l": spaced(hour12)
        case "M": padded(secondOfDay / 60 % 60, 2)
        case "S": padded(secondOfDay % 60, 2)
        case "p": hour < 12 ? "AM" : "PM"
        case "P": hour < 12 ? "am" : "pm"
        case "z": offsetDigits
        case "s": "\(seconds)"
        default: joined(letter)
        }
    }

    /// Letters that stand for several others, and for themselves.
    private func joined(_ letter: Unicode.Scalar) -> String {
        switch letter {
        case "T": "\(text(for: "H")):\(text(for: "M")):\(text(for: "S"))"
        case "R": "\(text(for: "H")):\(text(for: "M"))"
        case "r": "\(text(for: "I")):\(text(for: "M")):\(text(for: "S")) \(text(for: "p"))"
        case "F": "\(text(for: "Y"))-\(text(for: "m"))-\(text(for: "d"))"
        case "D": "\(text(for: "m"))/\(text(for: "d"))/\(text(for: "y"))"
        case "n": "\n"
        case "t": "\t"
        default: String(letter)
        }
    }

    /// The first of January 1970 was a Thursday.
    private var weekday: Int { Int(((days + 4) % 7 + 7) % 7) }

    private static let weekdays = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ]

    private func spaced(_ number: Int64) -> String { number < 10 ? " \(number)" : "\(number)" }
}
