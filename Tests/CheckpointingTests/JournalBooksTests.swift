import Testing

@testable import Checkpointing

struct JournalBooksTests {
    @Test func `a batch is written when it is closed, and somebody waits for that`() {
        var books = JournalBooks(Journal(), files: [])
        #expect(books.isEmpty && !books.isAwaited)
        books.closed([row(2, [(7, 20)]), row(1, [(7, 10)])])
        #expect(books.isAwaited)
        #expect(books.takeChanges().closed.map(\.id) == [1, 2])
        #expect(books.isEmpty && books.count == 2)
        #expect(books.takeChanges().isEmpty)
    }

    @Test func `a settled batch is marked, and goes once the checkpoint has passed it`() {
        var books = books(with: [row(1, [(7, 10)])])
        books.settled(1, baseOffset: 50, at: 0)
        #expect(!books.isEmpty && !books.isAwaited)
        #expect(books.takeChanges().settled == [.init(id: 1, baseOffset: 50)])
        books.reached(file: 7, generation: 0, offset: 10)
        #expect(books.takeChanges().isEmpty)
        books.reached(file: 7, generation: 0, offset: 11)
        #expect(books.takeChanges().removed == [1])
        #expect(books.count == 0)
    }

    @Test func `what is settled and passed at once is only removed`() {
        var books = books(with: [row(1, [(7, 10)])])
        books.settled(1, baseOffset: 50, at: 0)
        books.reached(file: 7, generation: 0, offset: 11)
        let changes = books.takeChanges()
        #expect(changes.removed == [1] && changes.settled.isEmpty)
        #expect(changes.partitions.map(\.ackedOffset) == [52])
    }

    @Test func `a batch in flight stays, wherever the checkpoint is`() {
        var books = books(with: [row(1, [(7, 10)])])
        books.reached(file: 7, generation: 1, offset: 0)
        #expect(books.takeChanges().isEmpty)
        books.settled(1, baseOffset: 50, at: 0)
        #expect(books.takeChanges().removed == [1])
    }

    @Test func `a batch of several files goes when the last of them has passed it`() {
        var books = books(with: [row(1, [(7, 10), (8, 10), (7, 30)])])
        books.settled(1, baseOffset: 50, at: 0)
        books.reached(file: 7, generation: 0, offset: 20)
        books.reached(file: 8, generation: 0, offset: 20)
        #expect(books.takeChanges().removed == [])
        books.reached(file: 7, generation: 0, offset: 31)
        #expect(books.takeChanges().removed == [1])
    }

    @Test func `records of no file, and of files that are forgotten, hold nothing back`() {
        var books = books(with: [row(1, [(0, 10)]), row(2, [(7, 10), (8, 10)])])
        books.settled(1, baseOffset: 50, at: 0)
        books.settled(2, baseOffset: 60, at: 0)
        #expect(books.takeChanges().removed == [1])
        books.forgotten([7, 9])
        #expect(books.takeChanges().removed == [])
        books.forgotten([8])
        #expect(books.takeChanges().removed == [2])
    }

    @Test func `a batch that was dropped goes, and leaves no trace if it was not written yet`() {
        var books = books(with: [row(1, [(7, 10)])])
        books.closed([row(2, [(7, 20)])])
        books.dropped(1)
        books.dropped(2)
        books.settled(1, baseOffset: 50, at: 0)
        var changes = JournalChanges()
        changes.removed = [1]
        #expect(books.takeChanges() == changes)
    }

    @Test func `a batch under new numbers is written anew, and waits for the same files`() {
        var books = books(with: [row(1, [(7, 10)])])
        var again = row(1, [(7, 10)])
        again.producerID = 9
        again.baseSequence = 0
        books.closed([again])
        #expect(books.takeChanges().closed == [again])
        books.reached(file: 7, generation: 0, offset: 11)
        books.settled(1, baseOffset: 50, at: 0)
        let changes = books.takeChanges()
        #expect(changes.removed == [1])
        #expect(changes.partitions.map(\.producerID) == [9])
    }

    @Test func `of each partition it is known how far it is acknowledged`() {
        var last = row(1, [(7, 10)])
        last.baseSequence = .max - 1
        var unknown = row(2, [(7, 20)])
        unknown.baseSequence = 1
        var other = row(3, [(7, 30)])
        other.topicID = [1]
        var books = books(with: [last, unknown, other])
        books.settled(1, baseOffset: 50, leaderEpoch: 4, at: 1_000)
        let first = books.takeChanges().partitions
        #expect(first.map(\.ackedSequence) == [0])
        #expect(first.map(\.ackedOffset) == [52])
        #expect(first.map(\.leaderEpoch) == [4])
        #expect(first.map(\.ackedAt) == [1_000])
        books.settled(2, baseOffset: -1, at: 0)
        #expect(books.takeChanges().partitions.map(\.ackedOffset) == [52])
        books.settled(3, baseOffset: -1, at: 0)
        #expect(books.takeChanges().partitions.map(\.ackedOffset) == [-1])
    }

