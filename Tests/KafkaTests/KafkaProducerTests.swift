import KafkaDevBroker
import KafkaProtocol
import Synchronization
import Testing

@testable import Kafka

@Suite struct KafkaProducerTests {
    @Test func `a record arrives with key, headers and timestamp, and its offset comes back`()
        async throws
    {
        try await Self.withProducer { producer, broker in
            let record = KafkaProducerRecord(
                topic: "orders",
                key: "42",
                value: "hello",
                headers: ["trace-id": "t-77", "empty": nil],
                timestamp: 1_700_000_000_000
            )
            _ = try await producer.send(record)
            let metadata = try await producer.send(record)
            #expect(metadata.offset == 1)
            #expect(metadata.timestamp == 1_700_000_000_000)
            let records = try await broker.records(topic: "orders", partition: 0)
            let expected = Record(
                offset: 1,
                timestamp: 1_700_000_000_000,
                key: "42".kafkaBytes,
                value: "hello".kafkaBytes,
                headers: [
                    Record.Header(name: "trace-id", value: "t-77".kafkaBytes),
                    Record.Header(name: "empty", value: nil),
                ]
            )
            #expect(records.last == expected)
        }
    }

    static let faults: [[Fault]] = [
        [.loseAnswer(nth: 3), .loseAnswer(nth: 9)],
        [.closeBeforeAppend(nth: 2), .closeBeforeAppend(nth: 7)],
        [.refuse(.notLeaderOrFollower, nth: 3), .refuse(.notEnoughReplicas, nth: 5)],
        [.failAfterAppend(.notEnoughReplicasAfterAppend, nth: 4)],
        [.failAfterAppend(.requestTimedOut, nth: 1), .refuse(.leaderNotAvailable, nth: 6)],
        [.swallowAnswer(nth: 5)],
        [.forgetProducers(keepingLastBatch: true), .loseAnswer(nth: 3)],
        [.refuse(.corruptMessage, nth: 2), .throttle(milliseconds: 30, nth: 8)],
        [.refuse(.unknownServerError, nth: 1), .loseAnswer(nth: 2), .closeBeforeAppend(nth: 4)],
    ]

    @Test(arguments: Self.faults)
    func `each record arrives once and in order`(faults: [Fault]) async throws {
        try await Self.withProducer { producer, broker in
            for fault in faults { try await broker.inject(fault) }
            let failures = Self.enqueue(0..<600, to: producer)
            await producer.flush()
            #expect(failures.values == [])
            let numbers = try await Self.numbers(in: broker)
            #expect(numbers.count == 600)
            #expect(numbers == Array(0..<600))
        }
    }

    @Test func `five lost answers and a clean restart of the broker repeat nothing`() async throws {
        try await Self.withProducer { producer, broker in
            let first = Self.enqueue(0..<1, to: producer)
            await producer.flush()
            let before = try await broker.produceRequestCount()
            for number in 1...5 { try await broker.inject(.swallowAnswer(nth: number)) }
            let failures = Self.enqueue(1..<600, to: producer)
            // The next attempt comes 300 ms later, when the answers are overdue.
            while try await broker.produceRequestCount() < before + 5 { await Task.yield() }
            try await broker.inject(.forgetProducers(keepingLastBatch: true))
            await producer.flush()
            #expect(first.values + failures.values == [])
            #expect(try await Self.numbers(in: broker) == Array(0..<600))
        }
    }

    @Test func `a flush ends after who waited for each record was told`() async throws {
        try await Self.withProducer(["batch.size": "16384"]) { producer, _ in
            let told = Atomic(0)
            for round in 1...20 {
                for number in 0..<500 {
                    let record = KafkaProducerRecord(topic: "t\(number % 3)", value: "v")
                    producer.enqueue(record) { _ in told.add(1, ordering: .relaxed) }
                }
                await producer.flush()
                #expect(told.load(ordering: .relaxed) == round * 500)
            }
        }
    }

    @Test func `each record is told its own offset and timestamp, whatever else is sent`()
        async throws
    {
        try await Self.withProducer(["linger.ms": "2"]) { producer, broker in
            try await broker.createTopic("t", partitions: 3)
            let offsets = Mutex<[Int: RecordMetadata]>([:])
            for number in 0..<300 {
                let record = KafkaProducerRecord(
                    topic: "t",
                    partition: Int32(number % 3),
                    value: "\(number)",
                    timestamp: 1_700_000_000_000 + Int64(number)
                )
                producer.enqueue(record) { result in
                    offsets.withLock { $0[number] = try? result.get() }
                }
            }
            await producer.flush()
            for number in 0..<300 {
                let expected = RecordMetadata(
                    topic: "t",
                    partition: Int32(number % 3),
                    offset: Int64(number / 3),
                    timestamp: 1_700_000_000_000 + Int64(number)
                )
                #expect(offsets.withLock { $0[number] } == expected)
            }
        }
    }

