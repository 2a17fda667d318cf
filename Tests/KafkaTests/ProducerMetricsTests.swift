import CoreMetrics
import KafkaDevBroker
import KafkaProtocol
import MetricsTestKit
import Testing

@testable import Kafka

struct ProducerMetricsTests {
    @Test func `a batch that is sent and acknowledged counts for client, node and topic`() throws {
        var (talk, request) = try Self.sending(["aa", "bbbb"])
        talk.now += .milliseconds(8)
        talk.answer(to: request)
        _ = talk.next()
        let metrics = talk.metrics()
        #expect(metrics["record-send-total"] == 2)
        // Two in the first moment of a window that follows an empty one.
        #expect(abs((metrics["record-send-rate"] ?? 0) - 2.0 / 30) < 0.001)
        #expect(metrics["records-per-request-avg"] == 2)
        #expect(metrics["request-latency-avg"] == 8)
        #expect(metrics["request-latency-max"] == 8)
        #expect(metrics["request-latency-p99"] == 8)
        #expect(metrics["request-latency-avg", .node(1)] == 8)
        #expect(metrics["record-send-total", .topic("t")] == 2)
        #expect(metrics["compression-rate-avg"] == 1)
        #expect(metrics["record-error-total"] == 0)
        #expect(metrics["produce-throttle-time-max"] == 0)
        #expect(metrics["record-send-total", .topic("other")] == nil)
    }

    @Test func `sizes are those of the batch on the wire and of its records`() throws {
        let (talk, _) = try Self.sending(["aa", "bbbb"])
        let metrics = talk.metrics()
        // A record of "aa" takes 9 bytes, one of "bbbb" 11, and a batch's header 61.
        #expect(metrics["record-size-avg"] == 10)
        #expect(metrics["record-size-max"] == 11)
        #expect(metrics["batch-size-avg"] == 81)
        #expect(metrics["byte-total", .topic("t")] == 81)
    }

    @Test func `the queue time is from the batch's first record to its request`() throws {
        var talk = try Conversation.started()
        let batch = try makeBatch(createdAt: talk.now)
        talk.now += .milliseconds(20)
        talk.machine.submit([batch], now: talk.now)
        try talk.connect()
        _ = try talk.expectRequest(.produce([batch]))
        #expect(talk.metrics()["record-queue-time-avg"] == 20)
        #expect(talk.metrics()["record-queue-time-max"] == 20)
    }

    @Test func `a batch that is sent again counts as retried`() throws {
        var (talk, request) = try Self.sending(["a", "b", "c"])
        talk.answer(.notEnoughReplicas, to: request)
        try talk.wait()
        guard case .send? = talk.next() else { throw UnexpectedAction() }
        let metrics = talk.metrics()
        #expect(metrics["record-retry-total"] == 3)
        #expect(metrics["record-retry-total", .topic("t")] == 3)
        #expect(metrics["record-send-total"] == 6)
    }

    @Test func `a batch that is refused counts as an error, for client and topic`() throws {
        var (talk, request) = try Self.sending(["a", "b"])
        talk.answer(.policyViolation, to: request)
        _ = talk.next()
        #expect(talk.metrics()["record-error-total"] == 2)
        #expect(talk.metrics()["record-error-total", .topic("t")] == 2)
    }

    @Test func `a batch that is split counts once`() throws {
        var (talk, request) = try Self.sending(["a", "b"])
        talk.answer(.messageTooLarge, to: request)
        _ = talk.next()
        #expect(talk.metrics()["batch-split-total"] == 1)
    }

    @Test func `a throttled answer counts with its time`() throws {
        var (talk, request) = try Self.sending(["a"])
        talk.answer(throttle: .milliseconds(30), to: request)
        #expect(talk.metrics()["produce-throttle-time-avg"] == 30)
    }

    @Test func `requests and answers count with their bytes`() throws {
        var (talk, _) = try Self.sending(["a"])
        talk.machine.wrote(1000, to: 1, now: talk.now)
        talk.machine.wrote(2000, to: 2, now: talk.now)
        talk.machine.read(50, from: 1, now: talk.now)
        let metrics = talk.metrics()
        #expect(metrics["outgoing-byte-total"] == 3000)
        #expect(metrics["outgoing-byte-total", .node(1)] == 1000)
        #expect(metrics["outgoing-byte-rate"] == 100)
        #expect(metrics["request-size-max"] == 2000)
        #expect(metrics["incoming-byte-total", .node(1)] == 50)
        #expect(metrics["incoming-byte-total", .node(2)] == 0)
        #expect(metrics["response-total"] == 1)
    }

    @Test func `connections count when they are made and when they end`() throws {
        var (talk, _) = try Self.sending(["a"])
        // One to bootstrap from, which has ended, and one to the leader.
        #expect(talk.metrics()["connection-creation-total"] == 2)
        #expect(talk.metrics()["connection-close-total"] == 1)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        #expect(talk.metrics()["connection-close-total"] == 2)
    }

    @Test func `metadata age counts from the last answer`() throws {
        var talk = try Conversation()
        #expect(talk.metrics()["metadata-age"]?.isNaN == true)
        talk = try Conversation.started()
        talk.now += .seconds(7)
        #expect(talk.metrics()["metadata-age"] == 7)
    }