    @Test func `a session is awaited`() {
        let session = JournalSession(
            clusterID: "c",
            producerID: 1,
            epoch: 0,
            incarnation: 1,
            openedAt: 5
        )
        var books = JournalBooks(Journal(), files: [])
        books.opened(session)
        #expect(books.isAwaited)
        #expect(books.takeChanges().session == session)
        #expect(books.isEmpty)
    }

    @Test func `a text is written with the first batch that names it, and once`() {
        var books = JournalBooks(Journal(), files: [])
        let version = books.version(of: "web", path: "/web.tail", text: "from x")
        #expect(books.version(of: "web", path: "/web.tail", text: "from x") == version)
        #expect(books.version(of: "web", path: "/web.tail", text: "from y") != version)
        #expect(books.takeChanges().isEmpty)
        books.closed([row(1, version: version, [(7, 10)])])
        #expect(books.takeChanges().texts.map(\.text) == ["from x"])
        books.closed([row(2, version: version, [(7, 20)])])
        #expect(books.takeChanges().texts == [])
    }

    @Test func `texts that no batch names are deleted at a start, and their versions not confused`()
    {
        var journal = Journal()
        journal.texts = (1...3).map {
            PipelineText(version: $0, name: "web", path: "/web.tail", text: "from \($0)")
        }
        journal.batches = [row(1, version: 2, [(7, 10)])]
        var books = JournalBooks(journal, files: [file(7)])
        #expect(books.version(of: "web", path: "/web.tail", text: "from 4") == 4)
        #expect(books.version(of: "web", path: "/web.tail", text: "from 3") == 3)
        books.closed([row(2, version: 3, [(7, 20)])])
        let changes = books.takeChanges()
        #expect(changes.texts == [] && changes.removedTexts == [1])
        #expect(books.isEmpty)
    }

    @Test func `after a start rows wait for the files that are remembered, from their checkpoints`()
    {
        var journal = Journal()
        var settled = (1...4).map { row($0, [(Int64($0) + 6, 10)]) }
        for index in settled.indices { settled[index].state = .settled(baseOffset: 0) }
        settled[3].state = .inFlight
        journal.batches = settled
        var passed = file(7)
        passed.checkpoint.offset = 11
        var rewritten = file(8)
        rewritten.generation = 1
        var books = JournalBooks(journal, files: [passed, rewritten, file(10)])
        #expect(books.takeChanges().removed == [1, 2, 3])
        books.settled(4, baseOffset: 9, at: 0)
        #expect(books.takeChanges().removed == [])
        books.reached(file: 10, generation: 0, offset: 11)
        #expect(books.takeChanges().removed == [4])
    }

    @Test func `ten thousand rows that one partition held back go when its batch is settled`() {
        var books = JournalBooks(Journal(), files: [])
        books.closed((1...10_000).map { row($0, [(7, $0 * 10)]) })
        _ = books.takeChanges()
        for id in 2...10_000 as ClosedRange<Int64> { books.settled(id, baseOffset: id, at: 0) }
        books.reached(file: 7, generation: 0, offset: 10)
        #expect(books.takeChanges().settled.count == 9_999)
        #expect(books.count == 10_000)
        books.settled(1, baseOffset: 1, at: 0)
        books.reached(file: 7, generation: 0, offset: 100_001)
        #expect(books.takeChanges().removed.count == 10_000)
        #expect(books.count == 0)
    }

    private func books(with rows: [JournaledBatch]) -> JournalBooks {
        var books = JournalBooks(Journal(), files: [])
        books.closed(rows)
        _ = books.takeChanges()
        return books
    }
}

// MARK: - By chance

extension JournalBooksTests {
    @Test func `whatever happens, the database has the rows that live and no others`() {
        let seed = testSeed(for: "JournalBooksTests")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            var model = BooksModel()
            for _ in 0..<400 { model.step(using: &random) }
            model.commit()
            #expect(model.isRight, "seed \(seed): \(model.difference)")
            if !model.isRight { return }
        }
    }
}

/// The same with no thought of speed: each row is looked at each time.
private struct BooksModel {
    private var books = JournalBooks(Journal(), files: [])
    /// What the database holds.
    private var journal = Journal()
    private var live: [Int64: JournaledBatch] = [:]
    private var checkpoints: [Int64: FileCheckpoint] = [:]
    private var partitions: [Int32: JournaledPartition] = [:]
    private var current: [Int64] = []
    private var lastBatch: Int64 = 0
    private var lastFile: Int64 = 0

