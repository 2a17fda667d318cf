import Testing

@testable import Checkpointing

/// Stretches of which a batch in the log tells the first place and the number of records.
struct CountedStretchesTests {
    @Test func `a stretch ends where as many records of its partition were passed`() throws {
        var coverage = try coverage(1, counted(of: 3, from: 10, count: 2))
        #expect(coverage.isOpen)
        #expect(coverage.end > RecordPlace(offset: 1 << 40))
        #expect(coverage.keyed(1, at: 5) == .new)
        #expect(coverage.keyed(4, at: 10) == .delivered)
        #expect(coverage.keyed(5, at: 20) == .new)
        #expect(coverage.keyed(1, at: 30) == .delivered)
        #expect(!coverage.isOpen)
        #expect(coverage.keyed(1, at: 40) == .new)
        #expect(coverage.end == RecordPlace(offset: 30, send: 1))
        let parts = coverage.completed.flatMap(\.parts)
        #expect(parts.map(\.routing) == [.partitionCount(3)])
        #expect(parts.map(\.from.offset) == [10])
        #expect(parts.map(\.through.offset) == [30])
        #expect(coverage.passed(coverage.end) == [])
    }

    @Test func `records with and without key are counted apart, and become two stretches`() throws {
        var coverage = try coverage(0, counted(of: 2, from: 0, count: 4, keyless: 2))
        #expect(coverage.keyless(at: 0) == .delivered)
        #expect(coverage.keyed(2, at: 10) == .delivered)
        #expect(coverage.keyless(at: 20) == .delivered)
        // The partitioner is elsewhere by now.
        #expect(coverage.keyless(at: 30) == .new)
        #expect(coverage.keyed(0, at: 40) == .delivered)
        let parts = coverage.completed.flatMap(\.parts)
        #expect(parts.map(\.routing) == [.partitionCount(2), .sticky])
        #expect(parts.map(\.count) == [2, 2])
        #expect(parts.map(\.through.offset) == [40, 20])
    }

    @Test func `the first record tells how the others were placed`() throws {
        // A partition that was chosen for records without key:
        var chosen = try coverage(1, counted(of: 2, from: 0, count: 2, keyless: 2))
        #expect(chosen.keyed(1, at: 0) == .delivered)
        #expect(chosen.keyless(at: 10) == .new)
        #expect(chosen.keyed(1, at: 20) == .delivered)
        // And a partitioner that passes over keys:
        var ignored = try coverage(1, counted(of: 2, from: 0, count: 2))
        #expect(ignored.keyless(at: 0) == .delivered)
        #expect(ignored.keyed(1, at: 10) == .new)
        #expect(ignored.keyless(at: 20) == .delivered)
        #expect(!ignored.isOpen)
    }

    @Test func `one record whose place makes none for its topic is the answer to another`() throws {
        var coverage = try coverage(0, counted(of: 1, from: 10, count: 1))
        #expect(coverage.keyed(0, at: 0) == .new)
        #expect(coverage.keyed(0, at: 10, topic: "other") == .new)
        #expect(coverage.passed(RecordPlace(offset: 20)) == [])
        #expect(!coverage.isOpen)
        #expect(coverage.completed.flatMap(\.parts).map(\.routing) == [.answer])
        #expect(coverage.completed.flatMap(\.parts).map(\.through.offset) == [10])
    }

    @Test func `another record at the first place, and too few of them, are told`() throws {
        var other = try coverage(0, counted(of: 2, from: 10, count: 1))
        #expect(other.keyed(1, at: 10) == .new)
        #expect(other.passed(RecordPlace(offset: 20)).map(\.found) == [0])
        var short = try coverage(0, counted(of: 2, from: 10, count: 5))
        #expect(short.keyed(0, at: 10) == .delivered)
        #expect(short.passed(RecordPlace(offset: 1_000)) == [])
        #expect(short.passed(short.end).map(\.found) == [1])
    }

    @Test func `what was split since the journal's last commit is where its pieces are`() throws {
        var old = JournaledBatch(
            id: 1,
            topic: "t",
            partition: 0,
            producerID: 1,
            epoch: 0,
            baseSequence: 0,
            recordCount: 3
        )
        var whole = counted(of: 1, from: 0, count: 3)
        (whole.routing, whole.through) = (.partitionCount(1), RecordPlace(offset: 20))
        old.stretches = [whole]
        var coverage = try coverage(0, counted(of: 1, from: 0, count: 2), besides: [old])
        coverage.forget(batch: 1)
        #expect(coverage.keyed(0, at: 0) == .delivered)
        #expect(coverage.keyed(0, at: 10) == .delivered)
        #expect(coverage.keyed(0, at: 20) == .new)
    }

    @Test func `a counted stretch is written and read as it is`() {
        let stretch = counted(of: 12, from: 81920, count: 7, keyless: 3)
        #expect(Stretch.decode(Stretch.encode([stretch, stretch])) == [stretch, stretch])
    }

    // MARK: -

    private func counted(
        of count: Int32,
        from: Int64,
        count records: Int32,
        keyless: Int32 = 0
    ) -> Stretch {
        Stretch(
            file: 7,
            generation: 0,
            pipelineVersion: 1,
            routing: .counted(partitionCount: count, keyless: keyless),
            from: RecordPlace(offset: from),
            through: Stretch.unknownEnd,
            count: records
        )
    }

    private func coverage(
        _ partition: Int32,
        _ stretch: Stretch,
        besides others: [JournaledBatch] = []
    ) throws -> FileCoverage {
        var batch = JournaledBatch(
            id: 5,
            topic: "t",
            partition: partition,
            producerID: 1,
            epoch: 0,
            baseSequence: 0,
            recordCount: stretch.count
        )
        batch.stretches = [stretch]
        batch.state = .settled(baseOffset: 0)
        return try #require(
            FileCoverage(
                file: 7,
                generation: 0,
                checkpoint: Checkpoint(offset: 0),
                batches: others + [batch]
            )
        )
    }
}

extension FileCoverage {
    fileprivate mutating func keyed(
        _ hash: Int32,
        at offset: Int64,
        topic: String = "t"
    ) -> Verdict {
        verdict(topic: topic, place: RecordPlace(offset: offset), isAnswer: false) { hash % $0 }
    }

    fileprivate mutating func keyless(at offset: Int64) -> Verdict {
        verdict(topic: "t", place: RecordPlace(offset: offset), isAnswer: false) { _ in nil }
    }
}
