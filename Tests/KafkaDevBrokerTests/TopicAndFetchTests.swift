import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct ApiVersionsTests {
    private let request = ApiVersionsRequest(
        clientSoftwareName: "forktail",
        clientSoftwareVersion: "1.0"
    )

    @Test func `Produce is offered from version 0 on, as Kafka 4 does`() throws {
        let client = Conversation()
        let answer = try client.ask(self.request)
        #expect(answer.errorCode == .none)
        #expect(answer.versions(of: .produce) == 0...13)
        #expect(answer.versions(of: .fetch) == 4...13)
    }

    @Test func `Produce is refused below version 3 all the same`() throws {
        let client = Conversation()
        let frame = ByteBuffer(bytes: [0, 0, 0, 2, 0, 0, 0, 1, 255, 255, 0, 1, 0, 0, 0, 0, 0, 0])
        client.broker.received(frame, from: client.connection, now: client.now)
        #expect(client.isClosed())
    }

    @Test func `a version that is not known is refused in version 0`() throws {
        let client = Conversation()
        let frame = ByteBuffer(bytes: [0, 18, 0, 99, 0, 0, 0, 1, 255, 255, 0])
        client.broker.received(frame, from: client.connection, now: client.now)
        let answer = try client.answer(to: ApiVersionsRequest.self, version: 0)
        #expect(answer.errorCode == .unsupportedVersion)
        #expect(answer.versions(of: .apiVersions) == 0...4)
    }

    @Test(arguments: ["", "-a", "a b", "é"])
    func `a client's name must be one`(name: String) throws {
        let client = Conversation()
        let request = ApiVersionsRequest(clientSoftwareName: name, clientSoftwareVersion: "1")
        #expect(try client.ask(request).errorCode == .invalidRequest)
    }

    @Test func `what is no request closes the connection`() throws {
        for bytes in [[], [0], [3, 231, 0, 0, 0, 0, 0, 1, 255, 255], Array("GET / HTTP/1.1".utf8)] {
            let client = Conversation()
            let frame = ByteBuffer(bytes: bytes as [UInt8])
            client.broker.received(frame, from: client.connection, now: client.now)
            #expect(client.isClosed())
        }
    }
}

@Suite struct TopicTests {
    @Test func `a topic is made when it is first mentioned`() throws {
        let client = Conversation(topic: nil)
        client.broker.configuration.defaultPartitions = 3
        let answer = try client.ask(
            MetadataRequest(topics: [.init(name: "new")], allowAutoTopicCreation: true)
        )
        let topic = try #require(answer.topics.first)
        #expect(topic.errorCode == .none && topic.partitions.map(\.partitionIndex) == [0, 1, 2])
        #expect(topic.partitions.allSatisfy { $0.leaderID == 1 && $0.leaderEpoch == 0 })
        #expect(answer.brokers.map(\.host) == ["broker"])
    }

    @Test func `a topic is not made when the client does not want it`() throws {
        let client = Conversation(topic: nil)
        let answer = try client.ask(
            MetadataRequest(topics: [.init(name: "new")], allowAutoTopicCreation: false)
        )
        #expect(answer.topics.map(\.errorCode) == [.unknownTopicOrPartition])
        #expect(client.broker.topicPartitionCounts == [:])
    }

    @Test(arguments: ["", ".", "..", "a b", "ü", String(repeating: "x", count: 250)])
    func `a name that Kafka does not take is refused`(name: String) throws {
        let client = Conversation(topic: nil)
        let metadata = try client.ask(MetadataRequest(topics: [.init(name: name)]))
        #expect(metadata.topics.map(\.errorCode) == [.invalidTopicException])
        let create = try client.ask(CreateTopicsRequest(topics: [.init(name: name)]))
        #expect(create.topics.map(\.errorCode) == [.invalidTopicException])
    }

    @Test func `a topic is made once`() throws {
        let client = Conversation(topic: nil)
        let request = CreateTopicsRequest(topics: [.init(name: "a", numPartitions: 2)])
        #expect(try client.ask(request).topics.map(\.errorCode) == [.none])
        #expect(try client.ask(request).topics.map(\.errorCode) == [.topicAlreadyExists])
        #expect(client.broker.topicPartitionCounts == ["a": 2])
    }

    @Test func `all topics are told to who asks for all`() throws {
        let client = Conversation(topic: "b")
        client.broker.createTopic("a", partitions: 1)
        #expect(try client.ask(MetadataRequest(topics: nil)).topics.map(\.name) == ["a", "b"])
        let oldest = try client.ask(MetadataRequest(topics: []), version: 0)
        #expect(oldest.topics.map(\.name) == ["a", "b"])
        #expect(try client.ask(MetadataRequest(topics: [])).topics == [])
    }