    mutating func step(using random: inout SeededGenerator) {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<6: close(using: &random)
        case 6..<11: settle(using: &random)
        case 11: drop(using: &random)
        case 12: renumber(using: &random)
        case 13..<16: move(using: &random)
        case 16: forget(using: &random)
        case 17: current.append(books.version(of: "p", path: "", text: "\(random.next() % 6)"))
        case 18: restart()
        case 19: find(using: &random)
        default: commit()
        }
    }

    mutating func commit() {
        journal.apply(books.takeChanges())
    }

    var isRight: Bool { difference.isEmpty }

    var difference: String {
        let rows = live.values.filter { !isSettledAndPassed($0) }.sorted { $0.id < $1.id }
        if journal.batches != rows { return "rows \(journal.batches.map(\.id)) \(rows.map(\.id))" }
        if books.count != rows.count { return "\(books.count) of \(rows.count) rows live" }
        if journal.partitions != partitions.values.sorted(by: { $0.partition < $1.partition }) {
            return "partitions \(journal.partitions) \(partitions)"
        }
        let named = Set(rows.flatMap(\.stretches).map(\.pipelineVersion))
        let missing = named.subtracting(journal.texts.map(\.version))
        return missing.isEmpty ? "" : "missing texts \(missing)"
    }

    private func isSettledAndPassed(_ batch: JournaledBatch) -> Bool {
        batch.isSettled
            && batch.stretches.allSatisfy { stretch in
                guard let file = checkpoints[stretch.file] else { return true }
                return stretch.generation < file.generation
                    || stretch.generation == file.generation
                        && stretch.through.offset < file.checkpoint.offset
            }
    }

    private mutating func close(using random: inout SeededGenerator) {
        if current.isEmpty { current = [books.version(of: "p", path: "", text: "0")] }
        if checkpoints.count < 4 {
            lastFile += 1
            checkpoints[lastFile] = file(lastFile)
        }
        lastBatch += 1
        var batch = row(lastBatch, [])
        batch.partition = Int32.random(in: 0..<3, using: &random)
        batch.topicID = [UInt8.random(in: 0..<2, using: &random)]
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            guard let file = checkpoints.values.randomElement(using: &random) else { continue }
            let ahead = Int64.random(in: -5..<200, using: &random)
            let end = max(0, file.checkpoint.offset + ahead)
            var stretch = row(0, [(Bool.random(using: &random) ? file.id : 0, end)]).stretches[0]
            stretch.generation = file.generation
            stretch.pipelineVersion = current.randomElement(using: &random) ?? 0
            batch.stretches.append(stretch)
        }
        live[batch.id] = batch
        books.closed([batch])
        noteIdentity(of: batch)
    }

    private mutating func noteIdentity(of batch: JournaledBatch) {
        let known = partitions[batch.partition]
        let isSameTopic = known?.topicID == batch.topicID
        if isSameTopic, known?.epoch == batch.epoch { return }
        partitions[batch.partition] = JournaledPartition(
            topic: batch.topic,
            topicID: batch.topicID,
            partition: batch.partition,
            producerID: batch.producerID,
            epoch: batch.epoch,
            ackedOffset: isSameTopic ? known?.ackedOffset ?? -1 : -1,
            ackedAt: isSameTopic ? known?.ackedAt ?? 0 : 0
        )
    }

    /// A batch is in the log that was lost, and it turns out later where it ends.
    private mutating func find(using random: inout SeededGenerator) {
        let counted = live.values.filter { $0.stretches.contains(where: \.isCounted) }
        if let batch = counted.sorted(by: { $0.id < $1.id }).first {
            var batch = batch
            let offset = checkpoints[batch.stretches[0].file]?.checkpoint.offset ?? 0
            batch.stretches[0].routing = .sticky
            batch.stretches[0].through.offset = offset + Int64.random(in: -5..<200, using: &random)
            live[batch.id] = batch
            return books.completed(batch)
        }
        guard let id = checkpoints.keys.sorted().randomElement(using: &random) else { return }
        lastBatch += 1
        if current.isEmpty { current = [books.version(of: "p", path: "", text: "0")] }
        var batch = row(lastBatch, version: current[0], [(id, 0)])
        batch.state = .settled(baseOffset: 0)
        batch.stretches[0].generation = checkpoints[id]?.generation ?? 0
        batch.stretches[0].routing = .counted(partitionCount: 1, keyless: 0)
        batch.stretches[0].through = Stretch.unknownEnd
        live[batch.id] = batch
        books.found(batch, at: batch.id)
        noteIdentity(of: batch)
        partitions[0]?.ackedSequence = batch.lastSequence
        partitions[0]?.ackedOffset = Int64(batch.recordCount) - 1
        partitions[0]?.ackedAt = batch.id
    }

    private mutating func settle(using random: inout SeededGenerator) {
        guard let id = inFlight(using: &random), var batch = live[id] else { return }
        let offset = Int64.random(in: -1..<1_000, using: &random)
        batch.state = .settled(baseOffset: offset)
        live[id] = batch
        books.settled(id, baseOffset: offset, at: id)
        let known = partitions[batch.partition]
        let unknown = known?.topicID == batch.topicID ? known?.ackedOffset ?? -1 : -1
        partitions[batch.partition] = JournaledPartition(
            topic: batch.topic,
            topicID: batch.topicID,
            partition: batch.partition,
            producerID: batch.producerID,
            epoch: batch.epoch,
            ackedSequence: batch.lastSequence,
            ackedOffset: offset < 0 ? unknown : offset + Int64(batch.recordCount) - 1,
            ackedAt: id
        )
    }

    private mutating func drop(using random: inout SeededGenerator) {
        guard let id = inFlight(using: &random) else { return }
        live[id] = nil
        books.dropped(id)
    }

    private mutating func renumber(using random: inout SeededGenerator) {
        guard let id = inFlight(using: &random), var batch = live[id] else { return }
        batch.baseSequence += 100
        batch.epoch += 1
        live[id] = batch
        books.closed([batch])
        noteIdentity(of: batch)
    }

    private mutating func move(using random: inout SeededGenerator) {
        guard let id = checkpoints.keys.sorted().randomElement(using: &random) else { return }
        checkpoints[id]?.checkpoint.offset += Int64.random(in: 0..<200, using: &random)
        if Int.random(in: 0..<10, using: &random) == 0 {
            checkpoints[id]?.generation += 1
            checkpoints[id]?.checkpoint.offset = 0
        }
        guard let file = checkpoints[id] else { return }
        books.reached(file: id, generation: file.generation, offset: file.checkpoint.offset)
    }

    private mutating func forget(using random: inout SeededGenerator) {
        guard let id = checkpoints.keys.sorted().randomElement(using: &random) else { return }
        checkpoints[id] = nil
        books.forgotten([id])
    }

    /// What was not committed is gone.
    private mutating func restart() {
        live = Dictionary(uniqueKeysWithValues: journal.batches.map { ($0.id, $0) })
        partitions = Dictionary(
            uniqueKeysWithValues: journal.partitions.map { ($0.partition, $0) }
        )
        current = []
        books = JournalBooks(journal, files: Array(checkpoints.values))
    }

    private func inFlight(using random: inout SeededGenerator) -> Int64? {
        live.values.filter { !$0.isSettled }.map(\.id).sorted().randomElement(using: &random)
    }
}

