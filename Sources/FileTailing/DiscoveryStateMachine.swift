/// A file that a set's patterns match, where it was seen.
struct Sighting: Equatable, Sendable {
    var set: Int
    var key: FileKey
    var path: String
    /// When it was last looked at.
    var size: Int64 = 0
    /// Whether only its inode led here: the name is none that a pattern matches.
    var isStray = false
}

/// A known inode under a name that no pattern matches.
struct Stray: Equatable, Sendable {
    var path: String
    var size: Int64
}

/// What discovery wants done next.
enum DiscoveryAction {
    /// Open the file, tell `opened`, read the bytes before the offsets that it answers, and tell
    /// `examined`; or tell `examinationFailed`.
    case examine(Sighting)
    /// Open a file that is being read, and tell `compared` what stands at these places of it.
    case compare(Comparison)
    case report([WatchEvent])
}

/// A look into a file that another one may be a copy of.
struct Comparison: Equatable, Sendable {
    let set: Int
    let path: String
    let key: FileKey
    /// Places whose guards are wanted: where its reading stands, and where the copy ends.
    let offsets: [Int64]
    /// The copy, if it is compressed: its guard is wanted where the reading of the other stands.
    let compressedCopy: Sighting?
}

/// Which file is which, while names come and go and bytes move from one inode to another.
///
/// A file is where its bytes are. It is looked for in three steps: under its own inode; then, if
/// its bytes are not there any more, under others; and what is left over is new, unless it
/// equals the beginning of a file that is being read. That one may be about to be truncated
/// (`copytruncate`) or removed (`gzip`), so its copy is held back until that is seen, or until
/// nothing has happened for ``holdTime``.
struct DiscoveryStateMachine {
    typealias Instant = ContinuousClock.Instant

    /// How long after its last growth a copy waits for its original to be truncated or removed.
    static let holdTime: Duration = .seconds(3)
    /// A copy that nobody has written to for so long is whole.
    static let copyPause: Duration = .milliseconds(300)
    /// How many files a new one is compared with, those of the most similar names.
    static let comparisonLimit = 8

    struct Tracked {
        var path: String
        var isPresent = true
        /// Where it was last seen while it is not present.
        var strayPath: String?
        var isCompressed: Bool
        let birthTime: Int64?
    }

    /// A copy that waits.
    struct Held {
        var original: FileKey
        var size: Int64
        var since: Instant
        /// The file whose beginning it was seen to be at this size; its inode may be another's now.
        var provenID: Int64?
        /// How far that one was read then: as long as nothing is, no guard shows that its bytes
        /// become others.
        var provenOffset: Int64 = 0
        /// How many of its first bytes its reader had seen then: those it sees become others.
        var provenHead = 0
        /// How often those had become others by then.
        var provenHeadChanges = 0

        /// Whether a file as it is known now is the one that it was compared with, and no other bytes
        /// under its inode since: of those its reader would know.
        func isOfWhatWasRead(of known: KnownFile) -> Bool {
            guard provenID == known.id, provenHeadChanges == known.headChanges else { return false }
            return provenOffset > 0 || provenHead >= min(Int(size), HeadFingerprint.fullLength)
        }
    }

    /// A rewritten file whose bytes are looked for.
    struct Rewrite {
        var set: Int
        var id: Int64
        /// Whether every directory was looked at since.
        var isSought = false
    }

    /// A file in which there is nothing to read: there is nothing to know it by but its inode and
    /// its birth.
    struct Empty {
        let birthTime: Int64?
        /// Zero, or that of an old file which is passed over as long as it does not grow.
        let size: Int64
        /// When it was missed for the first time.
        var missedSince: Instant?
        var mayHaveGrown = false
    }

    struct SetState {
        let settings: WatchSet
        var loose: KnownFiles
        var tracked: [FileKey: Tracked] = [:]
        var held: [FileKey: Held] = [:]
        var empty: [FileKey: Empty] = [:]
        /// Tracked files that left, as they were known at the beginning of this round.
        var absent: [KnownFile] = []
        /// Everything that was seen in this round.
        var present: Set<FileKey> = []
        /// Followed inodes under names that no pattern matches.
        var strays: [FileKey: Stray] = [:]
        /// Those that were opened, and are known files of which nothing is unread.
        var readStrays: Set<FileKey> = []
        /// Tracked files with another name than before, as they were known at the beginning of this
        /// round.
        var renamed: [FileKey: KnownFile] = [:]
        /// Files whose reading begins with this round.
        var begun: [FileKey: KnownFile] = [:]
    }

    var sets: [SetState]
    var pending: [Sighting] = []
    var candidates: [DiscoveryCandidate] = []
    var comparing: Sighting?
    /// Paths of files that are being read, sorted: the most similar names are neighbours.
    var originals: [[(path: String, key: FileKey)]]?
    var opened: DiscoveryCandidate?
    var isMatched = false
    /// Inodes that were looked at in this round and hold none of what was known under them.
    var replaced: Set<FileKey> = []
    var events: [WatchEvent] = []
    var vanished: [(set: Int, key: FileKey, movedTo: String?)] = []
    var rewrites: [Rewrite] = []
    var isFirstRound = true
    var now: Instant?
    var wallClock: Int64 = 0
    /// Whether a file is in sight that could not be looked at, or must be looked at again.
    var hasUnexamined = false
    /// Whether a file was seen to be rewritten in this round: its bytes may be anywhere.
    var mustLookAgain = false

