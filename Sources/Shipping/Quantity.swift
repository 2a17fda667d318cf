/// Numbers as people read them: `12.4 GiB`, `88 104 212`, `1:07`.
package enum Quantity {
    /// Bytes in binary units with three significant digits.
    package static func bytes(_ count: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(count)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        if unit == 0 { return "\(count) B" }
        return value < 100
            ? "\(oneDecimal(value)) \(units[unit])" : "\(Int64(value)) \(units[unit])"
    }

    /// Whole numbers in groups of three.
    package static func grouped(_ count: Int64) -> String {
        let digits = String(count.magnitude)
        var out = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { out.append(" ") }
            out.append(digit)
        }
        return count < 0 ? "-" + out : out
    }

    /// Minutes and seconds, with hours where there are any.
    package static func clock(seconds: Int64) -> String {
        let minutes = seconds / 60
        if minutes < 60 { return "\(minutes):\(twoDigits(seconds % 60))" }
        return "\(minutes / 60):\(twoDigits(minutes % 60)):\(twoDigits(seconds % 60))"
    }

    private static func twoDigits(_ value: Int64) -> String {
        value < 10 ? "0\(value)" : "\(value)"
    }

    private static func oneDecimal(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
