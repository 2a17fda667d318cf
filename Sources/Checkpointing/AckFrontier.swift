/// How far a file may be forgotten.
///
/// A lane reads chunks in order; brokers acknowledge their records in any order. A checkpoint may
/// only move over ground without a gap, so it moves when the oldest chunk owes nothing, and never
/// past a chunk that does.
///
///     var frontier = AckFrontier()
///     let chunk = frontier.append(end: Checkpoint(offset: 4096), owed: 2)
///     frontier.settle(chunk, count: 2)
///     frontier.advance()  // Checkpoint(offset: 4096)
package struct AckFrontier: Sendable {
    /// The name of a chunk, never used twice in the life of a frontier.
    package struct ChunkID: Hashable, Sendable, Comparable {
        package let rawValue: UInt64

        package init(rawValue: UInt64) {
            self.rawValue = rawValue
        }

        package static func < (a: ChunkID, b: ChunkID) -> Bool {
            a.rawValue < b.rawValue
        }
    }

    private struct Chunk: Sendable {
        /// Nil while the chunk is still being processed.
        var end: Checkpoint?
        var owed: Int
        /// Lines of the file that the records were made of.
        var lines = 0

        var outstandingLines: Int { min(lines, max(0, owed)) }
    }

    private var chunks: [Chunk] = []
    private var head = 0
    private var firstID: UInt64 = 0
    private var restartID: UInt64 = 0

    /// Records that chunks owe and nobody has settled yet.
    package private(set) var outstanding = 0

    /// Lines of which not every record is settled; exact where each became one record.
    package private(set) var outstandingLines = 0

    package init() {}

    /// Whether every chunk told so far has been passed by the checkpoint.
    package var isEmpty: Bool {
        head == chunks.count
    }

    /// Tells a chunk that was read to its end and owes `owed` records.
    package mutating func append(end: Checkpoint, owed: Int) -> ChunkID {
        let id = begin()
        finish(id, end: end, owed: owed)
        return id
    }

    /// The name of the chunk that begins next.
    package var nextID: ChunkID { ChunkID(rawValue: firstID + UInt64(chunks.count - head)) }

    /// Names a chunk before its records are made, so that they can carry the name.
    package mutating func begin() -> ChunkID {
        defer { chunks.append(Chunk(end: nil, owed: 0)) }
        return nextID
    }

    /// Tells where a chunk begun before ends, and how many records it owes in all.
    ///
    /// Receipts may have come already; they count.
    ///
    /// - Parameter lines: how many lines the records were made of.
    package mutating func finish(_ id: ChunkID, end: Checkpoint, owed: Int, lines: Int = 0) {
        precondition(owed >= 0, "a chunk cannot owe \(owed) records")
        guard let index = index(of: id) else { return }
        precondition(chunks[index].end == nil, "chunk \(id.rawValue) was finished twice")
        chunks[index].lines = lines
        chunks[index].owed += owed
        outstandingLines += chunks[index].outstandingLines
        precondition(chunks[index].owed >= 0, "chunk \(id.rawValue) was settled beyond its debt")
        chunks[index].end = end
        outstanding += owed
    }

    /// Counts records of a chunk as acknowledged, dropped by a rule, or settled by `on error`.
    ///
    /// Receipts for chunks from before a restart are stale and change nothing.
    package mutating func settle(_ id: ChunkID, count: Int) {
        precondition(count >= 0, "a receipt cannot be for \(count) records")
        guard count > 0, let index = index(of: id) else { return }
        change(index, by: -count)
        let isOpen = chunks[index].end == nil
        precondition(
            isOpen || chunks[index].owed >= 0,
            "chunk \(id.rawValue) was settled beyond its debt"
        )
    }

    /// Adds to what a chunk owes: one of its records was answered by several others.
    package mutating func owe(_ id: ChunkID, count: Int) {
        precondition(count >= 0, "a chunk cannot owe \(count) records more")
        guard let index = index(of: id) else { return }
        change(index, by: count)
    }

    private mutating func change(_ index: Int, by count: Int) {
        outstandingLines -= chunks[index].outstandingLines
        chunks[index].owed += count
        outstanding += count
        outstandingLines += chunks[index].outstandingLines
    }

    /// The furthest checkpoint reached without a gap, if it moved since last asked.
    package mutating func advance() -> Checkpoint? {
        var reached: Checkpoint?
        while head < chunks.count, chunks[head].owed == 0, let end = chunks[head].end {
            reached = end
            head += 1
            firstID += 1
        }
        dropPassedChunks()
        return reached
    }

    /// Forgets every chunk: the file was rewritten and its old bytes are no longer there.
    package mutating func restart() {
        firstID += UInt64(chunks.count - head)
        restartID = firstID
        chunks.removeAll(keepingCapacity: true)
        head = 0
        outstanding = 0
        outstandingLines = 0
    }

    private func index(of id: ChunkID) -> Int? {
        if id.rawValue < restartID { return nil }
        precondition(id.rawValue >= firstID, "chunk \(id.rawValue) was settled beyond its debt")
        let index = head + Int(id.rawValue - firstID)
        precondition(index < chunks.count, "chunk \(id.rawValue) was never begun")
        return index
    }

    private mutating func dropPassedChunks() {
        guard head > 32, head * 2 > chunks.count else { return }
        chunks.removeFirst(head)
        head = 0
    }
}
