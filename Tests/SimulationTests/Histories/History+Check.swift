import Checkpointing

@testable import FileTailing
@testable import Shipping

/// What must hold.
extension History {
    /// A checkpoint never passes a line that is not in the log.
    func checkCheckpoint(_ row: FileCheckpoint) {
        guard failure == nil, let inode = inode(of: row),
            holdsGuard(row, inode)
        else { return }
        let log = deliveredLines()
        let before = Set(linesOf(inode, upTo: Int(store.firstOffsets[row.id] ?? 0)))
        for line in linesOf(inode, upTo: Int(row.checkpoint.offset)) where !log.contains(line) {
            if lines[line].destruction != nil || before.contains(line) { continue }
            failure =
                "the checkpoint \(row.checkpoint.offset) of inode \(row.inode) passes line \(line)"
            return
        }
    }

    func holdsGuard(_ row: FileCheckpoint, _ inode: SimulatedDisk.Inode) -> Bool {
        let checkpoint = row.checkpoint
        let position = TailPosition(offset: checkpoint.offset, guardBytes: checkpoint.guardBytes)
        return inode.content.holds(position)
    }

    func check() throws(Failure) {
        if let failure = failure ?? kafka.failure { throw fail(failure) }
        for topic in topics { try check(kafka.entries.filter { $0.partition.topic == topic }) }
        let destroyed = destroyedBytes.values.reduce(0, +)
        // After a crash what was delivered is unread again, and may vanish so.
        if abandonedBytes > destroyed, !hasCrashed {
            throw fail("\(abandonedBytes) bytes abandoned, \(destroyed) destroyed")
        }
    }

    struct Sequence: Hashable {
        let stream: Int
        let partition: SimulatedKafka.Partition
    }

    func check(_ log: [SimulatedKafka.Entry]) throws(Failure) {
        var first: [Int: Int] = [:]
        for (place, entry) in log.enumerated() {
            let text = entry.value
            guard let line = number(of: text), line < lines.count,
                self.text(of: line) == text + "\n"
            else { throw fail("\"\(text)\" was never written") }
            if let before = first[line] {
                if lines[line].mayRepeat { continue }
                let places = [before, place].map { place in
                    let earlier = log[..<place].count { $0.partition == log[place].partition }
                    return "\(log[place].partition) at \(earlier)"
                }
                throw fail("line \(line) came twice, in \(places.joined(separator: " and "))")
            }
            first[line] = place
        }
        var last: [Sequence: (line: Int, place: Int)] = [:]
        for (number, line) in lines.enumerated() {
            guard let place = first[number] else {
                if line.destruction != nil { continue }
                throw fail("line \(number) never came")
            }
            // It stands in two files, and without a key the later one's may be there first.
            if line.isKept, isKeyless(log[place].partition.topic) { continue }
            let sequence = Sequence(stream: line.stream, partition: log[place].partition)
            if let before = last[sequence], before.place > place {
                throw fail("line \(number) came before line \(before.line)")
            }
            last[sequence] = (number, place)
        }
    }

    func isKeyless(_ topic: String) -> Bool { shape.sends == .sticky || topic == "u" }

    func fail(_ what: String) -> Failure {
        Failure(
            description: """
                seed \(seed): \(what)
                \(trace.suffix(shape.traceLength).joined(separator: "\n"))
                replay: SWIFT_DETERMINISTIC_HASHING=1 FORKTAIL_SEED=\(seed) swift test --filter RandomHistoriesTests
                """
        )
    }
}
