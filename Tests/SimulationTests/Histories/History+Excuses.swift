import Checkpointing

@testable import FileTailing
@testable import Shipping

/// What may be missing.
extension History {
    /// Runs something that may destroy bytes, and excuses lines that cannot be read any more.
    func vanishing(
        repeating inode: SimulatedDisk.Inode? = nil,
        _ destroy: () -> Void
    ) {
        let before = visibleLines()
        let read = readLines()
        // What stays at the head of a truncated file is read as a new file.
        let heldBefore = inode.map { linesOf($0) } ?? []
        destroy()
        let after = visibleLines()
        if let inode {
            for line in linesOf(inode) where heldBefore.contains(line) {
                lines[line].mayRepeat = true
                lines[line].isKept = true
            }
        }
        for line in before.subtracting(after) {
            if read.contains(line) {
                lines[line].isFragile = true
            } else {
                lines[line].destruction = process == nil ? .stopped : .running
            }
        }
    }

    /// Lines in files that Forktail can get at: by a pattern, by a descriptor, or by a checkpoint.
    func visibleLines() -> Set<Int> {
        var result: Set<Int> = []
        for (path, inode) in disk.names where isReachable(path, inode) {
            result.formUnion(linesOf(inode))
        }
        for inode in kept where inode.links == 0 && inode.opened > 0 {
            let offset = process?.reading(of: inode.number)?.position.offset ?? 0
            result.formUnion(Set(linesOf(inode)).subtracting(linesOf(inode, upTo: Int(offset))))
        }
        return result
    }

    func isReachable(_ inode: SimulatedDisk.Inode) -> Bool {
        inode.opened > 0
            || disk.names.contains { $0.value === inode && isReachable($0.key, inode) }
    }

    func isReachable(_ path: String, _ inode: SimulatedDisk.Inode) -> Bool {
        if inode.opened > 0 { return true }
        guard path.folder == folder, !path.hasSuffix("/.tmp") else { return false }
        if shape.keepsRotatedInGlob || path.hasSuffix(".log") { return true }
        return store.rows.values.contains { row in
            row.inode == inode.number && row.birthTime == inode.birth && holdsGuard(row, inode)
                && HeadFingerprint(hash: row.headHash, length: row.headLength).holds(
                    for: inode.content
                )
        }
    }

    func readLines() -> Set<Int> {
        var result = deliveredLines()
        for inode in kept + Array(disk.names.values) {
            guard let (start, position) = process?.reading(of: inode.number),
                inode.content.holds(position)
            else { continue }
            let read = Set(linesOf(inode, upTo: Int(position.offset)))
            result.formUnion(read.subtracting(linesOf(inode, upTo: Int(start))))
        }
        return result
    }

    /// What came to the topic that every line is sent to.
    var mainLog: [SimulatedKafka.Entry] {
        kafka.entries.filter { $0.partition.topic == "t" }
    }

    var topics: [String] { shape.sends == .both ? ["t", "u"] : ["t"] }

    /// Lines of which everything is in the log.
    func deliveredLines() -> Set<Int> {
        let sets = topics.map { topic in
            Set(
                kafka.entries.lazy.filter { $0.partition.topic == topic }
                    .compactMap { self.number(of: $0.value) }
            )
        }
        return sets.dropFirst().reduce(sets[0]) { $0.intersection($1) }
    }

    func linesOf(_ inode: SimulatedDisk.Inode, upTo end: Int = .max) -> [Int] {
        let content = inode.content.prefix(end)
        let whole = content.lastIndex(of: 10).map { content[...$0] } ?? []
        return whole.split(separator: 10).compactMap {
            number(of: String(decoding: $0, as: UTF8.self))
        }
    }

    func number(of text: String) -> Int? {
        guard let end = text.firstIndex(of: ";") else { return nil }
        return Int(text[..<end])
    }

    func noteCrash() {
        hasCrashed = true
        let log = deliveredLines()
        let covered = coveredLines()
        for line in lines.indices {
            if lines[line].isFragile, !log.contains(line) { lines[line].destruction = .killed }
            if !shape.isExact, !covered.contains(line) { lines[line].mayRepeat = true }
        }
    }

    /// Lines before the checkpoints as they are written.
    func coveredLines() -> Set<Int> {
        var result: Set<Int> = []
        for row in store.rows.values {
            guard let inode = inode(of: row), holdsGuard(row, inode) else { continue }
            result.formUnion(linesOf(inode, upTo: Int(row.checkpoint.offset)))
        }
        return result
    }

    func inode(of row: FileCheckpoint) -> SimulatedDisk.Inode? {
        (Array(disk.names.values) + kept).first {
            $0.number == row.inode && $0.birth == row.birthTime
        }
    }

    /// Of lines that never came.
    var destroyedBytes: [Destruction: Int64] {
        let delivered = deliveredLines()
        return lines.indices.reduce(into: [:]) { sum, line in
            guard !delivered.contains(line), let cause = lines[line].destruction else { return }
            sum[cause, default: 0] += Int64(text(of: line).utf8.count)
        }
    }

    var abandonedBytes: Int64 {
        store.counters.reduce(0) { sum, counter in
            counter.key.name.hasPrefix("abandoned_bytes") ? sum + counter.value : sum
        }
    }
}

extension [UInt8] {
    /// Whether the bytes before a place are the remembered ones.
    func holds(_ position: TailPosition) -> Bool {
        let before = prefix(Int(position.offset))
        return before.count == Int(position.offset)
            && before.suffix(position.guardBytes.count).elementsEqual(position.guardBytes)
    }
}
