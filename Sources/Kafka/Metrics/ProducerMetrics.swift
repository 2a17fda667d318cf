internal import KafkaProtocol

/// What the producer measures, updated for each batch, request and answer, never for each record.
///
/// A value without a clock: ``values(_:clientID:now:)`` reads it under the names of Kafka's producer.
package struct ProducerMetrics: Sendable {
    /// What goes to one topic.
    struct Topic: Sendable {
        /// Each value is a batch's records.
        var sends = WindowedStatistic()
        /// Each value is a batch's bytes on the wire.
        var bytes = WindowedStatistic()
        var compression = WindowedStatistic()
        var retries = WindowedStatistic()
        var errors = WindowedStatistic()
    }

    /// What goes over the connections to one broker.
    struct Node: Sendable {
        /// Each value is a request's bytes.
        var requests = WindowedStatistic()
        /// Each value is an answer's bytes.
        var responses = WindowedStatistic()
        /// Milliseconds until a request with records was answered.
        var latency = WindowedStatistic()
        var latencies = LatencyHistogram()
    }

    /// Each value is a request's records.
    var sends = WindowedStatistic()
    var retries = WindowedStatistic()
    var errors = WindowedStatistic()
    var splits = WindowedStatistic()
    var batchSize = WindowedStatistic()
    /// Bytes on the wire for each byte of records.
    var compression = WindowedStatistic()
    /// Milliseconds from a batch's first record until it was sent.
    var queueTime = WindowedStatistic()
    var recordSize = WindowedStatistic()
    /// Milliseconds that brokers asked to hold back, for each answer.
    var throttleTime = WindowedStatistic()
    var connectionsCreated = WindowedStatistic()
    var connectionsClosed = WindowedStatistic()
    /// All brokers together.
    var all = Node()
    var nodes: [BrokerID: Node] = [:]
    var topics: [String: Topic] = [:]
    var metadataUpdatedAt: ContinuousClock.Instant?
    /// When the machine was last told the time.
    var now: ContinuousClock.Instant?

    package init() {}

    // MARK: What happens

    mutating func sending(_ batches: [ProducerBatch], now: ContinuousClock.Instant) {
        var records: Int64 = 0
        for batch in batches {
            records += Int64(batch.recordCount)
            self.sending(batch, now: now)
        }
        self.sends.record(Double(records), now: now)
    }

    private mutating func sending(_ batch: ProducerBatch, now: ContinuousClock.Instant) {
        let records = Double(batch.recordCount)
        self.batchSize.record(Double(batch.byteCount), now: now)
        self.queueTime.record((now - batch.createdAt).milliseconds, now: now)
        if batch.isRetry { self.retries.record(records, now: now) }
        var topic = self.topics[batch.topic] ?? Topic()
        topic.sends.record(records, now: now)
        topic.bytes.record(Double(batch.byteCount), now: now)
        if batch.isRetry { topic.retries.record(records, now: now) }
        if let sealed = batch.sealed, sealed.uncompressedLength > 0 {
            let ratio = Double(sealed.bodyLength) / Double(sealed.uncompressedLength)
            self.compression.record(ratio, now: now)
            topic.compression.record(ratio, now: now)
            self.recordSize.record(
                sum: Double(sealed.uncompressedLength),
                count: Int64(batch.recordCount),
                maximum: Double(sealed.largestRecord),
                now: now
            )
        }
        self.topics[batch.topic] = topic
    }

    mutating func failed(_ batch: ProducerBatch) {
        guard let now = self.now else { return }
        let records = Double(batch.recordCount)
        self.errors.record(records, now: now)
        self.topics[batch.topic, default: Topic()].errors.record(records, now: now)
    }

    mutating func answered(
        after latency: Duration,
        throttle: Duration,
        by broker: BrokerID,
        now: ContinuousClock.Instant
    ) {
        self.throttleTime.record(throttle.milliseconds, now: now)
        self.all.answered(after: latency, now: now)
        self.nodes[broker, default: Node()].answered(after: latency, now: now)
    }

    mutating func wrote(_ bytes: Int, to broker: BrokerID, now: ContinuousClock.Instant) {
        self.all.requests.record(Double(bytes), now: now)
        self.nodes[broker, default: Node()].requests.record(Double(bytes), now: now)
    }

    mutating func read(_ bytes: Int, from broker: BrokerID, now: ContinuousClock.Instant) {
        self.all.responses.record(Double(bytes), now: now)
        self.nodes[broker, default: Node()].responses.record(Double(bytes), now: now)
    }
}

extension ProducerMetrics.Node {
    fileprivate mutating func answered(after latency: Duration, now: ContinuousClock.Instant) {
        self.latency.record(latency.milliseconds, now: now)
        self.latencies.record(latency, now: now)
    }
}

extension Duration {
    var milliseconds: Double { self / .milliseconds(1) }
}
