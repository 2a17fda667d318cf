import KafkaProtocol
import NIOCore
import Testing

@testable import Kafka

let beginning = ContinuousClock.now

func testConfiguration(
    _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
) -> KafkaProducerConfiguration {
    var configuration = KafkaProducerConfiguration(bootstrapServers: ["seed:9092"])
    change(&configuration)
    return configuration
}

/// A batch of records with the given values; positions count from `position`.
func makeBatch(
    _ values: [String] = ["v"],
    topic: String = "t",
    partition: Int32 = 0,
    owner: UInt64 = 1,
    position: Int64 = 0,
    isFull: Bool = false,
    createdAt: ContinuousClock.Instant = beginning
) throws -> ProducerBatch {
    var builder = RecordBatchBuilder(buffer: ByteBuffer())
    var positions = RecordPositions()
    for (number, value) in values.enumerated() {
        Array(value.utf8).withUnsafeBytes { bytes in
            _ = builder.append(key: nil, value: bytes, timestamp: 1000 + Int64(number))
        }
        positions.append(owner: owner, position: position + Int64(number) * 10, routing: 1)
    }
    return ProducerBatch(
        topic: topic,
        topicIndex: TopicIndex(number: 0),
        partition: partition,
        createdAt: createdAt,
        sealed: try builder.seal(),
        positions: positions,
        isFull: isFull,
        pool: nil,
        charge: 0
    )
}

/// A machine, its time, and the other side of the conversation.
struct Conversation {
    var machine: ProducerStateMachine
    var now = beginning

    init(_ change: (inout KafkaProducerConfiguration) -> Void = { _ in }) throws {
        self.machine = try ProducerStateMachine(configuration: testConfiguration(change), seed: 7)
    }

