/// How a batch's records are compressed, by the number in its attributes.
package enum Compression: Int8, Sendable, Hashable, CaseIterable {
    case none = 0
    case gzip = 1
    case snappy = 2
    case lz4 = 3
    case zstd = 4
}
