import Testing

@testable import Checkpointing

/// Files are read, records batched, batches delivered, refused and given up, processes killed, all
/// by chance; each time a file is read on, its coverage must know of each record what became of it.
struct FileCoverageHistoryTests {
    @Test func `each record is delivered, owed or new, as it is, over any number of crashes`() {
        let seed = testSeed(for: "FileCoverageHistoryTests")
        var random = SeededGenerator(seed: seed)
        var met = (delivered: 0, owed: 0, new: 0)
        for run in 0..<60 {
            var history = History(using: &random)
            for life in 0..<6 {
                history.live(using: &random)
                #expect(history.complaints == [], "seed \(seed), run \(run), life \(life)")
                if !history.complaints.isEmpty { return }
            }
            met.delivered += history.met.delivered
            met.owed += history.met.owed
            met.new += history.met.new
        }
        #expect(min(met.delivered, met.owed, met.new) > 50, "seed \(seed): \(met)")
    }

    @Test func `a record more or less in a whole stretch is always noticed`() {
        let seed = testSeed(for: "FileCoverageHistoryTests")
        var random = SeededGenerator(seed: seed)
        var tried = 0
        for _ in 0..<60 {
            var history = History(using: &random)
            history.live(using: &random)
            guard let noticed = history.isNoticed(using: &random) else { continue }
            tried += 1
            #expect(noticed, "seed \(seed)")
        }
        #expect(tried > 10, "seed \(seed)")
    }

    @Test func `batches that the journal has lost are known by first places and counts`() {
        let seed = testSeed(for: "FileCoverageHistoryTests")
        var random = SeededGenerator(seed: seed)
        var found = 0
        for run in 0..<60 {
            var history = History(using: &random)
            for life in 0..<4 {
                history.live(using: &random)
                found += history.loseJournal(using: &random)
                #expect(history.complaints == [], "seed \(seed), run \(run), life \(life)")
                if !history.complaints.isEmpty { return }
            }
        }
        #expect(found > 100, "seed \(seed)")
    }
}

/// One record that a pipeline makes of a line.
private struct Record: Hashable {
    var place: RecordPlace
    var topic: String
    /// Nil for one without key.
    var hash: Int32?
    /// Kafka refuses it whenever it comes.
    var isPoison = false
    var isAnswer = false

    func partition(of count: Int32) -> Int32? { hash.map { $0 % count } }
}

/// A batch, and the records that it really holds.
private struct SentBatch {
    var row: JournaledBatch
    var records: [Record]
}

private struct History {
    private(set) var complaints: [String] = []
    private(set) var met = (delivered: 0, owed: 0, new: 0)
    private let records: [Record]
    private let lineCount: Int64
    private var counts: [String: Int32] = ["a": 2, "b": 3, "dead": 1]
    private var checkpoint: Int64 = 0
    private var sent: [SentBatch] = []
    private var lastID: Int64 = 0

    // What dies with the process.
    private var open: [OpenBatch] = []
    private var stickyPartition: Int32 = 0
    private var stint: Int32 = 1
    private var read: Int64 = 0
    private var refused: Set<RecordPlace> = []

    private struct OpenBatch {
        var topic: String
        var partition: Int32
        var records: [Record] = []
        var stretches: [Stretch] = []
        /// How the last record found its partition: as a number of Kafka's module.
        var lastRouting: Int32?
    }

    init(using random: inout SeededGenerator) {
        lineCount = Int64.random(in: 5...120, using: &random)
        var records: [Record] = []
        for line in 0..<lineCount {
            for send in 0..<Int32.random(in: 0...3, using: &random) {
                let isKeyed = Int.random(in: 0..<3, using: &random) > 0
                records.append(
                    Record(
                        place: RecordPlace(offset: line * 10, send: send),
                        topic: Bool.random(using: &random) ? "a" : "b",
                        hash: isKeyed ? Int32.random(in: 0..<1_000, using: &random) : nil,
                        isPoison: Int.random(in: 0..<15, using: &random) == 0
                    )
                )
            }
        }
        self.records = records
    }