    init(sets: [WatchSet], known: [[KnownFile]]) {
        self.sets = sets.enumerated().map { index, settings in
            let files = index < known.count ? known[index] : []
            return SetState(settings: settings, loose: KnownFiles(files))
        }
    }

    /// The inodes to spot under names that no pattern matches: a file may have been rotated away
    /// with unread bytes, and its writer may go on in it.
    var followedInodes: Set<UInt64> {
        sets.reduce(into: []) { result, set in
            result.formUnion(set.loose.inodes)
            result.formUnion(set.tracked.keys.map(\.inode))
            result.formUnion(set.empty.keys.map(\.inode))
        }
    }

    /// Files of checkpoints that nothing on disk has been matched with.
    func unmatched(_ set: Int) -> [KnownFile] {
        sets.indices.contains(set) ? sets[set].loose.all : []
    }

    var hasHeld: Bool { sets.contains { !$0.held.isEmpty } }
}

// MARK: - Told

extension DiscoveryStateMachine {
    /// Begins a round: everything that patterns match now, and where else known inodes are.
    ///
    /// - Parameter wallClock: nanoseconds since 1970, for `ignore_older`.
    /// - Parameter knowing: where the reading of a tracked file stands.
    mutating func sighted(
        _ sightings: [Sighting],
        strays: [FileKey: Stray] = [:],
        now: Instant,
        wallClock: Int64 = 0,
        knowing: (Int, FileKey) -> KnownFile?
    ) {
        self.now = now
        self.wallClock = wallClock
        hasUnexamined = false
        mustLookAgain = false
        isMatched = false
        replaced = []
        originals = nil
        var present: [[FileKey: String]] = Array(repeating: [:], count: sets.count)
        for sighting in sightings { note(sighting, in: &present) }
        for (set, files) in present.enumerated() {
            followNames(set, files, knowing)
            noteVanished(set, files, strays)
            noteStrays(set, files, strays)
            sets[set].strays = strays
            sets[set].readStrays.formIntersection(strays.keys)
            sets[set].present = Set(files.keys).union(strays.keys)
            sets[set].absent = sets[set].tracked.compactMap { key, file in
                file.isPresent ? nil : knowing(set, key)
            }
            sets[set].held = sets[set].held.filter { files[$0.key] != nil }
            forgetEmpty(set, sets[set].present, now: now)
            sets[set].begun = [:]
        }
    }

    /// A hint names this inode; whether a round is due for it.
    mutating func changed(_ key: FileKey) -> Bool {
        var isAwaited = false
        for set in sets.indices {
            if sets[set].empty[key] != nil {
                sets[set].empty[key]?.mayHaveGrown = true
                isAwaited = true
            }
            if sets[set].held[key] != nil { isAwaited = true }
        }
        return isAwaited
    }

    /// Whether a file would be read from its end, so that it must be known where that is.
    func wantsEnd(of sighting: Sighting, _ evidence: FileEvidence) -> Bool {
        let settings = sets[sighting.set].settings
        let start = isFirstRound ? settings.start : settings.newFiles
        return start == .end || settings.oldFiles == .end && isOld(sighting, evidence)
    }

    private func isOld(_ sighting: Sighting, _ evidence: FileEvidence) -> Bool {
        guard let age = sets[sighting.set].settings.ignoreOlder else { return false }
        return evidence.modified < wallClock - Int64(age / .nanoseconds(1))
    }

    /// Whether it waits, unregistered, for a byte more.
    private func isPassedOver(_ sighting: Sighting, _ evidence: FileEvidence) -> Bool {
        let set = sets[sighting.set]
        guard set.settings.oldFiles == .beginning, isOld(sighting, evidence) else { return false }
        let prefixes = PrefixFingerprints(of: evidence.head)
        return set.loose.under(sighting.key).isEmpty && set.loose.beginning(as: prefixes).isEmpty
            && !set.absent.contains { $0.head.length > 0 && prefixes.holds($0.head) }
    }

