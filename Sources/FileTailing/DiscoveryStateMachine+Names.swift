/// Which names came, went or changed.
extension DiscoveryStateMachine {
    mutating func note(_ sighting: Sighting, in present: inout [[FileKey: String]]) {
        // It may have grown under a name that it had before.
        if let empty = sets[sighting.set].empty[sighting.key], empty.size != sighting.size {
            sets[sighting.set].empty[sighting.key]?.mayHaveGrown = true
        }
        let set = sets[sighting.set]
        let tracked = set.tracked[sighting.key]
        let other = present[sighting.set][sighting.key]
        // Of two names of one file the one it had before stays.
        if other == nil || tracked?.path == sighting.path {
            present[sighting.set][sighting.key] = sighting.path
        }
        if tracked == nil, other == nil, set.empty[sighting.key]?.mayHaveGrown ?? true {
            pending.append(sighting)
        }
    }

    mutating func followNames(
        _ set: Int,
        _ files: [FileKey: String],
        _ knowing: (Int, FileKey) -> KnownFile?
    ) {
        sets[set].renamed = [:]
        for (key, path) in files {
            guard let file = sets[set].tracked[key] else { continue }
            if file.isPresent, file.path == path { continue }
            // Its inode may have been freed in between, and be another file's.
            if file.birthTime != nil, let known = knowing(set, key) {
                sets[set].renamed[key] = known
                pending.append(Sighting(set: set, key: key, path: path))
            } else {
                rename(set, key, to: path)
            }
        }
    }

    private mutating func rename(_ set: Int, _ key: FileKey, to path: String) {
        sets[set].tracked[key]?.path = path
        sets[set].tracked[key]?.isPresent = true
        events.append(.renamed(set: set, key, to: path))
    }

    /// The inode of a file has another name, or is in sight again.
    mutating func renamed(_ sighting: Sighting, _ evidence: FileEvidence) {
        let (set, key) = (sighting.set, sighting.key)
        guard let file = sets[set].tracked[key] else { return }
        if file.birthTime == evidence.birthTime { return rename(set, key, to: sighting.path) }
        guard let known = sets[set].renamed[key] else { return }
        events.append(.rewritten(set: set, key))
        rewritten(set, key, as: known)
    }

    mutating func noteVanished(
        _ set: Int,
        _ files: [FileKey: String],
        _ strays: [FileKey: Stray]
    ) {
        for (key, file) in sets[set].tracked where files[key] == nil {
            let path = strays[key]?.path
            guard file.isPresent || file.strayPath != path else { continue }
            sets[set].tracked[key]?.isPresent = false
            sets[set].tracked[key]?.strayPath = path
            vanished.append((set, key, path))
        }
    }

    /// Files that may have unread bytes under names that no pattern matches, or whose inode may be
    /// another file's by now.
    mutating func noteStrays(
        _ set: Int,
        _ files: [FileKey: String],
        _ strays: [FileKey: Stray]
    ) {
        for (key, stray) in strays where files[key] == nil && sets[set].tracked[key] == nil {
            let rows = sets[set].loose.under(key)
            let isKnown = sets[set].readStrays.contains(key)
            let isUnread = rows.contains { !isKnown || stray.size > $0.position.offset }
            // Nothing else says later that a file which was empty is not another one.
            let isFirstWritten =
                sets[set].empty[key].map { $0.birthTime != nil && stray.size > $0.size } ?? false
            guard isUnread || isFirstWritten else { continue }
            pending.append(Sighting(set: set, key: key, path: stray.path, isStray: true))
        }
    }

    /// Empty files that are gone; one that changes its name may be missed by a look.
    mutating func forgetEmpty(_ set: Int, _ present: Set<FileKey>, now: Instant) {
        for (key, file) in sets[set].empty {
            let since = present.contains(key) ? nil : file.missedSince ?? now
            let isGone = since.map { now - $0 >= Self.holdTime } ?? false
            if isGone {
                sets[set].empty[key] = nil
            } else {
                sets[set].empty[key]?.missedSince = since
            }
        }
    }

    /// Tells of what left before what came: a lane must not close a file that has no name any more
    /// to make room for another.
    mutating func reportVanished() {
        if vanished.isEmpty { return }
        var left: [WatchEvent] = []
        for (set, key, movedTo) in vanished where sets[set].tracked[key] != nil {
            left.append(movedTo.map { .moved(set: set, key, to: $0) } ?? .removed(set: set, key))
        }
        vanished.removeAll()
        events = left + events
    }
}
