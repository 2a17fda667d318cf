internal import KafkaProtocol
internal import NIOCore

extension ProducerStateMachine {
    /// A broker, or a bootstrap server, and the connection to it.
    struct Broker {
        enum Link: Equatable {
            case idle, connecting, ready
            /// Ordered to close for a reason that is no failure.
            case closing
        }

        var address: BrokerAddress
        var link = Link.idle
        var notBefore: ContinuousClock.Instant?
        var backoff: Backoff
        /// Waits longer when the broker refuses the client, or the client the broker.
        var refusalBackoff = Backoff(base: .seconds(1), limit: .seconds(60))
        /// The broker asked to be left alone until then.
        var mutedUntil: ContinuousClock.Instant?
        /// When something was last sent on the connection, or came.
        var usedAt: ContinuousClock.Instant?
        /// Requests with records that are not answered.
        var requestsInFlight = 0
        /// Partitions that it leads and that have something to send; the next to be served first.
        var waiting = CircularBuffer<Int>()
    }

    func makeBroker(_ address: BrokerAddress) -> Broker {
        let configuration = self.configuration
        return Broker(
            address: address,
            backoff: Backoff(
                base: configuration.reconnectBackoff,
                limit: configuration.reconnectBackoffMax
            )
        )
    }

    /// How long the next connection to a broker may take to be made: twice as long after each failure.
    package func connectionSetupTimeout(of id: BrokerID) -> Duration {
        let doublings = min(self.brokers[id]?.backoff.failures ?? 0, 16)
        let limit = self.configuration.connectionSetupTimeoutMax
        return min(self.configuration.connectionSetupTimeout * (1 << doublings), limit)
    }

    /// Tells that a connection is there and its versions are agreed on.
    package mutating func connected(
        _ id: BrokerID,
        _ support: TransactionSupport? = nil,
        now: ContinuousClock.Instant
    ) {
        guard self.brokers[id]?.link == .connecting else { return }
        self.brokers[id]?.link = .ready
        self.brokers[id]?.usedAt = now
        self.brokers[id]?.refusalBackoff.reset()
        self.statistics.isRefused = false
        self.statistics.connectedBrokers += 1
        self.statistics.isConnected = true
        self.metrics.connectionsCreated.record(1, now: now)
        if let support { self.transactions?.connected(to: id, support) }
    }

    /// Tells that a connection is gone, or could not be made.
    ///
    /// What was sent on it and not answered may or may not have been appended: it is sent again,
    /// unchanged and in the same order. After a refusal, of credentials or certificates, the next
    /// attempt is longer in coming: it takes a person to mend it, and accounts can be locked.
    package mutating func connectionClosed(
        _ id: BrokerID,
        reason: String,
        isRefusal: Bool = false,
        now: ContinuousClock.Instant
    ) {
        guard let broker = self.brokers[id], broker.link != .idle else { return }
        if broker.link == .ready { self.statistics.connectedBrokers -= 1 }
        if broker.link != .connecting { self.metrics.connectionsClosed.record(1, now: now) }
        self.brokers[id]?.link = .idle
        self.brokers[id]?.requestsInFlight = 0
        self.brokers[id]?.mutedUntil = nil
        if broker.link != .closing {
            self.statistics.isRefused = isRefusal
            self.connectionFailed(id, reason: reason, isRefusal: isRefusal, now: now)
        }
        let lost = self.requests.filter { $0.value.broker == id }.sorted { $0.key < $1.key }
        for (requestID, pending) in lost {
            self.requests[requestID] = nil
            self.lose(pending, now: now)
        }
        self.transactions?.disconnected(from: id)
        if self.metadata.departing.contains(id) { self.forget(id) }
    }

    mutating func connectionFailed(
        _ id: BrokerID,
        reason: String,
        isRefusal: Bool = false,
        now: ContinuousClock.Instant
    ) {
        guard let address = self.brokers[id]?.address else { return }
        self.statistics.lastError = "\(address): \(reason)"
        if self.statistics.connectedBrokers == 0 { self.statistics.isConnected = false }
        let backoff: WritableKeyPath<Broker, Backoff> =
            isRefusal ? \.refusalBackoff : \.backoff
        let wait = self.brokers[id]?[keyPath: backoff].next(using: &self.generator) ?? .zero
        self.brokers[id]?.notBefore = now + wait
        // The partitions may be led by another broker now.
        self.refreshTopics(ledBy: id)
        self.metadata.needsBrokers = true
    }

    private mutating func lose(_ pending: PendingRequest, now: ContinuousClock.Instant) {
        switch pending.request {
        case .metadata(let topics): self.metadataFailed(topics, now: now)
        case .producerID: self.producerIDFailed(now: now)
        case .describeLimit(let topic): self.wantLimit(of: topic)
        case .describeProducers(let partition): self.proofFailed(partition, now: now)
        case .recovery(let request): self.received(.failed(nil), to: request, now: now)
        case .transaction(let request): self.transactions?.lost(request, now: now)
        case .read, .inquiry: preconditionFailure("a producer does not ask this")
        case .produce(let batches):
            self.statistics.requestsInFlight -= 1
            for batch in batches {
                if let row = batch.recoveryRow {
                    self.received(nil, for: batch, row: row, now: now)
                    continue
                }
                guard let index = self.takeInFlight(batch) else { continue }
                self.retry(batch, of: index, mayBePersisted: true)
            }
        }
    }

