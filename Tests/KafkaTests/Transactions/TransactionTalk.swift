import KafkaProtocol
import Testing

@testable import Kafka

/// A producer's machine in transactions, and the brokers it talks to: 1 leads `t`, 2 coordinates.
struct TransactionTalk {
    static let coordinator = ClusterMetadata.Broker(
        id: 2,
        address: BrokerAddress(host: "broker2", port: 9092)
    )

    var talk: Conversation
    var support: TransactionSupport
    /// What calls came to.
    var results: [TransactionCallID: KafkaProducerError?] = [:]
    var deliveries: [Delivery] = []
    private let partitions: Int32
    private var lastCall: TransactionCallID = 0

    /// A producer whose topic is known, and nothing of its transactions.
    init(
        _ version: TransactionVersion = .one,
        partitions: Int32 = 1,
        raisesEpochs: Bool = true,
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws {
        self.talk = try Conversation.started(partitions: partitions) {
            $0.transactionalID = "tx"
            change(&$0)
        }
        self.partitions = partitions
        self.support = TransactionSupport(version: version, raisesEpochs: raisesEpochs)
    }

    /// A producer after `initTransactions()`.
    static func initialized(
        _ version: TransactionVersion = .one,
        partitions: Int32 = 1,
        raisesEpochs: Bool = true,
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws -> TransactionTalk {
        var talk = try TransactionTalk(
            version,
            partitions: partitions,
            raisesEpochs: raisesEpochs,
            change
        )
        let call = talk.call(.initialize)
        try talk.findCoordinator()
        try talk.initialize()
        try talk.expectSuccess(of: call)
        return talk
    }

    /// A producer in its first transaction.
    static func begun(
        _ version: TransactionVersion = .one,
        partitions: Int32 = 1,
        raisesEpochs: Bool = true,
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws -> TransactionTalk {
        var talk = try self.initialized(
            version,
            partitions: partitions,
            raisesEpochs: raisesEpochs,
            change
        )
        try talk.begin()
        return talk
    }

    /// A producer whose transaction has one acknowledged batch.
    static func written(_ version: TransactionVersion = .one) throws -> TransactionTalk {
        var talk = try self.begun(version)
        let batch = try talk.submit()
        if version == .one { try talk.addPartition() }
        talk.acknowledge(try talk.expectProduce(of: batch))
        return talk
    }

    func identity(epoch: Int16 = 0, id: Int64 = 4711) -> ProducerIdentity {
        ProducerIdentity(id: id, epoch: epoch, transactions: self.support.version)
    }

    // MARK: The application

    mutating func call(_ operation: TransactionOperation) -> TransactionCallID {
        self.lastCall += 1
        self.talk.machine.call(operation, self.lastCall)
        return self.lastCall
    }

    mutating func sendOffsets(_ offsets: GroupOffsets) -> TransactionCallID {
        self.lastCall += 1
        self.talk.machine.sendOffsets(offsets, self.lastCall)
        return self.lastCall
    }

    mutating func submit(
        _ values: [String] = ["v"],
        partition: Int32 = 0
    ) throws -> ProducerBatch {
        let batch = try makeBatch(values, partition: partition, createdAt: self.talk.now)
        self.talk.machine.submit([batch], now: self.talk.now)
        return batch
    }

    /// What a batch failed with; nil for one that did not.
    func failure(of batch: ProducerBatch) -> KafkaProducerError? {
        for case .failed(let error) in self.deliveries.filter({ $0.batch === batch }).map(\.result)
        {
            return error
        }
        return nil
    }

    mutating func begin() throws {
        let call = self.call(.begin)
        try self.expectSuccess(of: call)
    }

    mutating func expectSuccess(
        of call: TransactionCallID,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try self.expectNothing(sourceLocation: sourceLocation)
        let result = try #require(self.results[call], sourceLocation: sourceLocation)
        #expect(result == nil, sourceLocation: sourceLocation)
    }

    /// The error that a call ended with.
    mutating func error(
        of call: TransactionCallID,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> KafkaProducerError {
        _ = self.next()
        let result = try #require(self.results[call], sourceLocation: sourceLocation)
        return try #require(result, sourceLocation: sourceLocation)
    }

    // MARK: The brokers

    /// The next request about records or transactions; what has to happen before it happens.
    mutating func next() -> (request: ProducerRequest, id: RequestID, broker: BrokerID)? {
        while let action = self.talk.next() {
            switch action {
            case .connect(let id, _):
                self.talk.machine.connected(id, self.support, now: self.talk.now)
            case .disconnect(let id, let reason): self.lose(id, reason)
            case .send(.metadata(let topics), let id, _): self.tell(of: topics, id)
            // What a topic takes is no matter of transactions.
            case .send(.describeLimit, let id, _): self.talk.answer(.maxMessageBytes(nil), to: id)
            case .send(let request, let id, let broker): return (request, id, broker)
            case .deliver(let deliveries): self.deliveries += deliveries
            case .completed(let call, let error): self.results[call] = .some(error)
            default: break
            }
        }
        return nil
    }

    private mutating func tell(of topics: [String], _ id: RequestID) {
        var answer = cluster(leaders: Array(repeating: 1, count: Int(self.partitions)))
        answer.topics.removeAll { !topics.contains($0.name) }
        self.talk.answer(.metadata(answer), to: id)
    }

    mutating func lose(_ broker: BrokerID, _ reason: String = "reset") {
        self.talk.machine.connectionClosed(broker, reason: reason, now: self.talk.now)
    }

    mutating func wait() { self.talk.now += .seconds(2) }

    mutating func expectNothing(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let next = self.next()
        #expect(next == nil, "\(String(describing: next))", sourceLocation: sourceLocation)
    }

    mutating func expect(
        _ request: TransactionRequest,
        to broker: BrokerID? = Self.coordinator.id,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        let found = self.next()
        let next = try #require(found, sourceLocation: sourceLocation)
        #expect(next.request == .transaction(request), sourceLocation: sourceLocation)
        if let broker { #expect(next.broker == broker, sourceLocation: sourceLocation) }
        return next.id
    }

    mutating func expectProduce(
        of batch: ProducerBatch,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        let found = self.next()
        let next = try #require(found, sourceLocation: sourceLocation)
        #expect(next.request == .produce([batch]), sourceLocation: sourceLocation)
        return next.id
    }

    mutating func expectEnd(
        commit: Bool,
        epoch: Int16 = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        try self.expect(
            .end(commit: commit, self.identity(epoch: epoch)),
            sourceLocation: sourceLocation
        )
    }

    mutating func answer(_ answer: TransactionAnswer, to id: RequestID) {
        self.talk.answer(.transaction(answer), to: id)
    }

    mutating func acknowledge(_ id: RequestID, partition: Int32 = 0) {
        self.talk.answer(partition: partition, to: id)
    }

    mutating func refuse(_ error: KafkaError, _ id: RequestID) {
        self.talk.answer(error, to: id)
    }

    mutating func findCoordinator() throws {
        let request = try self.expect(.findCoordinator, to: nil)
        self.answer(.coordinator(.none, Self.coordinator), to: request)
    }

    mutating func initialize(
        raising former: ProducerIdentity? = nil,
        to identity: ProducerIdentity? = nil
    ) throws {
        let request = try self.expect(.initProducerID(raising: former))
        let identity = identity ?? self.identity()
        self.answer(.producerID(ProducerIDAnswer(identity: identity)), to: request)
    }

    mutating func expectAddition(epoch: Int16 = 0) throws -> RequestID {
        let partition = TopicPartition(topic: "t", partition: 0)
        return try self.expect(.addPartitions([partition], self.identity(epoch: epoch)))
    }

    mutating func addPartition(_ error: KafkaError = .none, epoch: Int16 = 0) throws {
        let request = try self.expectAddition(epoch: epoch)
        let partition = TopicPartition(topic: "t", partition: 0)
        self.answer(.partitionsAdded([partition: error]), to: request)
    }

    /// Answers the end of the transaction, with a new identity where the version has that.
    mutating func end(
        commit: Bool,
        _ error: KafkaError = .none,
        epoch: Int16 = 0,
        next: ProducerIdentity? = nil
    ) throws {
        let request = try self.expectEnd(commit: commit, epoch: epoch)
        self.answer(.ended(error, next), to: request)
    }
}
