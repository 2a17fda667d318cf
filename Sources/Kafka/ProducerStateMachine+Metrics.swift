internal import KafkaProtocol

/// Where the machine tells its metrics what happens: once for a request, an answer or a connection.
extension ProducerStateMachine {
    mutating func noteSending(
        _ batches: [ProducerBatch],
        now: ContinuousClock.Instant
    ) {
        self.statistics.requestsInFlight += 1
        self.statistics.requestsSent += 1
        self.metrics.sending(batches, now: now)
    }

    mutating func noteSplit() {
        self.statistics.batchesSplit += 1
        guard let now = self.metrics.now else { return }
        self.metrics.splits.record(1, now: now)
    }

    mutating func noteAnswer(
        _ answer: ProduceAnswer,
        to pending: PendingRequest,
        now: ContinuousClock.Instant
    ) {
        let latency = now - pending.sentAt
        self.statistics.requestsInFlight -= 1
        self.statistics.requestsAnswered += 1
        self.statistics.totalRequestLatency += latency
        self.statistics.maxRequestLatency = max(self.statistics.maxRequestLatency, latency)
        self.metrics.answered(
            after: latency,
            throttle: answer.throttle,
            by: pending.broker,
            now: now
        )
    }

    /// Tells that a request went to a broker, with all its bytes.
    package mutating func wrote(_ bytes: Int, to id: BrokerID, now: ContinuousClock.Instant) {
        self.metrics.wrote(bytes, to: id, now: now)
    }

    /// Tells that an answer came from a broker, with all its bytes.
    package mutating func read(_ bytes: Int, from id: BrokerID, now: ContinuousClock.Instant) {
        self.metrics.read(bytes, from: id, now: now)
    }
}
