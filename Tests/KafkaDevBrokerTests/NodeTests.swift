import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct NodeTests {
    /// Three nodes; partition 0 of t is led by node 1, partition 1 by node 2, partition 2 by node 3.
    private func cluster(configs: [String: String] = [:]) -> Conversation {
        Conversation(partitions: 3, configs: configs, nodes: 3)
    }

    private func metadata(_ client: Conversation) throws -> MetadataResponse {
        try client.ask(MetadataRequest(topics: [.init(name: "t")]))
    }

    @Test func `partitions and their replicas are spread over the nodes`() throws {
        let client = self.cluster()
        let answer = try self.metadata(client)
        #expect(answer.brokers.map(\.nodeID) == [1, 2, 3])
        #expect(answer.brokers.map(\.port) == [9092, 9093, 9094])
        let partitions = try #require(answer.topics.first).partitions
        #expect(partitions.map(\.leaderID) == [1, 2, 3])
        #expect(partitions.map(\.replicaNodes) == [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
        #expect(partitions.map(\.isrNodes) == partitions.map(\.replicaNodes))
    }

    @Test(arguments: [9, 10, 13] as [Int16])
    func `who does not lead says who does, from version 10 on`(version: Int16) throws {
        let client = self.cluster()
        var request = Conversation.request(try Conversation.batch(["a"]), partition: 1)
        request.topicData[0].topicID = try #require(self.metadata(client).topics.first).topicID
        let answer = try client.ask(request, version: version)
        let refused = try #require(answer.responses.first?.partitionResponses.first)
        #expect(refused.errorCode == .notLeaderOrFollower)
        if version >= 10 {
            #expect(refused.currentLeader == .init(leaderID: 2, leaderEpoch: 0))
            #expect(answer.nodeEndpoints == [.init(nodeID: 2, host: "broker", port: 9093)])
        } else {
            #expect(refused.currentLeader == nil && answer.nodeEndpoints == [])
        }
        client.broker.connectionOpened(client.other, node: 2)
        let taken = try client.ask(request, version: version, from: client.other)
        #expect(taken.responses[0].partitionResponses[0].errorCode == .none)
    }

    @Test func `the leader moves, and knows who wrote`() throws {
        let client = self.cluster()
        #expect(try client.produce(7, sequence: 4) == .at(0))
        client.broker.inject(.moveLeader(topic: "t", partition: 0, to: 2), now: client.now)
        #expect(try client.produce(7, sequence: 5) == .refused(.notLeaderOrFollower))
        let partition = try #require(self.metadata(client).topics.first).partitions[0]
        #expect(partition.leaderID == 2 && partition.leaderEpoch == 1)
        client.broker.connectionOpened(client.connection, node: 2)
        #expect(try client.produce(7, sequence: 4) == .at(0))
        #expect(try client.produce(7, sequence: 5) == .at(1))
        let log = try #require(client.broker.partitionLog(topic: "t", partition: 0))
        #expect(log.batches.map(\.header.partitionLeaderEpoch) == [0, 1])
    }

    @Test(arguments: [("t", 0, 9), ("t", 7, 2), ("x", 0, 2)] as [(String, Int32, Int32)])
    func `a leader moves to a replica only`(topic: String, partition: Int32, node: Int32) throws {
        let client = self.cluster()
        client.broker.inject(
            .moveLeader(topic: topic, partition: partition, to: node),
            now: client.now
        )
        #expect(try self.metadata(client).topics[0].partitions.map(\.leaderEpoch) == [0, 0, 0])
    }

    @Test func `when a node stops, its connections close and others lead`() throws {
        let client = self.cluster()
        client.broker.connectionOpened(client.other, node: 2)
        client.broker.inject(.stopNode(2), now: client.now)
        #expect(client.next() == .close(client.other, reason: "node 2 stops"))
        #expect(client.next() == .stopListening(node: 2))
        let answer = try self.metadata(client)
        #expect(answer.brokers.map(\.nodeID) == [1, 3])
        let partition = answer.topics[0].partitions[1]
        #expect(partition.leaderID == 3 && partition.leaderEpoch == 1)
        #expect(partition.isrNodes == [3, 1] && partition.offlineReplicas == [2])
        client.broker.inject(.startNode(2), now: client.now)
        #expect(client.next() == .listen(node: 2))
        // The leader stays where it is.
        #expect(try self.metadata(client).topics[0].partitions[1].leaderID == 3)
    }

    @Test func `a partition without a node that is up has no leader`() throws {
        let client = Conversation(topic: nil, nodes: 2)
        let topic = CreateTopicsRequest.Topic(name: "t", numPartitions: 1, replicationFactor: 1)
        #expect(try client.ask(CreateTopicsRequest(topics: [topic])).topics[0].errorCode == .none)
        client.broker.connectionOpened(client.connection, node: 2)
        client.broker.inject(.stopNode(1), now: client.now)
        while client.next() != nil {}
        let gone = try self.metadata(client).topics[0].partitions[0]
        #expect(gone.errorCode == .leaderNotAvailable && gone.leaderID == -1)
        client.broker.inject(.startNode(1), now: client.now)
        while client.next() != nil {}
        let back = try self.metadata(client).topics[0].partitions[0]
        #expect(back.leaderID == 1 && back.leaderEpoch == 2)
    }

    @Test func `acks=all wants as many replicas as the topic says`() throws {
        let client = self.cluster(configs: ["min.insync.replicas": "3"])
        #expect(try client.produce(try Conversation.batch(["a"])).errorCode == .none)
        client.broker.inject(.stopNode(3), now: client.now)
        while client.next() != nil {}
        let refused = try client.produce(try Conversation.batch(["a"]))
        #expect(refused.errorCode == .notEnoughReplicas)
        #expect(try client.produce(try Conversation.batch(["a"]), acks: 1).errorCode == .none)
    }

    @Test(
        arguments: [(4, .invalidReplicationFactor), (0, .invalidReplicationFactor), (2, .none)]
            as [(Int16, KafkaError)]
    )
    func `there are as many replicas as nodes at most`(factor: Int16, error: KafkaError) throws {
        let client = Conversation(topic: nil, nodes: 3)
        let topic = CreateTopicsRequest.Topic(
            name: "t",
            numPartitions: 1,
            replicationFactor: factor
        )
        let result = try client.ask(CreateTopicsRequest(topics: [topic])).topics[0]
        #expect(result.errorCode == error)
        #expect(result.replicationFactor == (error == .none ? factor : -1))
    }

    @Test(
        arguments: [
            ([[2, 1], [3]], .none), ([[4]], .invalidReplicaAssignment),
            ([[1, 1]], .invalidReplicaAssignment), ([[]], .invalidReplicaAssignment),
        ] as [([[Int32]], KafkaError)]
    )
    func `replicas can be assigned`(nodes: [[Int32]], error: KafkaError) throws {
        let client = Conversation(topic: nil, nodes: 3)
        let assignments = nodes.enumerated().map { index, nodes in
            CreateTopicsRequest.Assignment(partitionIndex: Int32(index), brokerIDs: nodes)
        }
        let topic = CreateTopicsRequest.Topic(name: "t", assignments: assignments)
        let result = try client.ask(CreateTopicsRequest(topics: [topic])).topics[0]
        #expect(result.errorCode == error)
        guard error == .none else { return }
        #expect(try self.metadata(client).topics[0].partitions.map(\.replicaNodes) == nodes)
    }

    @Test func `an epoch of the leader that is not the current one is refused`() throws {
        let client = self.cluster()
        client.broker.inject(.moveLeader(topic: "t", partition: 0, to: 2), now: client.now)
        client.broker.inject(.moveLeader(topic: "t", partition: 0, to: 1), now: client.now)
        for (epoch, error) in [(0, .fencedLeaderEpoch), (2, .none), (3, .unknownLeaderEpoch)]
            as [(Int32, KafkaError)]
        {
            let fetched = FetchRequest.Partition(currentLeaderEpoch: epoch, partitionMaxBytes: 9)
            let fetch = FetchRequest(topics: [.init(topic: "t", partitions: [fetched])])
            let answer = try client.ask(fetch, version: 12)
            #expect(answer.responses[0].partitions[0].errorCode == error)
            let asked = ListOffsetsRequest.Partition(currentLeaderEpoch: epoch)
            let list = ListOffsetsRequest(topics: [.init(name: "t", partitions: [asked])])
            let offsets = try client.ask(list).topics[0].partitions[0]
            #expect(offsets.errorCode == error)
            #expect(offsets.leaderEpoch == (error == .none ? 2 : -1))
        }
    }

    @Test(arguments: [(10, .notLeaderOrFollower), (11, .none)] as [(Int16, KafkaError)])
    func `followers are read from since version 11`(version: Int16, error: KafkaError) throws {
        let client = self.cluster()
        client.broker.connectionOpened(client.connection, node: 3)
        let partition = FetchRequest.Partition(fetchOffset: 0, partitionMaxBytes: 9)
        let request = FetchRequest(topics: [.init(topic: "t", partitions: [partition])])
        let answer = try client.ask(request, version: version)
        #expect(answer.responses[0].partitions[0].errorCode == error)
    }

    @Test func `each transactional id has its coordinator`() throws {
        let client = self.cluster()
        var found: Set<Int32> = []
        for number in 0..<20 {
            let id = "tx-\(number)"
            let request = FindCoordinatorRequest(keyType: 1, coordinatorKeys: [id])
            let node = try #require(try client.ask(request).coordinators.first).nodeID
            found.insert(node)
            client.broker.connectionOpened(client.connection, node: node % 3 + 1)
            let producer = TransactionalProducer(client, id: id)
            #expect(try producer.initialize() == .notCoordinator)
            #expect(try producer.end(commit: true) == .notCoordinator)
            #expect(try producer.add([0]) == [.notCoordinator])
            client.broker.connectionOpened(client.connection, node: node)
            #expect(try producer.initialize() == .none)
        }
        #expect(found == [1, 2, 3])
    }
}