    /// The file is open: the places before which its bytes are needed to judge it.
    mutating func opened(_ sighting: Sighting, _ evidence: FileEvidence) -> [Int64] {
        guard evidence.key == sighting.key else {
            examinationFailed(sighting)
            return []
        }
        if sets[sighting.set].tracked[sighting.key] != nil {
            renamed(sighting, evidence)
            return []
        }
        if evidence.head.isEmpty, waitsForBytes(sighting) {
            // One that was emptied under another name is nobody's business.
            if sighting.isStray, sets[sighting.set].empty[sighting.key] == nil {
                replaced.insert(sighting.key)
                return []
            }
            sets[sighting.set].empty[sighting.key] = Empty(birthTime: evidence.birthTime, size: 0)
            if evidence.size > 0 { hasUnexamined = true }
            return []
        }
        if isPassedOver(sighting, evidence) {
            sets[sighting.set].empty[sighting.key] = Empty(
                birthTime: evidence.birthTime,
                size: evidence.size
            )
            return []
        }
        let empty = sets[sighting.set].empty.removeValue(forKey: sighting.key)
        let set = sets[sighting.set]
        let prefixes = PrefixFingerprints(of: evidence.head)
        let own = set.loose.under(sighting.key).filter { $0.mayBeBorn(at: evidence.birthTime) }
        let absent = set.absent.filter { $0.head.length > 0 && prefixes.holds($0.head) }
        // Of a shorter copy there is not as much as is known of the head.
        let rewritten = rewrites.filter { $0.set == sighting.set }.compactMap { set.loose[$0.id] }
            .filter { $0.head.length > evidence.head.count }
        let others = (set.loose.beginning(as: prefixes) + absent + rewritten).filter { known in
            !own.contains { $0.id == known.id }
        }
        opened = DiscoveryCandidate(
            sighting: sighting,
            evidence: evidence,
            ending: [],
            ownRows: own,
            others: others,
            wasEmpty: empty.map { $0.birthTime == evidence.birthTime } ?? false,
            guards: [:]
        )
        var offsets = (own + others).map { $0.knownOffset(within: evidence) }
        if !evidence.isCompressed { offsets.append(evidence.size) }
        return Set(offsets).sorted()
    }

    /// The bytes before each of those places, where the file has as many.
    mutating func examined(guards: [Int64: [UInt8]], file: TailedFile? = nil) {
        guard var candidate = opened else { return }
        opened = nil
        candidate.guards = guards
        candidate.ending = guards[candidate.evidence.size] ?? []
        candidate.file = file
        candidates.append(candidate)
    }

    /// The file could not be opened, or another has taken its name; it is looked at again.
    mutating func examinationFailed(_ sighting: Sighting) {
        opened = nil
        hasUnexamined = true
    }

    /// A file that left is over; `known` is what it may be recognised by if it comes back.
    mutating func forget(_ set: Int, _ key: FileKey, as known: KnownFile?) {
        guard sets.indices.contains(set) else { return }
        if let known {
            sets[set].loose.insert(known)
            // Its writer may have gone on in it since it was over.
            if let size = sets[set].strays[key]?.size, size > known.position.offset {
                hasUnexamined = true
            }
        }
        // It has come back while its reader was about to end.
        if sets[set].tracked.removeValue(forKey: key)?.isPresent == true { hasUnexamined = true }
    }

    /// A file whose inode belongs to another one now is over.
    mutating func remember(_ set: Int, _ known: KnownFile) {
        guard sets.indices.contains(set) else { return }
        sets[set].loose.insert(known)
    }

    /// The bytes before the place where reading stands are others now.
    mutating func rewritten(_ set: Int, _ key: FileKey, as known: KnownFile) {
        guard sets.indices.contains(set), !sets[set].loose.contains(known.id) else { return }
        sets[set].tracked[key] = nil
        sets[set].loose.insert(known)
        rewrites.append(Rewrite(set: set, id: known.id))
        mustLookAgain = true
    }

    /// An empty file is read by somebody, so it need not be followed.
    mutating func isRead(_ set: Int, _ key: FileKey) {
        guard sets.indices.contains(set) else { return }
        sets[set].empty[key] = nil
    }

    /// A known file need not be recognised any more.
    mutating func expired(_ set: Int, _ id: Int64) {
        guard sets.indices.contains(set) else { return }
        sets[set].loose.remove(id)
    }

    private func waitsForBytes(_ sighting: Sighting) -> Bool {
        // One that shall be read from its end must be known before there is something in it.
        isFirstRound || sets[sighting.set].settings.newFiles == .beginning
    }
}

// MARK: - Asked

extension DiscoveryStateMachine {
    mutating func nextAction(knowing: (Int, FileKey) -> KnownFile?) -> DiscoveryAction? {
        if let sighting = pending.popLast() { return .examine(sighting) }
        if !isMatched { match() }
        if let comparison = nextComparison(knowing) { return .compare(comparison) }
        for candidate in namesakesFirst(exchange(&candidates, with: [])) {
            // With a rewrite that this round has found, it may be more than it was opened for.
            if !carryOn(candidate), !mustLookAgain { admit(candidate) }
        }
        reportVanished()
        return events.isEmpty ? nil : .report(exchange(&events, with: []))
    }

    /// Ends a round; after the first one, files that come into sight are new ones.
    ///
    /// - Parameter sawAll: whether every directory was looked at since the last rewrite was told.
    mutating func finishRound(sawAll: Bool) -> [WatchEvent] {
        isFirstRound = false
        if mustLookAgain { return [] }
        if sawAll { for index in rewrites.indices { rewrites[index].isSought = true } }
        // A file that could not be looked at yet may be the one.
        if hasUnexamined { return [] }
        let lost = rewrites.filter(\.isSought)
        rewrites.removeAll(where: \.isSought)
        return lost.compactMap { rewrite in
            sets[rewrite.set].loose[rewrite.id].map { .lost(set: rewrite.set, $0) }
        }
    }
}
