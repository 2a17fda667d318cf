import KafkaDevBroker
import KafkaProtocol
import Logging
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

    @Test func `who waits for memory is served in the order of coming, whatever the topic`()
        async throws
    {
        let broker = DevBroker()
        let port = try await broker.start()
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["127.0.0.1:\(port)"])
        configuration.batchSize = 1024
        configuration.bufferMemory = 65_536
        configuration.maxRequestSize = 65_536
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let queue = try RecordQueue(
            configuration: configuration,
            partitioner: nil,
            logger: logger
        )
        queue.engine.start()
        let completed = Mutex<[Int]>([])
        let value = String(repeating: "x", count: 20_000)
        for number in 0..<90 {
            let topic = ["a", "b", "c"][number * 7 / 2 % 3]
            let record = KafkaProducerRecord(topic: topic, value: value)
            queue.enqueue(
                record,
                mayWait: true,
                waiter: .completion { _ in completed.withLock { $0.append(number) } }
            )
        }
        await queue.flush()
        // Three have room at a time, and are acknowledged in any order: one topic may be slow.
        let order = completed.withLock { $0 }
        #expect(order.count == 90)
        #expect(order.enumerated().allSatisfy { abs($0 - $1) <= 30 }, "\(order)")
        await queue.close(drain: true)
        await broker.stop()
    }

    @Test func `a record that waits for longer than max block ms fails`() async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.pause()
        try await Self.withProducer(port: port, ["max.block.ms": "40"]) { producer in
            let error = await #expect(throws: KafkaProducerError.self) {
                try await producer.send(KafkaProducerRecord(topic: "t", value: "v"))
            }
            #expect(error == .blockedTooLong)
            await producer.flush()
        }
        await broker.stop()
    }

    @Test func `a topic that is not there holds up no other`() async throws {
        let properties = ["allow.auto.create.topics": "false"]
        try await Self.withProducer(properties) { producer, broker in
            try await broker.createTopic("t", partitions: 1)
            let lost = Failures()
            producer.enqueue(KafkaProducerRecord(topic: "lost", value: "v")) { lost.note($0) }
            let failures = Self.enqueue(0..<10, to: producer)
            let last = try await producer.send(KafkaProducerRecord(topic: "t", value: "10"))
            #expect(last.offset == 10)
            #expect(failures.values + lost.values == [])
            producer.purge()
            #expect(lost.values == [.purged])
        }
    }

    @Test func `what waits for its topic fails when the producer is closed`() async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.pause()
        let failures = Failures()
        try await Self.withProducer(port: port) { producer in
            for number in 0..<20 {
                let record = KafkaProducerRecord(topic: "t\(number % 3)", value: "v")
                producer.enqueue(record) { failures.note($0) }
            }
        }
        #expect(failures.values == Array(repeating: .closed, count: 20))
        await broker.stop()
    }

    @Test func `a cancelled task takes its record back while it waits`() async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.pause()
        try await Self.withProducer(port: port) { producer in
            let task = Task {
                try await producer.send(KafkaProducerRecord(topic: "t", value: "0"))
            }
            task.cancel()
            let error = await #expect(throws: KafkaProducerError.self) { try await task.value }
            #expect(error == .cancelled)
            _ = try await broker.start()
            let failures = Self.enqueue(1..<3, to: producer)
            await producer.flush()
            #expect(failures.values == [])
            #expect(try await Self.numbers(in: broker) == [1, 2])
        }
        await broker.stop()
    }

    @Test func `what is purged fails and is not sent, what comes later is`() async throws {
        try await Self.withProducer { producer, broker in
            let first = Self.enqueue(0..<1, to: producer)
            await producer.flush()
            try await broker.pause()
            let failures = Self.enqueue(1..<100, to: producer)
            producer.purge(includingInFlight: true)
            await producer.flush()
            #expect(failures.values == Array(repeating: .purged, count: 99))
            _ = try await broker.start()
            let more = Self.enqueue(100..<110, to: producer)
            await producer.flush()
            #expect(first.values + more.values == [])
            #expect(try await Self.numbers(in: broker) == [0] + Array(100..<110))
        }
    }

    @Test func `a partitioner of one's own chooses, or leaves it to the producer`() async throws {
        struct ByLength: KafkaPartitioner {
            func partition(for record: KafkaProducerRecord, partitionCount: Int) -> Int? {
                record.key == nil ? record.value?.count : nil
            }
        }
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.createTopic("t", partitions: 3)
        try await Self.withProducer(port: port, partitioner: ByLength()) { producer in
            for value in ["", "a", "bb"] {
                let record = KafkaProducerRecord(topic: "t", value: value)
                let metadata = try await producer.send(record)
                #expect(metadata.partition == Int32(value.utf8.count))
            }
            let keyed = KafkaProducerRecord(topic: "t", key: "foobar", value: "a")
            let byKey = try await producer.send(keyed)
            #expect(byKey.partition == 0)
            let named = KafkaProducerRecord(topic: "t", partition: 2, value: "a")
            let byName = try await producer.send(named)
            #expect(byName.partition == 2)
            let error = await #expect(throws: KafkaProducerError.self) {
                try await producer.send(KafkaProducerRecord(topic: "t", value: "too long"))
            }
            #expect(error == .invalidPartition(topic: "t", partition: 8))
        }
        await broker.stop()
    }

    @Test(arguments: [true, false])
    func `after its end a producer takes no record, for a topic it knows or not`(
        isKnown: Bool
    ) async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        let configuration = KafkaProducerConfiguration(bootstrapServers: ["127.0.0.1:\(port)"])
        let producer = KafkaProducer(configuration: configuration)
        let running = Task { try await producer.run() }
        _ = try await producer.send(KafkaProducerRecord(topic: "t", value: "v"))
        running.cancel()
        try await running.value
        let error = await #expect(throws: KafkaProducerError.self) {
            try await producer.send(KafkaProducerRecord(topic: isKnown ? "t" : "u", value: "v"))
        }
        #expect(error == .closed)
        await broker.stop()
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

    /// The offsets that a completion was told, in the order of being told.
    final class Told: Sendable {
        private let known = Mutex<[Int64]>([])

        var offsets: [Int64] { self.known.withLock { $0 } }

        var completion: KafkaProducer.Completion {
            { result in
                let offset = (try? result.get().offset) ?? -1
                self.known.withLock { $0.append(offset) }
            }
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

    static func numbers(in broker: DevBroker) async throws -> [Int] {
        try await broker.records(topic: "t", partition: 0).compactMap { record in
            record.value.flatMap { Int(String(decoding: $0, as: UTF8.self)) }
        }
    }

    static func withProducer(
        _ properties: [String: String] = [:],
        _ body: (KafkaProducer, DevBroker) async throws -> Void
    ) async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await self.withProducer(port: port, properties) { try await body($0, broker) }
        await broker.stop()
    }

    static func withProducer(
        port: Int,
        _ properties: [String: String] = [:],
        partitioner: (any KafkaPartitioner)? = nil,
        _ body: (KafkaProducer) async throws -> Void
    ) async throws {
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["127.0.0.1:\(port)"])
        // Small batches, so that there are many requests for something to happen to.
        configuration.batchSize = 1024
        configuration.linger = .zero
        configuration.requestTimeout = .milliseconds(300)
        for (name, value) in properties { try configuration.set(name, to: value) }
        let producer = KafkaProducer(configuration: configuration, partitioner: partitioner)
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