    @Test func `records wait while the broker is away`() async throws {
        try await Self.withProducer { producer, broker in
            let before = Self.enqueue(0..<100, to: producer)
            await producer.flush()
            try await broker.pause()
            let meanwhile = Self.enqueue(100..<400, to: producer)
            _ = try await broker.start()
            await producer.flush()
            #expect(before.values + meanwhile.values == [])
            #expect(try await Self.numbers(in: broker) == Array(0..<400))
        }
    }

    @Test func `a broker that cannot be reached at the start is waited for`() async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.pause()
        try await Self.withProducer(port: port) { producer in
            let failures = Self.enqueue(0..<10, to: producer)
            _ = try await broker.start()
            await producer.flush()
            #expect(failures.values == [])
            #expect(try await Self.numbers(in: broker) == Array(0..<10))
        }
        await broker.stop()
    }

    @Test func `one record that the topic refuses as too large does not take others with it`()
        async throws
    {
        try await Self.withProducer { producer, broker in
            let configs = ["max.message.bytes": "600"]
            try await broker.createTopic("t", partitions: 1, configs: configs)
            let failures = Self.enqueue(0..<20, to: producer)
            let large = String(repeating: "x", count: 700)
            let record = KafkaProducerRecord(topic: "t", value: large)
            let error = KafkaProducerError.refused(.messageTooLarge, message: nil)
            let refusal = await #expect(throws: KafkaProducerError.self) {
                try await producer.send(record)
            }
            if case .refused(let code, _, _)? = refusal {
                #expect(code == KafkaError.messageTooLarge.rawValue)
            } else {
                Issue.record("\(String(describing: refusal)) is not \(error)")
            }
            let more = Self.enqueue(20..<40, to: producer)
            await producer.flush()
            #expect(failures.values + more.values == [])
            #expect(try await Self.numbers(in: broker) == Array(0..<40))
        }
    }

    @Test func `many tasks share little memory`() async throws {
        try await Self.withProducer(["buffer.memory": "65536", "max.request.size": "65536"]) {
            producer,
            broker in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<50 {
                    group.addTask {
                        let value = String(repeating: "\(task % 10)", count: 5000)
                        let record = KafkaProducerRecord(topic: "t", value: value)
                        for _ in 0..<4 { _ = try await producer.send(record) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await broker.records(topic: "t", partition: 0).count == 200)
        }
    }

    @Test func `a configuration that cannot work is said by run and send`() async throws {
        let producer = KafkaProducer(
            configuration: KafkaProducerConfiguration(bootstrapServers: [])
        )
        await #expect(throws: KafkaProducerError.self) { try await producer.run() }
        await #expect(throws: KafkaProducerError.self) {
            try await producer.send(KafkaProducerRecord(topic: "t", value: "v"))
        }
    }

    // MARK: Helpers

    /// What went wrong, from any thread.
    final class Failures: Sendable {
        private let errors = Mutex<[KafkaProducerError]>([])

        var values: [KafkaProducerError] { self.errors.withLock { $0 } }

        func note(_ result: Result<RecordMetadata, KafkaProducerError>) {
            guard case .failure(let error) = result else { return }
            self.errors.withLock { $0.append(error) }
        }
    }

    private static func enqueue(_ numbers: Range<Int>, to producer: KafkaProducer) -> Failures {
        let failures = Failures()
        for number in numbers {
            let record = KafkaProducerRecord(topic: "t", value: "\(number)")
            producer.enqueue(record) { failures.note($0) }
        }
        return failures
    }

    private static func numbers(in broker: DevBroker) async throws -> [Int] {
        try await broker.records(topic: "t", partition: 0).compactMap { record in
            record.value.flatMap { Int(String(decoding: $0, as: UTF8.self)) }
        }
    }

    private static func withProducer(
        _ properties: [String: String] = [:],
        _ body: (KafkaProducer, DevBroker) async throws -> Void
    ) async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await self.withProducer(port: port, properties) { try await body($0, broker) }
        await broker.stop()
    }

    private static func withProducer(
        port: Int,
        _ properties: [String: String] = [:],
        _ body: (KafkaProducer) async throws -> Void
    ) async throws {
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["127.0.0.1:\(port)"])
        // Small batches, so that there are many requests for something to happen to.
        configuration.batchSize = 1024
        configuration.linger = .zero
        configuration.requestTimeout = .milliseconds(300)
        for (name, value) in properties { try configuration.set(name, to: value) }
        let producer = KafkaProducer(configuration: configuration)
        let running = Task { try await producer.run() }
        do {
            try await body(producer)
        } catch {
            Issue.record(error)
        }
        running.cancel()
        try await running.value
    }
}
