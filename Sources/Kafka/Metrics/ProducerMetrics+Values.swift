/// What is counted outside of the machine, as it stands.
struct ProducerGauges: Sendable {
    var requestsInFlight = 0
    var connectionCount = 0
    var buffer = BufferPool.Usage()
    var callTimes = CallTimes()
}

extension ProducerMetrics {
    /// All values, under the names and in the units of Kafka's producer.
    func values(
        _ gauges: ProducerGauges,
        now: ContinuousClock.Instant
    ) -> [KafkaProducerMetrics.Value] {
        var list = ValueList(scope: .producer, now: now)
        self.add(to: &list)
        self.add(gauges, to: &list)
        self.all.add(to: &list)
        var values = list.values
        for (id, node) in self.nodes.sorted(by: { $0.key < $1.key }) {
            var list = ValueList(scope: .node(id), now: now)
            node.add(to: &list)
            values += list.values
        }
        for (name, topic) in self.topics.sorted(by: { $0.key < $1.key }) {
            var list = ValueList(scope: .topic(name), now: now)
            topic.add(to: &list)
            values += list.values
        }
        return values
    }

    private func add(to list: inout ValueList) {
        list.add(rateAndTotal: "record-send", self.sends)
        list.add(rateAndTotal: "record-retry", self.retries)
        list.add(rateAndTotal: "record-error", self.errors)
        list.add(rateAndTotal: "batch-split", self.splits)
        list.add(averageAndMaximum: "batch-size", .bytes, self.batchSize)
        list.add(averageAndMaximum: "record-size", .bytes, self.recordSize)
        list.add(averageAndMaximum: "record-queue-time", .milliseconds, self.queueTime)
        list.add(averageAndMaximum: "produce-throttle-time", .milliseconds, self.throttleTime)
        list.add("records-per-request-avg", .count, self.sends.average(now: list.now))
        list.add("compression-rate-avg", .ratio, self.compression.average(now: list.now))
        list.add(rateAndTotal: "connection-creation", self.connectionsCreated)
        list.add(rateAndTotal: "connection-close", self.connectionsClosed)
        let age = self.metadataUpdatedAt.map { (list.now - $0) / .seconds(1) }
        list.add("metadata-age", .seconds, age ?? .nan)
    }

    private func add(_ gauges: ProducerGauges, to list: inout ValueList) {
        let buffer = gauges.buffer
        list.add("requests-in-flight", .count, Double(gauges.requestsInFlight))
        list.add("connection-count", .count, Double(gauges.connectionCount))
        list.add("buffer-total-bytes", .bytes, Double(buffer.memory))
        list.add("buffer-available-bytes", .bytes, Double(buffer.available))
        list.add("waiting-threads", .count, Double(buffer.waiters))
        list.add("bufferpool-wait-time-ns-total", .nanoseconds, buffer.waits.total, isTotal: true)
        // Nanoseconds of waiting for each second of time.
        list.add("bufferpool-wait-ratio", .ratio, buffer.waits.rate(now: list.now) / 1e9)
        list.add(rateAndTotal: "buffer-exhausted", buffer.refusals)
        for (call, name) in CallTimes.names {
            let time = gauges.callTimes[call] / .nanoseconds(1)
            list.add("\(name)-time-ns-total", .nanoseconds, time, isTotal: true)
        }
    }
}

extension ProducerMetrics.Node {
    fileprivate func add(to list: inout ValueList) {
        list.add(averageAndMaximum: "request-latency", .milliseconds, self.latency)
        let percentile = self.latencies.percentile(0.99, now: list.now)?.milliseconds ?? .nan
        // The highest of a bucket can be above the highest that was met.
        let highest = self.latency.maximum(now: list.now)
        list.add("request-latency-p99", .milliseconds, min(percentile, highest))
        list.add("request-rate", .perSecond, self.requests.countRate(now: list.now))
        list.add("request-total", .count, Double(self.requests.count), isTotal: true)
        list.add("response-rate", .perSecond, self.responses.countRate(now: list.now))
        list.add("response-total", .count, Double(self.responses.count), isTotal: true)
        list.add(averageAndMaximum: "request-size", .bytes, self.requests)
        list.add("outgoing-byte-rate", .bytesPerSecond, self.requests.rate(now: list.now))
        list.add("outgoing-byte-total", .bytes, self.requests.total, isTotal: true)
        list.add("incoming-byte-rate", .bytesPerSecond, self.responses.rate(now: list.now))
        list.add("incoming-byte-total", .bytes, self.responses.total, isTotal: true)
    }
}

extension ProducerMetrics.Topic {
    fileprivate func add(to list: inout ValueList) {
        list.add(rateAndTotal: "record-send", self.sends)
        list.add(rateAndTotal: "record-retry", self.retries)
        list.add(rateAndTotal: "record-error", self.errors)
        list.add("byte-rate", .bytesPerSecond, self.bytes.rate(now: list.now))
        list.add("byte-total", .bytes, self.bytes.total, isTotal: true)
        list.add("compression-rate", .ratio, self.compression.average(now: list.now))
    }
}

/// Values of one scope, as they are read.
private struct ValueList {
    let scope: KafkaProducerMetrics.Scope
    let now: ContinuousClock.Instant
    var values: [KafkaProducerMetrics.Value] = []

    init(scope: KafkaProducerMetrics.Scope, now: ContinuousClock.Instant) {
        self.scope = scope
        self.now = now
    }

    mutating func add(
        _ name: String,
        _ unit: KafkaProducerMetrics.Unit,
        _ value: Double,
        isTotal: Bool = false
    ) {
        self.values.append(
            .init(name: name, scope: self.scope, unit: unit, value: value, isTotal: isTotal)
        )
    }

    /// A statistic whose values are numbers of things.
    mutating func add(rateAndTotal name: String, _ statistic: WindowedStatistic) {
        self.add("\(name)-rate", .perSecond, statistic.rate(now: self.now))
        self.add("\(name)-total", .count, statistic.total, isTotal: true)
    }

    mutating func add(
        averageAndMaximum name: String,
        _ unit: KafkaProducerMetrics.Unit,
        _ statistic: WindowedStatistic
    ) {
        self.add("\(name)-avg", unit, statistic.average(now: self.now))
        self.add("\(name)-max", unit, statistic.maximum(now: self.now))
    }
}
