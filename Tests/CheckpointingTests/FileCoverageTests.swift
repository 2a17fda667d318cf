import Testing

@testable import Checkpointing

struct FileCoverageTests {
    @Test func `a place is one number and comes back from it`() {
        let last = RecordPlace(
            offset: RecordPlace.offsetLimit - 1,
            send: RecordPlace.sendLimit - 1
        )
        #expect(last.position == .max)
        #expect(RecordPlace(position: .max) == last)
        #expect(RecordPlace(position: 81920 << 12 | 3) == RecordPlace(offset: 81920, send: 3))
        #expect(RecordPlace(offset: 1) > RecordPlace(offset: 0, send: 4095))
        #expect("\(RecordPlace(offset: 81920, send: 3))" == "81920+3")
    }

    @Test func `nothing is covered when all batches lie before the checkpoint`() {
        let behind = batch(1, [ordered(2, 0...90)])
        #expect(reading(from: 91, [behind]) == nil)
        #expect(reading(from: 0, []) == nil)
        var other = ordered(2, 100...200)
        other.file = 8
        var rewritten = ordered(2, 100...200)
        rewritten.generation = 1
        #expect(reading(from: 91, [batch(1, [other, rewritten])]) == nil)
    }

    @Test func `a keyed record is covered by where it went when the topic had so many partitions`()
        throws
    {
        var coverage = try #require(
            reading(
                from: 0,
                [
                    settled(1, partition: 1, [ordered(3, 0...200)]),
                    batch(2, partition: 4, [ordered(6, 300...400)]),
                ]
            )
        )
        #expect(coverage.keyed(4, at: 100) == .delivered)
        #expect(coverage.keyed(5, at: 110) == .new)
        #expect(coverage.keyed(4, at: 201) == .new)
        #expect(coverage.keyed(10, at: 300) == .owed(batch: 2))
        #expect(coverage.keyed(9, at: 310) == .new)
        #expect(coverage.keyed(4, at: 400) == .owed(batch: 2))
        #expect(coverage.keyed(4, at: 401) == .new)
    }

    @Test func `records without key are covered by the stretches of lines that a batch was given`()
        throws
    {
        var coverage = try #require(
            reading(
                from: 0,
                [
                    settled(1, partition: 0, [sticky(0...100), sticky(300...400)]),
                    batch(2, partition: 1, [sticky(110...290)]),
                ]
            )
        )
        #expect(coverage.keyless(at: 100) == .delivered)
        #expect(coverage.keyless(at: 105) == .new)
        #expect(coverage.keyless(at: 200) == .owed(batch: 2))
        #expect(coverage.keyed(0, at: 250) == .new)
        #expect(coverage.keyless(at: 350) == .delivered)
    }

    @Test func `it is known how far records without a key are in each partition`() throws {
        let coverage = try #require(
            reading(
                from: 0,
                [
                    settled(1, partition: 2, [sticky(100...200)]),
                    settled(2, partition: 1, [sticky(210...230), ordered(4, 0...900)]),
                    settled(3, partition: 2, [sticky(240...300)]),
                ]
            )
        )
        let last = coverage.lastKeyless(of: "lines")
        #expect(last == [1: RecordPlace(offset: 230), 2: RecordPlace(offset: 300)])
        #expect(coverage.lastKeyless(of: "other") == [:])
    }

    @Test func `topics do not cover each other, and each send of a line counts for itself`() throws
    {
        var coverage = try #require(
            reading(
                from: 0,
                [
                    settled(
                        1,
                        [
                            Stretch(ordered(1, 0...0), from: (0, 0), through: (0, 1), count: 2)
                        ]
                    )
                ]
            )
        )
        #expect(coverage.keyed(0, at: 0, send: 0, topic: "other") == .new)
        #expect(coverage.keyed(0, at: 0, send: 0) == .delivered)
        #expect(coverage.keyed(0, at: 0, send: 1) == .delivered)
        #expect(coverage.keyed(0, at: 0, send: 2) == .new)
        #expect(coverage.end == RecordPlace(offset: 0, send: 2))
    }

    @Test func `what Kafka refused lies in a hole, and its dead letter is matched by its place`()
        throws
    {
        var letter = batch(3, [answer(20)])
        letter.topic = "dead"
        var coverage = try #require(
            reading(
                from: 0,
                [batch(2, [ordered(1, 0...10, count: 1), ordered(1, 30...40, count: 1)]), letter]
            )
        )
        #expect(coverage.keyed(0, at: 10) == .owed(batch: 2))
        #expect(coverage.keyed(0, at: 20) == .new)
        #expect(coverage.keyed(0, at: 30) == .owed(batch: 2))
        #expect(coverage.keyed(0, at: 50) == .new)
        #expect(coverage.passed(RecordPlace(offset: 1000)) == [])
        #expect(coverage.keyless(at: 20, topic: "dead") == .new)
        #expect(coverage.answer(at: 20, topic: "dead") == .owed(batch: 3))
        #expect(coverage.answer(at: 30, topic: "dead") == .new)
    }

    @Test func `a dead letter may have a row before what is left of its batch has one`() throws {
        var letter = settled(3, [answer(20)])
        letter.topic = "dead"
        var coverage = try #require(
            reading(
                from: 0,
                [
                    settled(1, [ordered(1, 0...10, count: 2)]),
                    batch(2, [ordered(1, 20...40, count: 3)]), letter,
                ]
            )
        )
        #expect(coverage.keyed(0, at: 0) == .delivered)
        #expect(coverage.keyed(0, at: 10) == .delivered)
        #expect(coverage.hasAnswer(at: RecordPlace(offset: 20)))
        coverage.answered(topic: "lines", place: RecordPlace(offset: 20)) { _ in 0 }
        // What is delivered was not refused, and is counted as it comes.
        coverage.answered(topic: "lines", place: RecordPlace(offset: 10)) { _ in 0 }
        #expect(coverage.keyed(0, at: 30) == .owed(batch: 2))
        #expect(coverage.keyed(0, at: 40) == .owed(batch: 2))
        #expect(coverage.passed(RecordPlace(offset: 1000)) == [])
    }

    @Test func `a batch that is resolved while its file is read covers accordingly`() throws {
        var coverage = try #require(
            reading(from: 0, [batch(1, [ordered(1, 0...90)]), batch(2, [ordered(1, 100...190)])])
        )
        #expect(coverage.keyed(0, at: 0) == .owed(batch: 1))
        coverage.settle(batch: 1)
        coverage.forget(batch: 2)
        coverage.forget(batch: 99)
        #expect(coverage.keyed(0, at: 10) == .delivered)
        #expect(coverage.keyed(0, at: 100) == .new)
        #expect(coverage.passed(RecordPlace(offset: 1000)).map(\.batch) == [1])
    }

    @Test func `fewer or more records than a stretch had are told when it was read past`() throws {
        var coverage = try #require(
            reading(
                from: 0,
                [
                    settled(1, [ordered(1, 0...20, count: 3)]),
                    settled(2, [ordered(1, 30...50, count: 3)]),
                    settled(3, [ordered(1, 60...80, count: 3)]),
                ]
            )
        )
        for offset in [0, 10, 20, 30, 50, 60, 65, 70, 80] as [Int64] {
            #expect(coverage.keyed(0, at: offset) == .delivered)
        }
        #expect(coverage.passed(RecordPlace(offset: 50)) == [])
        let mismatches = coverage.passed(RecordPlace(offset: 81))
        #expect(mismatches.map(\.batch) == [2, 3])
        #expect(mismatches.map(\.found) == [2, 4])
        #expect(mismatches.map(\.stretch.count) == [3, 3])
        #expect(coverage.passed(RecordPlace(offset: 1000)) == [])
    }

    @Test func `of a stretch that begins before the checkpoint only too many records are noticed`()
        throws
    {
        for (count, isNoticed) in [(3, false), (2, false), (1, true)] as [(Int32, Bool)] {
            var coverage = try #require(
                reading(from: 100, [settled(1, [ordered(1, 0...120, count: count)])])
            )
            #expect(coverage.keyed(0, at: 110) == .delivered)
            #expect(coverage.keyed(0, at: 120) == .delivered)
            #expect(coverage.passed(RecordPlace(offset: 121)).isEmpty == !isNoticed)
        }
    }

    @Test func `what an older batch holds was passed over when a younger one was filled around it`()
        throws
    {
        var coverage = try #require(
            reading(
                from: 0,
                [
                    batch(5, [ordered(1, 0...90, count: 3)]),
                    settled(1, [ordered(1, 20...30, count: 2)]),
                    settled(2, [ordered(1, 40...40, count: 1)]),
                ]
            )
        )
        let verdicts = [0, 20, 30, 40, 50, 90].map { coverage.keyed(0, at: $0) }
        let owed = FileCoverage.Verdict.owed(batch: 5)
        #expect(verdicts == [owed, .delivered, .delivered, .delivered, owed, owed])
        #expect(coverage.passed(RecordPlace(offset: 91)) == [])
    }

    @Test func `an older batch holds a record also if the topic had fewer partitions then`() throws
    {
        var coverage = try #require(
            reading(
                from: 0,
                [
                    settled(1, partition: 1, [ordered(3, 20...30, count: 1)]),
                    batch(2, partition: 4, [ordered(6, 10...40, count: 2)]),
                ]
            )
        )
        #expect(coverage.keyed(4, at: 10) == .owed(batch: 2))
        #expect(coverage.keyed(4, at: 20) == .delivered)
        #expect(coverage.keyed(4, at: 40) == .owed(batch: 2))
        #expect(coverage.passed(RecordPlace(offset: 41)) == [])
    }

    @Test func `each line is processed by the text that made the batches there`() throws {
        var later = ordered(1, 200...300)
        later.pipelineVersion = 2
        var sent = Stretch(ordered(1, 0...0), from: (10, 0), through: (100, 1), count: 9)
        sent.pipelineVersion = 1
        let coverage = try #require(
            reading(from: 0, [batch(1, [sent]), batch(2, [later]), batch(3, [sent])])
        )
        #expect(coverage.zones.map(\.pipelineVersion) == [1, 2])
        #expect(coverage.zones.map(\.through.offset) == [100, 300])
        #expect(coverage.zones[0].through >= RecordPlace(offset: 100, send: 7))
        #expect(coverage.pipelineVersion(at: 0) == 1)
        #expect(coverage.pipelineVersion(at: 100) == 1)
        #expect(coverage.pipelineVersion(at: 101) == 2)
        #expect(coverage.pipelineVersion(at: 301) == nil)
        #expect(coverage.end == RecordPlace(offset: 300, send: 1))
    }
}

