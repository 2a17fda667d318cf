import Checkpointing
import KafkaProtocol
import NIOCore
import Synchronization

@testable import Kafka
@testable import Shipping

/// Topics, and batches on their way to them.
///
/// What the producer does in between is done here in the plainest way: the batches of a partition
/// go one after another, journaled first if there is a journal, and after a crash it is known of
/// each batch whether the log has it.
///
/// One thread at a time uses it.
final class SimulatedKafka: SimulatedDownstream, @unchecked Sendable {
    private struct Waiting {
        let batch: ProducerBatch
        let listener: any DeliveryListener
        let records: [Record]
        var step = Step.queued

        func caught(isUnderWay: Bool) -> Caught {
            switch step {
            case .queued: .queued
            case .journaling: .journaling
            case .journaled: isUnderWay ? .underWay : .journaled
            case .appended: .appended
            }
        }
    }

    private enum Step {
        case queued
        case journaling
        case journaled
        /// The broker has it, so that only the answer is missing.
        case appended
    }

    enum Fate {
        case acknowledged
        /// For good.
        case refused
        /// The same, and a shorter record would be taken.
        case refusedForSize
        /// It is in the log, and nobody is told.
        case unanswered
        /// It never gets there.
        case lost
    }

    private enum Remade { case records([Record]), impossible }

    struct Partition: Hashable {
        let topic: String
        let number: Int32
    }

    /// Whose batches of a partition follow each other.
    private struct Numbering: Hashable {
        let partition: Partition
        let producerID: Int64
    }

    /// By which Kafka knows a batch.
    private struct Numbers: Hashable {
        let sequence: Numbering
        let first: Int32
    }

    /// A journaled batch in the log.
    private struct LoggedBatch {
        let numbers: Numbers
        let records: [Record]
    }

    /// A record in the log.
    struct Entry {
        let partition: Partition
        let record: Record
        let value: String
    }

    /// The records in the log, in the order in which they came there.
    private(set) var entries: [Entry] = []
    var records: [Record] { entries.map(\.record) }
    /// Their values.
    var log: [String] { entries.map(\.value) }
    /// What becomes of a record, and so of its batch.
    var fate: (Record) -> Fate = { _ in .acknowledged }
    /// Whether what is missing after a crash cannot be sent under its numbers any more.
    var givesUpNumbers = false
    /// Told what becomes of batches.
    var onEvent: (String) -> Void = { _ in }
    /// How many partitions topics have.
    var partitionCount: Int32 = 1
    /// Batches of the journal that are in the log, by their numbers.
    private var appendedNumbers: Set<Numbers> = []
    /// Each life has one of its own.
    private var producerID: Int64 = 0
    private var nextSequences: [Partition: Int32] = [:]
    private var batches: [LoggedBatch] = []
    /// What comes next in the log; a broker takes nothing else.
    private var expected: [Numbering: Int32] = [:]
    /// A batch that a broker would not have taken.
    private(set) var failure: String?

    private var waiting: [Waiting] = []
    private var metadataFor: [(String, any DeliveryListener)] = []
    private var listeners: [any DeliveryListener] = []
    var isPaused = false
    /// Numbers of partitions that have no leader.
    var leaderless: Set<Int32> = []
    /// How many batches a crash has caught at each step of their way.
    private(set) var caught: [Caught: Int] = [:]

    /// Where a batch was when the producer died, and what has become of it since.
    enum Caught: String, CaseIterable {
        case queued = "before they were numbered"
        case journaling = "before the journal's commit"
        case journaled = "after it and before the request"
        case underWay = "after the request, which arrived later"
        case appended = "after the append and before the answer"
        case known = "were found in the log"
        case sentAgain = "were sent again"
        case lost = "could not be made again"
    }

    // What a crash left open.
    private var journal: ((JournalMessage) -> Void)?
    private var rows: RowMaker?
    private var open: [JournaledBatch] = []
    private var setup: JournalSetup?
    private var recovering: [Partition] = []
    private var remade: [Int64: Remade] = [:]
    /// Where a batch's numbers were given up: those behind it would be out of sequence.
    private var givenUp: Set<Partition> = []

    var hasWork: Bool {
        guard !isPaused else { return false }
        return !metadataFor.isEmpty || !actors.isEmpty
    }

