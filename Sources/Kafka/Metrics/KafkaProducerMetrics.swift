/// What a producer measured, under the names that Kafka's own producer uses.
///
/// Averages, maxima and rates are of the last 30 to 60 seconds, as with Kafka's defaults; what ends in
/// `-total` counts from the producer's start.
/// ```swift
/// let metrics = producer.metrics
/// metrics["record-send-rate"]                              // records a second
/// metrics["request-latency-p99", .node(1)]                 // milliseconds, of broker 1
/// for value in metrics.values { print(value) }             // record-send-rate 812.5 1/s …
/// ```
/// Names: Apache Kafka's `SenderMetricsRegistry`, `BufferPool` and `Selector`. Kafka has no
/// `request-latency-p99`; here it comes from a histogram and is at most a sixteenth too high.
public struct KafkaProducerMetrics: Sendable {
    /// What a value is about.
    public enum Scope: Sendable, Hashable {
        /// The whole producer: Kafka's `producer-metrics`.
        case producer
        /// One broker by its number, below zero for one of `bootstrap.servers`: `producer-node-metrics`.
        case node(Int32)
        /// One topic: `producer-topic-metrics`.
        case topic(String)
    }

    /// What a value is counted in.
    public enum Unit: String, Sendable, Hashable {
        case count = ""
        case bytes = "B"
        case nanoseconds = "ns"
        case milliseconds = "ms"
        case seconds = "s"
        case ratio = "1"
        case perSecond = "1/s"
        case bytesPerSecond = "B/s"
    }

    public struct Value: Sendable, Hashable {
        /// Kafka's name, as in `record-send-rate`.
        public var name: String
        public var scope: Scope
        public var unit: Unit
        /// NaN for an average or a maximum of nothing.
        public var value: Double
        /// Whether it counts from the producer's start and never falls.
        public var isTotal: Bool
    }

    /// The producer's `client.id`.
    public var clientID: String
    /// Everything, the producer's own first, then the brokers' and the topics'.
    public var values: [Value]

    /// A value by its name; nil where there is none, as for a topic that nothing was sent to.
    public subscript(name: String, scope: Scope = .producer) -> Double? {
        self.values.first { $0.name == name && $0.scope == scope }?.value
    }

    /// What tells a value from others of its name: `client-id`, and `node-id` or `topic`.
    public func tags(of value: Value) -> [String: String] {
        switch value.scope {
        case .producer: ["client-id": self.clientID]
        case .node(let id): ["client-id": self.clientID, "node-id": "node-\(id)"]
        case .topic(let name): ["client-id": self.clientID, "topic": name]
        }
    }
}

extension KafkaProducerMetrics.Value: CustomStringConvertible {
    public var description: String {
        let unit = self.unit == .count ? "" : " \(self.unit.rawValue)"
        return "\(self.name) \(self.value)\(unit)"
    }
}
