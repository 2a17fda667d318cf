import CSQLite
import Synchronization
import Testing

@testable import Checkpointing

struct JournalStoreTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("checkpoints.db") }

    @Test func `what the journal was told is there after the store is opened again`() throws {
        let changes = sampleChanges()
        try CheckpointStore(path: path).write(changes)
        let journal = try CheckpointStore(path: path).journal()
        #expect(journal.session == changes.session)
        #expect(journal.batches == changes.closed)
        #expect(journal.partitions == changes.partitions)
        #expect(journal.texts == changes.texts)
        #expect(try CheckpointStore.open(readOnly: path).journal() == journal)
    }

    @Test func `a new database has an empty journal, and writing nothing changes nothing`() throws {
        let store = try CheckpointStore(path: path)
        #expect(try store.journal() == Journal())
        try store.write(JournalChanges())
        #expect(try store.journal() == Journal())
    }

    @Test func `a batch that is settled loses its bytes, and nothing else`() throws {
        let store = try CheckpointStore(path: path)
        try store.write(sampleChanges())
        var changes = JournalChanges()
        changes.settled = [.init(id: 1, baseOffset: 4711), .init(id: 99, baseOffset: 1)]
        try store.write(changes)
        var settled = sampleBatch(1)
        settled.bytes = nil
        settled.state = .settled(baseOffset: 4711)
        #expect(try store.journal().batches.first == settled)
        #expect(try store.journal().batches.count == 3)
    }

    @Test func `a batch under new numbers takes the place of its row, and removed ones go`() throws
    {
        let store = try CheckpointStore(path: path)
        try store.write(sampleChanges())
        var again = sampleBatch(2)
        again.producerID = 5
        again.baseSequence = .max
        var changes = JournalChanges()
        changes.removed = [1, 99]
        changes.closed = [again]
        changes.removedTexts = [7]
        try store.write(changes)
        let journal = try store.journal()
        #expect(journal.batches.map(\.id) == [2, 3])
        #expect(journal.batches.first == again)
        #expect(journal.texts.map(\.version) == [8])
    }

    @Test func `of a session only the last one is kept, and of a partition as well`() throws {
        let store = try CheckpointStore(path: path)
        var changes = sampleChanges()
        try store.write(changes)
        changes.session?.producerID = 4
        changes.partitions[0].ackedOffset = 1 << 40
        changes.closed = []
        try store.write(changes)
        let journal = try store.journal()
        #expect(journal.session == changes.session)
        #expect(journal.partitions == changes.partitions)
    }

    @Test(arguments: [SQLITE_FULL, SQLITE_IOERR, SQLITE_BUSY])
    func `whichever step of a commit fails, all of it is there or nothing`(code: Int32) throws {
        let before = sampleChanges()
        var changes = JournalChanges()
        changes.session = before.session
        changes.session?.epoch = 3
        changes.removed = [1]
        changes.closed = [sampleBatch(4)]
        changes.settled = [.init(id: 2, baseOffset: 10)]
        changes.partitions = before.partitions
        changes.partitions[0].ackedAt = 5
        changes.removedTexts = [7]
        for step in 1...60 {
            let failure = Failure(code: code)
            let store = try CheckpointStore(
                path: directory.file("\(step).db"),
                beforeStep: failure.hook
            )
            try store.write(before)
            let old = try store.journal()
            failure.arm(at: step)
            let outcome = Result { try store.write(changes) }
            let hasHappened = failure.hasHappened
            failure.arm(at: .max)
            let now = try store.journal()
            if case .success = outcome {
                #expect(now.session == changes.session && now.batches.map(\.id) == [2, 3, 4])
            } else {
                #expect(now == old, "step \(step)")
            }
            if !hasHappened {
                #expect(step > 8)
                return
            }
        }
        Issue.record("a commit has no end")
    }

    @Test func `a commit that failed is written by trying it again`() throws {
        let failure = Failure(code: SQLITE_FULL)
        let store = try CheckpointStore(path: path, beforeStep: failure.hook)
        failure.arm(at: 3)
        #expect(throws: CheckpointError.self) { try store.write(sampleChanges()) }
        try store.write(sampleChanges())
        try store.write(sampleChanges())
        #expect(try store.journal().batches == sampleChanges().closed)
    }
}

