/// Guesses the type of a column from all its values.
struct ColumnGuess {
    let name: String
    private var count = 0
    private var missing = 0
    private var kinds: Set<Kind> = []
    private var isInt = true
    private var isDecimal = true
    private var isBool = true
    /// Nil once there are too many for an enum.
    private var values: [String: Int]? = [:]
    private var shapes: [Int]?
    private var lengths: Set<Int> = []

    private enum Kind { case text, number, bool, object, list }

    private static let enumLimit = 8
    /// How often each value of an enum must be there, on average.
    private static let repetition = 20

    init(name: String) {
        self.name = name
    }

    /// - Parameter json: the value as JSON; nil when it is not there.
    mutating func add(_ json: String?, _ known: KnownShapes) {
        count += 1
        guard let json, json != "null", json != "\"\"" else {
            missing += 1
            return
        }
        switch json.utf8.first {
        case UInt8(ascii: "{"): kinds.insert(.object)
        case UInt8(ascii: "["): kinds.insert(.list)
        case UInt8(ascii: "t"), UInt8(ascii: "f"): kinds.insert(.bool)
        case UInt8(ascii: "\""):
            kinds.insert(.text)
            add(text: String(json.dropFirst().dropLast()), known)
        default:
            kinds.insert(.number)
            add(text: json, known)
        }
    }

    private mutating func add(text: String, _ known: KnownShapes) {
        if isInt { isInt = known.int.matches(text) }
        if isDecimal { isDecimal = known.decimal.matches(text) }
        if isBool { isBool = text == "true" || text == "false" }
        if lengths.count < 3 { lengths.insert(text.utf8.count) }
        let shapes = shapes ?? Array(known.times.indices)
        self.shapes = shapes.isEmpty ? [] : shapes.filter { known.times[$0].matches(text) }
        guard values != nil else { return }
        values?[text, default: 0] += 1
        let isName = known.name.matches(text)
        if !isName || values?.count ?? 0 > Self.enumLimit { values = nil }
    }

    /// The type as it is written, and a remark on it; nil for values that no type fits.
    func type(quoting: Bool) -> (type: String, remark: String?)? {
        let mark = missing > 0 ? "?" : ""
        guard kinds.count == 1, let kind = kinds.first else {
            return kinds.isEmpty ? ("string?", nil) : nil
        }
        switch kind {
        case .object: return ("object" + mark, nil)
        case .list: return nil
        case .bool: return ("bool" + mark, nil)
        case .number: return (number + mark, nil)
        case .text:
            guard quoting else { return (text + mark, remark) }
            // In JSON a number in quotes is meant as a text.
            return ((shape?.type ?? enumeration ?? "string") + mark, remark)
        }
    }

    private var remark: String? {
        guard let shape, shape.isZoneGuessed else { return nil }
        return "the sample does not say its zone: UTC is a guess"
    }

    private var shape: TimeShape? { shapes?.first.map { TimeShape.columns[$0] } }

    private var number: String {
        if isInt { return unixTime ?? "int" }
        return isDecimal ? unixTime ?? "decimal" : "float"
    }

    private var text: String {
        if isInt || isDecimal { return number }
        if isBool { return "bool" }
        return shape?.type ?? enumeration ?? "string"
    }

    /// Seconds since 1970 and the like, by their number of digits and the name of the column.
    private var unixTime: String? {
        let name = name.lowercased()
        let isTime =
            ["time", "ts", "date"].contains { name == $0 || name.hasSuffix($0) }
            || name.hasSuffix("_at") || name.hasSuffix("_ms") || name.contains("timestamp")
        guard isTime, lengths.count == 1, let length = lengths.first else { return nil }
        switch (length, isInt) {
        case (10, true): return "time(unix)"
        case (13, true): return "time(unix_ms)"
        case (19, true): return "time(unix_ns)"
        case (12...20, false): return "time(unix)"
        default: return nil
        }
    }

    private var enumeration: String? {
        guard let values, !values.isEmpty else { return nil }
        if let levels = levels(Set(values.keys)) { return written(levels) }
        guard values.count > 1, count - missing >= values.count * Self.repetition,
            values.values.allSatisfy({ $0 > 1 })
        else { return nil }
        return written(values.keys.sorted())
    }

    /// A level may have values that a short sample has not.
    private func levels(_ found: Set<String>) -> [String]? {
        guard name.lowercased().hasSuffix("level") || name.lowercased() == "severity" else {
            return nil
        }
        let known = [
            ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"],
            ["TRACE", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"],
            ["trace", "debug", "info", "warn", "error", "fatal"],
            ["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"],
            ["debug", "info", "notice", "warning", "error", "critical"],
        ]
        return known.first { found.isSubset(of: $0) }
    }

    private func written(_ values: [String]) -> String {
        "enum(\(values.map { "\"\($0)\"" }.joined(separator: ", ")))"
    }
}

/// The patterns that values are held against.
struct KnownShapes {
    let int = KnownPattern(#"^-?(?:0|[1-9]\d{0,17})$"#)
    let decimal = KnownPattern(#"^(?:[+-]?\d{1,30}\.\d{1,30}|-?(?:0|[1-9]\d{0,17}))$"#)
    let name = KnownPattern(#"^[A-Za-z][A-Za-z0-9_ \-]{0,31}$"#)
    let times = TimeShape.columns.map { KnownPattern("^(?:\($0.pattern))$") }
}
