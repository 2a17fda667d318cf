/// A hash over what a row holds: SQLite's own check does not see a flipped bit in a number.
///
/// FNV-1a with 64 bits: short, and the same in every version.
struct RowChecksum {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    /// As SQLite stores it.
    var value: Int64 { Int64(bitPattern: hash) }

    mutating func combine(_ text: String) {
        combine(Array(text.utf8))
    }

    mutating func combine(_ bytes: [UInt8]) {
        combine(UInt64(bytes.count))
        for byte in bytes { mix(UInt64(byte)) }
    }

    mutating func combine(_ number: Int64) {
        combine(UInt64(bitPattern: number))
    }

    mutating func combine(_ number: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { mix(number >> shift & 0xFF) }
    }

    /// Eight bytes at a time, for what may be a megabyte.
    mutating func combine(words bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            let words = bytes.count / 8
            for index in 0..<words {
                let word = bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
                mix(UInt64(littleEndian: word))
                // A product hands bits on upwards only.
                hash ^= hash >> 32
            }
            for byte in bytes[(words * 8)...] { mix(UInt64(byte)) }
        }
        combine(UInt64(bytes.count))
    }

    private mutating func mix(_ word: UInt64) {
        hash = (hash ^ word) &* 0x0000_0100_0000_01B3
    }
}
