import Kafka
import KafkaProtocol
import NIOCore
import Testing

@testable import Shipping

/// A record of a batch: what its header says, if it has one, and its key.
struct MarkedRecord {
    var mark: String?
    var key: String?
    /// The `dlq.kind` of a dead letter.
    var kind: String?

    init(_ mark: String? = nil, key: String? = "k", kind: String? = nil) {
        self.mark = mark
        self.key = key
        self.kind = kind
    }

    var headers: [(name: String, value: String)] {
        let kind = self.kind.map { ("dlq.kind", $0) }
        let mark = self.mark.map { (PositionMark.headerName, $0) }
        return [kind, mark].compactMap(\.self)
    }
}

/// A batch as it comes out of a log.
func makeMarkedBatch(
    _ records: [MarkedRecord],
    at offset: Int64 = 0,
    producerID: Int64 = 7,
    epoch: Int16 = 0,
    sequence: Int32 = 0,
    isTransactional: Bool = false
) throws -> RecordBatch {
    var builder = RecordBatchBuilder(buffer: ByteBuffer())
    var texts: [UnsafeMutableRawBufferPointer] = []
    defer { for text in texts { text.deallocate() } }
    func bytes(_ text: String) -> UnsafeRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(
            byteCount: text.utf8.count,
            alignment: 1
        )
        copy.copyBytes(from: text.utf8)
        texts.append(copy)
        return UnsafeRawBufferPointer(copy)
    }
    for record in records {
        let headers = record.headers.map {
            RecordHeaderSpan(name: bytes($0.name), value: bytes($0.value))
        }
        headers.withUnsafeBufferPointer { headers in
            _ = builder.append(
                key: record.key.map(bytes),
                value: nil,
                headers: headers,
                timestamp: 1
            )
        }
    }
    var sealed = try builder.seal()
    sealed.assign(
        producerID: producerID,
        epoch: epoch,
        baseSequence: sequence,
        isTransactional: isTransactional
    )
    var bytes = sealed.buffer
    var batch = try #require(try RecordBatch(from: &bytes))
    batch.place(atOffset: offset, leaderEpoch: 0)
    return batch
}

private let first = TopicPartition(topic: "t", partition: 0)
private let second = TopicPartition(topic: "t", partition: 1)
private let stream = FileStream(owner: 0xA, file: 3, generation: 0)

private func mark(_ offset: Int64, send: Int64 = 0, file: Int64 = 3) -> String {
    "000000000000000a/\(file)/0/\(offset)+\(send)"
}

struct PositionAuditTests {
    @Test func `a position header says owner, file, generation, offset and send`() {
        let mark = PositionMark("5f3a9c12e07b44d1/12/0/81920+3")
        #expect(mark?.stream.description == "5f3a9c12e07b44d1/12/0")
        #expect(mark?.position == LinePosition(offset: 81_920, send: 3))
        for text in [
            "", "12/0/1+0", "5f3a9c12e07b44d/12/0/1+0", "5f3a9c12e07b44d1/12/0/1",
            "5f3a9c12e07b44d1/12/0/-1+0", "5f3a9c12e07b44d1/12/0/1+4096",
            "5f3a9c12e07b44dz/12/0/1+0", "5f3a9c12e07b44d1/12/0/1+0+0",
        ] {
            #expect(PositionMark(text) == nil, "\(text)")
        }
    }

    @Test func `runs that go forward are in order, each file by itself`() throws {
        var audit = PositionAudit()
        try audit.read(
            makeMarkedBatch([.init(mark(0)), .init(), .init(mark(500, file: 4)), .init(mark(20))]),
            in: first
        )
        try audit.read(makeMarkedBatch([.init(mark(40))], at: 4, sequence: 4), in: first)
        #expect(audit.isClean)
        #expect(audit.records == 5)
        let runs = audit.runs(of: stream)["t"] ?? []
        #expect(runs.map(\.start.offset) == [0, 20, 40])
        #expect(runs.map(\.count) == [2, 1, 1])
        #expect(runs.map(\.offset) == [0, 3, 4])
    }

