/// Whether a file that nothing known fits is new, or a copy that must wait.
extension DiscoveryStateMachine {
    mutating func nextComparison(
        _ knowing: (Int, FileKey) -> KnownFile?
    ) -> Comparison? {
        for index in candidates.indices where candidates[index].original == nil {
            if candidates[index].originals == nil {
                candidates[index].originals = originals(of: candidates[index])
            }
            while let original = candidates[index].originals?.popLast() {
                let sighting = candidates[index].sighting
                let known = reading(knowing(sighting.set, original.key), in: sighting.set)
                guard let known = known ?? unread(original.key, besides: candidates[index]) else {
                    continue
                }
                comparing = sighting
                return Comparison(
                    set: sighting.set,
                    path: original.path,
                    key: original.key,
                    offsets: [known.position.offset, candidates[index].evidence.size],
                    compressedCopy: candidates[index].evidence.isCompressed ? sighting : nil
                )
            }
        }
        return nil
    }

    /// What stands at the places of a comparison; nil if the file could not be opened.
    ///
    /// - Parameter known: where its reading stood when the bytes were read.
    /// - Parameter copyGuard: what a compressed copy has before that place.
    mutating func compared(
        _ comparison: Comparison,
        _ evidence: FileEvidence?,
        guards: [Int64: [UInt8]],
        known: KnownFile?,
        copyGuard: [UInt8]? = nil
    ) {
        guard let index = candidates.firstIndex(where: { $0.sighting == comparing }) else { return }
        let candidate = candidates[index]
        let set = candidate.sighting.set
        let reading = reading(known, in: set)
        guard let evidence, let known = reading ?? unread(comparison.key, besides: candidate) else {
            return hold(index, comparison.key, proving: nil)
        }
        if let reading, !reading.isThere(evidence, guards) {
            events.append(.rewritten(set: set, comparison.key))
            rewritten(set, comparison.key, as: reading)
            return hold(index, comparison.key, proving: nil)
        }
        guard candidate.equalsBeginning(of: evidence, guards) else { return }
        if known.position.offset > 0, copyGuard == known.position.guardBytes {
            candidates.remove(at: index)
            return found(candidate, .copied(known), at: known.position)
        }
        candidates[index].originalOffset = known.position.offset
        hold(index, comparison.key, proving: known)
    }

    /// What is known of a file by its reader, unless it was seen in this round that its bytes are
    /// not there any more: the reader does not know that yet.
    private func reading(_ known: KnownFile?, in set: Int) -> KnownFile? {
        known.flatMap { sets[set].loose.contains($0.id) ? nil : $0 }
    }

    /// A file whose reading begins with this round.
    private func unread(_ key: FileKey, besides candidate: DiscoveryCandidate) -> KnownFile? {
        sets[candidate.sighting.set].begun[key] ?? olderTwin(of: candidate, key)
    }

    private mutating func hold(_ index: Int, _ original: FileKey, proving known: KnownFile?) {
        candidates[index].original = original
        // What cannot be compared now may turn out to be read further than any other.
        if known == nil { candidates[index].originalOffset = .max }
        let sighting = candidates[index].sighting
        let size = candidates[index].evidence.size
        guard let now else { return }
        let before = sets[sighting.set].held[sighting.key]
        let same = before.flatMap { $0.size == size && $0.original == original ? $0 : nil }
        sets[sighting.set].held[sighting.key] = Held(
            original: original,
            size: size,
            since: same?.since ?? now,
            provenID: known?.id ?? same?.provenID,
            provenOffset: known?.position.offset ?? same?.provenOffset ?? 0,
            provenHead: known?.head.length ?? same?.provenHead ?? 0,
            provenHeadChanges: known?.headChanges ?? same?.provenHeadChanges ?? 0
        )
    }

    /// Files that are being read whose names are most like this one's.
    private mutating func originals(of candidate: DiscoveryCandidate) -> [(
        path: String, key: FileKey
    )] {
        if candidate.evidence.head.isEmpty || candidate.sighting.isStray { return [] }
        let lists = originals ?? sets.indices.map { sortedPaths(of: $0) }
        originals = lists
        let list = lists[candidate.sighting.set]
        let path = candidate.sighting.path
        let place = list.partitionIndex { $0.path.utf8.lexicographicallyPrecedes(path.utf8) }
        let half = Self.comparisonLimit / 2
        let near = list[max(0, place - half)..<min(list.count, place + half)]
        return near.filter { $0.path.folder == path.folder && $0.key != candidate.sighting.key }
    }

    private func sortedPaths(of set: Int) -> [(path: String, key: FileKey)] {
        let tracked = sets[set].tracked.filter { $0.value.isPresent && !$0.value.isCompressed }
        let found = candidates.lazy.map(\.sighting).filter { $0.set == set && !$0.isStray }
        return
            (tracked.map { (path: $0.value.path, key: $0.key) }
            + found.map { (path: $0.path, key: $0.key) })
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    /// A file that was found together with this one, was made before it and begins as it does.
    private func olderTwin(of candidate: DiscoveryCandidate, _ key: FileKey) -> KnownFile? {
        let other = candidates.first {
            $0.sighting.set == candidate.sighting.set && $0.sighting.key == key
        }
        guard let other, other.original == nil, !other.evidence.isCompressed,
            let birth = candidate.evidence.birthTime, let before = other.evidence.birthTime,
            before < birth, other.evidence.head.starts(with: candidate.evidence.head)
        else { return nil }
        return KnownFile(
            id: 0,
            key: key,
            path: other.sighting.path,
            head: other.evidence.fingerprint,
            position: .start
        )
    }

    /// Takes a file that nothing known fits, unless it waits.
    mutating func admit(_ candidate: DiscoveryCandidate) {
        // Nothing says that a stray is worth reading but a checkpoint that fits, or that the same
        // file was seen without a byte.
        if candidate.sighting.isStray, !candidate.wasEmpty { return }
        let sighting = candidate.sighting
        if candidate.original != nil, let held = sets[sighting.set].held[sighting.key], let now,
            now < held.since + Self.holdTime
        {
            hasUnexamined = true
            return
        }
        let replaced = candidate.ownRows.last
        found(candidate, .new(replacing: replaced), at: firstPosition(of: candidate, replaced))
    }

    private func firstPosition(
        of candidate: DiscoveryCandidate,
        _ replaced: KnownFile?
    ) -> TailPosition {
        let evidence = candidate.evidence
        guard replaced == nil, wantsEnd(of: candidate.sighting, evidence) else { return .start }
        return evidence.contentEnd
            ?? TailPosition(offset: evidence.size, guardBytes: candidate.ending)
    }
}

extension KnownFile {
    /// Whether its inode still holds what was read of it; if that is nothing, what was seen of its
    /// head: its first bytes may be in work.
    fileprivate func isThere(_ evidence: FileEvidence, _ guards: [Int64: [UInt8]]) -> Bool {
        position.offset > 0
            ? guards[position.offset] == position.guardBytes : head.holds(for: evidence.head)
    }
}

extension String {
    fileprivate var folder: Substring {
        utf8.lastIndex(of: UInt8(ascii: "/")).map { self[..<$0] } ?? ""
    }
}

extension Array {
    /// Where those end that a sorted array has before the others.
    fileprivate func partitionIndex(where isBefore: (Element) -> Bool) -> Int {
        var range = startIndex..<endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range =
                isBefore(self[middle]) ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }
}
