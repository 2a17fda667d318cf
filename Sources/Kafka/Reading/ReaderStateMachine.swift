package import KafkaProtocol
internal import NIOCore

/// Why a reader could not read to the end.
package enum ReaderError: Error, Sendable, Equatable {
    /// No broker answered; maybe one will later.
    case unreachable(String)
    /// A broker does not let this client in, or read.
    case refused(String)
    /// There is no such topic, or what is in it cannot be read.
    case unreadable(String)

    package var reason: String {
        switch self {
        case .unreachable(let reason), .refused(let reason), .unreadable(let reason): reason
        }
    }
}

/// Batches of a partition, in their order.
package struct ReadBatches: Sendable, Equatable {
    package struct Batch: Sendable, Equatable {
        package var batch: RecordBatch
        /// Of a transaction that was aborted; told only where committed records are read.
        package var isAborted: Bool
    }

    package var partition: TopicPartition
    package var batches: [Batch]
    /// Where the partition is read from next, and where its reading ends.
    package var offset: Int64
    package var end: Int64
}

/// Reads topics from one place to another, each partition in its order.
///
/// A few fetches are under way at a time, one for each partition: so memory has a limit, whatever
/// the size of the topics. When a leader moves or a broker goes away, reading goes on where it was.
package struct ReaderStateMachine {
    /// What is read.
    package struct Scope: Sendable {
        package var topics: [String]
        package var from = LogPlace.start
        package var to = LogPlace.end
        package var isolation = IsolationLevel.readCommitted
        /// Whether a topic may be missing; without it that ends the reading.
        package var passesOverMissing = false
        /// How long no partition may come on.
        package var patience = Duration.seconds(30)

        package init(topics: [String]) {
            self.topics = topics
        }
    }

    package enum Action: Equatable {
        case connect(BrokerID, BrokerAddress)
        case disconnect(BrokerID, reason: String)
        case send(ProducerRequest, RequestID, to: BrokerID)
        /// There is no such topic.
        case absent(String)
        /// How far each partition will be read.
        case found(TopicPartition, start: Int64, end: Int64)
        case read(ReadBatches)
        /// The log begins later now: what was before is gone.
        case skipped(TopicPartition, from: Int64, to: Int64)
        case finished(ReaderError?)
    }

    struct Broker {
        enum Link { case idle, connecting, ready }

        var address: BrokerAddress
        var link = Link.idle
        var notBefore: ContinuousClock.Instant?
        var backoff: Backoff
    }

    struct Partition {
        enum Phase: Equatable {
            case wantsStart, wantsEnd, reading, done
        }

        let id: TopicPartition
        var leader: BrokerID?
        var phase = Phase.wantsStart
        var offset: Int64 = -1
        var end: Int64 = -1
        /// What is asked for where a time has no record behind it.
        var place: LogPlace
        var isAsked = false
        var notBefore: ContinuousClock.Instant?
        var backoff = Backoff(base: .milliseconds(50), limit: .seconds(1))
        var aborted = AbortedProducers()
    }

    enum Question {
        case metadata
        case partition(Int, ReadRequest)
    }

    static let fetchLimit = 4  // at most so many answers of `fetchBytes` are in memory
    package static let fetchBytes: Int32 = 2 << 20

    let configuration: KafkaProducerConfiguration
    let scope: Scope
    var brokers: [BrokerID: Broker] = [:]
    var partitions: [Partition] = []
    var places: [TopicPartition: Int] = [:]
    var missing: Set<String>
    var needsMetadata = true
    var metadataNotBefore: ContinuousClock.Instant?
    var metadataBackoff = Backoff(base: .milliseconds(50), limit: .seconds(1))
    var questions: [RequestID: (broker: BrokerID, question: Question)] = [:]
    var lastRequestID: RequestID = 0
    var lastTried: BrokerID?
    /// When a partition last came on.
    var answeredAt: ContinuousClock.Instant
    var lastTrouble: String?
    var actions = CircularBuffer<Action>()
    var generator: SeededGenerator
    var isFinished = false

    /// - Throws: for a configuration that contradicts itself.
    package init(
        configuration: KafkaProducerConfiguration,
        scope: Scope,
        seed: UInt64,
        now: ContinuousClock.Instant
    ) throws(KafkaProducerError) {
        try configuration.validate()
        self.configuration = configuration
        self.scope = scope
        self.missing = Set(scope.topics)
        self.answeredAt = now
        self.generator = SeededGenerator(seed: seed)
        for (number, server) in configuration.bootstrapServers.enumerated() {
            let id = BrokerID(-1 - number)
            self.brokers[id] = self.makeBroker(try BrokerAddress(parsing: server))
        }
    }

    // MARK: What connections tell

    package mutating func connected(_ id: BrokerID) {
        self.brokers[id]?.link = .ready
    }

    /// Tells that a connection is gone, or could not be made.
    package mutating func connectionClosed(
        _ id: BrokerID,
        reason: String,
        isRefusal: Bool,
        now: ContinuousClock.Instant
    ) {
        guard var broker = self.brokers[id], broker.link != .idle else { return }
        let text = "\(broker.address): \(reason)"
        if isRefusal { return self.finish(.refused(text)) }
        self.lastTrouble = text
        broker.link = .idle
        broker.notBefore = now + broker.backoff.next(using: &self.generator)
        self.brokers[id] = broker
        self.needsMetadata = true
        for (request, asked) in self.questions where asked.broker == id {
            self.questions[request] = nil
            if case .partition(let index, _) = asked.question {
                self.partitions[index].isAsked = false
            }
        }
    }

    package mutating func received(
        _ answer: ProducerAnswer,
        to id: RequestID,
        now: ContinuousClock.Instant
    ) {
        guard let (broker, question) = self.questions.removeValue(forKey: id) else { return }
        self.brokers[broker]?.backoff.reset()
        switch (question, answer) {
        case (.metadata, .metadata(let cluster)): self.received(cluster, now: now)
        case (.partition(let index, let request), .read(let answer)):
            self.partitions[index].isAsked = false
            self.received(answer, to: request, index, now: now)
        default: preconditionFailure("\(answer) cannot answer \(question)")
        }
    }

    // MARK: What is to be done

    package mutating func nextAction(now: ContinuousClock.Instant) -> Action? {
        if let action = self.actions.popFirst() { return action }
        guard !self.isFinished else { return nil }
        if self.isComplete {
            self.finish(nil)
        } else if self.answeredAt + self.scope.patience <= now {
            let reason = self.lastTrouble ?? "no broker answered"
            self.finish(.unreachable("\(reason) (waited \(self.scope.patience))"))
        } else {
            return self.nextMetadataRequest(now: now) ?? self.nextQuestion(now: now)
                ?? self.nextConnection(now: now)
        }
        return self.actions.popFirst()
    }

    /// When something is to be tried again, or given up.
    package func nextDeadline(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard !self.isFinished else { return nil }
        var deadlines = [self.answeredAt + self.scope.patience]
        deadlines += self.partitions.compactMap(\.notBefore)
        deadlines += self.brokers.values.compactMap(\.notBefore)
        if let notBefore = self.metadataNotBefore { deadlines.append(notBefore) }
        return deadlines.filter { $0 > now }.min()
    }

    private var isComplete: Bool {
        self.missing.isEmpty && self.partitions.allSatisfy { $0.phase == .done }
    }

    mutating func finish(_ error: ReaderError?) {
        guard !self.isFinished else { return }
        self.isFinished = true
        self.actions.append(.finished(error))
    }

    func makeBroker(_ address: BrokerAddress) -> Broker {
        let base = self.configuration.reconnectBackoff
        let limit = self.configuration.reconnectBackoffMax
        return Broker(address: address, backoff: Backoff(base: base, limit: limit))
    }

    private mutating func nextMetadataRequest(now: ContinuousClock.Instant) -> Action? {
        guard self.needsMetadata, self.metadataNotBefore.map({ $0 <= now }) ?? true else {
            return nil
        }
        let isAsked = self.questions.values.contains { asked in
            if case .metadata = asked.question { true } else { false }
        }
        let ready = self.brokers.filter { $0.value.link == .ready }
        guard !isAsked, let broker = ready.keys.max() else { return nil }
        self.needsMetadata = false
        self.metadataNotBefore = nil
        return self.ask(.metadata, .metadata(topics: self.scope.topics), broker)
    }

    private mutating func nextQuestion(now: ContinuousClock.Instant) -> Action? {
        var room = Self.fetchLimit - self.partitions.count { $0.isAsked && $0.phase == .reading }
        for index in self.partitions.indices {
            let partition = self.partitions[index]
            guard partition.phase != .done, !partition.isAsked, let leader = partition.leader,
                self.brokers[leader]?.link == .ready,
                partition.notBefore.map({ $0 <= now }) ?? true
            else { continue }
            if partition.phase == .reading {
                guard room > 0 else { continue }
                room -= 1
            }
            self.partitions[index].isAsked = true
            self.partitions[index].notBefore = nil
            let request = self.request(for: partition)
            return self.ask(.partition(index, request), .read(request), leader)
        }
        return nil
    }

    private func request(for partition: Partition) -> ReadRequest {
        let isolation = self.scope.isolation
        switch partition.phase {
        case .wantsStart, .wantsEnd, .done:
            return .offset(of: partition.place, in: partition.id, isolation: isolation)
        case .reading:
            return .fetch(
                partition.id,
                from: partition.offset,
                maxBytes: Self.fetchBytes,
                isolation: isolation
            )
        }
    }

    private mutating func ask(
        _ question: Question,
        _ request: ProducerRequest,
        _ broker: BrokerID
    ) -> Action {
        self.lastRequestID += 1
        self.questions[self.lastRequestID] = (broker, question)
        return .send(request, self.lastRequestID, to: broker)
    }

    private mutating func nextConnection(now: ContinuousClock.Instant) -> Action? {
        let leaders = Set(self.partitions.filter { $0.phase != .done }.compactMap(\.leader))
        for id in leaders.sorted() {
            if let action = self.connect(id, now: now) { return action }
        }
        guard self.brokers.values.allSatisfy({ $0.link == .idle }) else { return nil }
        // Each in its turn, the brokers that are known before those to bootstrap from.
        let order = self.brokers.keys.sorted(by: >)
        let tried = order.firstIndex { $0 == self.lastTried }.map { $0 + 1 } ?? 0
        for id in order[tried...] + order[..<tried] {
            guard let action = self.connect(id, now: now) else { continue }
            self.lastTried = id
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
}
