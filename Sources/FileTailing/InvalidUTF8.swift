/// Puts U+FFFD where bytes are not UTF-8.
package enum InvalidUTF8 {
    /// Writes valid text into `output` and returns how many sequences were replaced.
    ///
    /// Text that is valid as it is, is not copied: for a result of 0 use `bytes` themselves. What
    /// counts as one sequence is Unicode's "maximal subpart", as in `String(decoding:as:)`.
    package static func replace(
        in bytes: UnsafeRawBufferPointer,
        into output: inout [UInt8]
    ) -> Int {
        output.removeAll(keepingCapacity: true)
        var count = 0
        var copied = 0
        var place = firstNonASCII(in: bytes, from: 0)
        while place < bytes.count {
            let sequence = sequence(in: bytes, at: place)
            if !sequence.isValid {
                output.append(contentsOf: bytes[copied..<place])
                output.append(contentsOf: replacement)
                copied = place + sequence.length
                count += 1
            }
            place = firstNonASCII(in: bytes, from: place + sequence.length)
        }
        if count > 0 { output.append(contentsOf: bytes[copied...]) }
        return count
    }

    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    private static func firstNonASCII(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var place = start
        while place + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            if word & 0x8080_8080_8080_8080 != 0 { break }
            place += 8
        }
        while place < bytes.count, bytes[place] < 0x80 { place += 1 }
        return place
    }

    /// The character, or the longest beginning of one, at a byte that is not ASCII.
    private static func sequence(
        in bytes: UnsafeRawBufferPointer,
        at start: Int
    ) -> (length: Int, isValid: Bool) {
        guard let (expected, second) = shape(of: bytes[start]) else { return (1, false) }
        var length = 1
        while length < expected, start + length < bytes.count {
            let byte = bytes[start + length]
            guard length == 1 ? second.contains(byte) : byte & 0xC0 == 0x80 else { break }
            length += 1
        }
        return (length, length == expected)
    }

    /// How long a character is that begins so, and what may stand second (Unicode, table 3-7).
    private static func shape(of first: UInt8) -> (length: Int, second: ClosedRange<UInt8>)? {
        switch first {
        case 0xC2...0xDF: (2, 0x80...0xBF)
        case 0xE0: (3, 0xA0...0xBF)
        case 0xED: (3, 0x80...0x9F)
        case 0xE1...0xEF: (3, 0x80...0xBF)
        case 0xF0: (4, 0x90...0xBF)
        case 0xF1...0xF3: (4, 0x80...0xBF)
        case 0xF4: (4, 0x80...0x8F)
        default: nil
        }
    }
}
