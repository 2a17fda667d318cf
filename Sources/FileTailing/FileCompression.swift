/// How the content of a file is compressed.
package enum FileCompression: Sendable {
    case gzip
    case zstd

    /// The compression that a file's first bytes tell of, nil if none or fewer than four are there.
    package init?(head: some Collection<UInt8>) {
        let magic = Array(head.prefix(4))
        guard magic.count == 4 else { return nil }
        if magic.starts(with: [0x1F, 0x8B, 0x08]) {
            self = .gzip
        } else if magic == [0x28, 0xB5, 0x2F, 0xFD] || Self.isSkippableFrame(magic) {
            self = .zstd
        } else {
            return nil
        }
    }

    /// The compression of a file by its first bytes, or by its name while those are not there.
    init?(head: some Collection<UInt8>, path: String) {
        if head.count >= 4 {
            self.init(head: head)
        } else if path.hasSuffix(".gz") {
            self = .gzip
        } else if path.hasSuffix(".zst") {
            self = .zstd
        } else {
            return nil
        }
    }

    /// Whether a zstd frame of metadata begins so: pzstd and others put one in front.
    private static func isSkippableFrame(_ magic: [UInt8]) -> Bool {
        magic[0] & 0xF0 == 0x50 && magic[1...] == [0x2A, 0x4D, 0x18]
    }
}
