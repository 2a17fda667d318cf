/// A file that was opened in this round.
struct DiscoveryCandidate {
    let sighting: Sighting
    var evidence: FileEvidence
    /// The bytes before the file's end.
    var ending: [UInt8]
    /// Known files that had this inode, and those that it may be by its head.
    let ownRows: [KnownFile]
    let others: [KnownFile]
    /// Whether it is a file that was seen under a matching name, without a byte then.
    var wasEmpty = false
    /// The bytes before each place that was asked for, as far as the file has them.
    var guards: [Int64: [UInt8]]
    var file: TailedFile?
    var originals: [(path: String, key: FileKey)]?
    /// What it equals the beginning of; it waits.
    var original: FileKey?
    /// How far that is read.
    var originalOffset: Int64 = 0
}

extension DiscoveryCandidate {
    var order: (Int64, String) { (evidence.modified, sighting.path) }

    /// Whether it has the name of a file that it may be and of which nothing is read.
    var isNamesake: Bool {
        others.contains {
            $0.position.offset == 0 && $0.path == sighting.path && mayHold($0)
        }
    }

    /// Whether the bytes before a place are the remembered ones.
    func holds(_ position: TailPosition) -> Bool {
        guards[position.offset] == position.guardBytes
    }

    /// Whether nothing is unread of it.
    func isRead(as known: KnownFile) -> Bool {
        !evidence.isCompressed && evidence.size <= known.position.offset
    }

    /// Whether all that was read of a known file is in this one, or what was seen of its head if
    /// nothing was read.
    func mayHold(_ known: KnownFile) -> Bool {
        if known.position.offset > 0 { return holds(known.position) }
        return known.head.length > 0 && known.head.holds(for: evidence.head)
    }

    /// Whether the inode still holds what a known file had under it.
    func isSame(_ known: KnownFile) -> Bool {
        guard known.key == evidence.key, known.mayBeBorn(at: evidence.birthTime) else {
            return false
        }
        let beginsAlike = known.head.holds(for: evidence.head)
        if known.position.offset == 0 { return beginsAlike }
        // Lines may end alike: the bytes before a place alone do not tell one file from another.
        return holds(known.position) && (beginsAlike || known.head.length == 0)
    }

    /// Whether all that is there of this file may be the first bytes of another.
    func equalsBeginning(of other: FileEvidence, _ guards: [Int64: [UInt8]]) -> Bool {
        let count = min(evidence.head.count, other.head.count, HeadFingerprint.fullLength)
        guard count > 0, other.head.prefix(count).elementsEqual(evidence.head.prefix(count)) else {
            return false
        }
        return evidence.isCompressed || guards[evidence.size] == ending
    }
}

extension KnownFile {
    /// The place by which a file of this evidence is recognised, if it is this one.
    func knownOffset(within evidence: FileEvidence) -> Int64 {
        if evidence.isCompressed || evidence.size >= position.offset { return position.offset }
        return lastWaypoint(before: evidence.size)?.offset ?? position.offset
    }

    // An inode number is used again; its file's birth tells, where the file system does.
    func mayBeBorn(at time: Int64?) -> Bool {
        birthTime == nil || time == nil || birthTime == time
    }

    func lastWaypoint(before size: Int64) -> TailPosition? {
        waypoints.last { $0.offset > 0 && $0.offset <= size }
    }
}
