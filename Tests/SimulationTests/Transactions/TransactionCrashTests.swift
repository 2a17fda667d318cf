import Glibc
import Kafka
import KafkaProtocol
import Testing

@testable import Shipping

/// What consumers that read committed see of `--delivery transactional`, whoever dies and when.
struct TransactionCrashTests {
    private static let twice =
        TransactionScene.send("@raw") + TransactionScene.send("\"copy ${@raw}\"", topic: "copies")

    @Test(arguments: [TransactionVersion.one, .two], [false, true])
    func `a death at any step of a commit loses and repeats nothing`(
        version: TransactionVersion,
        timesOut: Bool
    ) throws {
        for moment in TransactionScene.Moment.allCases {
            for seed in 1...4 as ClosedRange<UInt64> {
                let scene = try TransactionScene(version, seed: seed)
                scene.append("a.log", numbered(0..<100))
                try scene.start()
                #expect(scene.run { scene.values.count == 100 })
                scene.run { scene.isIdle }
                scene.kill()
                scene.append("a.log", numbered(100..<200))
                try scene.start(dyingAt: moment)
                scene.run(for: .seconds(5))
                scene.kill()
                if timesOut { scene.coordinator.timeOut() }
                try scene.start()
                #expect(scene.run { scene.values.count >= 200 }, "\(moment), seed \(seed)")
                scene.run(for: .seconds(5))
                #expect(
                    scene.values.sorted() == numbers(0..<200).sorted(),
                    "\(moment), seed \(seed)"
                )
            }
        }
    }

    @Test(arguments: [TransactionVersion.one, .two])
    func `a death while it is found out what became of a commit loses and repeats nothing`(
        version: TransactionVersion
    ) throws {
        for first in [TransactionScene.Moment.afterPending, .beforeEnd, .afterEnd] {
            for second in TransactionScene.Moment.allCases {
                let scene = try TransactionScene(version)
                scene.append("a.log", numbered(0..<50))
                try scene.start(dyingAt: first)
                scene.run(for: .seconds(5))
                #expect(!scene.isAlive)
                try scene.start(dyingAt: second)
                scene.run(for: .seconds(5))
                scene.kill()
                try scene.start()
                scene.run(for: .seconds(5))
                #expect(
                    scene.values.sorted() == numbers(0..<50).sorted(),
                    "\(first), then \(second)"
                )
            }
        }
    }

    @Test(arguments: [TransactionVersion.one, .two], [1, 2])
    func `after many deaths at any moment each record is there once, and in order`(
        version: TransactionVersion,
        sends: Int
    ) throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            let scene = try TransactionScene(
                version,
                sends: sends == 1 ? TransactionScene.send("@raw") : Self.twice,
                seed: seed
            )
            var generator = SeededGenerator(seed: seed)
            var written = 0
            for _ in 0..<40 {
                let count = Int.random(in: 0...60, using: &generator)
                scene.append("a.log", numbered(written..<(written + count)))
                written += count
                try scene.start()
                var steps = Int.random(in: 0...900, using: &generator)
                scene.run(for: .seconds(5)) {
                    steps -= 1
                    return steps < 0
                }
                scene.kill()
                if Int.random(in: 0..<4, using: &generator) == 0 { scene.coordinator.timeOut() }
            }
            try scene.start()
            scene.run { scene.values.count >= written * sends && scene.isIdle }
            expectEachOnce(scene, 0..<written, sends, "seed \(seed)")
        }
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func `a record that Kafka refuses goes where on error says, and the others come once`(
        seed: UInt64
    ) throws {
        let scene = try TransactionScene(
            sends: Self.twice,
            onError: "dead_letter \"dead\"",
            seed: seed
        )
        scene.sendOneByOne()
        scene.kafka.fate = {
            ["copy 30", "copy 77"].contains($0.valueText) ? .refused : .acknowledged
        }
        scene.append("a.log", numbered(0..<100))
        try scene.start()
        scene.run { scene.values.count >= 200 && scene.isIdle }
        let letters = scene.coordinator.committed.filter { $0.partition.topic == "dead" }
        #expect(letters.map(\.value).sorted() == ["30", "77"])
        let others = scene.coordinator.committed.filter { $0.partition.topic != "dead" }
        let copies = numbers(0..<100).map { "copy \($0)" }.filter {
            !["copy 30", "copy 77"].contains($0)
        }
        #expect(others.map(\.value).sorted() == (numbers(0..<100) + copies).sorted())
        #expect(scene.ledger.read == 100)
        #expect(scene.ledger.failedCount == 2)
        #expect(scene.ledger.unacknowledged == 0)
    }

    /// FORKTAIL_SEEDS runs so many, and FORKTAIL_SEED one:
    /// `FORKTAIL_SEED=3 swift test --filter TransactionCrashTests`.
    @Test(arguments: [TransactionVersion.one, .two])
    func `with deaths, aborts, refusals and rotations each line is there once, or its dead letter`(
        version: TransactionVersion
    ) throws {
        func number(_ name: String) -> UInt64? {
            getenv(name).flatMap { UInt64(String(cString: $0)) }
        }
        let seeds = number("FORKTAIL_SEED").map { $0...$0 } ?? 1...(number("FORKTAIL_SEEDS") ?? 2)
        for seed in seeds { try tryEverything(version, seed: seed) }
    }

    private func tryEverything(_ version: TransactionVersion, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let scene = try TransactionScene(
            version,
            sends: Self.twice,
            onError: "dead_letter \"dead\"",
            seed: seed
        )
        if Bool.random(using: &generator) { scene.sendOneByOne() }
        scene.kafka.fate = { record in
            guard record.headers.isEmpty, record.valueText.hasPrefix("copy ") else {
                return .acknowledged
            }
            return (Int(record.valueText.dropFirst(5)) ?? 0) % 37 == 5 ? .refused : .acknowledged
        }
        var written = 0
        for round in 0..<12 {
            try scene.start()
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let count = Int.random(in: 0...60, using: &generator)
                scene.append("a.log", numbered(written..<(written + count)))
                written += count
                var steps = Int.random(in: 0...1500, using: &generator)
                scene.run(for: .seconds(5)) {
                    steps -= 1
                    return steps < 0
                }
                if Int.random(in: 0..<3, using: &generator) == 0 {
                    scene.rename("a.log", to: "a.log.\(round).\(written)")
                }
                if Int.random(in: 0..<8, using: &generator) == 0 { scene.coordinator.timeOut() }
            }
            scene.kill()
            if Int.random(in: 0..<4, using: &generator) == 0 { scene.coordinator.timeOut() }
        }
        try scene.start()
        scene.run(for: .seconds(60))
        let comment: Comment = "seed \(seed), \(version)"
        let dead = scene.coordinator.committed.filter { $0.partition.topic == "dead" }.map(\.value)
        let copies = scene.values.filter { $0.hasPrefix("copy ") }.map { String($0.dropFirst(5)) }
        let lines = scene.coordinator.committed.filter { $0.partition.topic == "t" }.map(\.value)
        #expect(lines.sorted() == numbers(0..<written).sorted(), comment)
        #expect((copies + dead).sorted() == numbers(0..<written).sorted(), comment)
        #expect(scene.ledger.unacknowledged == 0, comment)
        #expect(scene.failure == nil, comment)
    }

    @Test func `a dead letter that is refused for its length is cut until it fits`() throws {
        let scene = try TransactionScene(onError: "dead_letter \"dead\"")
        scene.sendOneByOne()
        let line = String(repeating: "x", count: 3000)
        scene.kafka.fate = { ($0.value?.count ?? 0) > 1000 ? .refusedForSize : .acknowledged }
        scene.append("a.log", "1\n2\n\(line)\n")
        try scene.start()
        scene.run { scene.values.count >= 3 && scene.isIdle }
        #expect(scene.values.filter { $0.count == 1 }.sorted() == ["1", "2"])
        #expect(scene.values.count == 3)
        #expect((2...1000).contains(scene.values.map(\.count).max() ?? 0))
    }

    @Test func `with on error stop a line that is refused is not sent in part`() throws {
        let scene = try TransactionScene(sends: Self.twice)
        scene.sendOneByOne()
        scene.kafka.fate = { $0.valueText == "copy 30" ? .refused : .acknowledged }
        scene.append("a.log", numbered(0..<100))
        scene.append("b.log", numbered(100..<200))
        try scene.start()
        scene.run { scene.values.count >= 260 && scene.isIdle }
        scene.kill()
        scene.kafka.fate = { _ in .acknowledged }
        try scene.start()
        scene.run { scene.values.count >= 400 && scene.isIdle }
        let copies = numbers(0..<200).map { "copy \($0)" }
        #expect(scene.values.sorted() == (numbers(0..<200) + copies).sorted())
    }

    @Test func `a file that was deleted before an abort is read again through its descriptor`()
        throws
    {
        let scene = try TransactionScene(onError: "dead_letter \"dead\"")
        scene.sendOneByOne()
        var isDeleted = false
        scene.kafka.fate = { [folder = scene.folder] record in
            // And not its dead letter.
            guard record.valueText == "99", record.headers.isEmpty else { return .acknowledged }
            if !isDeleted { unlink(folder.file("a.log")) }
            isDeleted = true
            return .refused
        }
        scene.append("a.log", numbered(0..<100))
        try scene.start()
        scene.run { scene.values.count >= 100 && scene.isIdle }
        #expect(isDeleted)
        #expect(scene.values.sorted() == numbers(0..<100).sorted())
    }

    @Test func `an older process is fenced by a newer one, and says so`() throws {
        let scene = try TransactionScene()
        scene.append("a.log", numbered(0..<100))
        try scene.start()
        scene.run { scene.values.count == 100 && scene.isIdle }
        _ = scene.coordinator.obey(.restart, as: nil)
        scene.append("a.log", numbered(100..<110))
        scene.run(for: .seconds(10)) { scene.failure != nil }
        #expect(scene.failure?.isFenced == true)
        #expect(scene.failure?.message.contains("never run both") == true)
        #expect(scene.values.sorted() == numbers(0..<100).sorted())
    }

    // MARK: Helpers

    private func expectEachOnce(
        _ scene: TransactionScene,
        _ range: Range<Int>,
        _ sends: Int,
        _ comment: Comment
    ) {
        let own = scene.values.filter { !$0.hasPrefix("copy ") }
        #expect(own.sorted() == numbers(range).sorted(), comment)
        if sends == 2 {
            let copies = scene.values.filter { $0.hasPrefix("copy ") }.map {
                String($0.dropFirst(5))
            }
            #expect(copies.sorted() == numbers(range).sorted(), comment)
        }
        let partitions = Dictionary(grouping: scene.coordinator.committed, by: \.partition)
        for (partition, entries) in partitions {
            let order = entries.map { Int($0.value.split(separator: " ").last ?? "") ?? -1 }
            #expect(order == order.sorted(), "\(partition), \(comment)")
        }
    }

}