// MARK: - Power cuts

extension JournalStoreTests {
    @Test func `sessions and new files are durable also where the rest need not be`() throws {
        let log = StepLog()
        let store = try CheckpointStore(path: path, synchronous: .normal, beforeStep: log.hook)
        #expect(log.taken().last == "PRAGMA synchronous = NORMAL")
        _ = try store.register(sample(path: "/a"))
        #expect(log.taken().first == "PRAGMA synchronous = FULL")
        var changes = sampleChanges()
        try store.write(changes)
        let steps = log.taken()
        #expect(steps.first == "PRAGMA synchronous = FULL")
        #expect(steps.suffix(2) == ["COMMIT", "PRAGMA synchronous = NORMAL"])
        changes.session = nil
        try store.write(changes)
        #expect(log.taken().first == "BEGIN IMMEDIATE")
    }

    @Test func `everything is durable by default`() throws {
        let log = StepLog()
        let store = try CheckpointStore(path: path, beforeStep: log.hook)
        try store.write(sampleChanges())
        let settings = log.taken().filter { $0.contains("synchronous") }
        #expect(!settings.isEmpty && settings.allSatisfy { $0 == "PRAGMA synchronous = FULL" })
    }
}

// MARK: - Damage

extension JournalStoreTests {
    @Test(
        arguments: [
            "owner", "ownership", "progress", "session", "pipeline_text", "batch", "partition",
            "pending",
            "pending_file",
        ]
    )
    func `a changed value in any column is noticed`(table: String) throws {
        do {
            let store = try CheckpointStore(path: path)
            var file = sample(path: "/a")
            file.id = try store.register(file)
            file.checkpoint = Checkpoint(offset: 10, guardBytes: [1, 2])
            file.header = [3, 4]
            var changes = sampleChanges()
            changes.closed[1].state = .settled(baseOffset: 12)
            try store.write(changes)
            try store.keepPending(
                PendingCheckpoints(transactionalID: "t", producerID: 1, epoch: 2, files: [file])
            )
        }
        let whole = directory.bytes("checkpoints.db")
        let columns = try RawDatabase(path: path).column(
            "SELECT name FROM pragma_table_info('\(table)') WHERE name <> 'only'"
        )
        #expect(columns.count >= 1)
        for column in columns {
            directory.write("checkpoints.db", bytes: whole)
            try RawDatabase(path: path).run(
                """
                UPDATE \(table) SET \(column) = CASE typeof(\(column))
                WHEN 'integer' THEN \(column) - 1 WHEN 'text' THEN \(column) || 'x'
                ELSE NULL END WHERE \(column) IS NOT NULL AND typeof(\(column)) <> 'blob'
                """
            )
            try RawDatabase(path: path).run(
                """
                UPDATE \(table) SET \(column) = CAST(substr(\(column), 2) AS BLOB)
                WHERE typeof(\(column)) = 'blob' AND length(\(column)) > 0
                """
            )
            if directory.bytes("checkpoints.db") == whole { continue }
            let error = #expect(throws: CheckpointError.self, "\(table).\(column)") {
                _ = try CheckpointStore(path: path)
            }
            #expect(error?.kind == .damaged)
            #expect(error?.message.contains("changed") == true, "\(table).\(column)")
        }
    }

    // Databases hold these: another value would refuse all of them.
    @Test func `checksums are what they were in the first release`() {
        var sum = RowChecksum()
        sum.combine("web")
        sum.combine(-1 as Int64)
        sum.combine([1, 2, 3])
        #expect(sum.value == -2490744952104033355)
        var words = RowChecksum()
        words.combine(words: Array(0..<11))
        #expect(words.value == 813563764806632910)
    }

    @Test func `no bytes are taken for stretches that are none`() throws {
        let stretches = sampleBatch(1).stretches
        let bytes = Stretch.encode(stretches)
        #expect(Stretch.decode(bytes) == stretches)
        #expect(Stretch.decode([]) == [])
        for count in 1..<bytes.count {
            guard let cut = Stretch.decode(Array(bytes.prefix(count))) else { continue }
            #expect(cut == Array(stretches.prefix(cut.count)))
        }
        #expect(Stretch.decode([UInt8](repeating: 0x80, count: 11)) == nil)
        #expect(Stretch.decode([UInt8](repeating: 0xFF, count: 12)) == nil)
        #expect(Stretch.decode([0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0]) == nil)
    }

    @Test func `stretches of any numbers come back from their bytes`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let stretches = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                Stretch.any(using: &random)
            }
            #expect(Stretch.decode(Stretch.encode(stretches)) == stretches, "seed \(seed)")
        }
    }
}