    @Test func `a run that is there twice is a repeat`() throws {
        var audit = PositionAudit()
        try audit.read(makeMarkedBatch([.init(mark(10)), .init()]), in: first)
        try audit.read(
            makeMarkedBatch([.init(mark(10)), .init()], at: 2, producerID: 8),
            in: first
        )
        #expect(audit.faultCounts == [.repeated: 1])
        #expect(
            audit.faults.map(\.text) == [
                "offset 2: 2 records from 10+0 on, which are at offset 0 already"
            ]
        )
    }

    @Test func `a run that begins before an earlier one is out of order`() throws {
        var audit = PositionAudit()
        try audit.read(makeMarkedBatch([.init(mark(30))]), in: first)
        try audit.read(makeMarkedBatch([.init(mark(20))], at: 1, sequence: 1), in: first)
        #expect(audit.faultCounts == [.disorder: 1])
        #expect(audit.faults.first?.stream == stream)
        #expect(audit.faults.first?.partition == first)
    }

    @Test func `a dead letter for what Kafka refused may come late`() throws {
        var audit = PositionAudit()
        try audit.read(
            makeMarkedBatch([.init(mark(30), kind: "parse"), .init(mark(10), kind: "kafka")]),
            in: first
        )
        try audit.read(makeMarkedBatch([.init(mark(20))], at: 2, sequence: 2), in: first)
        #expect(audit.faultCounts == [.disorder: 1])
        #expect(audit.faults.first?.text.hasPrefix("offset 2: ") ?? false)
    }

    @Test func `a run in two partitions of a topic is a repeat`() throws {
        var audit = PositionAudit()
        try audit.read(makeMarkedBatch([.init(mark(10), key: nil)]), in: first)
        try audit.read(makeMarkedBatch([.init(mark(10), key: nil)], at: 5), in: second)
        #expect(audit.isClean)
        audit.compareTopics()
        #expect(audit.faultCounts == [.repeated: 1])
        #expect(audit.faults.first?.partition == second)
    }

    @Test func `a hole in the sequences of a producer id is a gap`() throws {
        var audit = PositionAudit()
        try audit.read(makeMarkedBatch([.init(mark(0)), .init()]), in: first)
        try audit.read(makeMarkedBatch([.init(mark(20))], at: 2, sequence: 5), in: first)
        #expect(
            audit.faults.map(\.text) == [
                "offset 2: 3 records of producer id 7, epoch 0 are missing: sequences 2 to 4"
            ]
        )
        #expect(audit.faultCounts == [.gap: 1])
    }

    @Test func `another epoch, another producer and a wrapped sequence are no gap`() throws {
        var audit = PositionAudit()
        let last = Int32.max
        try audit.read(makeMarkedBatch([.init(mark(0)), .init()], sequence: last), in: first)
        try audit.read(makeMarkedBatch([.init(mark(20))], at: 2, sequence: 1), in: first)
        try audit.read(makeMarkedBatch([.init(mark(30))], at: 3, epoch: 1), in: first)
        try audit.read(makeMarkedBatch([.init()], at: 4, producerID: 99, sequence: 0), in: first)
        try audit.read(makeMarkedBatch([.init()], at: 5, producerID: 99, sequence: 9), in: first)
        #expect(audit.isClean)
        #expect(audit.unmarked == 2)
    }

    @Test func `what was aborted does not count as a record, but for the sequences`() throws {
        var audit = PositionAudit()
        try audit.read(makeMarkedBatch([.init(mark(0))]), in: first)
        try audit.read(
            makeMarkedBatch([.init(mark(10))], at: 1, sequence: 1),
            isAborted: true,
            in: first
        )
        try audit.read(makeMarkedBatch([.init(mark(10))], at: 2, sequence: 2), in: first)
        #expect(audit.isClean)
        #expect(audit.records == 2)
    }

    @Test func `what a broker leaves out of an aborted transaction is no gap`() throws {
        var audit = PositionAudit()
        func read(_ start: Int64, at offset: Int64, producerID: Int64 = 7, sequence: Int32) throws {
            let batch = try makeMarkedBatch(
                [.init(mark(start))],
                at: offset,
                producerID: producerID,
                sequence: sequence,
                isTransactional: true
            )
            try audit.read(batch, in: first)
        }
        try read(0, at: 100, sequence: 0)
        // In two pieces: between them somebody else's record.
        try read(10, at: 102, producerID: 8, sequence: 0)
        try read(20, at: 105, sequence: 4)
        #expect(audit.isClean)
        // Here one of the offsets is a marker's, and two sequences are missing.
        try read(30, at: 107, sequence: 7)
        #expect(audit.faultCounts == [.gap: 1])
        // What is left out without transactions was lost.
        try audit.read(makeMarkedBatch([.init(mark(40))], at: 108, producerID: 9), in: first)
        try audit.read(
            makeMarkedBatch([.init(mark(50))], at: 112, producerID: 9, sequence: 4),
            in: first
        )
        #expect(audit.faultCounts == [.gap: 2])
    }

    @Test func `faults beyond the hundredth are counted without their text`() throws {
        var audit = PositionAudit()
        for number in 0..<150 {
            try audit.read(
                makeMarkedBatch([.init(mark(10))], at: Int64(number), sequence: Int32(number)),
                in: first
            )
        }
        #expect(audit.faultCounts == [.repeated: 149])
        #expect(audit.faults.count == 100)
    }
}

