import KafkaProtocol
import NIOCore
import Testing

@testable import KafkaDevBroker

/// What a client may not do, and what it is told of that.
@Suite struct DenialTests {
    private static func conversation(_ denials: Denial...) -> Conversation {
        let talk = Conversation()
        talk.broker.createTopic("open", partitions: 2)
        talk.broker.configuration.denials = denials
        return talk
    }

    /// The error and the rights of topic `t`, and of `open`.
    private static func standing(
        _ talk: Conversation,
        asks: Bool = true
    ) throws -> [(KafkaError, Int32)] {
        let request = MetadataRequest(
            topics: [.init(name: "t"), .init(name: "open")],
            includeTopicAuthorizedOperations: asks
        )
        return try talk.ask(request).topics.map { ($0.errorCode, $0.topicAuthorizedOperations) }
    }

    private static func bits(_ operations: Int32...) -> Int32 {
        operations.reduce(0) { $0 | 1 << $1 }
    }

    private static let all = bits(3, 4, 5, 6, 7, 8, 10, 11)

    @Test func `rights are told to who asks for them`() throws {
        let talk = Self.conversation(Denial(.write, .topic("t")))
        #expect(try Self.standing(talk, asks: false).map(\.1) == [.min, .min])
        let standing = try Self.standing(talk)
        #expect(standing.map(\.0) == [.none, .none])
        #expect(standing.map(\.1) == [Self.bits(3, 5, 6, 7, 8, 10, 11), Self.all])
        let cluster = MetadataRequest(topics: [], includeClusterAuthorizedOperations: true)
        let told = try talk.ask(cluster, version: 10).clusterAuthorizedOperations
        #expect(told == Self.bits(5, 7, 8, 9, 10, 11, 12))
        let nothing = try talk.ask(MetadataRequest(topics: []), version: 10)
        #expect(nothing.clusterAuthorizedOperations == .min)
    }

    @Test func `who may not write is refused, and may read`() throws {
        let talk = Self.conversation(Denial(.write, .topic("t")))
        let request = Conversation.request(try Conversation.batch(["a"]))
        let answer = try talk.ask(request, version: 12)
        #expect(answer.responses[0].partitionResponses[0].errorCode == .topicAuthorizationFailed)
        #expect(try talk.values() == [])
        #expect(try self.fetch(talk).errorCode == .none)
    }

    @Test func `who may not read is told neither records nor producers`() throws {
        let talk = Self.conversation(Denial(.read, .topic("t")))
        let request = Conversation.request(try Conversation.batch(["a"]))
        let produced = try talk.ask(request, version: 12)
        #expect(produced.responses[0].partitionResponses[0].errorCode == .none)
        let fetched = try self.fetch(talk)
        #expect(fetched.errorCode == .topicAuthorizationFailed)
        #expect(fetched.records?.readableBytes == 0)
        let topic = DescribeProducersRequest.Topic(name: "t", partitionIndexes: [0])
        let producers = try talk.ask(DescribeProducersRequest(topics: [topic]))
        #expect(producers.topics[0].partitions[0].errorCode == .topicAuthorizationFailed)
    }

    @Test func `what nobody may describe is there for nobody`() throws {
        let talk = Self.conversation(
            Denial(.describe, .topic("t")),
            Denial(.describe, .topic("new"))
        )
        let standing = try Self.standing(talk)
        #expect(standing.map(\.0) == [.topicAuthorizationFailed, .none])
        #expect(standing.map(\.1) == [.min, Self.all])
        #expect(try talk.ask(MetadataRequest()).topics.map(\.name) == ["open"])
        // Nor does asking make it.
        let wanted = MetadataRequest(topics: [.init(name: "new")], allowAutoTopicCreation: true)
        #expect(try talk.ask(wanted).topics[0].errorCode == .topicAuthorizationFailed)
        #expect(talk.broker.topicID(of: "new") == nil)
        let offsets = ListOffsetsRequest(topics: [
            .init(name: "t", partitions: [.init(partitionIndex: 0, timestamp: -1)])
        ])
        let found = try talk.ask(offsets).topics[0].partitions[0]
        #expect(found.errorCode == .topicAuthorizationFailed)
    }

    @Test func `a transactional id can be kept from a client`() throws {
        let talk = Self.conversation(Denial(.describe, .transactionalID("tx")))
        let request = FindCoordinatorRequest(key: "tx", keyType: 1, coordinatorKeys: ["tx", "ty"])
        let found = try talk.ask(request)
        let refused = KafkaError.transactionalIDAuthorizationFailed
        #expect(found.coordinators.map(\.errorCode) == [refused, .none])
        #expect(try talk.ask(request, version: 3).errorCode == refused)
        // A group of the same name is something else.
        let group = FindCoordinatorRequest(key: "tx", keyType: 0, coordinatorKeys: ["tx"])
        #expect(try talk.ask(group).coordinators[0].errorCode == .none)

        let producer = TransactionalProducer(talk)
        try producer.initialize()
        talk.broker.configuration.denials = [Denial(.write, .transactionalID("tx"))]
        #expect(try producer.initialize() == refused)
        #expect(try producer.add([0]) == [refused])
        #expect(try producer.end(commit: true) == refused)
        #expect(try producer.produce(0) == .refused(refused))
    }

    @Test func `no partition joins a transaction with one that may not be written`() throws {
        let talk = Self.conversation(Denial(.write, .topic("t")))
        let producer = TransactionalProducer(talk)
        try producer.initialize()
        let request = AddPartitionsToTxnRequest(
            transactionalID: "tx",
            producerID: producer.producerID,
            producerEpoch: producer.epoch,
            topics: [.init(name: "t", partitions: [0]), .init(name: "open", partitions: [1])]
        )
        let errors = try talk.ask(request, version: 3).topics.flatMap(\.partitions)
        #expect(errors.map(\.errorCode) == [.topicAuthorizationFailed, .operationNotAttempted])
    }

    @Test func `what one user may not do another one may`() throws {
        let talk = Self.conversation(Denial(.write, .topic("t"), user: "alice"))
        talk.broker.configuration.sasl = .init(users: ["alice": "secret", "bob": "secret"])
        for (user, connection) in [("alice", talk.connection), ("bob", talk.other)] {
            _ = try talk.ask(SASLHandshakeRequest(mechanism: "PLAIN"), from: connection)
            let bytes = ByteBuffer(string: "\0\(user)\0secret")
            _ = try talk.ask(SASLAuthenticateRequest(authBytes: bytes), from: connection)
            let request = Conversation.request(try Conversation.batch(["a"]))
            let answer = try talk.ask(request, version: 12, from: connection)
            let error = answer.responses[0].partitionResponses[0].errorCode
            #expect(error == (user == "alice" ? .topicAuthorizationFailed : .none))
        }
    }

    @Test func `a denial is read from its words`() {
        let everybody = Denial(.write, .topic("orders"))
        #expect(Denial("write topic orders") == everybody)
        let alice = Denial(.describe, .transactionalID("shop"), user: "alice")
        #expect(Denial("describe transactional-id shop alice") == alice)
        for text in [
            "", "write orders", "delete topic orders", "write group g", "read topic a b c",
        ] {
            #expect(Denial(text) == nil, "\(text)")
        }
    }

    private func fetch(_ talk: Conversation) throws -> FetchResponse.PartitionData {
        let request = FetchRequest(
            maxWaitMilliseconds: 0,
            topics: [
                .init(topic: "t", partitions: [.init(partition: 0, partitionMaxBytes: 1 << 20)])
            ]
        )
        return try talk.ask(request, version: 12).responses[0].partitions[0]
    }
}