    /// Batches that wait for nothing but their acknowledgement's way back, or for less.
    var journaledCount: Int { waiting.count { $0.step == .journaled || $0.step == .appended } }

    /// Lines that were handed over and are not in the log.
    var linesOnTheirWay: [String] {
        waiting.filter { $0.step != .appended }.flatMap { Self.values($0.records) }
    }

    /// - Parameter journal: what an earlier life left; nil where nothing is journaled.
    /// - Parameter post: takes batches before they are sent.
    func connect(
        _ listeners: [any DeliveryListener],
        to journal: JournalSetup? = nil,
        rows: RowMaker? = nil,
        post: @escaping (JournalMessage) -> Void = { _ in }
    ) {
        self.listeners = listeners
        self.rows = rows
        self.journal = journal == nil ? nil : post
        setup = journal
        open = journal?.open ?? []
        for row in journal.map({ lostRows($0) }) ?? [] {
            open.append(row)
            post(.unsettled(row: row.id))
        }
        open.sort { $0.id < $1.id }
        recovering = (journal?.partitionsInDoubt ?? []).map { Partition($0) }
            .sorted { ($0.topic, $0.number) < ($1.topic, $1.number) }
        remade = [:]
        producerID += 1
        nextSequences = [:]
        givenUp = []
        waiting = []
        metadataFor = []
    }

    func submit(_ batches: [ProducerBatch], for listener: any DeliveryListener) {
        for batch in batches {
            let records = Self.records(of: batch)
            waiting.append(Waiting(batch: batch, listener: listener, records: records))
        }
    }

    func requestMetadata(topics: [String]) {
        for topic in topics { metadataFor += listeners.map { (topic, $0) } }
    }

    func remade(_ batch: ProducerBatch, row: Int64) {
        remade[row] = .records(Self.records(of: batch))
    }

    func cannotRemake(row: Int64) { remade[row] = .impossible }

    // MARK: Steps

    // Nothing here takes time.
    func move(to now: ContinuousClock.Instant) {}
    var nextDeadline: ContinuousClock.Instant? { nil }

    private enum Actor { case recover(Int), recovered(Int), journal(Int), append(Int), answer(Int) }

    /// What can be done now: the oldest of each partition first.
    private var actors: [Actor] {
        var result: [Actor] = []
        var seen: Set<Partition> = []
        for (index, row) in open.enumerated() where seen.insert(Partition(row)).inserted {
            if leaderless.contains(row.partition) { continue }
            if isAppended(row) || remade[row.id] != nil {
                result.append(.recover(index))
            }
        }
        for (index, partition) in recovering.enumerated()
        where seen.insert(partition).inserted { result.append(.recovered(index)) }
        let recovering = seen
        var answering: Set<Partition> = []
        for (index, batch) in waiting.enumerated() {
            let partition = Partition(batch.batch)
            if recovering.contains(partition) || leaderless.contains(partition.number) { continue }
            switch batch.step {
            case .appended:
                if answering.insert(partition).inserted { result.append(.answer(index)) }
            case .queued where journal != nil:
                if seen.insert(partition).inserted { result.append(.journal(index)) }
            case .journaling: seen.insert(partition)
            case .queued, .journaled:
                if seen.insert(partition).inserted { result.append(.append(index)) }
            }
        }
        return result
    }

    func step(_ generator: inout SeededGenerator) {
        if let (topic, listener) = metadataFor.popLast() {
            let partition = TopicMetadata.Partition(leaderID: 1, leaderEpoch: 1)
            let partitions = (0..<partitionCount).map { _ in partition }
            return listener.metadataChanged(TopicMetadata(name: topic, partitions: partitions))
        }
        switch actors.randomElement(using: &generator) {
        case .recover(let index): recover(index)
        case .recovered(let index): recovered(recovering.remove(at: index))
        case .journal(let index): hand(index)
        case .append(let index): append(index)
        case .answer(let index): answer(waiting.remove(at: index))
        case nil: break
        }
    }

    /// Settled rows of partitions in doubt whose batches are in the log no more.
    private func lostRows(_ setup: JournalSetup) -> [JournaledBatch] {
        setup.journal.batches.filter { row in
            let id = TopicPartition(topic: row.topic, partition: row.partition)
            return row.isSettled && setup.partitionsInDoubt.contains(id) && !isAppended(row)
        }
    }

