import Checkpointing
import Testing

struct AckFrontierTests {
    @Test func `a checkpoint does not pass a chunk that still owes a record`() {
        var frontier = AckFrontier()
        let first = frontier.append(end: Checkpoint(offset: 10), owed: 2)
        let second = frontier.append(end: Checkpoint(offset: 20), owed: 1)
        frontier.settle(second, count: 1)
        #expect(frontier.advance() == nil)
        frontier.settle(first, count: 1)
        #expect(frontier.advance() == nil)
        frontier.settle(first, count: 1)
        #expect(frontier.advance() == Checkpoint(offset: 20))
        #expect(frontier.advance() == nil)
        #expect(frontier.isEmpty)
    }

    @Test func `a chunk that owes nothing is passed at once`() {
        var frontier = AckFrontier()
        _ = frontier.append(end: Checkpoint(offset: 7, line: 1, guardBytes: [1]), owed: 0)
        #expect(frontier.advance() == Checkpoint(offset: 7, line: 1, guardBytes: [1]))
    }

    @Test func `the lines of a chunk are outstanding as far as its records are`() {
        var frontier = AckFrontier()
        let single = frontier.begin()
        frontier.settle(single, count: 1)
        frontier.finish(single, end: Checkpoint(offset: 10), owed: 3, lines: 3)
        #expect(frontier.outstandingLines == 2)
        let double = frontier.begin()
        frontier.finish(double, end: Checkpoint(offset: 20), owed: 4, lines: 2)
        #expect(frontier.outstandingLines == 4)
        frontier.settle(double, count: 3)
        frontier.owe(double, count: 1)
        #expect(frontier.outstandingLines == 4)
        frontier.settle(double, count: 2)
        frontier.settle(single, count: 2)
        #expect(frontier.outstandingLines == 0)
    }

    @Test func `a receipt may come before its chunk is finished`() {
        var frontier = AckFrontier()
        let chunk = frontier.begin()
        frontier.settle(chunk, count: 3)
        #expect(frontier.advance() == nil)
        frontier.finish(chunk, end: Checkpoint(offset: 9), owed: 4)
        #expect(frontier.outstanding == 1)
        frontier.settle(chunk, count: 1)
        #expect(frontier.advance() == Checkpoint(offset: 9))
    }

    @Test func `a receipt from before a restart changes nothing`() {
        var frontier = AckFrontier()
        let old = frontier.append(end: Checkpoint(offset: 100), owed: 1)
        frontier.restart()
        let new = frontier.append(end: Checkpoint(offset: 5), owed: 1)
        frontier.settle(old, count: 1)
        #expect(frontier.advance() == nil)
        #expect(frontier.outstanding == 1)
        frontier.settle(new, count: 1)
        #expect(frontier.advance() == Checkpoint(offset: 5))
    }

    @Test func `in any order of receipts the checkpoint is the longest settled prefix`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var frontier = AckFrontier()
        var model = FrontierModel()
        for _ in 0..<5_000 {
            if Bool.random(using: &random) || model.unsettled.isEmpty {
                let owed = Int.random(in: 0...3, using: &random)
                let end = model.append(owed: owed)
                model.ids.append(frontier.append(end: Checkpoint(offset: end), owed: owed))
            } else if let index = model.unsettled.randomElement(using: &random) {
                let count = Int.random(in: 1...model.owed[index], using: &random)
                model.owed[index] -= count
                frontier.settle(model.ids[index], count: count)
            }
            #expect(frontier.advance()?.offset == model.advance(), "seed \(seed)")
            #expect(frontier.outstanding == model.owed.reduce(0, +), "seed \(seed)")
        }
    }
}

/// The same with no thought of speed.
private struct FrontierModel {
    var ids: [AckFrontier.ChunkID] = []
    var owed: [Int] = []
    private var reached = 0

    var unsettled: [Int] { owed.indices.filter { owed[$0] > 0 } }

    mutating func append(owed count: Int) -> Int64 {
        owed.append(count)
        return Int64(owed.count * 10)
    }

    mutating func advance() -> Int64? {
        let prefix = owed.prefix { $0 == 0 }.count
        guard prefix > reached else { return nil }
        reached = prefix
        return Int64(prefix * 10)
    }
}
