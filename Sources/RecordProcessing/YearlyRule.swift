/// A POSIX TZ string such as `CET-1CEST,M3.5.0,M10.5.0/3`: the rule for years to come.
struct YearlyRule: Sendable {
    private enum Day: Sendable {
        /// Week `week` (5 is the last) of a month, on a day counted from Sunday.
        case weekday(month: Int64, week: Int64, day: Int64)
        /// 1 to 365, without 29 February.
        case julian(Int64)
        /// 0 to 365.
        case ordinal(Int64)
    }

    private struct Change: Sendable {
        let day: Day
        /// Seconds after midnight by the clock that holds until then.
        let time: Int64

        func localSeconds(in year: Int64) -> Int64 {
            days(in: year) * Calendar.secondsPerDay + time
        }

        private func days(in year: Int64) -> Int64 {
            let newYear = Calendar.days(year: year, month: 1, day: 1)
            switch day {
            case .ordinal(let day): return newYear + day
            case .julian(let day):
                return newYear + day - 1 + (Calendar.isLeap(year) && day >= 60 ? 1 : 0)
            case .weekday(let month, let week, let day):
                let first = Calendar.days(year: year, month: month, day: 1)
                // 1970-01-01 was a Thursday.
                let weekday = ((first + 4) % 7 + 7) % 7
                var date = 1 + (day - weekday + 7) % 7 + (week - 1) * 7
                while date > Calendar.daysInMonth(month, of: year) { date -= 7 }
                return first + date - 1
            }
        }
    }

    private let standard: Int64
    private let summer: Int64
    private let changes: (toSummer: Change, toStandard: Change)?

    init?(_ text: String) {
        var reader = RuleReader(text)
        guard reader.skipName(), let west = reader.offset() else { return nil }
        standard = -west
        guard reader.skipName() else {
            summer = standard
            changes = nil
            return
        }
        summer = reader.offset().map { -$0 } ?? standard + 3600
        guard let toSummer = Self.change(&reader), let toStandard = Self.change(&reader) else {
            return nil
        }
        changes = (toSummer, toStandard)
    }

    /// Seconds east of UTC at a moment.
    func offset(at time: Int64) -> Int64 {
        guard let changes else { return standard }
        let local = time + standard
        let year = Calendar.date(days: local.flooredDivision(by: Calendar.secondsPerDay)).year
        let start = changes.toSummer.localSeconds(in: year) - standard
        let end = changes.toStandard.localSeconds(in: year) - summer
        // South of the equator summer lies around the new year.
        let isSummer = start < end ? time >= start && time < end : time >= start || time < end
        return isSummer ? summer : standard
    }

    private static func change(_ reader: inout RuleReader) -> Change? {
        guard reader.take(","), let day = day(&reader) else { return nil }
        let time = reader.take("/") ? reader.offset() : 7200
        return time.map { Change(day: day, time: $0) }
    }

    private static func day(_ reader: inout RuleReader) -> Day? {
        if reader.take("M") {
            guard let month = reader.number(), (1...12).contains(month), reader.take("."),
                let week = reader.number(), (1...5).contains(week), reader.take("."),
                let day = reader.number(), (0...6).contains(day)
            else { return nil }
            return .weekday(month: month, week: week, day: day)
        }
        if reader.take("J") { return reader.number().map { .julian($0) } }
        return reader.number().map { .ordinal($0) }
    }
}

/// A place in a POSIX TZ string that only moves forward.
private struct RuleReader {
    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    mutating func take(_ character: Character) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    /// Letters, or anything between `<` and `>`.
    mutating func skipName() -> Bool {
        if take("<") {
            guard let end = rest.firstIndex(of: ">") else { return false }
            rest = rest[rest.index(after: end)...]
            return true
        }
        let letters = rest.prefix(while: \.isLetter).count
        rest = rest.dropFirst(letters)
        return letters >= 3
    }

    mutating func number() -> Int64? {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard digits.count <= 4, let number = Int64(digits) else { return nil }
        rest = rest.dropFirst(digits.count)
        return number
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    mutating func offset() -> Int64? {
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest.removeFirst() }
        guard var seconds = number().map({ $0 * 3600 }) else { return nil }
        for unit in [60, 1] as [Int64] where take(":") {
            guard let part = number() else { return nil }
            seconds += part * unit
        }
        return isNegative ? -seconds : seconds
    }
}