struct FileAuditTests {
    private func run(
        _ offset: Int64,
        _ count: Int32,
        partition: Int32 = 0,
        keyless: Int32 = 0
    ) -> PositionAudit.Run {
        var run = PositionAudit.Run(
            start: LinePosition(offset: offset),
            partition: partition,
            offset: 0
        )
        run.keyed = count
        run.keyless = keyless
        return run
    }

    /// Lines of ten bytes, with keys that alternate between two partitions.
    private func findings(
        _ runs: [PositionAudit.Run],
        lines: Int = 6,
        cut: Set<TopicPartition> = [],
        end: Int64? = nil,
        hasKey: Bool = true
    ) -> FileAudit.Findings {
        var audit = FileAudit(
            runs: ["t": runs],
            cut: cut,
            end: LinePosition(offset: end ?? Int64(10 * lines))
        )
        for line in 0..<lines {
            audit.expect(
                FileAudit.Expected(
                    position: LinePosition(offset: Int64(10 * line)),
                    topic: "t",
                    hasKey: hasKey,
                    partition: hasKey ? Int32(line % 2) : nil
                )
            )
        }
        return audit.finish()["t"] ?? FileAudit.Findings()
    }

    @Test func `a file whose every record is in one run is whole`() {
        let found = findings([run(0, 2), run(10, 3, partition: 1), run(40, 1)])
        #expect(found == FileAudit.Findings(expected: 6))
    }

    @Test func `a record that no run reaches is missing`() {
        let found = findings([run(0, 1), run(10, 3, partition: 1), run(40, 1)])
        #expect(found.missing == 1)
        #expect(found.firstMissing == LinePosition(offset: 20))
        #expect(found.repeated == 0)
    }

    @Test func `a run that reaches into the next is a repeat of what both have`() {
        let found = findings([run(0, 3), run(10, 3, partition: 1), run(20, 2)])
        #expect(found.repeated == 2)
        #expect(found.firstRepeated == LinePosition(offset: 20))
        #expect(found.missing == 0)
    }

    @Test func `records without a key may be in any partition, one behind the other`() {
        let runs = [
            run(0, 0, partition: 4, keyless: 2), run(20, 0, partition: 1, keyless: 3),
            run(50, 0, partition: 4, keyless: 1),
        ]
        #expect(findings(runs, hasKey: false) == FileAudit.Findings(expected: 6))
        #expect(findings([runs[0], runs[2]], hasKey: false).missing == 3)
        let twice = [runs[0], runs[1], run(40, 0, partition: 0, keyless: 2), runs[2]]
        #expect(findings(twice, hasKey: false).repeated == 2)
    }

    @Test func `what is behind the checkpoint need not be there yet`() {
        let found = findings([run(0, 1), run(10, 1, partition: 1)], end: 20)
        #expect(found == FileAudit.Findings(expected: 2))
    }

    @Test func `a run that begins where the pipeline makes no record is not expected`() {
        let found = findings([run(0, 3), run(10, 3, partition: 1), run(25, 4)])
        #expect(found.unexpected == 4)
        #expect(found.firstUnexpected == LinePosition(offset: 25))
        #expect(found.missing == 0)
    }

