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

    /// A journaled batch in the log.
    private struct LoggedBatch {
        let partition: Partition
        let sequence: Int32
        let records: [Record]
    }

    /// By which Kafka knows a batch.
    private struct Numbers: Hashable {
        let partition: Partition
        let sequence: Int32
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
    /// How many partitions topics have.
    var partitionCount: Int32 = 1
    /// Batches of the journal that are in the log, by their numbers.
    private var appendedNumbers: Set<Numbers> = []
    private var nextSequences: [Partition: Int32] = [:]
    private var batches: [LoggedBatch] = []

    private var waiting: [Waiting] = []
    private var metadataFor: [(String, any DeliveryListener)] = []
    private var listeners: [any DeliveryListener] = []
    var isPaused = false

    // What a crash left open.
    private var journal: ((JournalMessage) -> Void)?
    private var rows: RowMaker?
    private var open: [JournaledBatch] = []
    private var setup: JournalSetup?
    private var recovering: [Partition] = []
    private var remade: [Int64: Remade] = [:]

    var hasWork: Bool {
        guard !isPaused else { return false }
        return !metadataFor.isEmpty || !actors.isEmpty
    }

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
        open.sort { $0.baseSequence < $1.baseSequence }
        recovering = (journal?.partitionsInDoubt ?? []).map { Partition($0) }
            .sorted { ($0.topic, $0.number) < ($1.topic, $1.number) }
        remade = [:]
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
            if recovering.contains(partition) { continue }
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
        for batch in batches.suffix(count) {
            entries.removeLast(batch.records.count)
            appendedNumbers.remove(Numbers(partition: batch.partition, sequence: batch.sequence))
        }
        batches.removeLast(count)
    }

    private func isAppended(_ row: JournaledBatch) -> Bool {
        appendedNumbers.contains(
            Numbers(partition: Partition(row), sequence: row.baseSequence)
        )
    }

    private func recover(_ index: Int) {
        let row = open.remove(at: index)
        if !isAppended(row) {
            guard case .records(let records) = remade[row.id], !givesUpNumbers else {
                return journal?(.resolved(row: row.id, .absent)) ?? ()
            }
            log(records, of: Partition(row), row.baseSequence)
        }
        journal?(.resolved(row: row.id, .appended(baseOffset: nil)))
    }

    /// All rows of a partition are resolved; what the journal has lost is found.
    private func recovered(_ partition: Partition) {
        let id = TopicPartition(topic: partition.topic, partition: partition.number)
        if let setup, let rows, setup.isBehind {
            for batch in unjournaled(of: partition, setup.journal) {
                let row = setup.unjournaled.row(
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
        let rows = journal.batches.filter { Partition($0) == partition }.map(\.baseSequence)
        let acked = journal.partitions.first {
            $0.topic == partition.topic && $0.partition == partition.number
        }
        return batches.filter { batch in
            batch.partition == partition && !rows.contains(batch.sequence)
                && batch.sequence > acked?.ackedSequence ?? -1
        }.map { FetchedBatch($0.records, sequence: $0.sequence) }
    }

    /// Gives a batch its numbers, and to the journal.
    private func hand(_ index: Int) {
        waiting[index].step = .journaling
        let batch = waiting[index].batch
        let sequence = nextSequences[Partition(batch)] ?? 0
        nextSequences[Partition(batch)] = sequence + Int32(batch.recordCount)
        batch.assign(ProducerIdentity(id: 1, epoch: 0), sequence: sequence)
        guard let rows else { return }
        journal?(
            .close([rows.close(batch)]) { [self] in
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
        log(waiting[index].records, of: Partition(batch), batch.sequence)
    }

    private func log(_ records: [Record], of partition: Partition, _ sequence: Int32?) {
        if let sequence {
            appendedNumbers.insert(Numbers(partition: partition, sequence: sequence))
            batches.append(LoggedBatch(partition: partition, sequence: sequence, records: records))
        }
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

    private static func values(_ records: [Record]) -> [String] {
        records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
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
    fileprivate init(_ records: [Record], sequence: Int32) {
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
            producerID: 1,
            epoch: 0,
            baseSequence: sequence,
            positions: positions
        )
    }
}
