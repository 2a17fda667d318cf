/// Kafka's zig-zag integers of variable length, straight to and from memory.
package enum Varint {
    /// A varlong's most bytes.
    package static let maximumSize = 10

    /// How many bytes `value` takes.
    @inline(__always)
    package static func size(_ value: Int64) -> Int {
        let bits = 64 - (self.zigZag(value) | 1).leadingZeroBitCount
        return (bits &+ 6) / 7
    }

    /// Writes `value` and returns where the next byte goes.
    ///
    /// There must be room for ``size(_:)`` bytes.
    @inline(__always)
    package static func write(
        _ value: Int64,
        to pointer: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        var rest = self.zigZag(value)
        var next = pointer
        while rest >= 0x80 {
            next.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            rest >>= 7
            next += 1
        }
        next.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        return next + 1
    }

    /// The value that begins at `index`, which moves behind it; nil for one that is cut or overlong.
    @inline(__always)
    package static func read(_ bytes: UnsafeRawBufferPointer, at index: inout Int) -> Int64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard index < bytes.count else { return nil }
            let byte = bytes[index]
            index += 1
            guard shift < 63 || byte <= 1 else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            guard byte & 0x80 != 0 else {
                return Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1)))
            }
        }
        return nil
    }

    /// The value of at most 32 bits that begins at `index`; nil for one that is cut or overlong.
    @inline(__always)
    package static func readInt32(_ bytes: UnsafeRawBufferPointer, at index: inout Int) -> Int32? {
        let start = index
        guard let value = self.read(bytes, at: &index), index - start <= 5 else { return nil }
        return Int32(exactly: value)
    }

    @inline(__always)
    private static func zigZag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: (value << 1) ^ (value >> 63))
    }
}
