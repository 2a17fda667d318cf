/// A hash of a file's first bytes, and of how many.
package struct HeadFingerprint: Hashable, Sendable {
    /// A fingerprint grows with the file until it covers this many bytes.
    package static let fullLength = 1024

    package var hash: UInt64
    package var length: Int

    package init(hash: UInt64, length: Int) {
        self.hash = hash
        self.length = length
    }

    /// The fingerprint of the first bytes of a file; those beyond ``fullLength`` do not count.
    package init(of bytes: some Sequence<UInt8>) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var length = 0
        for byte in bytes.prefix(Self.fullLength) {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            length += 1
        }
        self.init(hash: hash, length: length)
    }

    package static let empty = HeadFingerprint(of: [])

    /// Whether a file that begins with `head` may be the one this was made from.
    package func holds(for head: [UInt8]) -> Bool {
        head.count >= length && HeadFingerprint(of: head.prefix(length)) == self
    }
}

/// What can be seen of a file before any of it is read as records.
package struct FileEvidence: Equatable, Sendable {
    package var key: FileKey
    package var size: Int64
    /// Nanoseconds since 1970.
    package var modified: Int64
    /// Nanoseconds since 1970, where the file system tells.
    package var birthTime: Int64?
    /// The first bytes, up to ``HeadFingerprint/fullLength``.
    package var head: [UInt8]

    package init(
        key: FileKey,
        size: Int64,
        modified: Int64 = 0,
        birthTime: Int64? = nil,
        head: [UInt8] = []
    ) {
        self.key = key
        self.size = size
        self.modified = modified
        self.birthTime = birthTime
        self.head = head
    }

    package var fingerprint: HeadFingerprint { HeadFingerprint(of: head) }
}

/// A place in a file, and the bytes before it to recognise it by.
package struct TailPosition: Equatable, Sendable {
    /// How many bytes before a place are remembered.
    package static let guardLength = 64

    package var offset: Int64
    /// The last ``guardLength`` bytes before ``offset``, or fewer near the start.
    package var guardBytes: [UInt8]

    package init(offset: Int64, guardBytes: [UInt8]) {
        self.offset = offset
        self.guardBytes = guardBytes
    }

    package static let start = TailPosition(offset: 0, guardBytes: [])
}

/// A file as a checkpoint remembers it.
package struct KnownFile: Equatable, Sendable {
    /// The checkpoint's id.
    package var id: Int64
    package var key: FileKey
    package var path: String
    package var birthTime: Int64?
    package var head: HeadFingerprint
    package var position: TailPosition

    package init(
        id: Int64,
        key: FileKey,
        path: String,
        birthTime: Int64? = nil,
        head: HeadFingerprint,
        position: TailPosition
    ) {
        self.id = id
        self.key = key
        self.path = path
        self.birthTime = birthTime
        self.head = head
        self.position = position
    }
}
