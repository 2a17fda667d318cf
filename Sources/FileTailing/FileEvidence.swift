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
        self = PrefixFingerprints(of: bytes).full
    }

    package static let empty = HeadFingerprint(of: [])

    /// Whether a file that begins with `head` may be the one this was made from.
    package func holds(for head: [UInt8]) -> Bool {
        head.count >= length && HeadFingerprint(of: head.prefix(length)) == self
    }
}

/// The fingerprints of all beginnings of a file.
///
/// A file is known by as much of its head as there was when it was last looked at, so a longer one
/// is compared at that length.
struct PrefixFingerprints {
    private var hashes: [UInt64] = [0xCBF2_9CE4_8422_2325]

    init(of bytes: some Sequence<UInt8>) {
        for byte in bytes.prefix(HeadFingerprint.fullLength) {
            hashes.append((hashes[hashes.count - 1] ^ UInt64(byte)) &* 0x0000_0100_0000_01B3)
        }
    }

    var full: HeadFingerprint {
        HeadFingerprint(hash: hashes[hashes.count - 1], length: hashes.count - 1)
    }

    /// That of the first `length` bytes, if there are as many.
    func fingerprint(of length: Int) -> HeadFingerprint? {
        length < hashes.count ? HeadFingerprint(hash: hashes[length], length: length) : nil
    }

    func holds(_ head: HeadFingerprint) -> Bool { fingerprint(of: head.length) == head }
}

/// What can be seen of a file before any of it is read as records.
package struct FileEvidence: Equatable, Sendable {
    package var key: FileKey
    /// Bytes of the file on disk.
    package var size: Int64
    /// Nanoseconds since 1970.
    package var modified: Int64
    /// Nanoseconds since 1970, where the file system tells.
    package var birthTime: Int64?
    /// The first bytes of its content, up to ``HeadFingerprint/fullLength``.
    package var head: [UInt8]
    /// Whether the content is more than the bytes on disk: its size is not known then.
    package var isCompressed: Bool
    /// Where the content of a compressed file ends, if that was asked for.
    package var contentEnd: TailPosition?

    package init(
        key: FileKey,
        size: Int64,
        modified: Int64 = 0,
        birthTime: Int64? = nil,
        head: [UInt8] = [],
        isCompressed: Bool = false
    ) {
        self.key = key
        self.size = size
        self.modified = modified
        self.birthTime = birthTime
        self.head = head
        self.isCompressed = isCompressed
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

/// A file whose reading has begun, as a checkpoint or a lane remembers it.
package struct KnownFile: Equatable, Sendable {
    /// The checkpoint's id.
    package var id: Int64
    package var key: FileKey
    package var path: String
    package var birthTime: Int64?
    package var head: HeadFingerprint
    package var position: TailPosition
    /// Places that reading passed not long ago, oldest first.
    ///
    /// A copy made before the last lines were written is shorter than what was read; it is known
    /// by one of these.
    package var waypoints: [TailPosition]
    /// How often its first bytes were seen to become others before any of them was read.
    package var headChanges = 0

    package init(
        id: Int64,
        key: FileKey,
        path: String,
        birthTime: Int64? = nil,
        head: HeadFingerprint,
        position: TailPosition,
        waypoints: [TailPosition] = []
    ) {
        self.id = id
        self.key = key
        self.path = path
        self.birthTime = birthTime
        self.head = head
        self.position = position
        self.waypoints = waypoints
    }
}
