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
    /// How many partitions topics have.
    var partitionCount: Int32 = 1
    /// Batches of the journal that are in the log, by their numbers.
    private var appendedNumbers: Set<Numbers> = []
    private var nextSequences: [Partition: Int32] = [:]

    private var waiting: [Waiting] = []
    private var metadataFor: [(String, any DeliveryListener)] = []
    private var listeners: [any DeliveryListener] = []
    var isPaused = false

    // What a crash left open.
    private var journal: ((JournalMessage) -> Void)?
    private var rows: RowMaker?
    private var open: [JournaledBatch] = []
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
        open = journal?.open ?? []
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

    private enum Actor { case recover(Int), journal(Int), append(Int), answer(Int) }

    /// What can be done now: the oldest of each partition first.
    private var actors: [Actor] {
        var result: [Actor] = []
        var seen: Set<Partition> = []
        for (index, row) in open.enumerated() where seen.insert(Partition(row)).inserted {
            if isAppended(row) || remade[row.id] != nil {
                result.append(.recover(index))
            }
        }
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
        case .journal(let index): hand(index)
        case .append(let index): append(index)
        case .answer(let index): answer(waiting.remove(at: index))
        case nil: break
        }
    }

    private func isAppended(_ row: JournaledBatch) -> Bool {
        appendedNumbers.contains(
            Numbers(partition: Partition(row), sequence: row.baseSequence)
        )
    }

    private func recover(_ index: Int) {
        let row = open.remove(at: index)
        if !isAppended(row) {
            guard case .records(let records) = remade[row.id] else {
                return journal?(.resolved(row: row.id, .absent)) ?? ()
            }
            log(records, of: Partition(row), row.baseSequence)
        }
        journal?(.resolved(row: row.id, .appended(baseOffset: nil)))
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
}