// MARK: - Fixtures

private func reading(from offset: Int64, _ batches: [JournaledBatch]) -> FileCoverage? {
    FileCoverage(
        file: 7,
        generation: 0,
        checkpoint: Checkpoint(offset: offset),
        batches: batches
    )
}

private func batch(_ id: Int64, partition: Int32 = 0, _ stretches: [Stretch]) -> JournaledBatch {
    var batch = JournaledBatch(
        id: id,
        topic: "lines",
        partition: partition,
        producerID: 1,
        epoch: 0,
        baseSequence: 0,
        recordCount: stretches.reduce(0) { $0 + $1.count }
    )
    batch.stretches = stretches
    return batch
}

private func settled(_ id: Int64, partition: Int32 = 0, _ stretches: [Stretch]) -> JournaledBatch {
    var batch = batch(id, partition: partition, stretches)
    batch.state = .settled(baseOffset: 0)
    return batch
}

private func ordered(_ count: Int32, _ lines: ClosedRange<Int64>, count records: Int32 = 10)
    -> Stretch
{
    stretch(.partitionCount(count), lines, count: records)
}

private func sticky(_ lines: ClosedRange<Int64>) -> Stretch {
    stretch(.sticky, lines, count: 10)
}

private func answer(_ line: Int64) -> Stretch {
    stretch(.answer, line...line, count: 1)
}