    @Test func `a topic id that is not known is refused`() throws {
        let client = Conversation()
        let asked = MetadataRequest.Topic(topicID: TopicID(high: 1, low: 77), name: nil)
        let answer = try client.ask(MetadataRequest(topics: [asked]))
        #expect(answer.topics.map(\.errorCode) == [.unknownTopicID])
    }
}

@Suite struct FetchTests {
    private func request(
        from offset: Int64,
        wait: Int32 = 0,
        minBytes: Int32 = 1,
        limit: Int32 = .max
    ) -> FetchRequest {
        let partition = FetchRequest.Partition(fetchOffset: offset, partitionMaxBytes: limit)
        return FetchRequest(
            maxWaitMilliseconds: wait,
            minBytes: minBytes,
            topics: [.init(topic: "t", partitions: [partition])]
        )
    }

    private func values(_ response: FetchResponse) throws -> [String] {
        let records = try #require(response.responses.first?.partitions.first?.records)
        return try RecordBatch.batches(in: records)
            .flatMap { try $0.records() }
            .map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }

    @Test(arguments: Array(FetchRequest.versions.dropLast()))
    func `batches are read from the one with the offset on`(version: Int16) throws {
        let client = Conversation()
        for values in [["a", "b"], ["c"], ["d"]] {
            _ = try client.produce(try Conversation.batch(values))
        }
        let response = try client.ask(self.request(from: 1), version: version)
        #expect(try self.values(response) == ["a", "b", "c", "d"])
        #expect(try self.values(client.ask(self.request(from: 2), version: version)) == ["c", "d"])
        #expect(response.responses[0].partitions[0].highWatermark == 4)
    }

    @Test func `the limit holds, but for the first batch`() throws {
        let client = Conversation()
        for value in ["a", "b", "c"] { _ = try client.produce(try Conversation.batch([value])) }
        #expect(try self.values(client.ask(self.request(from: 0, limit: 1), version: 11)) == ["a"])
        let two = try client.ask(self.request(from: 0, limit: 140), version: 11)
        #expect(try self.values(two) == ["a", "b"])
    }

    @Test(arguments: [-1, 2] as [Int64])
    func `an offset outside the log is refused`(offset: Int64) throws {
        let client = Conversation()
        _ = try client.produce(try Conversation.batch(["a"]))
        let response = try client.ask(self.request(from: offset, wait: 100), version: 11)
        #expect(response.responses[0].partitions[0].errorCode == .offsetOutOfRange)
    }

    @Test func `a fetch at the end waits for what is appended`() throws {
        let client = Conversation()
        try client.send(self.request(from: 0, wait: 500), version: 11, from: client.other)
        #expect(client.next() == nil)
        #expect(client.broker.nextDeadline == client.now + .milliseconds(500))
        try client.send(Conversation.request(try Conversation.batch(["a"])), version: 9)
        let fetched = try client.answer(to: FetchRequest.self, version: 11, on: client.other)
        #expect(try self.values(fetched) == ["a"])
        #expect(client.broker.nextDeadline == nil)
    }

    @Test func `a fetch at the end is answered empty when its time is up`() throws {
        let client = Conversation()
        try client.send(self.request(from: 0, wait: 500), version: 11)
        client.now += .milliseconds(500)
        let fetched = try client.answer(to: FetchRequest.self, version: 11)
        #expect(try self.values(fetched) == [])
        #expect(fetched.responses[0].partitions[0].errorCode == .none)
    }

    @Test func `a request behind a fetch that waits is answered after it`() throws {
        let client = Conversation()
        try client.send(self.request(from: 0, wait: 500), version: 11)
        try client.send(MetadataRequest(topics: []))
        #expect(client.next() == nil)
        client.now += .milliseconds(500)
        _ = try client.answer(to: FetchRequest.self, version: 11)
        _ = try client.answer(to: MetadataRequest.self)
    }

    @Test func `a closed connection's fetch is forgotten`() throws {
        let client = Conversation()
        try client.send(self.request(from: 0, wait: 500), version: 11)
        client.broker.connectionClosed(client.connection)
        #expect(client.broker.nextDeadline == nil)
    }

    @Test(
        arguments: [(-1, 3), (-2, 0), (-3, 2), (1000, 0), (1001, 1), (1003, -1)] as [(Int64, Int64)]
    )
    func `a timestamp's offset is found`(timestamp: Int64, offset: Int64) throws {
        let client = Conversation()
        _ = try client.produce(try Conversation.batch(["a", "b", "c"], timestamp: 1000))
        let partition = ListOffsetsRequest.Partition(timestamp: timestamp)
        let request = ListOffsetsRequest(topics: [.init(name: "t", partitions: [partition])])
        let answer = try client.ask(request)
        #expect(answer.topics[0].partitions.map(\.offset) == [offset])
    }
}
