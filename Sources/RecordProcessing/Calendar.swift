/// Days and seconds of the proleptic Gregorian calendar, UTC.
enum Calendar {
    static let secondsPerDay: Int64 = 86_400

    /// Days from 1970-01-01 to a date; months count from one.
    ///
    /// The algorithm counts years from March, so that a leap day comes last.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    static func daysInMonth(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// Date, time and zone as they were read; the defaults are those of a text that leaves them out.
struct DateParts {
    var year: Int64 = 1970
    var month: Int64 = 1
    var day: Int64 = 1
    var hour: Int64 = 0
    var minute: Int64 = 0
    var second: Int64 = 0
    var nanosecond: Int64 = 0
    var dayOfYear: Int64?
    var isAfternoon: Bool?
    /// Seconds east of UTC, where the text says.
    var offset: Int64?
    /// The whole time, where the text is a count of seconds.
    var unixSeconds: Int64?

    /// Nanoseconds since 1970, or `nil` for a date that there is not, such as 30 February.
    func nanoseconds(in zone: TimeZoneRules?) -> Int64? {
        guard let seconds = unixSeconds ?? seconds(in: zone) else { return nil }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (result, overflowed) = whole.addingReportingOverflow(nanosecond)
        return overflow || overflowed ? nil : result
    }

    private func seconds(in zone: TimeZoneRules?) -> Int64? {
        guard (1...12).contains(month), (0...9999).contains(year), hour24 <= 23, minute <= 59,
            second <= 60, let days
        else { return nil }
        let local = days * Calendar.secondsPerDay + hour24 * 3600 + minute * 60 + second
        return local - (offset ?? zone.map { Int64($0.utcOffset(forLocalSeconds: local)) } ?? 0)
    }

    private var hour24: Int64 {
        guard let isAfternoon else { return hour }
        return hour % 12 + (isAfternoon ? 12 : 0)
    }

    private var days: Int64? {
        if let dayOfYear {
            let limit: Int64 = Calendar.isLeap(year) ? 366 : 365
            guard (1...limit).contains(dayOfYear) else { return nil }
            return Calendar.days(year: year, month: 1, day: 1) + dayOfYear - 1
        }
        guard (1...Calendar.daysInMonth(month, of: year)).contains(day) else { return nil }
        return Calendar.days(year: year, month: month, day: day)
    }
}

/// ISO 8601 in UTC, with as many digits of a fraction as are needed.
func formatISO8601(_ nanoseconds: Int64) -> String {
    let seconds = nanoseconds.flooredDivision(by: 1_000_000_000)
    let days = seconds.flooredDivision(by: Calendar.secondsPerDay)
    let rest = seconds - days * Calendar.secondsPerDay
    let (year, month, day) = Calendar.date(days: days)
    let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    let time = "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
    return "\(date)T\(time)\(fraction(nanoseconds - seconds * 1_000_000_000))Z"
}

private func fraction(_ nanoseconds: Int64) -> String {
    if nanoseconds == 0 { return "" }
    if nanoseconds % 1_000_000 == 0 { return "." + padded(nanoseconds / 1_000_000, 3) }
    if nanoseconds % 1000 == 0 { return "." + padded(nanoseconds / 1000, 6) }
    return "." + padded(nanoseconds, 9)
}

func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