    @Test func `what waited for memory is counted by the pool`() throws {
        let pool = BufferPool(memory: 2048, bufferSize: 1024)
        let taker = pool.makeTaker {}
        let first = try #require(pool.take(size: 1, for: taker, now: beginning))
        let second = try #require(pool.take(size: 1, for: taker, now: beginning))
        #expect(pool.take(size: 1, for: taker, now: beginning) == nil)
        #expect(pool.usage.waiters == 1)
        #expect(pool.usage.available == 0)
        pool.put(first)
        let now = beginning + .milliseconds(300)
        #expect(pool.take(size: 1, for: taker, now: now) != nil)
        pool.put(second)
        let metrics = Self.read(ProducerMetrics(), ProducerGauges(buffer: pool.usage), now: now)
        #expect(metrics["bufferpool-wait-time-ns-total"] == 300_000_000)
        // 0.3 seconds of 30.
        #expect(abs((metrics["bufferpool-wait-ratio"] ?? 0) - 0.01) < 0.0001)
        #expect(metrics["buffer-total-bytes"] == 2048)
        #expect(metrics["buffer-available-bytes"] == 1024)
        #expect(metrics["waiting-threads"] == 0)
    }

    @Test func `each name stands once in its scope, with the tags that Kafka gives it`() throws {
        var (talk, request) = try Self.sending(["a"])
        talk.answer(to: request)
        let metrics = talk.metrics()
        let keys = metrics.values.map { "\($0.name) \($0.scope)" }
        #expect(Set(keys).count == keys.count)
        let node = try #require(metrics.values.first { $0.scope == .node(1) })
        #expect(metrics.tags(of: node) == ["client-id": "c", "node-id": "node-1"])
        let topic = try #require(metrics.values.first { $0.scope == .topic("t") })
        #expect(metrics.tags(of: topic) == ["client-id": "c", "topic": "t"])
    }

    @Test func `swift-metrics gets meters, and counters that grow by what is new`() throws {
        let factory = TestMetrics()
        let publisher = MetricsPublisher(factory: factory)
        var (talk, request) = try Self.sending(["a", "b"])
        publisher.publish(talk.metrics())
        publisher.publish(talk.metrics())
        let client = [("client_id", "c")]
        let sent = try factory.expectCounter("kafka_producer_record_send_total", client)
        #expect(sent.totalValue == 2)
        talk.answer(.notEnoughReplicas, to: request)
        try talk.wait()
        guard case .send? = talk.next() else { throw UnexpectedAction() }
        publisher.publish(talk.metrics())
        #expect(sent.totalValue == 4)
        let size = try factory.expectMeter("kafka_producer_batch_size_max", client)
        #expect(size.lastValue == 77)
        let topic = [("client_id", "c"), ("topic", "t")]
        _ = try factory.expectMeter("kafka_producer_topic_byte_rate", topic)
        let node = [("client_id", "c"), ("node_id", "node-1")]
        _ = try factory.expectMeter("kafka_producer_node_request_latency_p99", node)
    }

    @Test func `without a backend nothing is published`() {
        #expect(MetricsPublisher.to(NOOPMetricsHandler.instance) == nil)
        #expect(MetricsPublisher.to(TestMetrics()) != nil)
    }

    @Test func `a producer shows what it measured`() async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        let configuration = KafkaProducerConfiguration(bootstrapServers: ["127.0.0.1:\(port)"])
        let producer = KafkaProducer(configuration: configuration)
        let running = Task { try await producer.run() }
        for number in 0..<3 {
            _ = try await producer.send(KafkaProducerRecord(topic: "t", value: "\(number)"))
        }
        running.cancel()
        try await running.value
        let metrics = producer.metrics
        #expect(metrics["record-send-total"] == 3)
        #expect(metrics["record-send-total", .topic("t")] == 3)
        #expect((metrics["request-latency-p99", .node(1)] ?? .nan) > 0)
        #expect((metrics["outgoing-byte-total"] ?? 0) > (metrics["byte-total", .topic("t")] ?? 0))
        #expect((metrics["incoming-byte-total"] ?? 0) > 0)
        #expect(metrics["buffer-total-bytes"] == 33_554_432)
        await broker.stop()
    }

    // MARK: Helpers

    /// A batch of these values on its way to broker 1.
    private static func sending(_ values: [String]) throws -> (Conversation, RequestID) {
        var talk = try Conversation.started()
        let batch = try makeBatch(values)
        talk.machine.submit([batch], now: talk.now)
        try talk.connect()
        let request = try talk.expectRequest(.produce([batch]))
        return (talk, request)
    }

    fileprivate static func read(
        _ metrics: ProducerMetrics,
        _ gauges: ProducerGauges = ProducerGauges(),
        now: ContinuousClock.Instant
    ) -> KafkaProducerMetrics {
        KafkaProducerMetrics(clientID: "c", values: metrics.values(gauges, now: now))
    }
}

extension Conversation {
    fileprivate func metrics() -> KafkaProducerMetrics {
        ProducerMetricsTests.read(self.machine.metrics, now: self.now)
    }
}
