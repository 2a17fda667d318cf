import RecordProcessing

/// A notation of times that can be known by its looks.
struct TimeShape: Sendable {
    /// What a text of this notation looks like, as a regular expression.
    let pattern: String
    /// The type of such a column; nil for a notation that leaves out the year.
    let type: String?
    /// True when neither the text nor its notation says where it was ten o'clock.
    var isZoneGuessed = false

    private static let date = #"\d{4}-\d\d-\d\d"#
    private static let clock = #"\d\d:\d\d:\d\d"#
    private static let zone = #"(?:Z|[+-]\d\d:?\d\d)"#

    /// What log lines begin with; the first that fits is taken.
    static let all: [TimeShape] = [
        TimeShape(pattern: "\(date)[T ]\(clock)(?:[.,]\\d{1,9})?\(zone)", type: "time(iso8601)"),
        TimeShape(pattern: "\(date)T\(clock)(?:[.,]\\d{1,9})?", type: "time(iso8601)"),
        local("\(date) \(clock),\\d{3}", "%Y-%m-%d %H:%M:%S,%3f"),
        local("\(date) \(clock)\\.\\d{3}", "%Y-%m-%d %H:%M:%S.%3f"),
        local("\(date) \(clock)\\.\\d{6}", "%Y-%m-%d %H:%M:%S.%6f"),
        local("\(date) \(clock)", "%Y-%m-%d %H:%M:%S"),
        local("\\d{4}/\\d\\d/\\d\\d \(clock)", "%Y/%m/%d %H:%M:%S"),
        local("\\d\\d/\\d\\d/\\d\\d \(clock)", "%y/%m/%d %H:%M:%S"),
        local("[A-Z][a-z]{2} [A-Z][a-z]{2} [ \\d]\\d \(clock) \\d{4}", "%a %b %d %H:%M:%S %Y"),
        local(
            "[A-Z][a-z]{2} [A-Z][a-z]{2} [ \\d]\\d \(clock)\\.\\d{6} \\d{4}",
            "%a %b %d %H:%M:%S.%6f %Y"
        ),
        TimeShape(
            pattern: "\\d\\d/[A-Z][a-z]{2}/\\d{4}:\(clock) [+-]\\d{4}",
            type: "time('%d/%b/%Y:%H:%M:%S %z')"
        ),
        local("\\d\\d\\.\\d\\d\\.\\d{4} \(clock)", "%d.%m.%Y %H:%M:%S"),
        local("\\d\\d\\.\\d\\d\\.\\d{4} \\d\\d:\\d\\d", "%d.%m.%Y %H:%M"),
        TimeShape(pattern: "[A-Z][a-z]{2} [ \\d]\\d \(clock)", type: nil),
    ]

    /// What a column may also hold.
    static let columns: [TimeShape] =
        all.filter { $0.type != nil } + [
            local("\(date) \\d\\d:\\d\\d", "%Y-%m-%d %H:%M"),
            local(date, "%Y-%m-%d"),
            local("\\d\\d\\.\\d\\d\\.\\d{4}", "%d.%m.%Y"),
        ]

    private static func local(_ pattern: String, _ format: String) -> TimeShape {
        TimeShape(pattern: pattern, type: "time('\(format)', zone: \"UTC\")", isZoneGuessed: true)
    }
}

/// A regular expression of ours, ready to be held against texts.
final class KnownPattern {
    private let regex: Regex?
    private let matcher = RegexMatcher()

    init(_ pattern: String) {
        regex = try? Regex(pattern)
    }

    func matches(_ text: String) -> Bool {
        guard let regex else { return false }
        var text = text
        return text.withUTF8 { bytes in
            (try? matcher.match(regex, UnsafeRawBufferPointer(bytes))) ?? false
        }
    }
}