    /// As if brokers 1 and 2 were known, broker 1 led `t`, and a producer id was given.
    static func started(
        partitions: Int32 = 1,
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws -> Conversation {
        var talk = try Conversation(change)
        talk.machine.requestMetadata(topics: ["t"], now: talk.now)
        #expect(talk.next() == .connect(-1, BrokerAddress(host: "seed", port: 9092)))
        talk.machine.connected(-1, now: talk.now)
        let id = try talk.expectRequest(.metadata(topics: ["t"]), to: -1)
        talk.answer(
            .metadata(cluster(leaders: Array(repeating: 1, count: Int(partitions)))),
            to: id
        )
        #expect(talk.next() == .disconnect(-1, reason: "the cluster's brokers are known"))
        talk.machine.connectionClosed(-1, reason: "closed", now: talk.now)
        guard case .publish? = talk.next() else {
            Issue.record("the topic was not published")
            return talk
        }
        #expect(talk.next() == nil)
        return talk
    }

    /// Connects to a broker that has something to do, and gives out the first producer id there.
    mutating func connect(_ id: BrokerID = 1, producerID: Int64? = 4711) throws {
        #expect(self.next() == .connect(id, BrokerAddress(host: "broker\(id)", port: 9092)))
        self.machine.connected(id, now: self.now)
        guard let producerID else { return }
        let request = try self.expectRequest(.producerID, to: id)
        let identity = ProducerIdentity(id: producerID, epoch: 0)
        self.answer(.producerID(ProducerIDAnswer(identity: identity)), to: request)
    }

    mutating func next() -> ProducerStateMachine.Action? {
        self.machine.nextAction(now: self.now)
    }

    mutating func expectRequest(
        _ request: ProducerRequest,
        to broker: BrokerID = 1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        let action = self.next()
        guard case .send(let sent, let id, let target)? = action else {
            Issue.record("\(String(describing: action))", sourceLocation: sourceLocation)
            throw UnexpectedAction()
        }
        #expect(sent == request, sourceLocation: sourceLocation)
        #expect(target == broker, sourceLocation: sourceLocation)
        return id
    }

    mutating func answer(_ answer: ProducerAnswer, to id: RequestID) {
        self.machine.received(answer, to: id, now: self.now)
    }

    mutating func answer(
        _ error: KafkaError = .none,
        partition: Int32 = 0,
        offset: Int64 = 0,
        leader: TopicMetadata.Partition? = nil,
        refused: [Int32: String?] = [:],
        throttle: Duration = .zero,
        endpoints: [BrokerID] = [],
        to id: RequestID
    ) {
        let partition = ProduceAnswer.Partition(
            topic: "t",
            partition: partition,
            error: error,
            baseOffset: error == .none ? offset : -1,
            refusedRecords: refused,
            currentLeader: leader
        )
        let answer = ProduceAnswer(
            partitions: [partition],
            throttle: throttle,
            endpoints: endpoints.map { id in
                ClusterMetadata.Broker(
                    id: id,
                    address: BrokerAddress(host: "broker\(id)", port: 9092)
                )
            }
        )
        self.machine.received(.produce(answer), to: id, now: self.now)
    }

    /// Lets time pass until the machine wants to be asked again.
    mutating func wait() throws {
        self.now = try #require(self.machine.nextDeadline(now: self.now))
    }

    mutating func drainActions() -> [ProducerStateMachine.Action] {
        var actions: [ProducerStateMachine.Action] = []
        while let action = self.next() { actions.append(action) }
        return actions
    }
}

/// Beginnings, and how a conversation goes on.
extension Conversation {
    /// One batch of `values` in flight, after an earlier one proved the leader.
    static func inFlight(
        _ values: [String],
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws -> (talk: Conversation, batch: ProducerBatch, request: RequestID) {
        var talk = try Conversation.started(change)
        let proof = try makeBatch()
        talk.machine.submit([proof], now: talk.now)
        try talk.connect(producerID: talk.machine.configuration.isIdempotenceEnabled ? 4711 : nil)
        talk.answer(to: try talk.expectRequest(.produce([proof])))
        #expect(talk.next() == acknowledged(proof, at: 0))
        let batch = try makeBatch(values)
        talk.machine.submit([batch], now: talk.now)
        let request = try talk.expectRequest(.produce([batch]))
        return (talk, batch, request)
    }

    /// Batches of a record each in flight, after an earlier one proved the leader.
    static func manyInFlight(
        _ count: Int,
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws -> (talk: Conversation, batches: [ProducerBatch], requests: [RequestID]) {
        var (talk, first, request) = try self.inFlight(["1"], change)
        let more = try (1..<count).map { try makeBatch(["\($0 + 1)"]) }
        talk.machine.submit(more, now: talk.now)
        let requests = try more.map { try talk.expectRequest(.produce([$0])) }
        return (talk, [first] + more, [request] + requests)
    }

    static func threeInFlight() throws -> (
        talk: Conversation, batches: [ProducerBatch], requests: [RequestID]
    ) {
        try self.manyInFlight(3)
    }

    mutating func reconnect() throws {
        self.now += .seconds(2)
        for action in self.drainActions() {
            if case .connect(let id, _) = action { self.machine.connected(id, now: self.now) }
        }
    }

    /// The next request of this kind; others on the way are passed over.
    mutating func nextRequest(
        _ request: ProducerRequest,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        while let action = self.next() {
            if case .send(request, let id, _) = action { return id }
            if case .connect(let id, _) = action { self.machine.connected(id, now: self.now) }
        }
        Issue.record("there is no \(request)", sourceLocation: sourceLocation)
        throw UnexpectedAction()
    }

    mutating func nextProduce(
        of batch: ProducerBatch,
        to broker: BrokerID = 1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        while let action = self.next() {
            if case .connect(let id, _) = action { self.machine.connected(id, now: self.now) }
            guard case .send(.produce(let batches), let id, let target) = action else { continue }
            #expect(batches == [batch], sourceLocation: sourceLocation)
            #expect(target == broker, sourceLocation: sourceLocation)
            return id
        }
        Issue.record("the batch was not sent", sourceLocation: sourceLocation)
        throw UnexpectedAction()
    }

    mutating func settle(
        _ batch: ProducerBatch,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        self.now += .seconds(2)
        let request = try self.nextProduce(of: batch, sourceLocation: sourceLocation)
        self.answer(to: request)
        #expect(self.next() == acknowledged(batch, at: 0), sourceLocation: sourceLocation)
    }

    /// The question for metadata that has no answer yet.
    var metadataRequest: RequestID? {
        let pending = self.machine.requests.first { request in
            if case .metadata = request.value.request { true } else { false }
        }
        return pending?.key
    }

    /// The question for a producer id that has no answer yet.
    var producerIDRequest: RequestID? {
        self.machine.requests.first { $0.value.request == .producerID }?.key
    }

    /// What the machine does next that is neither a connection nor a question for metadata.
    mutating func nextOfNote() -> ProducerStateMachine.Action? {
        while let action = self.next() {
            switch action {
            case .connect, .disconnect: self.perform(action)
            case .send(.metadata, _, _), .send(.describeLimit, _, _), .publish: continue
            default: return action
            }
        }
        return nil
    }

    /// Makes or ends a connection as ordered.
    mutating func perform(_ action: ProducerStateMachine.Action) {
        if case .connect(let id, _) = action { self.machine.connected(id, now: self.now) }
        if case .disconnect(let id, _) = action {
            self.machine.connectionClosed(id, reason: "closed", now: self.now)
        }
    }

    /// Answers what partition 0 of `t` remembers of the first producer id.
    mutating func remember(
        lastSequence: Int32?,
        epoch: Int32 = 0,
        error: KafkaError = .none,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        self.now += .seconds(2)
        let partition = TopicPartition(topic: "t", partition: 0)
        let request = try self.nextRequest(
            .describeProducers(partition),
            sourceLocation: sourceLocation
        )
        let others = ProducersAnswer.Producer(producerID: 17, epoch: 3, lastSequence: 99)
        let own = lastSequence.map {
            ProducersAnswer.Producer(producerID: 4711, epoch: epoch, lastSequence: $0)
        }
        let producers = [others] + (own.map { [$0] } ?? [])
        self.answer(.producers(ProducersAnswer(error: error, producers: producers)), to: request)
    }
}

struct UnexpectedAction: Error {}

func cluster(
    leaders: [BrokerID],
    epoch: Int32 = 5,
    error: KafkaError = .none,
    id: TopicID = .zero
) -> ClusterMetadata {
    let brokers = (1...2).map { number in
        ClusterMetadata.Broker(
            id: BrokerID(number),
            address: BrokerAddress(host: "broker\(number)", port: 9092)
        )
    }
    let partitions = leaders.enumerated().map { index, leader in
        ClusterMetadata.Partition(index: Int32(index), leaderID: leader, leaderEpoch: epoch)
    }
    let topic = ClusterMetadata.Topic(
        name: "t",
        error: error,
        id: id,
        partitions: partitions
    )
    return ClusterMetadata(brokers: brokers, topics: [topic])
}

func acknowledged(_ batch: ProducerBatch, at offset: Int64) -> ProducerStateMachine.Action {
    let result = Delivery.Result.acknowledged(baseOffset: offset, timestamp: -1)
    return .deliver([Delivery(batch: batch, result: result)])
}
