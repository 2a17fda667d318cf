import Kafka
import KafkaProtocol
import Synchronization

@testable import Shipping

/// A topic of one partition, and batches on their way to it.
///
/// One thread at a time uses it.
final class SimulatedKafka: BatchSink, @unchecked Sendable {
    private struct Waiting {
        let batch: ProducerBatch
        let listener: any DeliveryListener
        let records: [Record]
        /// Whether the broker has it, so that only the answer is missing.
        var isAppended = false
    }

    enum Fate {
        case acknowledged
        /// For good.
        case refused
        /// It is in the log, and nobody is told.
        case unanswered
        /// It never gets there.
        case lost
    }

    /// The records in the log.
    private(set) var records: [Record] = []
    /// Their values.
    private(set) var log: [String] = []
    /// What becomes of a record, and so of its batch.
    var fate: (Record) -> Fate = { _ in .acknowledged }
    private var waiting: [Waiting] = []
    private var metadataFor: [(String, any DeliveryListener)] = []
    private var listeners: [any DeliveryListener] = []
    var isPaused = false

    var hasWork: Bool { !isPaused && !(waiting.isEmpty && metadataFor.isEmpty) }

    /// Lines that were handed over and are not in the log.
    var linesOnTheirWay: [String] {
        waiting.filter { !$0.isAppended }.flatMap { Self.values($0.records) }
    }

    func connect(_ listeners: [any DeliveryListener]) {
        self.listeners = listeners
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

    /// Appends the oldest batch, or answers one that is appended.
    func step(_ generator: inout SeededGenerator) {
        if let (topic, listener) = metadataFor.popLast() {
            let partition = TopicMetadata.Partition(leaderID: 1, leaderEpoch: 1)
            return listener.metadataChanged(TopicMetadata(name: topic, partitions: [partition]))
        }
        if let next = waiting.firstIndex(where: { !$0.isAppended }),
            Bool.random(using: &generator) || next == 0
        {
            return append(next)
        }
        guard waiting.first?.isAppended == true else { return }
        answer(waiting.removeFirst())
    }

    private func answer(_ first: Waiting) {
        switch fate(of: first) {
        case .unanswered, .lost: return
        case .acknowledged:
            deliver(first, .acknowledged(baseOffset: 0, timestamp: -1))
        case .refused:
            deliver(first, .failed(.refused(code: 87, name: "INVALID_RECORD", message: nil)))
        }
    }

    private func deliver(_ batch: Waiting, _ result: Delivery.Result) {
        batch.batch.release()
        batch.listener.deliver([Delivery(batch: batch.batch, result: result)])
    }

    private func fate(of batch: Waiting) -> Fate {
        batch.records.lazy.map(fate).first { $0 != .acknowledged } ?? .acknowledged
    }

    private func append(_ index: Int) {
        waiting[index].isAppended = true
        let fate = fate(of: waiting[index])
        guard fate == .acknowledged || fate == .unanswered else { return }
        records += waiting[index].records
        log += Self.values(waiting[index].records)
    }

    /// The producer dies: the broker may still take what was under way, from the oldest on.
    func cutOff(_ generator: inout SeededGenerator) {
        while let next = waiting.firstIndex(where: { !$0.isAppended }),
            Bool.random(using: &generator)
        {
            append(next)
        }
        waiting = []
        metadataFor = []
        listeners = []
    }

    private static func records(of batch: ProducerBatch) -> [Record] {
        guard let buffer = batch.sealed?.buffer,
            let batches = try? RecordBatch.batches(in: buffer)
        else { preconditionFailure("a batch that cannot be read") }
        return batches.flatMap { (try? $0.records()) ?? [] }
    }

    private static func values(_ records: [Record]) -> [String] {
        records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
}