@Suite struct RecreationTests {
    @Test func `a topic that is made anew is not the one that was`() throws {
        let client = Conversation()
        let old = try client.ask(MetadataRequest(topics: [.init(name: "t")])).topics[0].topicID
        let delete = DeleteTopicsRequest(topics: [.init(name: "t")])
        #expect(try client.ask(delete).responses.map(\.errorCode) == [.none])
        #expect(try client.ask(delete).responses.map(\.errorCode) == [.unknownTopicOrPartition])
        client.broker.createTopic("t", partitions: 1)
        let new = try client.ask(MetadataRequest(topics: [.init(name: "t")])).topics[0].topicID
        #expect(new != old)
        for (id, error) in [(old, .unknownTopicID), (new, .none)] as [(TopicID, KafkaError)] {
            var request = Conversation.request(try Conversation.batch(["a"]))
            request.topicData[0].topicID = id
            let produced = try client.ask(request, version: 13)
            #expect(produced.responses[0].partitionResponses[0].errorCode == error)
            #expect(produced.responses[0].topicID == id)
            let partition = FetchRequest.Partition(fetchOffset: 0, partitionMaxBytes: 9)
            let fetch = FetchRequest(topics: [.init(topicID: id, partitions: [partition])])
            let fetched = try client.ask(fetch, version: 13)
            #expect(fetched.responses[0].partitions[0].errorCode == error)
        }
    }

