/// A file that a set's patterns match, where it was seen.
struct Sighting: Equatable, Sendable {
    var set: Int
    var key: FileKey
    var path: String
    /// Whether only a checkpoint's inode led here: the name is none that a pattern matches.
    var isStray = false
}

/// What discovery wants done next.
enum DiscoveryAction {
    /// Open the file and look at it; then tell `examined` or `examinationFailed`.
    case examine(Sighting)
    case report(WatchEvent)
}

/// Which file is which, while names come and go.
///
/// Told what a scan has seen, it compares keys first and evidence where keys are new.
struct DiscoveryStateMachine {
    private struct Tracked {
        var path: String
        var isPresent = true
    }

    private struct SetState {
        var start: WatchSet.Start
        /// Files of checkpoints that no file has been matched with yet; an inode may have had two.
        var known: [FileKey: [KnownFile]]
        /// Those of them whose inode is not there, and tracked files that left.
        var absent: [KnownFile] = []
        var tracked: [FileKey: Tracked] = [:]
    }

    private var sets: [SetState]
    private var pending: [Sighting] = []
    private var events: [WatchEvent] = []
    private var vanished: [(set: Int, key: FileKey, movedTo: String?)] = []
    private var isFirstRound = true
    /// Whether a file is in sight that could not be looked at.
    private(set) var hasUnexamined = false

    init(starts: [WatchSet.Start], known: [[KnownFile]]) {
        sets = starts.enumerated().map { index, start in
            let files = index < known.count ? known[index] : []
            return SetState(start: start, known: Dictionary(grouping: files, by: \.key))
        }
    }

    /// The inodes to spot under names that no pattern matches.
    ///
    /// Before the first round they are those of checkpoints: a file may have been rotated away
    /// with unread bytes while nobody looked.
    var followedInodes: Set<UInt64> {
        Set(
            sets.flatMap { set in
                isFirstRound ? set.known.keys.map(\.inode) : set.tracked.keys.map(\.inode)
            }
        )
    }

    /// Files of checkpoints that nothing on disk has been matched with.
    func unmatched(_ set: Int) -> [KnownFile] {
        sets.indices.contains(set) ? sets[set].known.values.flatMap { $0 } : []
    }

    // MARK: Told

    /// Everything that patterns match now, and where else tracked files were seen.
    ///
    /// - Parameter knowing: where the reading of a file that is no longer matched stands.
    mutating func sighted(
        _ sightings: [Sighting],
        strays: [FileKey: String],
        knowing: (Int, FileKey) -> KnownFile?
    ) {
        hasUnexamined = false
        var present: [[FileKey: String]] = Array(repeating: [:], count: sets.count)
        for sighting in sightings { note(sighting, in: &present) }
        for (set, files) in present.enumerated() {
            followNames(set, files)
            noteVanished(set, files, strays)
            noteStrays(set, files, strays)
            sets[set].absent = absent(set, files, knowing)
        }
    }

    /// Offsets before which the guard bytes must be read to judge a file.
    func guardOffsets(for evidence: FileEvidence, in set: Int) -> [Int64] {
        var offsets = candidates(for: evidence, in: set).map(\.position.offset)
        if startsAtEnd(set) { offsets.append(evidence.size) }
        return offsets
    }

    /// A file was looked at; `guards` holds the bytes before each offset that was asked for.
    mutating func examined(
        _ sighting: Sighting,
        _ evidence: FileEvidence,
        guards: [Int64: [UInt8]],
        file: TailedFile? = nil
    ) {
        guard evidence.key == sighting.key else { return examinationFailed(sighting) }
        let verdict = judge(evidence, guards, in: sighting.set)
        if sighting.isStray, !isUnread(verdict, evidence) { return }
        claim(verdict, in: sighting.set)
        sets[sighting.set].tracked[sighting.key] = Tracked(
            path: sighting.path,
            isPresent: !sighting.isStray
        )
        let found = DiscoveredFile(
            key: sighting.key,
            path: sighting.path,
            evidence: evidence,
            verdict: verdict,
            position: position(for: verdict, evidence, guards, in: sighting.set),
            file: file
        )
        events.append(.found(set: sighting.set, found))
        if sighting.isStray {
            events.append(.moved(set: sighting.set, sighting.key, to: sighting.path))
        }
    }

    /// The file could not be opened, or another has taken its name; it is looked at again.
    mutating func examinationFailed(_ sighting: Sighting) {
        hasUnexamined = true
    }

    /// A file that left is over; `known` is what it may be recognised by if it comes back.
    mutating func forget(_ set: Int, _ key: FileKey, as known: KnownFile?) {
        guard sets.indices.contains(set), sets[set].tracked[key]?.isPresent != true else { return }
        sets[set].tracked[key] = nil
        if let known { sets[set].known[known.key, default: []].append(known) }
    }

    // MARK: Asked

    mutating func nextAction() -> DiscoveryAction? {
        if let sighting = pending.popLast() { return .examine(sighting) }
        reportVanished()
        if events.isEmpty {
            return nil
        }
        return .report(events.removeFirst())
    }

    /// Ends the first round: files that come into sight from now on are read from their start.
    mutating func finishRound() {
        isFirstRound = false
    }
}

// MARK: - Names