extension Journal {
    fileprivate mutating func apply(_ changes: JournalChanges) {
        session = changes.session ?? session
        texts.removeAll { text in changes.texts.contains { $0.version == text.version } }
        texts += changes.texts
        for id in changes.removed + changes.closed.map(\.id) { batches.removeAll { $0.id == id } }
        batches = (batches + changes.closed).sorted { $0.id < $1.id }
        for settled in changes.settled {
            guard let index = batches.firstIndex(where: { $0.id == settled.id }) else { continue }
            batches[index].state = .settled(baseOffset: settled.baseOffset)
        }
        for partition in changes.partitions {
            partitions.removeAll { $0.partition == partition.partition }
            partitions.append(partition)
        }
        partitions.sort { $0.partition < $1.partition }
        texts.removeAll { changes.removedTexts.contains($0.version) }
    }
}

// MARK: - Fixtures

/// A batch of three records that ends at lines of files.
private func row(_ id: Int64, version: Int64 = 0, _ ends: [(file: Int64, offset: Int64)])
    -> JournaledBatch
{
    var batch = JournaledBatch(
        id: id,
        topic: "lines",
        partition: 0,
        producerID: 1,
        epoch: 0,
        baseSequence: Int32(truncatingIfNeeded: id),
        recordCount: 3
    )
    batch.stretches = ends.map { end in
        Stretch(
            file: end.file,
            generation: 0,
            pipelineVersion: version,
            routing: .sticky,
            from: RecordPlace(offset: 0),
            through: RecordPlace(offset: end.offset, send: 1),
            count: 3
        )
    }
    return batch
}

private func file(_ id: Int64) -> FileCheckpoint {
    var file = FileCheckpoint(pipeline: "web", path: "/\(id)", device: 1, inode: 2)
    file.id = id
    return file
}
