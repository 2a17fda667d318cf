import Glibc

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

    /// Files handed over open in one round; beyond it they are opened again when their turn comes.
    private static let handOverLimit = 128

    private let tree: DirectoryTree
    private var discovery: DiscoveryStateMachine
    private var interval: Duration = ScanInterval.withEvents.lowerBound
    private var nextScan: Instant?
    private var nextRootLook: Instant?
    private var said: Set<WatchProblem> = []
    private var handedOver = 0

    /// - Parameter known: for each set, the files of its checkpoints.
    /// - Parameter usesEvents: false scans only, as for file systems that send no events.
    package init(sets: [WatchSet], known: [[KnownFile]], usesEvents: Bool = true) {
        tree = DirectoryTree(sets: sets, usesEvents: usesEvents)
        discovery = DiscoveryStateMachine(starts: sets.map(\.start), known: known)
        tree.followedInodes = discovery.followedInodes
    }

    /// Readable when there may be news; -1 if there is only ``nextDeadline``.
    package var descriptor: Int32 { tree.descriptor }

    /// When to call ``advance(now:knowing:)`` unprompted; nil before the first call: at once.
    package var nextDeadline: Instant? {
        guard let nextScan else { return nil }
        return nextRootLook.map { min($0, nextScan) } ?? nextScan
    }

    /// Looks where hints point, or everywhere if that is due, and says what is new.
    ///
    /// - Parameter knowing: where the reading of a file of a set stands now; asked for files that
    ///   left, to recognise them in another inode.
    package func advance(
        now: Instant,
        knowing: (Int, FileKey) -> KnownFile? = { _, _ in nil }
    ) -> [WatchEvent] {
        let isFirst = nextScan == nil
        let hasLooked = look(now)
        nextRootLook = tree.hasMissingRoots ? nextRootLookTime(now) : nil
        var events = problemEvents(tree.takeProblems())
        let isRetry = hasLooked && discovery.hasUnexamined
        if tree.takeHasNewNames() || isRetry || isFirst { events += discover(knowing) }
        events += tree.takeChanges().map { .changed($0) }
        return events
    }

    /// A file that left is over; `known` is what it may be recognised by if it comes back.
    package func forget(set: Int, _ key: FileKey, as known: KnownFile? = nil) {
        discovery.forget(set, key, as: known)
    }

    /// Files of a set's checkpoints that nothing on disk has been matched with so far.
    package func unmatched(set: Int) -> [KnownFile] {
        discovery.unmatched(set)
    }

    /// Whether there was a reason to look at a directory.
    private func look(_ now: Instant) -> Bool {
        let isOverflow = tree.takeHints()
        if isOverflow || isDue(nextScan, now) {
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
        tree.scanAll()
        let hasNews = tree.hasNewNames || !tree.changed.isEmpty
        let range = tree.hasUnwatched ? ScanInterval.alone : ScanInterval.withEvents
        interval = hasNews ? range.lowerBound : min(interval * 2, range.upperBound)
        nextScan = now + interval
    }

    private func discover(_ knowing: (Int, FileKey) -> KnownFile?) -> [WatchEvent] {
        var events: [WatchEvent] = []
        handedOver = 0
        discovery.sighted(tree.sightings(), strays: tree.takeStrays(), knowing: knowing)
        while let action = discovery.nextAction() {
            switch action {
            case .examine(let sighting): events += examine(sighting)
            case .report(let event): events.append(event)
            }
        }
        discovery.finishRound()
        tree.followedInodes = discovery.followedInodes
        return events
    }

    private func examine(_ sighting: Sighting) -> [WatchEvent] {
        do throws(TailError) {
            let file = try TailedFile(opening: sighting.path, expecting: sighting.key)
            let evidence = try file.evidence()
            var guards: [Int64: [UInt8]] = [:]
            for offset in discovery.guardOffsets(for: evidence, in: sighting.set) {
                guards[offset] = try file.guardBytes(before: offset)
            }
            let kept = handedOver < Self.handOverLimit ? file : nil
            handedOver += 1
            discovery.examined(sighting, evidence, guards: guards, file: kept)
            said.remove(unreadable: sighting.path)
            return []
        } catch {
            discovery.examinationFailed(sighting)
            if error.isGone { return [] }
            return problemEvents([.unreadable(path: sighting.path, reason: error.reason)])
        }
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