    /// A leader that never had them takes over: the last batches are gone.
    func loseBatches(_ count: Int) {
        for batch in batches.suffix(count).reversed() {
            entries.removeLast(batch.records.count)
            appendedNumbers.remove(batch.numbers)
            expected[batch.numbers.sequence] = batch.numbers.first
        }
        batches.removeLast(count)
    }

    private func isAppended(_ row: JournaledBatch) -> Bool {
        appendedNumbers.contains(numbers(of: row))
    }

    private func numbers(of row: JournaledBatch) -> Numbers {
        let sequence = Numbering(partition: Partition(row), producerID: row.producerID)
        return Numbers(sequence: sequence, first: row.baseSequence)
    }

    private func recover(_ index: Int) {
        let row = open.remove(at: index)
        if isAppended(row) {
            onEvent("  Kafka has row \(row.id)")
            caught[.known, default: 0] += 1
        } else {
            guard case .records(let records) = remade[row.id], !givesUpNumbers,
                !givenUp.contains(Partition(row))
            else {
                onEvent("  row \(row.id) is lost")
                caught[.lost, default: 0] += 1
                givenUp.insert(Partition(row))
                return journal?(.resolved(row: row.id, .absent)) ?? ()
            }
            onEvent("  row \(row.id) is sent again")
            caught[.sentAgain, default: 0] += 1
            log(records, of: Partition(row), numbers(of: row))
        }
        journal?(.resolved(row: row.id, .appended(baseOffset: nil)))
    }

    /// All rows of a partition are resolved; what the journal has lost is found.
    private func recovered(_ partition: Partition) {
        let id = TopicPartition(topic: partition.topic, partition: partition.number)
        if let setup, let rows, setup.isBehind {
            for batch in unjournaled(of: partition, setup.journal) {
                let (row, _) = setup.unjournaled.row(
                    id: rows.takeID(),
                    of: batch,
                    id,
                    partitionCount: partitionCount,
                    wallClock: 0
                )
                journal?(.found(row))
            }
        }
        journal?(.recovered(id))
    }

    private func unjournaled(of partition: Partition, _ journal: Journal) -> [FetchedBatch] {
        let known = Set(journal.batches.map { numbers(of: $0) })
        let acked = journal.partitions.first {
            $0.topic == partition.topic && $0.partition == partition.number
        }
        let reached = (acked?.producerID ?? 0, acked?.ackedSequence ?? -1)
        var found: [FetchedBatch] = []
        for batch in batches where !known.contains(batch.numbers) {
            let (id, first) = (batch.numbers.sequence.producerID, batch.numbers.first)
            let isHere = batch.numbers.sequence.partition == partition
            guard isHere, (id, first) > reached else { continue }
            found.append(FetchedBatch(batch.records, producerID: id, sequence: first))
        }
        return found
    }

    /// Gives a batch its numbers, and to the journal.
    private func hand(_ index: Int) {
        waiting[index].step = .journaling
        let batch = waiting[index].batch
        let sequence = nextSequences[Partition(batch)] ?? 0
        nextSequences[Partition(batch)] = sequence + Int32(batch.recordCount)
        batch.assign(ProducerIdentity(id: producerID, epoch: 0), sequence: sequence)
        guard let rows else { return }
        let row = rows.close(batch)
        onEvent("  \(row.batch) is closed: \(Self.numbers(waiting[index].records))")
        journal?(
            .close([row]) { [self] in
                guard let index = waiting.firstIndex(where: { $0.batch === batch }) else { return }
                waiting[index].step = .journaled
            }
        )
    }

    private func answer(_ first: Waiting) {
        switch fate(of: first) {
        case .unanswered, .lost: return
        case .acknowledged:
            deliver(first, .acknowledged(baseOffset: 0, timestamp: -1))
        case .refused:
            deliver(first, .failed(.refused(code: 87, name: "INVALID_RECORD", message: nil)))
        case .refusedForSize:
            deliver(first, .failed(.refused(code: 10, name: "MESSAGE_TOO_LARGE", message: nil)))
        }
    }

    private func deliver(_ batch: Waiting, _ result: Delivery.Result) {
        batch.batch.release()
        let delivery = Delivery(batch: batch.batch, result: result)
        journal?(.delivered([RowReceipt(delivery)]))
        batch.listener.deliver([delivery])
    }

    private func fate(of batch: Waiting) -> Fate {
        batch.records.lazy.map(fate).first { $0 != .acknowledged } ?? .acknowledged
    }

