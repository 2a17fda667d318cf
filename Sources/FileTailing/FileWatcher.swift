/// Finds files, follows their names, and says when they may have grown.
///
/// inotify says where to look; a reconciling scan finds what it missed, and everything where it
/// does not work. Neither is believed further than that.
///
///     let watcher = FileWatcher(sets: [set], known: [checkpoints])
///     poll(watcher.descriptor, until: watcher.nextDeadline)
///     for event in watcher.advance(now: now) { tell(event) }
package final class FileWatcher {
    package typealias Instant = ContinuousClock.Instant

    /// How often to scan, where events work and where they do not.
    private enum ScanInterval {
        static let withEvents: ClosedRange<Duration> = .seconds(5) ... .seconds(30)
        static let alone: ClosedRange<Duration> = .seconds(1) ... .seconds(5)
        static let missingRoots: Duration = .seconds(1)
    }

    private static let retryInterval: Duration = .milliseconds(500)

    /// Files handed over open in one round; beyond it they are opened again when their turn comes.
    private static let handOverLimit = 128

    private let disk: any Disk
    private let decompresses: [Bool]
    private let tree: DirectoryTree
    private var discovery: DiscoveryStateMachine
    private var interval: Duration = ScanInterval.withEvents.lowerBound
    private var nextScan: Instant?
    private var nextRootLook: Instant?
    private var nextRetry: Instant?
    private var hasScannedAll = false
    private var said: Set<WatchProblem> = []
    private var handedOver = 0
    /// How often the kernel dropped events.
    package private(set) var overflows: Int64 = 0

    /// - Parameter known: for each set, the files of its checkpoints.
    /// - Parameter usesEvents: false scans only, as for file systems that send no events.
    package init(
        sets: [WatchSet],
        known: [[KnownFile]],
        disk: any Disk = LinuxDisk(),
        usesEvents: Bool = true
    ) {
        self.disk = disk
        decompresses = sets.map(\.decompresses)
        tree = DirectoryTree(sets: sets, disk: disk, usesEvents: usesEvents)
        discovery = DiscoveryStateMachine(sets: sets, known: known)
        tree.followedInodes = discovery.followedInodes
    }

    /// Readable when there may be news; -1 if there is only ``nextDeadline``.
    package var descriptor: Int32 { tree.descriptor }

    /// When to call ``advance(now:wallClock:knowing:)`` unprompted; nil before the first call: at
    /// once.
    package var nextDeadline: Instant? {
        [nextScan, nextRootLook, nextRetry].compactMap { $0 }.min()
    }

    /// Looks where hints point, or everywhere if that is due, and says what is new.
    ///
    /// - Parameter wallClock: nanoseconds since 1970.
    /// - Parameter knowing: where the reading of a file of a set stands now.
    package func advance(
        now: Instant,
        wallClock: Int64 = 0,
        knowing: (Int, FileKey) -> KnownFile? = { _, _ in nil }
    ) -> [WatchEvent] {
        let isFirst = nextScan == nil
        let hasLooked = look(now)
        nextRootLook = tree.hasMissingRoots ? nextRootLookTime(now) : nil
        var events = problemEvents(tree.takeProblems())
        let isAwaited = tree.changed.reduce(false) { discovery.changed($1) || $0 }
        let isRetry = discovery.hasUnexamined && (hasLooked || isDue(nextRetry, now))
        if tree.takeHasNewNames() || isRetry || isAwaited || isFirst || discovery.mustLookAgain {
            events += discover(now, wallClock, knowing)
        }
        nextRetry = discovery.hasUnexamined ? now + Self.retryInterval : nil
        events += tree.takeChanges().map { .changed($0) }
        return events
    }

    /// A file that left is over; `known` is what it may be recognised by if it comes back.
    package func forget(set: Int, _ key: FileKey, as known: KnownFile? = nil) {
        discovery.forget(set, key, as: known)
    }

    /// A file whose inode belongs to another one now is over.
    package func remember(set: Int, _ known: KnownFile) {
        discovery.remember(set, known)
    }

    /// A lane has seen that the bytes before its place are others now.
    package func rewritten(set: Int, _ key: FileKey, as known: KnownFile) {
        discovery.rewritten(set, key, as: known)
    }

    /// A file is read through a descriptor, whatever becomes of its names.
    package func isRead(set: Int, _ key: FileKey) {
        discovery.isRead(set, key)
    }

    /// The checkpoint of a known file is forgotten.
    package func expired(set: Int, _ id: Int64) {
        discovery.expired(set, id)
    }

    /// Whether a pattern of a set matched the inode at the last look.
    package func isInSight(set: Int, _ key: FileKey) -> Bool {
        tree.sightings().contains { $0.set == set && $0.key == key }
    }

    /// Whether a copy is held back until it is known what becomes of its original.
    package var isWaiting: Bool { discovery.hasHeld }

    /// Files of a set's checkpoints that nothing on disk has been matched with so far.
    package func unmatched(set: Int) -> [KnownFile] {
        discovery.unmatched(set)
    }

    /// Whether there was a reason to look at a directory.
    private func look(_ now: Instant) -> Bool {
        let isOverflow = tree.takeHints()
        if isOverflow { overflows += 1 }
        if isOverflow || discovery.mustLookAgain || isDue(nextScan, now) {
            reconcile(now)
            return true
        }
        let hasDirty = tree.hasDirty
        if hasDirty { tree.scanDirty() }
        guard let nextRootLook, now >= nextRootLook else { return hasDirty }
        tree.scanMissingRoots()
        return true
    }

    private func isDue(_ time: Instant?, _ now: Instant) -> Bool {
        time.map { now >= $0 } ?? true
    }

    private func nextRootLookTime(_ now: Instant) -> Instant {
        guard let nextRootLook, now < nextRootLook else { return now + ScanInterval.missingRoots }
        return nextRootLook
    }

    private func reconcile(_ now: Instant) {
        scanAll()
        let hasNews = tree.hasNewNames || !tree.changed.isEmpty
        let range = tree.hasUnwatched ? ScanInterval.alone : ScanInterval.withEvents
        interval = hasNews ? range.lowerBound : min(interval * 2, range.upperBound)
        nextScan = now + interval
    }

    private func discover(
        _ now: Instant,
        _ wallClock: Int64,
        _ knowing: (Int, FileKey) -> KnownFile?
    ) -> [WatchEvent] {
        var events: [WatchEvent] = []
        handedOver = 0
        repeat {
            // The bytes of a rewritten file may have gone anywhere.
            if discovery.mustLookAgain { scanAll() }
            discovery.sighted(
                tree.sightings(),
                strays: tree.strays(),
                now: now,
                wallClock: wallClock,
                knowing: knowing
            )
            while let action = discovery.nextAction(knowing: knowing) {
                switch action {
                case .examine(let sighting): events += examine(sighting)
                case .compare(let comparison): compare(comparison, knowing)
                case .report(let found): events += found
                }
            }
            events += discovery.finishRound(sawAll: hasScannedAll)
            tree.followedInodes = discovery.followedInodes
        } while discovery.mustLookAgain
        hasScannedAll = false
        return events
    }

    private func examine(_ sighting: Sighting) -> [WatchEvent] {
        do throws(TailError) {
            let file = try open(sighting.path, sighting.key, sighting.set)
            var evidence = try file.evidence()
            if evidence.isCompressed, discovery.wantsEnd(of: sighting, evidence) {
                evidence.contentEnd = try file.endPosition()
            }
            var guards: [Int64: [UInt8]] = [:]
            for offset in discovery.opened(sighting, evidence) {
                guards[offset] = try file.guardBytes(before: offset)
            }
            let kept = handedOver < Self.handOverLimit ? file : nil
            handedOver += 1
            discovery.examined(guards: guards, file: kept)
            said.remove(unreadable: sighting.path)
            return []
        } catch {
            discovery.examinationFailed(sighting)
            if error.isGone { return [] }
            return problemEvents([.unreadable(path: sighting.path, reason: error.reason)])
        }
    }

    private func compare(_ comparison: Comparison, _ knowing: (Int, FileKey) -> KnownFile?) {
        do throws(TailError) {
            let file = try open(comparison.path, comparison.key, comparison.set)
            // Asked before the bytes are read: what was read up to here must be in them.
            let known = knowing(comparison.set, comparison.key)
            let offsets = comparison.offsets + (known.map { [$0.position.offset] } ?? [])
            let evidence = try file.evidence()
            var guards: [Int64: [UInt8]] = [:]
            for offset in offsets { guards[offset] = try file.guardBytes(before: offset) }
            discovery.compared(
                comparison,
                evidence,
                guards: guards,
                known: known,
                copyGuard: try copyGuard(comparison, before: known?.position.offset)
            )
        } catch {
            discovery.compared(comparison, nil, guards: [:], known: nil)
        }
    }

    private func copyGuard(
        _ comparison: Comparison,
        before offset: Int64?
    ) throws(TailError) -> [UInt8]? {
        guard let copy = comparison.compressedCopy, let offset else { return nil }
        return try open(copy.path, copy.key, copy.set).guardBytes(before: offset)
    }

    private func open(_ path: String, _ key: FileKey, _ set: Int) throws(TailError) -> TailedFile {
        try TailedFile(opening: path, on: disk, expecting: key, decompresses: decompresses[set])
    }

    private func scanAll() {
        tree.scanAll()
        hasScannedAll = true
    }

    private func problemEvents(_ problems: [WatchProblem]) -> [WatchEvent] {
        problems.filter { said.insert($0).inserted || $0 == .eventsDropped }.map { .problem($0) }
    }
}

extension Set<WatchProblem> {
    /// A file that can be read again may be complained of again.
    fileprivate mutating func remove(unreadable path: String) {
        if isEmpty { return }
        self = filter {
            if case .unreadable(path, _) = $0 { return false }
            return true
        }
    }
}
