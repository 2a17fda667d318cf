internal import KafkaProtocol

/// What size of batches topics take, asked for once one of theirs was refused as too large.
///
/// Most topics take all that the producer makes, so most are never asked about; the others would
/// have every batch travel twice.
extension ProducerStateMachine {
    /// A batch of the topic was too large: see what would fit.
    mutating func wantLimit(of topic: String) {
        guard self.metadata.topics[topic] != nil else { return }
        self.metadata.limitsWanted.insert(topic)
    }

    mutating func nextLimitRequest(now: ContinuousClock.Instant) -> Action? {
        guard let topic = self.metadata.limitsWanted.min() else { return nil }
        guard let broker = self.controlBroker(now: now) else { return nil }
        self.metadata.limitsWanted.remove(topic)
        return self.send(.describeLimit(topic: topic), to: broker, now: now)
    }

    /// Without the right to know (DESCRIBE_CONFIGS) batches go on being split.
    mutating func received(maxMessageBytes: Int?, of topic: String) {
        guard let limit = maxMessageBytes, limit > 0 else { return }
        self.metadata.topics[topic]?.maxMessageBytes = limit
        guard var known = self.metadata.topics[topic]?.published, known.error == nil else { return }
        known.maxMessageBytes = limit
        self.publish(known)
    }

    /// What was told may have been changed since.
    mutating func renewLimits() {
        for (name, topic) in self.metadata.topics where topic.maxMessageBytes != nil {
            self.metadata.limitsWanted.insert(name)
        }
    }
}
