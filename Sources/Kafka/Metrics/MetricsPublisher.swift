internal import CoreMetrics
internal import Synchronization

/// Carries a producer's metrics into swift-metrics, so that they appear where a service's do.
///
/// `record-send-rate` becomes a meter `kafka_producer_record_send_rate`, a broker's
/// `kafka_producer_node_…`, a topic's `kafka_producer_topic_…`; totals become counters. Dimensions
/// are `client_id`, and `node_id` or `topic`.
final class MetricsPublisher: Sendable {
    private struct Key: Hashable {
        let name: String
        let scope: KafkaProducerMetrics.Scope
    }

    /// A counter, and how much it was told of.
    private struct Total {
        let counter: Counter
        var published: Int64 = 0
    }

    private struct State {
        var meters: [Key: Meter] = [:]
        var totals: [Key: Total] = [:]
    }

    private let factory: any MetricsFactory
    private let state = Mutex(State())

    init(factory: any MetricsFactory) {
        self.factory = factory
    }

    /// Nil where no backend is there to publish to.
    static func to(_ factory: (any MetricsFactory)?) -> MetricsPublisher? {
        let factory = factory ?? MetricsSystem.factory
        return factory is NOOPMetricsHandler ? nil : MetricsPublisher(factory: factory)
    }

    func publish(_ metrics: KafkaProducerMetrics) {
        self.state.withLock { state in
            for value in metrics.values {
                let key = Key(name: value.name, scope: value.scope)
                if value.isTotal {
                    self.count(value, key, metrics, &state)
                } else {
                    self.meter(value, key, metrics, &state).set(value.value)
                }
            }
        }
    }

    /// Takes the meters and counters back from the backend.
    func close() {
        self.state.withLock { state in
            for meter in state.meters.values { meter.destroy() }
            for total in state.totals.values { total.counter.destroy() }
            state = State()
        }
    }

    private func count(
        _ value: KafkaProducerMetrics.Value,
        _ key: Key,
        _ metrics: KafkaProducerMetrics,
        _ state: inout State
    ) {
        var total =
            state.totals[key]
            ?? Total(
                counter: Counter(
                    label: Self.label(of: value),
                    dimensions: Self.dimensions(of: value, metrics),
                    factory: self.factory
                )
            )
        let now = Int64(value.value)
        total.counter.increment(by: now - total.published)
        total.published = now
        state.totals[key] = total
    }

    private func meter(
        _ value: KafkaProducerMetrics.Value,
        _ key: Key,
        _ metrics: KafkaProducerMetrics,
        _ state: inout State
    ) -> Meter {
        if let meter = state.meters[key] { return meter }
        let meter = Meter(
            label: Self.label(of: value),
            dimensions: Self.dimensions(of: value, metrics),
            factory: self.factory
        )
        state.meters[key] = meter
        return meter
    }

    private static func label(of value: KafkaProducerMetrics.Value) -> String {
        switch value.scope {
        case .producer: "kafka_producer_" + self.underscored(value.name)
        case .node: "kafka_producer_node_" + self.underscored(value.name)
        case .topic: "kafka_producer_topic_" + self.underscored(value.name)
        }
    }

    private static func dimensions(
        of value: KafkaProducerMetrics.Value,
        _ metrics: KafkaProducerMetrics
    ) -> [(String, String)] {
        metrics.tags(of: value).sorted { $0.key < $1.key }.map {
            (self.underscored($0.key), $0.value)
        }
    }

    private static func underscored(_ name: String) -> String {
        String(name.map { $0 == "-" ? "_" : $0 })
    }
}
