internal import KafkaProtocol

/// How the client finds its cluster again when none of the brokers that it knows is of use, and how
/// connections end that nobody needs.
extension ProducerStateMachine {
    /// When the cluster will have been asked without an answer for too long.
    var rebootstrapDeadline: ContinuousClock.Instant? {
        guard self.configuration.metadataRecoveryStrategy == .rebootstrap else { return nil }
        guard self.brokers.keys.contains(where: { $0 >= 0 }) else { return nil }
        return self.metadata.unansweredSince.map { $0 + self.configuration.rebootstrapTrigger }
    }

    mutating func rebootstrapIfOverdue(now: ContinuousClock.Instant) {
        guard let deadline = self.rebootstrapDeadline, deadline <= now else { return }
        self.rebootstrap(now: now)
    }

    /// Begins anew from `bootstrap.servers`, as on the first day (KIP-899, KIP-1102).
    ///
    /// Batches keep their numbers: it may be the same cluster under other addresses.
    mutating func rebootstrap(now: ContinuousClock.Instant) {
        guard self.configuration.metadataRecoveryStrategy == .rebootstrap else { return }
        for id in self.brokers.keys.sorted() where id >= 0 {
            self.remove(id, reason: "the client begins anew from bootstrap.servers")
        }
        for id in self.brokers.keys where id < 0 { self.brokers[id]?.notBefore = nil }
        let none = TopicMetadata.Partition(leaderID: -1)
        for index in self.partitions.indices { self.changeLeader(of: index, to: none) }
        self.metadata.unansweredSince = now
        self.metadata.lastTried = nil
        self.metadata.needsBrokers = true
        self.metadata.wanted.formUnion(self.metadata.topics.keys)
    }

    /// Closes connections that had nothing to do for `connections.max.idle.ms`.
    mutating func closeIdleConnections(now: ContinuousClock.Instant) {
        let limit = self.configuration.connectionsMaxIdle
        func isIdle(_ broker: Broker) -> Bool {
            guard broker.link == .ready, let usedAt = broker.usedAt else { return false }
            return usedAt + limit <= now && broker.waiting.isEmpty
        }
        guard self.brokers.values.contains(where: isIdle) else { return }
        for id in self.brokers.keys.sorted() {
            guard let broker = self.brokers[id], isIdle(broker) else { continue }
            guard !self.requests.values.contains(where: { $0.broker == id }) else { continue }
            self.disconnect(id, reason: "it had nothing to do for \(limit)")
        }
    }
}