    mutating func nextConnection(now: ContinuousClock.Instant) -> Action? {
        if let id = self.wantedCoordinator, let action = self.connect(id, now: now) {
            return action
        }
        for id in self.recoveryLeaders {
            if let action = self.connect(id, now: now) { return action }
        }
        for id in self.brokers.keys.sorted(by: >) {
            guard let broker = self.brokers[id], !broker.waiting.isEmpty else { continue }
            if let action = self.connect(id, now: now) { return action }
        }
        guard self.needsControlConnection else { return nil }
        // Each in its turn, the brokers that are known before those to bootstrap from.
        let order = self.controlBrokers
        let tried = order.firstIndex { $0 == self.metadata.lastTried }.map { $0 + 1 } ?? 0
        for id in order[tried...] + order[..<tried] {
            guard let action = self.connect(id, now: now) else { continue }
            self.metadata.lastTried = id
            return action
        }
        return nil
    }

    private mutating func connect(_ id: BrokerID, now: ContinuousClock.Instant) -> Action? {
        guard let broker = self.brokers[id], broker.link == .idle else { return nil }
        guard broker.notBefore.map({ $0 <= now }) ?? true else { return nil }
        self.brokers[id]?.link = .connecting
        self.brokers[id]?.notBefore = nil
        return .connect(id, broker.address)
    }

    /// Who can be asked about the cluster, the best first.
    ///
    /// The servers to bootstrap from are among them only while no broker is known, or where the
    /// client may begin anew (KIP-899).
    private var controlBrokers: [BrokerID] {
        let all = self.brokers.keys.sorted(by: >)
        guard self.configuration.metadataRecoveryStrategy == .none else { return all }
        let known = all.filter { $0 >= 0 }
        return known.isEmpty ? all : known
    }

    private var needsControlConnection: Bool {
        guard self.phase == .running || self.phase == .draining else { return false }
        guard self.brokers.values.allSatisfy({ $0.link == .idle }) else { return false }
        return self.metadata.isWanted || self.producerID.isWanted
            || self.transactions?.needsCoordinator ?? false
    }

    /// The connection for requests that any broker can answer: the one with the least to do.
    func controlBroker(now: ContinuousClock.Instant) -> BrokerID? {
        self.brokers
            .filter { $0.value.link == .ready && ($0.value.mutedUntil ?? now) <= now }
            .min { ($0.value.requestsInFlight, -$0.key) < ($1.value.requestsInFlight, -$1.key) }?
            .key
    }

    /// Notes a request as sent and makes the order to send it.
    mutating func send(
        _ request: ProducerRequest,
        to broker: BrokerID,
        now: ContinuousClock.Instant
    ) -> Action {
        self.lastRequestID += 1
        self.brokers[broker]?.usedAt = now
        self.requests[self.lastRequestID] = PendingRequest(
            broker: broker,
            request: request,
            sentAt: now
        )
        return .send(request, self.lastRequestID, to: broker)
    }

    /// Takes over the brokers of the cluster: new ones, moved ones, and those that left.
    mutating func update(brokers: [ClusterMetadata.Broker]) {
        guard !brokers.isEmpty else { return }
        var left = Set(self.brokers.keys.filter { $0 >= 0 })
        for broker in brokers where broker.id >= 0 {
            left.remove(broker.id)
            self.learn(broker)
        }
        for id in left.sorted() { self.remove(id, reason: "the broker left the cluster") }
        self.leaveBootstrapServers()
    }

    /// Takes over where a broker is.
    mutating func learn(_ broker: ClusterMetadata.Broker) {
        self.metadata.departing.remove(broker.id)
        guard let known = self.brokers[broker.id] else {
            self.brokers[broker.id] = self.makeBroker(broker.address)
            return
        }
        guard known.address != broker.address else { return }
        self.brokers[broker.id]?.address = broker.address
        self.brokers[broker.id]?.notBefore = nil
        self.disconnect(broker.id, reason: "the broker moved to \(broker.address)")
    }

    mutating func remove(_ id: BrokerID, reason: String) {
        guard self.brokers[id]?.link != .idle else { return self.forget(id) }
        self.metadata.departing.insert(id)
        self.disconnect(id, reason: reason)
    }

    private mutating func forget(_ id: BrokerID) {
        self.metadata.departing.remove(id)
        let broker = self.brokers.removeValue(forKey: id)
        // They wait for a leader again, which nobody told of while this one had the batches.
        for index in broker?.waiting ?? CircularBuffer() { self.partitions[index].isListed = false }
        self.refreshTopics(ledBy: id)
    }

    /// The cluster's own addresses are known: those to bootstrap from have served.
    private mutating func leaveBootstrapServers() {
        for id in self.brokers.keys where id < 0 && self.brokers[id]?.link == .ready {
            guard self.brokers.keys.contains(where: { $0 >= 0 }) else { return }
            guard !self.requests.values.contains(where: { $0.broker == id }) else { continue }
            self.disconnect(id, reason: "the cluster's brokers are known")
        }
    }

    /// Orders the end of a connection; that it has ended is told by ``connectionClosed(_:reason:now:)``.
    mutating func disconnect(_ id: BrokerID, reason: String) {
        guard let link = self.brokers[id]?.link, link == .ready || link == .connecting else {
            return
        }
        if link == .ready { self.statistics.connectedBrokers -= 1 }
        self.brokers[id]?.link = .closing
        self.actions.append(.disconnect(id, reason: reason))
    }
}
