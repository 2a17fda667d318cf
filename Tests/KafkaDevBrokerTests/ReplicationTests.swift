import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

/// What a leader has and its followers do not.
@Suite struct ReplicationTests {
    private func held() throws -> Conversation {
        let client = Conversation(nodes: 2)
        #expect(try client.produce(7, sequence: 0) == .at(0))
        client.broker.inject(.holdReplication(topic: "t", partition: 0), now: client.now)
        return client
    }

    private func send(_ client: Conversation, sequence: Int32) throws {
        let batch = try Conversation.batch(["x"], producer: (7, 0, sequence))
        try client.send(Conversation.request(batch), version: 12)
    }

    private func answer(_ client: Conversation) throws -> Conversation.Outcome {
        let response = try client.answer(to: ProduceRequest.self, version: 12)
        let partition = try #require(response.responses.first?.partitionResponses.first)
        return Conversation.Outcome(partition.errorCode, partition.baseOffset)
    }

    private func latest(
        _ client: Conversation,
        replica: Int32,
        from connection: BrokerStateMachine.ConnectionID
    ) throws -> Int64 {
        let request = ListOffsetsRequest(
            replicaID: replica,
            topics: [.init(name: "t", partitions: [.init()])]
        )
        let answer = try client.ask(request, from: connection)
        return try #require(answer.topics.first?.partitions.first).offset
    }

    @Test func `what not all replicas have is answered when they do`() throws {
        let client = try self.held()
        try self.send(client, sequence: 1)
        #expect(client.next() == nil)
        client.broker.inject(.resumeReplication(topic: "t", partition: 0), now: client.now)
        #expect(try self.answer(client) == .at(1))
    }

    @Test func `so is its duplicate`() throws {
        let client = try self.held()
        try self.send(client, sequence: 1)
        client.broker.connectionOpened(client.connection)
        try self.send(client, sequence: 1)
        #expect(client.next() == nil)
        client.broker.inject(.resumeReplication(topic: "t", partition: 0), now: client.now)
        #expect(try self.answer(client) == .at(1))
        #expect(try client.values().count == 2)
    }

    @Test func `it is answered as late when its time is up, and stays`() throws {
        let client = try self.held()
        try self.send(client, sequence: 1)
        client.now += .seconds(30)
        #expect(try self.answer(client) == .refused(.requestTimedOut))
        #expect(try client.values().count == 2)
    }

    @Test func `consumers do not see it, and are not told of it`() throws {
        let client = try self.held()
        try self.send(client, sequence: 1)
        #expect(try self.latest(client, replica: -1, from: client.other) == 1)
        #expect(try self.latest(client, replica: -2, from: client.other) == 2)
        let topic = FetchRequest.Topic(
            topic: "t",
            partitions: [.init(fetchOffset: 0, partitionMaxBytes: 1000)]
        )
        let answer = try client.ask(FetchRequest(topics: [topic]), version: 12, from: client.other)
        let data = try #require(answer.responses.first?.partitions.first)
        #expect(data.highWatermark == 1)
        #expect(try RecordBatch.batches(in: try #require(data.records)).count == 1)
    }

    @Test func `the next leader does not have it, nor remembers it`() throws {
        let client = try self.held()
        try self.send(client, sequence: 1)
        let move = Fault.moveLeader(topic: "t", partition: 0, to: 2)
        client.broker.inject(move, now: client.now)
        #expect(try self.answer(client) == .refused(.notLeaderOrFollower))
        #expect(try client.values().count == 1)
        client.broker.connectionOpened(client.connection, node: 2)
        #expect(try client.produce(7, sequence: 2) == .refused(.outOfOrderSequenceNumber))
        #expect(try client.produce(7, sequence: 1) == .at(1))
    }

    @Test func `who dies with it does not find it again`() throws {
        let client = Conversation()
        var journal = ByteBuffer()
        client.onJournal = { journal.writeImmutableBuffer($0) }
        client.broker.keepJournal(now: client.now)
        for piece in client.broker.snapshot(isStopped: false, now: client.now) {
            journal.writeImmutableBuffer(piece)
        }
        #expect(try client.produce(7, sequence: 0) == .at(0))
        client.broker.inject(.holdReplication(topic: "t", partition: 0), now: client.now)
        try self.send(client, sequence: 1)
        #expect(client.next() == nil)
        for isResumed in [false, true] {
            if isResumed {
                let resume = Fault.resumeReplication(topic: "t", partition: 0)
                client.broker.inject(resume, now: client.now)
                #expect(try self.answer(client) == .at(1))
            }
            var fresh = BrokerStateMachine(configuration: client.broker.configuration)
            var rest = journal
            try fresh.restore(from: &rest, now: client.now)
            let log = try #require(fresh.partitionLog(topic: "t", partition: 0))
            #expect(log.endOffset == (isResumed ? 2 : 1))
        }
    }
}
