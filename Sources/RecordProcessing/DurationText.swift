/// Durations as text: `1h30m`, `250ms`, `1.5s`.
enum DurationText {
    private static let units: [(name: StaticString, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
    ]

    /// Nanoseconds; nil when the text is no duration or one too long (292 years).
    static func parse(_ text: Text) -> Int64? {
        var rest = text[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        while !rest.isEmpty {
            guard let part = takePart(&rest) else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            if overflow { return nil }
            total = sum
        }
        return isNegative ? -total : total
    }

    /// One number with its unit, such as `1.5h`.
    private static func takePart(_ rest: inout Slice<Text>) -> Int64? {
        let number = rest.prefix { isDigit($0) || $0 == UInt8(ascii: ".") }
        rest = rest[number.endIndex...]
        let name = rest.prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        rest = rest[name.endIndex...]
        let unit = units.first { unit in
            name.elementsEqual(
                UnsafeBufferPointer(start: unit.name.utf8Start, count: unit.name.utf8CodeUnitCount)
            )
        }
        guard let unit, let value = ScaledInteger(Text(rebasing: number)),
            number.last.map(isDigit) == true,
            number.first.map(isDigit) == true
        else { return nil }
        let (product, overflow) = value.value.multipliedReportingOverflow(by: unit.nanoseconds)
        guard !overflow else { return nil }
        return (0..<value.scale).reduce(product) { result, _ in result / 10 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// The text that `parse` reads as the same: the largest units first.
    static func text(_ nanoseconds: Int64) -> String {
        var rest = nanoseconds.magnitude
        var text = nanoseconds < 0 ? "-" : ""
        for (name, unit) in [("d", 86_400), ("h", 3600), ("m", 60)] as [(String, UInt64)] {
            let count = rest / (unit * 1_000_000_000)
            rest %= unit * 1_000_000_000
            if count > 0 { text += "\(count)\(name)" }
        }
        if rest > 0, rest < 1_000_000_000, rest % 1_000_000 == 0 {
            return text + "\(rest / 1_000_000)ms"
        }
        if rest > 0 { return text + "\(decimal(rest))s" }
        return nanoseconds == 0 ? "0s" : text
    }

    /// The digits of its seconds, as many as are needed.
    static func seconds(_ nanoseconds: Int64) -> String {
        (nanoseconds < 0 ? "-" : "") + decimal(nanoseconds.magnitude)
    }

    private static func decimal(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds % 1_000_000_000)
        let padded = String(repeating: "0", count: 9 - fraction.count) + fraction
        let digits = padded.reversed().drop { $0 == "0" }.reversed()
        let whole = "\(nanoseconds / 1_000_000_000)"
        return digits.isEmpty ? whole : "\(whole).\(String(digits))"
    }
}
