import KafkaDevBroker
import KafkaProtocol
import Logging
import Synchronization
import Testing

@testable import Kafka

/// The engine, a journal in memory and a broker, over two lives of a process.
@Suite struct BatchJournalTests {
    @Test func `a batch whose answer a crash took is found, and new ones go behind it`()
        async throws
    {
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.createTopic("t", partitions: 1)
        let journal = MemoryJournal()
        try await broker.inject(.swallowAnswer(nth: 1))
        try await Self.withEngine(port, journal) { engine, lane in
            engine.submit([try makeBatch(["first"])], for: lane)
            while try await broker.records(topic: "t", partition: 0).isEmpty { await Task.yield() }
            engine.stop()
            #expect(await lane.next()?.result == .failed(.closed))
        }
        let row = try #require(journal.rows.first)
        #expect(journal.rows.count == 1)
        #expect(row.producerID >= 0)
        try await Self.withEngine(port, journal, recovering: [row]) { engine, lane in
            engine.submit([try makeBatch(["second"])], for: lane)
            engine.remade(try makeBatch(["first"]), row: row.id)
            let delivery = await lane.next()
            #expect(delivery?.result == .acknowledged(baseOffset: 1, timestamp: -1))
            #expect(delivery?.batch.identity?.id != row.producerID)
            #expect(journal.outcomes == [row.id: .appended(baseOffset: 0)])
            #expect(journal.rows == [row])
            await engine.close(drain: true)
        }
        let values = try await broker.records(topic: "t", partition: 0).map(\.value)
        #expect(values == ["first".kafkaBytes, "second".kafkaBytes])
        await broker.stop()
    }

    private static func withEngine(
        _ port: Int,
        _ journal: MemoryJournal,
        recovering rows: [RecoveryBatch] = [],
        _ body: (ProducerEngine, ReceiptLane) async throws -> Void
    ) async throws {
        let configuration = KafkaProducerConfiguration(bootstrapServers: ["127.0.0.1:\(port)"])
        let engine = try ProducerEngine(
            configuration: configuration,
            pool: BufferPool(configuration: configuration),
            journal: journal,
            logger: Logger(label: "kafka.producer")
        )
        engine.recover(
            [PartitionRecovery(id: TopicPartition(topic: "t", partition: 0), rows: rows)],
            clusterID: journal.clusterID,
            wallClock: 1_700_000_000_000
        )
        engine.start()
        try await body(engine, ReceiptLane())
    }
}

/// A journal that loses nothing, and commits on a thread of its own.
private final class MemoryJournal: BatchJournal {
    private struct State {
        var rows: [Int64: RecoveryBatch] = [:]
        var lastID: Int64 = 0
        var outcomes: [Int64: RecoveryOutcome] = [:]
        var clusterID: String?
    }

    private let state = Mutex(State())

    var rows: [RecoveryBatch] {
        self.state.withLock { state in state.rows.values.sorted { $0.id < $1.id } }
    }

    var outcomes: [Int64: RecoveryOutcome] { self.state.withLock { $0.outcomes } }

    var clusterID: String? { self.state.withLock { $0.clusterID } }

    func write(
        _ batches: [ProducerBatch],
        then committed: @escaping @Sendable ([ProducerBatch]) -> Void
    ) {
        self.state.withLock { state in
            for batch in batches { Self.note(batch, in: &state) }
        }
        Task { committed(batches) }
    }

    private static func note(_ batch: ProducerBatch, in state: inout State) {
        guard let identity = batch.identity, let sequence = batch.sequence else {
            _ = Issue.record("a batch without numbers is written down")
            return
        }
        if batch.journalID == 0 {
            state.lastID += 1
            batch.journalID = state.lastID
        }
        state.rows[batch.journalID] = RecoveryBatch(
            id: batch.journalID,
            topicID: batch.topicID,
            producerID: identity.id,
            epoch: identity.epoch,
            baseSequence: sequence,
            recordCount: Int32(batch.recordCount),
            createdAt: 1_700_000_000_000,
            maxTimestamp: batch.maxTimestamp ?? -1
        )
    }

    func delivered(_ deliveries: [Delivery]) {
        self.state.withLock { state in
            for delivery in deliveries where !delivery.isInDoubt {
                state.rows[delivery.batch.journalID] = nil
            }
        }
    }

    func resolved(row: Int64, _ outcome: RecoveryOutcome) {
        self.state.withLock { $0.outcomes[row] = outcome }
    }

    func unsettled(row: Int64) {}

    func recoveryWidened(topic: String, _ partitions: [TopicPartition]) {}

    func unjournaled(
        _ batch: FetchedBatch,
        of partition: TopicPartition,
        partitionCount: Int32
    ) {
        Issue.record("\(partition) has a batch that is not known: \(batch)")
    }

    func recovered(_ partition: TopicPartition, _ report: RecoveryReport) {}

    func recoveryStopped(_ partition: TopicPartition, reason: String) {
        Issue.record("\(partition): \(reason)")
    }

    func opened(_ identity: ProducerIdentity, clusterID: String) {
        self.state.withLock { $0.clusterID = clusterID }
    }
}

extension Delivery {
    fileprivate var isInDoubt: Bool {
        if case .failed = self.result { self.batch.mayBeInLog } else { false }
    }
}

/// Hands receipts to a test, in order.
private final class ReceiptLane: DeliveryListener {
    private let receipts: AsyncStream<Delivery>
    private let continuation: AsyncStream<Delivery>.Continuation

    init() {
        (self.receipts, self.continuation) = AsyncStream.makeStream()
    }

    func next() async -> Delivery? {
        var iterator = self.receipts.makeAsyncIterator()
        return await iterator.next()
    }

    func deliver(_ deliveries: [Delivery]) {
        for delivery in deliveries { self.continuation.yield(delivery) }
    }

    func metadataChanged(_ metadata: TopicMetadata) {}
}