private func stretch(_ routing: Stretch.Routing, _ lines: ClosedRange<Int64>, count: Int32)
    -> Stretch
{
    Stretch(
        file: 7,
        generation: 0,
        pipelineVersion: 1,
        routing: routing,
        from: RecordPlace(offset: lines.lowerBound),
        through: RecordPlace(offset: lines.upperBound),
        count: count
    )
}

extension Stretch {
    fileprivate init(
        _ stretch: Stretch,
        from: (Int64, Int32),
        through: (Int64, Int32),
        count: Int32
    ) {
        self = stretch
        self.from = RecordPlace(offset: from.0, send: from.1)
        self.through = RecordPlace(offset: through.0, send: through.1)
        self.count = count
    }
}

extension FileCoverage {
    fileprivate mutating func keyed(
        _ hash: Int32,
        at offset: Int64,
        send: Int32 = 0,
        topic: String = "lines"
    ) -> Verdict {
        let place = RecordPlace(offset: offset, send: send)
        return verdict(topic: topic, place: place, isAnswer: false) { hash % $0 }
    }

    fileprivate mutating func keyless(at offset: Int64, topic: String = "lines") -> Verdict {
        verdict(topic: topic, place: RecordPlace(offset: offset), isAnswer: false) { _ in nil }
    }

    fileprivate mutating func answer(at offset: Int64, topic: String) -> Verdict {
        verdict(topic: topic, place: RecordPlace(offset: offset), isAnswer: true) { _ in nil }
    }
}