// MARK: - Fixtures

/// Remembers the steps of a database.
private final class StepLog: Sendable {
    private let steps = Mutex<[String]>([])

    var hook: CheckpointStore.StepHook {
        { step in
            self.steps.withLock { $0.append(step) }
            return nil
        }
    }

    func taken() -> [String] {
        steps.withLock { steps in
            defer { steps.removeAll() }
            return steps
        }
    }
}

private func sampleChanges() -> JournalChanges {
    var changes = JournalChanges()
    changes.session = JournalSession(
        clusterID: "4L6g3nShT-eMCtK--X86sw",
        producerID: 4_711,
        epoch: 2,
        incarnation: 1,
        openedAt: 1_700_000_000_000
    )
    changes.texts = [
        PipelineText(version: 7, name: "web", path: "/etc/forktail/web.tail", text: "from x"),
        PipelineText(version: 8, name: "web", path: "/etc/forktail/web.tail", text: "from y"),
    ]
    changes.closed = [sampleBatch(1), sampleBatch(2), sampleBatch(3)]
    changes.partitions = [
        JournaledPartition(
            topic: "lines",
            topicID: Array(0..<16),
            partition: 3,
            producerID: 4_711,
            epoch: 2,
            ackedSequence: .max,
            ackedOffset: 1 << 40,
            leaderEpoch: 9,
            ackedAt: 1_700_000_000_001
        ),
        JournaledPartition(topic: "other", partition: 0, producerID: 4_711, epoch: 2),
    ]
    return changes
}

private func sampleBatch(_ id: Int64) -> JournaledBatch {
    var batch = JournaledBatch(
        id: id,
        topic: "lines",
        partition: 3,
        producerID: 4_711,
        epoch: 2,
        baseSequence: Int32(id) * 10,
        recordCount: 10
    )
    batch.topicID = Array(0..<16)
    batch.maxTimestamp = 1_700_000_000_002
    batch.createdAt = 1_700_000_000_003
    batch.stretches = [.sticky, .partitionCount(12), .answer].map { routing in
        Stretch(
            file: id,
            generation: 1,
            pipelineVersion: 7,
            routing: routing,
            from: RecordPlace(offset: 1 << 40, send: 4095),
            through: RecordPlace(offset: 1 << 41),
            count: 3
        )
    }
    if id == 1 { batch.bytes = (0..<1_003).map { UInt8($0 & 0xFF) } }
    return batch
}

extension Stretch {
    fileprivate static func any(using random: inout SeededGenerator) -> Stretch {
        let routing: [Routing] = [
            .answer, .sticky, .partitionCount(1), .partitionCount(.max),
            .partitionCount(Int32.random(in: 1...Int32.max, using: &random)),
        ]
        return Stretch(
            file: anyNumber(using: &random),
            generation: anyNumber(using: &random),
            pipelineVersion: anyNumber(using: &random),
            routing: routing.randomElement(using: &random) ?? .sticky,
            from: RecordPlace(position: anyNumber(using: &random)),
            through: RecordPlace(position: anyNumber(using: &random)),
            count: Int32.random(in: Int32.min...Int32.max, using: &random)
        )
    }

    /// Short ones as often as long ones.
    private static func anyNumber(using random: inout SeededGenerator) -> Int64 {
        Int64.random(in: 0...Int64.max, using: &random) >> Int64.random(in: 0...62, using: &random)
    }
}