    private func append(_ index: Int) {
        waiting[index].step = .appended
        let fate = fate(of: waiting[index])
        guard fate == .acknowledged || fate == .unanswered else { return }
        let batch = waiting[index].batch
        let sequence = Numbering(partition: Partition(batch), producerID: producerID)
        let numbers = batch.sequence.map { Numbers(sequence: sequence, first: $0) }
        log(waiting[index].records, of: Partition(batch), numbers)
    }

    private func log(_ records: [Record], of partition: Partition, _ numbers: Numbers?) {
        if let numbers {
            appendedNumbers.insert(numbers)
            batches.append(LoggedBatch(numbers: numbers, records: records))
            let next = expected[numbers.sequence] ?? 0
            if numbers.first != next {
                failure = "\(partition) was to take sequence \(numbers.first) and not \(next)"
            }
            expected[numbers.sequence] = numbers.first + Int32(records.count)
        }
        onEvent("  \(partition) takes \(Self.numbers(records))")
        for (record, value) in zip(records, Self.values(records)) {
            entries.append(Entry(partition: partition, record: record, value: value))
        }
    }

    /// The producer dies: the broker may still take what was under way, from the oldest on.
    func cutOff(_ generator: inout SeededGenerator) {
        var sent: [Int] = []
        var ended: Set<Partition> = []
        for (index, batch) in waiting.enumerated() where batch.step != .appended {
            let isUnderWay = journal == nil || batch.step == .journaled
            if !isUnderWay || Bool.random(using: &generator) {
                ended.insert(Partition(batch.batch))
            }
            if !ended.contains(Partition(batch.batch)) { sent.append(index) }
        }
        for (index, batch) in waiting.enumerated() where rows != nil {
            caught[batch.caught(isUnderWay: sent.contains(index)), default: 0] += 1
        }
        for index in sent { append(index) }
        waiting = []
        metadataFor = []
        listeners = []
        journal = nil
        setup = nil
    }

    static func records(of batch: ProducerBatch) -> [Record] {
        guard let buffer = batch.sealed?.buffer,
            let batches = try? RecordBatch.batches(in: buffer)
        else { preconditionFailure("a batch that cannot be read") }
        return batches.flatMap { (try? $0.records()) ?? [] }
    }

    /// Lines begin with their numbers.
    private static func numbers(_ records: [Record]) -> String {
        values(records).map { String($0.prefix { $0 != ";" }) }.joined(separator: " ")
    }

    private static func values(_ records: [Record]) -> [String] {
        records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
}

extension SimulatedKafka.Partition: CustomStringConvertible {
    var description: String { "\(topic)-\(number)" }
}

extension JournaledBatch: CustomStringConvertible {
    public var description: String {
        let parts = stretches.map {
            "\($0.routing) \($0.file)/\($0.generation) \($0.from)...\($0.through) (\($0.count))"
        }
        return "row \(id) of \(topic)-\(partition) from \(baseSequence): "
            + parts.joined(separator: ", ")
    }
}

extension SimulatedKafka.Partition {
    fileprivate init(_ batch: ProducerBatch) {
        self.init(topic: batch.topic, number: batch.partition)
    }

    fileprivate init(_ row: JournaledBatch) {
        self.init(topic: row.topic, number: row.partition)
    }

    fileprivate init(_ partition: TopicPartition) {
        self.init(topic: partition.topic, number: partition.partition)
    }
}

extension FetchedBatch {
    /// As a leader hands it out.
    fileprivate init(_ records: [Record], producerID: Int64, sequence: Int32) {
        var positions: [Position] = []
        for (index, record) in records.enumerated() {
            for header in record.headers where header.name == "forktail.position" {
                let hash = record.key.map { key in
                    key.withUnsafeBytes { murmur2($0) & .max }
                }
                positions.append(
                    Position(
                        record: Int32(index),
                        value: String(decoding: header.value ?? [], as: UTF8.self),
                        keyHash: hash
                    )
                )
            }
            if record.key == nil { positions[positions.count - 1].keyless += 1 }
        }
        self.init(
            baseOffset: Int64(sequence),
            lastOffset: Int64(sequence) + Int64(records.count) - 1,
            producerID: producerID,
            epoch: 0,
            baseSequence: sequence,
            positions: positions
        )
    }
}