    /// From one start to the next crash.
    mutating func live(using random: inout SeededGenerator) {
        recover(using: &random)
        var coverage = makeCoverage()
        read = checkpoint
        let end = Int64.random(in: 0...lineCount, using: &random) * 10
        while read < end {
            for record in records where record.place.offset == read {
                ask(record, &coverage, using: &random)
            }
            read += 10
            let mismatches = coverage?.passed(RecordPlace(offset: read)) ?? []
            if !mismatches.isEmpty { complaints.append("\(mismatches)") }
            work(&coverage, using: &random)
        }
        for _ in 0..<5 { work(&coverage, using: &random) }
        open = []
        refused = []
    }

    /// Reads on by a pipeline that makes one record less or one more; nil if nothing covers it.
    mutating func isNoticed(using random: inout SeededGenerator) -> Bool? {
        guard var coverage = makeCoverage() else { return nil }
        let whole = sent.filter { batch in
            batch.row.stretches.contains {
                $0.from.offset >= checkpoint && $0.routing != .answer
            }
        }
        guard let batch = whole.randomElement(using: &random),
            let stretch = batch.row.stretches.first(where: {
                $0.from.offset >= checkpoint && $0.routing != .answer
            }),
            let victim = batch.records.filter({
                !$0.isAnswer && (stretch.from...stretch.through).contains($0.place)
            }).randomElement(using: &random)
        else { return nil }
        let copies = Bool.random(using: &random) ? 0 : 2
        for record in records where record.place.offset >= checkpoint {
            for _ in 0..<(record == victim ? copies : 1) { _ = coverage.verdict(of: record) }
        }
        return coverage.passed(coverage.end).contains { $0.batch == batch.row.id }
    }

    /// Reads once without sending after the newest rows were lost, and their batches found in the log;
    /// returns how many stretches these had.
    mutating func loseJournal(using random: inout SeededGenerator) -> Int {
        let kept = Int64.random(in: 0...lastID, using: &random)
        var lost: [Int64: [Stretch]] = [:]
        let rows = sent.map { batch -> JournaledBatch in
            let isBeyond = batch.row.stretches.allSatisfy { $0.from.offset >= checkpoint }
            guard batch.row.id > kept, isBeyond else { return batch.row }
            lost[batch.row.id] = batch.row.stretches
            var row = batch.row
            row.stretches = row.stretches.map { $0.counted(among: batch.records) }
            row.state = .settled(baseOffset: 0)
            return row
        }
        let coverage = FileCoverage(
            file: 1,
            generation: 0,
            checkpoint: Checkpoint(offset: checkpoint),
            batches: rows
        )
        guard !lost.isEmpty, var coverage else { return 0 }
        for line in 0..<lineCount {
            let records = records.filter { $0.place.offset == line * 10 }
            for record in records where line * 10 >= checkpoint {
                let holder = rows.first { row in
                    sent.contains { $0.row.id == row.id && $0.records.contains(record) }
                }
                let truth: FileCoverage.Verdict =
                    holder.map { $0.isSettled ? .delivered : .owed(batch: $0.id) } ?? .new
                let verdict = coverage.verdict(of: record)
                if verdict != truth { complaints.append("\(record) is \(truth), not \(verdict)") }
            }
            let mismatches = coverage.passed(RecordPlace(offset: (line + 1) * 10))
            if !mismatches.isEmpty { complaints.append("\(mismatches)") }
        }
        if coverage.isOpen { complaints.append("\(coverage) has no end") }
        for (batch, stretch, parts) in coverage.completed {
            guard let one = parts.first, parts.count == 1, lost[batch]?.contains(one) ?? false
            else {
                complaints.append("\(stretch) of \(batch) became \(parts)")
                continue
            }
        }
        return lost.values.reduce(0) { $0 + $1.count }
    }

    // MARK: - Reading

