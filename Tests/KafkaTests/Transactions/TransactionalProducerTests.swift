import KafkaDevBroker
import KafkaProtocol
import Testing

@testable import Kafka

/// Transactions over sockets, against the embedded broker.
@Suite struct TransactionalProducerTests {
    struct Refusal: Error {}

    @Test(arguments: [1, 2])
    func `what is committed is there, what is aborted is not`(version: Int) async throws {
        try await Self.withProducer(version: version) { producer, broker in
            try await producer.initTransactions()
            for round in 0..<6 {
                let numbers = round * 10..<round * 10 + 10
                do {
                    try await producer.withTransaction {
                        for number in numbers { _ = try await producer.send(Self.record(number)) }
                        if round % 3 == 1 { throw Refusal() }
                    }
                } catch is Refusal {}
            }
            let wanted = (0..<60).filter { $0 / 10 % 3 != 1 }
            #expect(try await Self.committed(in: broker) == wanted)
        }
    }

    static let faults: [[Fault]] = [
        [.loseAnswer(nth: 3), .loseAnswer(nth: 9)],
        [.closeBeforeAppend(nth: 2), .closeBeforeAppend(nth: 7)],
        [.refuse(.notLeaderOrFollower, nth: 3), .refuse(.notEnoughReplicas, nth: 5)],
        [.failAfterAppend(.notEnoughReplicasAfterAppend, nth: 4), .swallowAnswer(nth: 8)],
        [.refuse(.messageTooLarge, nth: 6), .refuse(.policyViolation, nth: 12)],
        [.refuse(.invalidRecord, nth: 4), .loseAnswer(nth: 5), .refuse(.policyViolation, nth: 6)],
        [.refuse(.topicAuthorizationFailed, nth: 5), .refuse(.outOfOrderSequenceNumber, nth: 8)],
    ]

    @Test(arguments: [1, 2], Self.faults)
    func `a transaction is there as a whole or not at all`(
        version: Int,
        faults: [Fault]
    ) async throws {
        try await Self.withProducer(version: version) { producer, broker in
            try await producer.initTransactions()
            for fault in faults { try await broker.inject(fault) }
            var wanted: [Int] = []
            for round in 0..<12 {
                let numbers = round * 50..<round * 50 + 50
                do {
                    try await producer.withTransaction {
                        for number in numbers { producer.enqueue(Self.record(number)) }
                        if round % 4 == 3 { throw Refusal() }
                    }
                    wanted += numbers
                } catch is Refusal {
                } catch KafkaProducerError.transactionAbortable {
                }
            }
            #expect(wanted.count >= 250)
            #expect(try await Self.committed(in: broker) == wanted)
        }
    }

    @Test(arguments: [1, 2])
    func `the one who takes the transactional id over fences the other`(version: Int) async throws {
        try await Self.withProducer(version: version) { zombie, broker in
            try await zombie.initTransactions()
            try await zombie.beginTransaction()
            _ = try await zombie.send(Self.record(1))
            let port = try #require(Int(zombie.address.split(separator: ":").last ?? ""))
            try await Self.withProducer(port: port) { producer in
                try await producer.initTransactions()
                try await producer.withTransaction { _ = try await producer.send(Self.record(2)) }
            }
            let error = await #expect(throws: KafkaProducerError.self) {
                try await zombie.commitTransaction()
            }
            guard let error, case .producerFenced("tx", _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            await #expect(throws: error) { try await zombie.beginTransaction() }
            #expect(try await Self.committed(in: broker) == [2])
        }
    }

    @Test(arguments: [1, 2])
    func `a commit goes on with the coordinator's successor`(version: Int) async throws {
        try await Self.withProducer(version: version, nodes: 3) { producer, broker in
            try await producer.initTransactions()
            for node in Int32(1)...3 {
                try await producer.beginTransaction()
                for number in 0..<10 {
                    _ = try await producer.send(Self.record(Int(node) * 10 + number))
                }
                // One of the three coordinates, and another leads.
                try await broker.inject(.stopNode(node))
                try await producer.commitTransaction()
                try await broker.inject(.startNode(node))
            }
            #expect(try await Self.committed(in: broker) == Array(10..<40))
        }
    }

