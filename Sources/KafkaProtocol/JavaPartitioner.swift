/// Which partition a key belongs to, the same as Java's producer says.
package enum JavaPartitioner {
    /// - Precondition: `count` is over zero.
    package static func partition(key: UnsafeRawBufferPointer, count: Int32) -> Int32 {
        (murmur2(key) & 0x7FFF_FFFF) % count
    }
}

/// The 32-bit MurmurHash2 of `bytes`, with Kafka's seed.
package func murmur2(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    let multiplier: UInt32 = 0x5BD1_E995
    var hash = 0x9747_B28C ^ UInt32(truncatingIfNeeded: bytes.count)
    let words = bytes.count / 4
    for word in 0..<words {
        var part = bytes.loadUnaligned(fromByteOffset: word * 4, as: UInt32.self).littleEndian
        part = part &* multiplier
        part ^= part >> 24
        hash = (hash &* multiplier) ^ (part &* multiplier)
    }
    let rest = words * 4
    if rest < bytes.count {
        for index in rest..<bytes.count {
            hash ^= UInt32(bytes[index]) << UInt32(8 * (index - rest))
        }
        hash = hash &* multiplier
    }
    hash ^= hash >> 13
    hash = hash &* multiplier
    return Int32(bitPattern: hash ^ (hash >> 15))
}