    private mutating func ask(
        _ record: Record,
        _ coverage: inout FileCoverage?,
        using random: inout SeededGenerator
    ) {
        let holder = sent.first { $0.records.contains(record) }?.row
        let truth: FileCoverage.Verdict =
            holder.map { $0.isSettled ? .delivered : .owed(batch: $0.id) } ?? .new
        let verdict = coverage?.verdict(of: record) ?? .new
        if verdict != truth { complaints.append("\(record) is \(truth), not \(verdict)") }
        switch verdict {
        case .new:
            met.new += 1
            return append(record, using: &random)
        case .delivered: met.delivered += 1
        case .owed: met.owed += 1
        }
        leaveOut(record)
    }

    private mutating func append(_ record: Record, using random: inout SeededGenerator) {
        if Int.random(in: 0..<12, using: &random) == 0 { leaveSticky(using: &random) }
        let count = counts[record.topic, default: 1]
        let partition = record.partition(of: count) ?? stickyPartition % count
        let routing = record.isAnswer ? 0 : record.hash == nil ? -stint : count
        let index = openBatch(record.topic, partition)
        let isSame = open[index].lastRouting == routing && routing != 0
        open[index].lastRouting = routing
        open[index].records.append(record)
        if isSame {
            let last = open[index].stretches.count - 1
            open[index].stretches[last].through = record.place
            open[index].stretches[last].count += 1
        } else {
            open[index].stretches.append(Self.stretch(record, routing))
        }
    }

    /// The next record of the partition begins another stretch.
    private mutating func leaveOut(_ record: Record) {
        guard let partition = record.partition(of: counts[record.topic, default: 1]) else {
            stint += 1
            return
        }
        for index in open.indices
        where open[index].topic == record.topic && open[index].partition == partition {
            open[index].lastRouting = nil
        }
    }

    private mutating func leaveSticky(using random: inout SeededGenerator) {
        stickyPartition = Int32.random(in: 0..<6, using: &random)
        stint += 1
    }

    private mutating func openBatch(_ topic: String, _ partition: Int32) -> Int {
        let known = open.firstIndex { $0.topic == topic && $0.partition == partition }
        if let known { return known }
        open.append(OpenBatch(topic: topic, partition: partition))
        return open.count - 1
    }

    private static func stretch(_ record: Record, _ routing: Int32) -> Stretch {
        Stretch(
            file: 1,
            generation: 0,
            pipelineVersion: 1,
            routing: routing > 0 ? .partitionCount(routing) : routing < 0 ? .sticky : .answer,
            from: record.place,
            through: record.place,
            count: 1
        )
    }

    // MARK: - Sending