    @Test func `what a partition has forgotten is not called missing`() {
        let found = findings(
            [run(10, 3, partition: 1), run(40, 1)],
            cut: [TopicPartition(topic: "t", partition: 0)]
        )
        #expect(found.tooOld == 2)
        #expect(found.missing == 0)
    }

    @Test func `a key that went elsewhere leaves single records open`() {
        let found = findings([run(0, 2, partition: 5), run(10, 3, partition: 1), run(40, 1)])
        #expect(found.isUnsettled)
    }

    @Test func `a record that Kafka refused is not missing where a dead letter stands for it`() {
        var answer = run(20, 1)
        answer.isAnswer = true
        var audit = FileAudit(
            runs: ["t": [run(0, 1), run(40, 1)], "dead": [answer]],
            cut: [],
            end: LinePosition(offset: 60)
        )
        for line in [0, 20, 40] {
            audit.expect(
                FileAudit.Expected(
                    position: LinePosition(offset: Int64(line)),
                    topic: "t",
                    hasKey: true,
                    partition: 0
                )
            )
        }
        let found = audit.finish()
        #expect(found["t"] == FileAudit.Findings(expected: 3))
        #expect(found["dead"]?.unexpected == 0)
    }

    @Test func `what is before the first record that is there may not have been read`() {
        func findings(mayBeginLate: Bool) -> FileAudit.Findings? {
            var audit = FileAudit(
                runs: ["t": [run(20, 1)], "u": [run(30, 1)]],
                cut: [],
                end: LinePosition(offset: 60),
                mayBeginLate: mayBeginLate
            )
            for line in [0, 10, 20, 40] {
                audit.expect(
                    FileAudit.Expected(
                        position: LinePosition(offset: Int64(line)),
                        topic: "t",
                        hasKey: true,
                        partition: 0
                    )
                )
            }
            return audit.finish()["t"]
        }
        #expect(findings(mayBeginLate: true)?.unread == 2)
        #expect(findings(mayBeginLate: true)?.missing == 1)
        #expect(findings(mayBeginLate: false)?.missing == 3)
    }

    @Test func `all is missing in a topic that has nothing of the file`() {
        #expect(findings([]).missing == 6)
    }
}

struct VerifyReportTests {
    private func report(_ file: (inout VerifyReport.File) -> Void) throws -> VerifyReport {
        var audit = PositionAudit()
        try audit.read(makeMarkedBatch([.init(mark(0)), .init()]), in: first)
        var report = VerifyReport(topics: ["t"], audit: audit)
        report.partitionCount = 1
        var entry = VerifyReport.File(stream: stream, path: "/logs/a.log", records: 2)
        file(&entry)
        report.files = [entry]
        return report
    }

    @Test func `a file that is whole is proven`() throws {
        let report = try report { $0.findings = ["t": FileAudit.Findings(expected: 2)] }
        #expect(report.status == .success)
        #expect(
            report.text
                == "no gap, no repeat, right order: 2 records of 1 files in 1 partitions of t\n"
        )
    }

    @Test func `without the file only the order is proven, and that is said`() throws {
        let report = try report { $0.notChecked = "gaps: it is gone" }
        #expect(report.status == .success)
        #expect(
            report.text == """
                not checked: /logs/a.log: gaps: it is gone
                right order, no run repeated: 2 records of 1 files in 1 partitions of t

                """
        )
    }

    @Test func `missing records are a fault, with the place of the first`() throws {
        let report = try report { file in
            var found = FileAudit.Findings(expected: 4)
            found.missing = 2
            found.firstMissing = LinePosition(offset: 30)
            file.findings = ["t": found]
        }
        #expect(report.status == .dataError)
        #expect(
            report.text == """
                /logs/a.log: missing in topic t: 2 records, the first at 30
                faults found: 2 records of 1 files in 1 partitions of t

                """
        )
    }

    @Test func `records without positions prove nothing`() throws {
        var audit = PositionAudit()
        try audit.read(makeMarkedBatch([.init()]), in: first)
        let report = VerifyReport(topics: ["t"], audit: audit)
        #expect(report.status == .dataError)
        #expect(report.text.hasSuffix("nothing proven: no record says where it comes from\n"))
    }
}
