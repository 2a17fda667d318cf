internal import CPlatform
package import NIOCore

/// Kafka's checksum of record batches (Castagnoli's polynomial), in hardware where there is some.
package enum CRC32C {
    package static func checksum(
        of bytes: UnsafeRawBufferPointer,
        continuing crc: UInt32 = 0
    ) -> UInt32 {
        forktail_crc32c(crc, bytes.baseAddress, bytes.count)
    }

    package static func checksum(of bytes: ByteBufferView) -> UInt32 {
        bytes.withUnsafeBytes { self.checksum(of: $0) }
    }

    /// The checksum of bytes whose first part has `first`, and whose last `length` bytes `second`.
    package static func combine(_ first: UInt32, _ second: UInt32, length: Int) -> UInt32 {
        forktail_crc32c_combine(first, second, length)
    }
}