    private mutating func work(
        _ coverage: inout FileCoverage?,
        using random: inout SeededGenerator
    ) {
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<3: close(using: &random)
        case 3..<7: answer(&coverage, using: &random)
        case 7: raise(using: &random)
        case 8..<10: moveCheckpoint()
        default: break
        }
    }

    private mutating func close(using random: inout SeededGenerator) {
        guard let index = open.indices.randomElement(using: &random) else { return }
        let batch = open.remove(at: index)
        journal(batch.topic, batch.partition, batch.records, batch.stretches)
    }

    private mutating func journal(
        _ topic: String,
        _ partition: Int32,
        _ records: [Record],
        _ stretches: [Stretch]
    ) {
        lastID += 1
        var row = JournaledBatch(
            id: lastID,
            topic: topic,
            partition: partition,
            producerID: 1,
            epoch: 0,
            baseSequence: 0,
            recordCount: Int32(records.count)
        )
        row.stretches = stretches
        sent.append(SentBatch(row: row, records: records))
    }

    /// Kafka takes a batch, or refuses it for one of its records.
    private mutating func answer(
        _ coverage: inout FileCoverage?,
        using random: inout SeededGenerator
    ) {
        let waiting = sent.indices.filter { !sent[$0].row.isSettled }
        guard let index = waiting.randomElement(using: &random) else { return }
        let batch = sent[index]
        guard let poison = batch.records.first(where: \.isPoison) else {
            sent[index].row.state = .settled(baseOffset: 0)
            coverage?.settle(batch: batch.row.id)
            return
        }
        // The records of a batch from before the crash are not all made again yet.
        if batch.row.stretches.contains(where: { $0.through.offset >= read }) { return }
        sent.remove(at: index)
        resend(batch, without: poison)
        coverage?.forget(batch: batch.row.id)
        refused.insert(poison.place)
        var letter = poison
        letter.topic = "dead"
        letter.isPoison = false
        letter.isAnswer = true
        ask(letter, &coverage, using: &random)
    }

    /// Stretches end where the refused record was.
    private mutating func resend(_ batch: SentBatch, without refused: Record) {
        var stretches: [Stretch] = []
        for stretch in batch.row.stretches {
            let inside = batch.records.filter {
                (stretch.from...stretch.through).contains($0.place)
                    && stretch.routing.fits($0, batch.row.partition)
            }
            let parts = inside.split { $0 == refused }
            for part in parts {
                guard let first = part.first, let last = part.last else { continue }
                var piece = stretch
                (piece.from, piece.through) = (first.place, last.place)
                piece.count = Int32(part.count)
                stretches.append(piece)
            }
        }
        let rest = batch.records.filter { $0 != refused }
        if rest.isEmpty { return }
        journal(batch.row.topic, batch.row.partition, rest, stretches)
    }

    private mutating func raise(using random: inout SeededGenerator) {
        guard Int.random(in: 0..<10, using: &random) == 0 else { return }
        counts[Bool.random(using: &random) ? "a" : "b", default: 1] += 1
    }

    /// Past the lines of which each record is in the log, or was refused and its dead letter is.
    private mutating func moveCheckpoint() {
        let delivered = sent.filter(\.row.isSettled).flatMap(\.records)
        let places = Set(delivered.map(\.place))
        while checkpoint < read,
            records.allSatisfy({ record in
                record.place.offset != checkpoint
                    || places.contains(record.place)
                        && (!record.isPoison || refused.contains(record.place))
            })
        {
            checkpoint += 10
        }
        let reached = checkpoint
        sent.removeAll { batch in
            batch.row.isSettled && batch.row.stretches.allSatisfy { $0.through.offset < reached }
        }
    }

    // MARK: - Starting

    private func makeCoverage() -> FileCoverage? {
        FileCoverage(
            file: 1,
            generation: 0,
            checkpoint: Checkpoint(offset: checkpoint),
            batches: sent.map(\.row).reversed()
        )
    }

    /// Of what was in flight some is found in the log, and some is given up.
    private mutating func recover(using random: inout SeededGenerator) {
        for index in sent.indices.reversed() where !sent[index].row.isSettled {
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where !sent[index].records.contains(where: \.isPoison):
                sent[index].row.state = .settled(baseOffset: 0)
            case 1: sent.remove(at: index)
            default: break
            }
        }
    }
}

extension Stretch.Routing {
    fileprivate func fits(_ record: Record, _ partition: Int32) -> Bool {
        switch self {
        case .answer: record.isAnswer
        case .sticky: !record.isAnswer && record.hash == nil
        case .partitionCount(let count):
            !record.isAnswer && record.partition(of: count) == partition
        case .counted: false
        }
    }
}

extension Stretch {
    /// As its batch in the log tells of it.
    fileprivate func counted(among records: [Record]) -> Stretch {
        let first = records.first { $0.place == self.from }
        var counted = self
        var partitionCount: Int32 = 1
        if case .partitionCount(let count) = self.routing { partitionCount = count }
        counted.routing = .counted(
            partitionCount: partitionCount,
            keyless: first?.hash == nil ? self.count : 0
        )
        counted.through = Self.unknownEnd
        return counted
    }
}

extension FileCoverage {
    fileprivate mutating func verdict(of record: Record) -> Verdict {
        verdict(topic: record.topic, place: record.place, isAnswer: record.isAnswer) {
            record.partition(of: $0)
        }
    }
}