    @Test(arguments: [1, 2])
    func `a commit that was under way when the broker went away is done when it is back`(
        version: Int
    ) async throws {
        try await Self.withProducer(version: version) { producer, broker in
            try await producer.initTransactions()
            try await producer.withTransaction { _ = try await producer.send(Self.record(0)) }
            try await producer.beginTransaction()
            _ = try await producer.send(Self.record(1))
            // A commit whose wait ends before its records are settled has not begun.
            await producer.flush()
            try await broker.inject(.stall(.seconds(60)))
            await #expect(throws: KafkaProducerError.transactionPending) {
                try await producer.commitTransaction(timeout: .seconds(1))
            }
            let abort = await #expect(throws: KafkaProducerError.self) {
                try await producer.abortTransaction()
            }
            guard case .invalidTransactionState? = abort else {
                Issue.record("\(String(describing: abort))")
                return
            }
            try await broker.pause()
            try await broker.inject(.stall(.zero))
            _ = try await broker.start()
            try await producer.commitTransaction()
            #expect(try await Self.committed(in: broker) == [0, 1])
            try await producer.withTransaction { _ = try await producer.send(Self.record(2)) }
            #expect(try await Self.committed(in: broker) == [0, 1, 2])
        }
    }

    @Test(arguments: [1, 2])
    func `markers that take their time hold the next transaction up and lose nothing`(
        version: Int
    ) async throws {
        try await Self.withProducer(version: version) { producer, broker in
            try await broker.inject(.delayMarkers(.milliseconds(30)))
            try await producer.initTransactions()
            for number in 0..<5 {
                try await producer.withTransaction {
                    _ = try await producer.send(Self.record(number))
                }
            }
            try await producer.beginTransaction()
            _ = try await producer.send(Self.record(5))
            try await producer.abortTransaction()
            // The last markers are written by then.
            try await producer.withTransaction { _ = try await producer.send(Self.record(6)) }
            try await broker.inject(.delayMarkers(.zero))
            try await producer.withTransaction { _ = try await producer.send(Self.record(7)) }
            #expect(try await Self.committed(in: broker) == [0, 1, 2, 3, 4, 6, 7])
        }
    }

    @Test func `records without a transaction are refused`() async throws {
        try await Self.withProducer(version: 2) { producer, broker in
            try await producer.initTransactions()
            await #expect(throws: KafkaProducerError.self) {
                _ = try await producer.send(Self.record(1))
            }
            try await producer.withTransaction { _ = try await producer.send(Self.record(2)) }
            await #expect(throws: KafkaProducerError.self) {
                _ = try await producer.send(Self.record(3))
            }
            #expect(try await Self.committed(in: broker) == [2])
        }
    }

    @Test func `what waits for a topic fails with the abort`() async throws {
        try await Self.withProducer(version: 2) { producer, broker in
            try await producer.initTransactions()
            try await producer.beginTransaction()
            _ = try await producer.send(Self.record(1))
            try await broker.inject(.stall(.seconds(60)))
            let failures = KafkaProducerTests.Failures()
            let record = KafkaProducerRecord(topic: "other", value: "2")
            producer.enqueue(record) { failures.note($0) }
            await #expect(throws: KafkaProducerError.transactionPending) {
                try await producer.abortTransaction(timeout: .milliseconds(1))
            }
            #expect(failures.values == [.transactionAborted])
            try await broker.inject(.stall(.zero))
            try await broker.inject(.closeConnections)
            try await producer.abortTransaction()
            #expect(try await Self.committed(in: broker) == [])
        }
    }

    @Test func `a graceful end aborts the transaction that is open`() async throws {
        try await Self.withProducer(version: 1) { producer, broker in
            try await producer.initTransactions()
            try await producer.beginTransaction()
            _ = try await producer.send(Self.record(1))
            await producer.close(drain: true)
            let log = try #require(try await broker.partitionLog(topic: "t", partition: 0))
            #expect(log.lastStableOffset == log.endOffset)
            #expect(try await Self.committed(in: broker) == [])
        }
    }

    @Test func `the time that calls took is measured`() async throws {
        try await Self.withProducer(version: 2) { producer, _ in
            try await producer.initTransactions()
            try await producer.withTransaction { producer.enqueue(Self.record(1)) }
            try await producer.beginTransaction()
            producer.enqueue(Self.record(2))
            await producer.flush()
            try await producer.abortTransaction()
            for name in ["txn-init", "txn-begin", "txn-commit", "txn-abort", "flush"] {
                let time = try #require(producer.metrics["\(name)-time-ns-total"])
                #expect(time > 0, "\(name)")
            }
        }
    }

    // MARK: Helpers

    private static func record(_ number: Int) -> KafkaProducerRecord {
        KafkaProducerRecord(topic: "t", value: "\(number)")
    }

    /// What a consumer sees that reads committed records, in the partition's order.
    private static func committed(in broker: DevBroker) async throws -> [Int] {
        guard let log = try await broker.partitionLog(topic: "t", partition: 0) else { return [] }
        var open: [Int64: [Int]] = [:]
        var seen: [Int] = []
        for batch in log.batches {
            let id = batch.header.producerID
            if let isCommit = batch.isCommitMarker {
                let ended = open.removeValue(forKey: id) ?? []
                if isCommit { seen += ended }
            } else {
                open[id, default: []] += try batch.records().compactMap { record in
                    record.value.flatMap { Int(String(decoding: $0, as: UTF8.self)) }
                }
            }
        }
        return seen
    }

    private static func withProducer(
        version: Int,
        nodes: Int = 1,
        _ body: (KafkaProducer, DevBroker) async throws -> Void
    ) async throws {
        let configuration = DevBroker.Configuration(nodes: nodes, transactionVersion: version)
        let broker = DevBroker(configuration: configuration)
        let ports = try await broker.listen()
        try await self.withProducer(port: ports[0]) { try await body($0, broker) }
        await broker.stop()
    }

    private static func withProducer(
        port: Int,
        _ body: (KafkaProducer) async throws -> Void
    ) async throws {
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["127.0.0.1:\(port)"])
        configuration.transactionalID = "tx"
        // Small batches, so that there are many requests for something to happen to.
        configuration.batchSize = 1024
        configuration.linger = .zero
        configuration.requestTimeout = .milliseconds(300)
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

extension KafkaProducer {
    var address: String {
        (try? self.validQueue().engine.configuration.bootstrapServers.first) ?? ""
    }

    /// As a graceful shutdown does it.
    func close(drain: Bool) async {
        await (try? self.validQueue())?.close(drain: drain)
    }
}
