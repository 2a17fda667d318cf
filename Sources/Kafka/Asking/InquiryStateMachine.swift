internal import KafkaProtocol

/// What a cluster says of topics, and of a transactional id.
package struct ClusterStanding: Sendable, Equatable {
    /// By name, each that was asked for.
    package var topics: [String: TopicStanding] = [:]
    /// Nil where none was asked for.
    package var allowsTransactionalID: Bool?

    package init() {}
}

/// Asks a cluster how topics stand to this client, and changes nothing in it.
///
/// One broker is asked, for each knows the answers; when it goes away, the next one is.
package struct InquiryStateMachine {
    package enum Action: Equatable {
        case connect(BrokerID, BrokerAddress)
        case send(ProducerRequest, RequestID, to: BrokerID)
        /// The last one.
        case finished(Result<ClusterStanding, ReaderError>)
    }

    private enum Link: Equatable {
        case idle
        case connecting(BrokerID)
        case ready(BrokerID)
        case finished
    }

    private let servers: [BrokerAddress]
    private let patience: Duration
    private let deadline: ContinuousClock.Instant
    private var link = Link.idle
    private var connectionCount = 0
    private var standing = ClusterStanding()
    /// What is still to be asked, in this order.
    private var requests: [InquiryRequest]
    private var requestID: RequestID = 0
    private var isAsked = false
    private var notBefore: ContinuousClock.Instant
    private var backoff: Backoff
    private var generator: SeededGenerator
    private var lastTrouble: String?
    private var refusal: String?

    /// - Parameters:
    ///   - topics: Without any, only whether the cluster lets this client in.
    ///   - transactionalID: Nil for none.
    ///   - patience: How long to try.
    /// - Throws: for a configuration that contradicts itself.
    package init(
        configuration: KafkaProducerConfiguration,
        topics: [String],
        transactionalID: String?,
        patience: Duration,
        seed: UInt64,
        now: ContinuousClock.Instant
    ) throws(KafkaProducerError) {
        try configuration.validate()
        var servers: [BrokerAddress] = []
        for server in configuration.bootstrapServers {
            servers.append(try BrokerAddress(parsing: server))
        }
        self.servers = servers
        self.patience = patience
        self.deadline = now + patience
        self.requests = [.topics(topics)]
        if let transactionalID { self.requests.append(.transactionalID(transactionalID)) }
        self.notBefore = now
        self.backoff = Backoff(
            base: configuration.reconnectBackoff,
            limit: configuration.reconnectBackoffMax
        )
        self.generator = SeededGenerator(seed: seed)
    }

    // MARK: What connections tell

    package mutating func connected(_ id: BrokerID) {
        guard self.link == .connecting(id) else { return }
        self.link = .ready(id)
    }

    /// Tells that a connection is gone, or could not be made.
    package mutating func connectionClosed(
        _ id: BrokerID,
        reason: String,
        isRefusal: Bool,
        now: ContinuousClock.Instant
    ) {
        guard self.link == .connecting(id) || self.link == .ready(id) else { return }
        let trouble = "\(self.server(id)): \(reason)"
        if isRefusal { self.refusal = trouble }
        self.link = .idle
        self.isAsked = false
        self.tryLater(trouble, now: now)
    }

    package mutating func received(
        _ answer: ProducerAnswer,
        to id: RequestID,
        now: ContinuousClock.Instant
    ) {
        guard self.isAsked, id == self.requestID, let request = self.requests.first else { return }
        self.isAsked = false
        switch (request, answer) {
        case (.topics(let names), .inquiry(.topics(let topics, let error))):
            self.received(topics, error, of: names, now: now)
        case (.transactionalID(let name), .inquiry(.transactionalID(let error))):
            self.received(error, of: name, now: now)
        default: preconditionFailure("\(answer) cannot answer \(request)")
        }
    }

    private mutating func received(
        _ topics: [TopicStanding],
        _ error: KafkaError,
        of names: [String],
        now: ContinuousClock.Instant
    ) {
        var trouble = error == .none ? nil : "\(error)"
        for topic in topics where names.contains(topic.name) {
            switch topic.error {
            case .none, .unknownTopicOrPartition, .invalidTopicException,
                .topicAuthorizationFailed:
                self.standing.topics[topic.name] = topic
            default: trouble = "topic \"\(topic.name)\": \(topic.error)"
            }
        }
        let open = names.filter { self.standing.topics[$0] == nil }
        if let first = open.first {
            self.requests[0] = .topics(open)
            return self.tryLater(trouble ?? "nothing is told of topic \"\(first)\"", now: now)
        }
        guard error == .none || !names.isEmpty else {
            return self.tryLater("\(error)", now: now)
        }
        self.succeeded()
    }

    private mutating func received(
        _ error: KafkaError,
        of transactionalID: String,
        now: ContinuousClock.Instant
    ) {
        switch error {
        // The right was looked at before it was found that nobody coordinates it yet.
        case .none, .coordinatorNotAvailable, .coordinatorLoadInProgress, .notCoordinator:
            self.standing.allowsTransactionalID = true
        case .transactionalIDAuthorizationFailed: self.standing.allowsTransactionalID = false
        default:
            return self.tryLater("transactional id \"\(transactionalID)\": \(error)", now: now)
        }
        self.succeeded()
    }

    private mutating func succeeded() {
        self.requests.removeFirst()
        self.backoff.reset()
    }

    private mutating func tryLater(_ trouble: String, now: ContinuousClock.Instant) {
        self.lastTrouble = trouble
        self.notBefore = now + self.backoff.next(using: &self.generator)
    }

    // MARK: What is to be done

    package mutating func nextAction(now: ContinuousClock.Instant) -> Action? {
        if self.link == .finished { return nil }
        if let refusal = self.refusal { return self.finish(.failure(.refused(refusal))) }
        guard let request = self.requests.first else {
            return self.finish(.success(self.standing))
        }
        guard now < self.deadline else {
            let reason = "\(self.lastTrouble ?? "no broker answered") (waited \(self.patience))"
            return self.finish(.failure(.unreachable(reason)))
        }
        guard self.notBefore <= now else { return nil }
        switch self.link {
        case .idle:
            let id = BrokerID(-1 - self.connectionCount % self.servers.count)
            self.connectionCount += 1
            self.link = .connecting(id)
            return .connect(id, self.server(id))
        case .ready(let id) where !self.isAsked:
            self.isAsked = true
            self.requestID += 1
            return .send(.inquiry(request), self.requestID, to: id)
        case .ready, .connecting, .finished: return nil
        }
    }

    /// When something is to be tried again, or given up.
    package func nextDeadline(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard self.link != .finished else { return nil }
        return now < self.notBefore ? min(self.notBefore, self.deadline) : self.deadline
    }

    private mutating func finish(_ result: Result<ClusterStanding, ReaderError>) -> Action {
        self.link = .finished
        return .finished(result)
    }

    private func server(_ id: BrokerID) -> BrokerAddress { self.servers[Int(-1 - id)] }
}