    @Test(arguments: DeleteTopicsRequest.versions)
    func `a topic is deleted by name, and by id in the newest version`(version: Int16) throws {
        let client = Conversation()
        let id = try client.ask(MetadataRequest(topics: [.init(name: "t")])).topics[0].topicID
        let topic = version >= 6 ? DeleteTopicsRequest.Topic(topicID: id) : .init(name: "t")
        let answer = try client.ask(DeleteTopicsRequest(topics: [topic]), version: version)
        #expect(answer.responses.map(\.name) == ["t"])
        #expect(answer.responses.map(\.errorCode) == [.none])
        #expect(client.broker.topicPartitionCounts == [:])
    }

    @Test func `a fetch that waits is told that its topic is gone`() throws {
        let client = Conversation()
        let partition = FetchRequest.Partition(fetchOffset: 0, partitionMaxBytes: 9)
        let fetch = FetchRequest(
            maxWaitMilliseconds: 500,
            minBytes: 1,
            topics: [.init(topic: "t", partitions: [partition])]
        )
        try client.send(fetch, version: 11, from: client.other)
        _ = try client.ask(DeleteTopicsRequest(topics: [.init(name: "t")]))
        let answer = try client.answer(to: FetchRequest.self, version: 11, on: client.other)
        #expect(answer.responses[0].partitions[0].errorCode == .unknownTopicOrPartition)
    }
}

@Suite struct CommandTests {
    @Test(
        arguments: [
            ("leader t 1 2", .moveLeader(topic: "t", partition: 1, to: 2)),
            ("down 2", .stopNode(2)), ("up 2", .startNode(2)),
            ("refuse 19", .refuse(.notEnoughReplicas)),
            ("refuse 6 3", .refuse(.notLeaderOrFollower, nth: 3)),
            ("fail-after 20", .failAfterAppend(.notEnoughReplicasAfterAppend)),
            ("lose", .loseAnswer()), ("lose 2", .loseAnswer(nth: 2)),
            ("hang-up", .closeBeforeAppend()),
            ("swallow 4", .swallowAnswer(nth: 4)), ("throttle 100", .throttle(milliseconds: 100)),
            ("stall 50", .stall(.milliseconds(50))), ("close", .closeConnections),
            ("forget", .forgetProducers(keepingLastBatch: false)),
            ("forget older", .forgetProducers(keepingLastBatch: true)),
            ("delay-markers 9", .delayMarkers(.milliseconds(9))),
            ("hold t 1", .holdReplication(topic: "t", partition: 1)),
            ("resume t 1", .resumeReplication(topic: "t", partition: 1)),
        ] as [(String, Fault)]
    )
    func `a fault can be typed`(command: String, fault: Fault) {
        #expect(Fault(command: command) == fault)
    }

    @Test(arguments: [
        "", "jump", "down", "down x", "leader t 1", "hold t", "refuse", "close 1", "lose 1 2",
    ])
    func `what is no command is none`(command: String) {
        #expect(Fault(command: command) == nil)
    }

    @Test func `every command that is listed is one`() {
        for line in Fault.commands.split(separator: "\n") {
            let usage = line.prefix { $0 != "[" }.prefix(29).split(separator: " ")
            let words = usage.map { $0 == "TOPIC" ? "t" : $0.allSatisfy(\.isUppercase) ? "1" : $0 }
            #expect(Fault(command: words.joined(separator: " ")) != nil, "\(line)")
        }
    }
}
