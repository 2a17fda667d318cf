import KafkaProtocol
import NIOCore

@testable import Kafka

/// Who writes records, each with a number of its own, and hears what became of them.
final class SimulatedLane {
    struct Entry {
        let topic: String
        /// Whether the broker has to refuse it, for it has no key and its topic wants one.
        let isPoison: Bool
        /// What it was written from, to be written again after a death.
        let draft: Draft
        var result: Delivery.Result?
        /// Where the producer said that it is.
        var partition: Int32 = -1
        var offset: Int64 = -1
    }

    /// A record on its way into a batch.
    struct Draft {
        var topic: String
        var madeAt: ContinuousClock.Instant
        var partition: Int32?
        var key: String?
        var value: String
        var isPoison: Bool
        /// Its place among the lane's records, if it has one already.
        var position: Int?

        /// Whether its partition is always the same.
        var isPlaced: Bool { self.partition != nil || self.key != nil }
    }

    enum Step {
        case appended, full
        case unknown(topic: String)
    }

    /// Safe: a simulation runs on one thread.
    private final class Flag: @unchecked Sendable {
        var isSet = false
    }

    let number: Int
    private(set) var accumulator: RecordAccumulator
    /// Records that have to be written again.
    private var lost: [Int] = []
    private(set) var entries: [Entry] = []
    /// The next record, while it waits for memory or for its topic.
    var draft: Draft?
    /// Records that are still to be written.
    var rest: Int
    var nextBurst: ContinuousClock.Instant
    var timerDue: ContinuousClock.Instant?
    private let memory = Flag()

    init(
        number: Int,
        records: Int,
        configuration: KafkaProducerConfiguration,
        pool: BufferPool,
        seed: UInt64,
        begin: ContinuousClock.Instant
    ) {
        self.number = number
        self.rest = records
        self.nextBurst = begin
        let memory = self.memory
        self.accumulator = RecordAccumulator(
            configuration: configuration,
            pool: pool,
            seed: seed,
            onMemory: { memory.isSet = true }
        )
    }

    /// Whether everything was written and handed to the producer.
    var hasSubmittedAll: Bool {
        self.rest == 0 && self.lost.isEmpty && self.draft == nil
            && !self.accumulator.hasOpenBatches
    }

    /// Begins anew in another process: what is neither settled nor journaled is written again.
    func restart(
        configuration: KafkaProducerConfiguration,
        pool: BufferPool,
        seed: UInt64,
        journaled: Set<Simulation.Name>
    ) {
        let memory = self.memory
        self.accumulator = RecordAccumulator(
            configuration: configuration,
            pool: pool,
            seed: seed,
            onMemory: { memory.isSet = true }
        )
        if self.draft?.position == nil, self.draft != nil { self.rest += 1 }
        self.draft = nil
        self.timerDue = nil
        self.lost = self.entries.indices.filter { position in
            self.entries[position].result == nil
                && !journaled.contains(.init(lane: self.number, position: position))
        }
    }

    /// The next record that has to be written again.
    func takeLost(now: ContinuousClock.Instant) -> Draft? {
        guard !self.lost.isEmpty else { return nil }
        let position = self.lost.removeFirst()
        var draft = self.entries[position].draft
        draft.position = position
        draft.madeAt = now
        return draft
    }

    var hasRecords: Bool { self.rest > 0 || !self.lost.isEmpty }

    /// Whether memory came back since the last question.
    func takeMemoryNews() -> Bool {
        defer { self.memory.isSet = false }
        return self.memory.isSet
    }

    /// Appends the draft, if it can be.
    func append(_ draft: Draft, now: ContinuousClock.Instant) -> Step {
        let topic = Array(draft.topic.utf8).withUnsafeBytes { self.accumulator.topicIndex($0) }
        switch self.accumulator.isReady(topic) {
        case .ready: break
        case .needsMetadata, .failed: return .unknown(topic: draft.topic)
        }
        let position = draft.position ?? self.entries.count
        let value = "\(self.number):\(position):\(draft.value)"
        let result = Self.withBytes(of: draft.key) { key in
            Self.withBytes(of: value) { value in
                self.accumulator.append(
                    topic: topic,
                    partition: draft.partition,
                    key: key,
                    value: value,
                    headers: UnsafeBufferPointer(start: nil, count: 0),
                    timestamp: 1_700_000_000_000 + Int64(position),
                    origin: RecordOrigin(owner: UInt64(self.number), position: Int64(position)),
                    now: now
                )
            }
        }
        switch result {
        case .appended:
            if draft.position == nil {
                self.entries.append(
                    Entry(topic: draft.topic, isPoison: draft.isPoison, draft: draft)
                )
            }
            return .appended
        case .bufferFull: return .full
        case .tooLarge, .invalidPartition:
            preconditionFailure("record \(position) of lane \(self.number) is \(result)")
        }
    }

    /// Notes what became of record `position`; false if that was told before.
    func settle(
        _ position: Int,
        _ result: Delivery.Result,
        partition: Int32,
        offset: Int64
    ) -> Bool {
        guard self.entries[position].result == nil else { return false }
        self.entries[position].result = result
        self.entries[position].partition = partition
        self.entries[position].offset = offset
        return true
    }

    private static func withBytes<Result>(
        of text: String?,
        _ body: (UnsafeRawBufferPointer?) -> Result
    ) -> Result {
        guard let text else { return body(nil) }
        return Array(text.utf8).withUnsafeBytes { body($0) }
    }
}