extension DiscoveryStateMachine {
    private mutating func note(_ sighting: Sighting, in present: inout [[FileKey: String]]) {
        let tracked = sets[sighting.set].tracked[sighting.key]
        let other = present[sighting.set][sighting.key]
        // Of two names of one file the one it had before stays.
        if other == nil || tracked?.path == sighting.path {
            present[sighting.set][sighting.key] = sighting.path
        }
        if tracked == nil, other == nil { pending.append(sighting) }
    }

    private mutating func followNames(_ set: Int, _ files: [FileKey: String]) {
        for (key, path) in files {
            guard let file = sets[set].tracked[key] else { continue }
            if file.isPresent, file.path == path { continue }
            sets[set].tracked[key] = Tracked(path: path)
            events.append(.renamed(set: set, key, to: path))
        }
    }

    private mutating func noteVanished(
        _ set: Int,
        _ files: [FileKey: String],
        _ strays: [FileKey: String]
    ) {
        for (key, file) in sets[set].tracked where file.isPresent && files[key] == nil {
            sets[set].tracked[key]?.isPresent = false
            vanished.append((set, key, strays[key]))
        }
    }

    private mutating func noteStrays(
        _ set: Int,
        _ files: [FileKey: String],
        _ strays: [FileKey: String]
    ) {
        guard isFirstRound else { return }
        for (key, path) in strays where sets[set].known[key] != nil && files[key] == nil {
            pending.append(Sighting(set: set, key: key, path: path, isStray: true))
        }
    }

    private func absent(
        _ set: Int,
        _ files: [FileKey: String],
        _ knowing: (Int, FileKey) -> KnownFile?
    ) -> [KnownFile] {
        let left = sets[set].tracked.compactMap { key, file in
            file.isPresent ? nil : knowing(set, key)
        }
        return left + sets[set].known.filter { files[$0.key] == nil }.flatMap(\.value)
    }

    private mutating func reportVanished() {
        for (set, key, movedTo) in vanished where sets[set].tracked[key] != nil {
            if let path = movedTo {
                events.append(.moved(set: set, key, to: path))
            } else {
                events.append(.removed(set: set, key))
            }
        }
        vanished.removeAll()
    }
}

// MARK: - Identity

extension DiscoveryStateMachine {
    /// The known files that this one may be.
    private func candidates(for evidence: FileEvidence, in set: Int) -> [KnownFile] {
        var heads: [Int: HeadFingerprint] = [:]
        let others = sets[set].absent.filter { mayContinue($0, evidence, &heads) }
        return (sets[set].known[evidence.key] ?? []) + others
    }

    // Heads alone say little: every drop of a CSV begins with the same header. So the old inode
    // must be gone, and the bytes before the place must be there too.
    private func mayContinue(
        _ known: KnownFile,
        _ evidence: FileEvidence,
        _ heads: inout [Int: HeadFingerprint]
    ) -> Bool {
        guard known.key != evidence.key, known.position.offset > 0,
            evidence.size >= known.position.offset
        else { return false }
        let length = known.head.length
        let head = heads[length] ?? HeadFingerprint(of: evidence.head.prefix(length))
        heads[length] = head
        return head == known.head
    }

    private func isUnread(_ verdict: FileVerdict, _ evidence: FileEvidence) -> Bool {
        guard case .resume(let known) = verdict else { return false }
        return evidence.size > known.position.offset
    }

    private func judge(
        _ evidence: FileEvidence,
        _ guards: [Int64: [UInt8]],
        in set: Int
    ) -> FileVerdict {
        let holding = candidates(for: evidence, in: set).filter { known in
            known.position.offset <= evidence.size
                && guards[known.position.offset] == known.position.guardBytes
        }
        if let same = holding.first(where: { isSame($0, evidence) }) { return .resume(same) }
        let others = holding.filter { $0.key != evidence.key }
        if let known = others.max(by: { $0.position.offset < $1.position.offset }) {
            return .renamed(known)
        }
        let reused = sets[set].known[evidence.key]?.max { $0.id < $1.id }
        return reused.map { .rewritten($0) } ?? .new
    }

    // Another birth and another head: the inode was given to a file that happens to have the
    // same bytes before the place.
    private func isSame(_ known: KnownFile, _ evidence: FileEvidence) -> Bool {
        guard known.key == evidence.key else { return false }
        guard let before = known.birthTime, let now = evidence.birthTime, before != now else {
            return true
        }
        return known.head.holds(for: evidence.head)
    }

    private mutating func claim(_ verdict: FileVerdict, in set: Int) {
        switch verdict {
        case .new: return
        case .resume(let known), .rewritten(let known), .renamed(let known):
            sets[set].known[known.key]?.removeAll { $0.id == known.id }
            if sets[set].known[known.key]?.isEmpty == true { sets[set].known[known.key] = nil }
            sets[set].absent.removeAll { $0.id == known.id }
            if case .renamed = verdict { sets[set].tracked[known.key] = nil }
        }
    }

    private func position(
        for verdict: FileVerdict,
        _ evidence: FileEvidence,
        _ guards: [Int64: [UInt8]],
        in set: Int
    ) -> TailPosition {
        switch verdict {
        case .resume(let known), .renamed(let known): return known.position
        case .rewritten: return .start
        case .new:
            guard startsAtEnd(set), let bytes = guards[evidence.size] else { return .start }
            return TailPosition(offset: evidence.size, guardBytes: bytes)
        }
    }

    private func startsAtEnd(_ set: Int) -> Bool {
        isFirstRound && sets[set].start == .end
    }
}
