/// Which of the known files a file is.
extension DiscoveryStateMachine {
    /// Finds the known files among those that were opened.
    mutating func match() {
        isMatched = true
        // Oldest first, so that a backlog is read in the order in which it was written.
        candidates.sort { $0.order < $1.order }
        let resumed = candidates.map { resume($0) }
        replaced.formUnion(zip(candidates, resumed).filter { !$1 }.map { $0.0.sighting.key })
        candidates = zip(candidates, resumed).filter { !$1 }.map(\.0)
    }

    /// Whether the file is one that had this inode before.
    private mutating func resume(_ candidate: DiscoveryCandidate) -> Bool {
        let own = candidate.ownRows.filter { candidate.isSame($0) }
        guard let known = own.max(by: { $0.position.offset < $1.position.offset }) else {
            return false
        }
        if candidate.sighting.isStray, candidate.isRead(as: known) {
            sets[candidate.sighting.set].readStrays.insert(candidate.sighting.key)
            return true
        }
        found(candidate, .resumed(known), at: known.position)
        return true
    }

    /// Whether the file holds the bytes of another one whose own inode does not.
    mutating func carryOn(_ candidate: DiscoveryCandidate) -> Bool {
        // Only its inode has led to it, and that was another file's: nobody looks for copies there.
        if candidate.sighting.isStray { return false }
        let set = candidate.sighting.set
        // A copy of a file that is read further than that one was says more.
        let isCopy = candidate.original != nil
        let others = candidate.others.filter { known in
            guard !isCopy || known.position.offset >= candidate.originalOffset else { return false }
            return isLoose(known, in: set)
                && (known.key == candidate.sighting.key || !isElsewhere(known, in: set))
        }
        let whole = others.filter { candidate.mayHold($0) }
        if let known = whole.max(by: { $0.position.offset < $1.position.offset }) {
            found(candidate, .continued(known), at: known.position)
            return true
        }
        // Batches of it may be under way, or in the log beyond its checkpoint.
        if let known = others.last(where: { isUnreadOriginal($0, of: candidate) }) {
            found(candidate, .continued(known), at: .start)
            return true
        }
        guard let known = others.last(where: { isShorterCopy(candidate, of: $0) }) else {
            return false
        }
        // What comes yet may show that it is the copy of something else.
        if isBeingWritten(candidate), !isProven(candidate) {
            hasUnexamined = true
            return true
        }
        let end = TailPosition(offset: candidate.evidence.size, guardBytes: candidate.ending)
        found(candidate, .continued(known), at: end, isShorter: true)
        return true
    }

    /// A file of which nothing is read is known by its first bytes alone, and those may be few: one
    /// that has its name is asked before others that begin so.
    func namesakesFirst(_ candidates: [DiscoveryCandidate]) -> [DiscoveryCandidate] {
        candidates.filter(\.isNamesake) + candidates.filter { !$0.isNamesake }
    }

    private func isBeingWritten(_ candidate: DiscoveryCandidate) -> Bool {
        let age = Duration.nanoseconds(wallClock) - .nanoseconds(candidate.evidence.modified)
        // Clocks differ a little; one that is far ahead says nothing.
        return (.zero - Self.copyPause..<Self.copyPause).contains(age)
    }

    private func isProven(_ candidate: DiscoveryCandidate) -> Bool {
        let held = sets[candidate.sighting.set].held[candidate.evidence.key]
        return held.map { $0.provenID != nil && $0.size == candidate.evidence.size } ?? false
    }

    private func isLoose(_ known: KnownFile, in set: Int) -> Bool {
        sets[set].loose.contains(known.id) || sets[set].tracked[known.key]?.isPresent == false
    }

    // Its own inode is in sight and was not rewritten: two files, however alike they are.
    private func isElsewhere(_ known: KnownFile, in set: Int) -> Bool {
        guard sets[set].present.contains(known.key) else { return false }
        let isRewritten = rewrites.contains { $0.set == set && $0.id == known.id }
        let isEmpty =
            sets[set].empty[known.key].map { !$0.mayHaveGrown && $0.size == 0 } ?? false
        if isEmpty { return false }
        let isReplaced = replaced.contains(known.key)
        return !isRewritten && !isReplaced && sets[set].tracked[known.key]?.isPresent != true
    }

    /// Whether the file is what its reader had seen of one of which no event is over.
    private func isUnreadOriginal(_ known: KnownFile, of candidate: DiscoveryCandidate) -> Bool {
        guard known.position.offset == 0,
            let held = sets[candidate.sighting.set].held[candidate.evidence.key]
        else { return false }
        return held.size == candidate.evidence.size && held.isOfWhatWasRead(of: known)
    }

    private func isShorterCopy(_ candidate: DiscoveryCandidate, of known: KnownFile) -> Bool {
        let evidence = candidate.evidence
        guard !evidence.isCompressed, evidence.size < known.position.offset else { return false }
        if let held = sets[candidate.sighting.set].held[evidence.key], let id = held.provenID {
            if id != known.id { return false }
            let isSeen = known.head.length <= evidence.head.count
            if held.size == evidence.size, isSeen || held.isOfWhatWasRead(of: known) { return true }
        }
        return known.lastWaypoint(before: evidence.size).map { candidate.holds($0) } ?? false
    }

    mutating func found(
        _ candidate: DiscoveryCandidate,
        _ verdict: FileVerdict,
        at position: TailPosition,
        isShorter: Bool = false
    ) {
        let sighting = candidate.sighting
        claim(verdict, sighting.key, in: sighting.set)
        sets[sighting.set].held[sighting.key] = nil
        sets[sighting.set].tracked[sighting.key] = Tracked(
            path: sighting.path,
            isPresent: !sighting.isStray,
            strayPath: sighting.isStray ? sighting.path : nil,
            isCompressed: candidate.evidence.isCompressed,
            birthTime: candidate.evidence.birthTime
        )
        let file = DiscoveredFile(
            key: sighting.key,
            path: sighting.path,
            evidence: candidate.evidence,
            verdict: verdict,
            position: position,
            isShorter: isShorter,
            file: candidate.file
        )
        events.append(.found(set: sighting.set, file))
        if sighting.isStray {
            events.append(.moved(set: sighting.set, sighting.key, to: sighting.path))
        }
    }

    private mutating func claim(_ verdict: FileVerdict, _ key: FileKey, in set: Int) {
        switch verdict {
        case .resumed(let known), .continued(let known):
            sets[set].loose.remove(known.id)
            rewrites.removeAll { $0.set == set && $0.id == known.id }
            // Its old inode may be another file's by now.
            if sets[set].absent.contains(where: { $0.id == known.id }) {
                sets[set].tracked[known.key] = nil
            }
            sets[set].begun[key] = known
        case .new, .copied: break
        }
    }
}
