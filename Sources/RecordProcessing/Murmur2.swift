/// The hash by which Kafka's Java client chooses a partition (`Utils.murmur2`).
func murmur2(_ bytes: Text) -> Int32 {
    let factor: UInt32 = 0x5bd1_e995
    var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
    var place = 0
    while bytes.count - place >= 4 {
        var word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        word = word &* factor
        word ^= word >> 24
        hash = hash &* factor ^ word &* factor
        place += 4
    }
    let rest = bytes.count - place
    if rest == 3 { hash ^= UInt32(bytes[place + 2]) << 16 }
    if rest >= 2 { hash ^= UInt32(bytes[place + 1]) << 8 }
    if rest >= 1 { hash = (hash ^ UInt32(bytes[place])) &* factor }
    hash ^= hash >> 13
    hash = hash &* factor
    return Int32(bitPattern: hash ^ hash >> 15)
}
