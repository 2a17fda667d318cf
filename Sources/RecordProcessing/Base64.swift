/// Base64 as RFC 4648 says, read with its alphabet for URLs as well.
enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )
    private static let padding = UInt8(ascii: "=")

    static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Fills `encodedCount` bytes.
    static func encode(_ bytes: Text, into target: UnsafeMutableRawBufferPointer) {
        var place = 0
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var bits: UInt32 = 0
            for index in 0..<3 {
                bits = bits << 8 | (index < count ? UInt32(bytes[start + index]) : 0)
            }
            for index in 0..<4 {
                let digit = Int(bits >> UInt32(18 - 6 * index) & 63)
                target[place + index] = index <= count ? alphabet[digit] : padding
            }
            place += 4
        }
    }

    /// How many bytes were written; nil for a text that is not Base64.
    static func decode(_ text: Text, into target: UnsafeMutableRawBufferPointer) -> Int? {
        var digits = text[...]
        let padded = digits.suffix(2).reversed().prefix { $0 == padding }.count
        digits = digits.dropLast(padded)
        guard digits.count % 4 != 1, padded == 0 || text.count % 4 == 0 else { return nil }
        var count = 0
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        for byte in digits {
            guard let digit = value(of: byte) else { return nil }
            bits = bits << 6 | digit
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            target[count] = UInt8(truncatingIfNeeded: bits >> bitCount)
            bits &= 1 << bitCount - 1
            count += 1
        }
        // What is left over of the last digit must be nothing.
        return bits == 0 ? count : nil
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
