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
        let lines: [String]
        /// Whether the broker has it, so that only the answer is missing.
        var isAppended = false
    }

    /// The values of the records in the log.
    private(set) var log: [String] = []
    private var waiting: [Waiting] = []
    private var metadataFor: [(String, any DeliveryListener)] = []
    private var listeners: [any DeliveryListener] = []
    var isPaused = false

    var hasWork: Bool { !isPaused && !(waiting.isEmpty && metadataFor.isEmpty) }

    /// Lines that were handed over and are not in the log.
    var linesOnTheirWay: [String] { waiting.filter { !$0.isAppended }.flatMap(\.lines) }

    func connect(_ listeners: [any DeliveryListener]) {
        self.listeners = listeners
        waiting = []
        metadataFor = []
    }

    func submit(_ batches: [ProducerBatch], for listener: any DeliveryListener) {
        for batch in batches {
            waiting.append(Waiting(batch: batch, listener: listener, lines: Self.lines(of: batch)))
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
        let first = waiting.removeFirst()
        first.batch.release()
        first.listener.deliver([
            Delivery(batch: first.batch, result: .acknowledged(baseOffset: 0, timestamp: -1))
        ])
    }

    private func append(_ index: Int) {
        log += waiting[index].lines
        waiting[index].isAppended = true
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

    private static func lines(of batch: ProducerBatch) -> [String] {
        guard let buffer = batch.sealed?.buffer,
            let batches = try? RecordBatch.batches(in: buffer)
        else { preconditionFailure("a batch that cannot be read") }
        return batches.flatMap { batch in
            ((try? batch.records()) ?? []).map { String(decoding: $0.value ?? [], as: UTF8.self) }
        }
    }
}
