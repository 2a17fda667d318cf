import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

/// The facts of Kafka that exact restarts are built on, and where each is tested.
///
/// | fact | tests |
/// | --- | --- |
/// | F1, F3 | here, and `IdempotenceTests` |
/// | F2, F4, F7, F11 | `IdempotenceTests` |
/// | F5 | `AgeTests` |
/// | F6 | `ReplicationTests` |
/// | F8 | here, and `DescribeProducersTests` |
/// | F9 | here |
/// | F10 | `ProduceTests` |
@Suite struct RestartFactTests {
    @Test func `F1: a batch sent again by another process is a duplicate with its offset`() throws {
        let client = Conversation()
        let batch = try Conversation.batch(["a"], producer: (7, 0, 0))
        #expect(try client.produce(batch).baseOffset == 0)
        client.broker.connectionClosed(client.connection)
        let request = Conversation.request(batch)
        let answer = try client.ask(request, version: 12, from: client.other)
        #expect(answer.responses[0].partitionResponses[0].baseOffset == 0)
        #expect(try client.values() == ["a"])
    }

    @Test func `F3: a follower that becomes the leader remembers five batches`() throws {
        let client = Conversation(nodes: 2)
        for sequence in 0..<6 { _ = try client.produce(7, sequence: Int32(sequence)) }
        client.broker.inject(.moveLeader(topic: "t", partition: 0, to: 2), now: client.now)
        client.broker.connectionOpened(client.connection, node: 2)
        #expect(try client.produce(7, sequence: 1) == .at(1))
        #expect(try client.produce(7, sequence: 0) == .refused(.outOfOrderSequenceNumber))
    }

    @Test func `F8: a leader tells of batches that not all replicas have, followers answer too`()
        throws
    {
        let client = Conversation(nodes: 2)
        client.broker.inject(.holdReplication(topic: "t", partition: 0), now: client.now)
        let batch = try Conversation.batch(["a", "b"], producer: (7, 0, 4))
        try client.send(Conversation.request(batch), version: 12)
        client.broker.connectionOpened(client.other, node: 2)
        let topic = DescribeProducersRequest.Topic(name: "t", partitionIndexes: [0])
        let answer = try client.ask(DescribeProducersRequest(topics: [topic]), from: client.other)
        let partition = try #require(answer.topics.first?.partitions.first)
        #expect(partition.activeProducers.map(\.lastSequence) == [5])
        // That the node leads is what ListOffsets says.
        let latest = ListOffsetsRequest(topics: [.init(name: "t", partitions: [.init()])])
        let refusal = try client.ask(latest, from: client.other)
        #expect(refusal.topics.first?.partitions.first?.errorCode == .notLeaderOrFollower)
    }

    @Test(
        arguments: [
            ["compression.type": "zstd"], ["message.timestamp.type": "LogAppendTime"],
            ["compression.type": "gzip", "message.timestamp.type": "LogAppendTime"],
        ]
    )
    func `F9: a batch keeps its numbers however it is rewritten`(configs: [String: String]) throws {
        let client = Conversation(configs: configs)
        let batch = try Conversation.batch(["a", "b", "c"], producer: (7, 2, .max - 1))
        #expect(try client.produce(batch).errorCode == .none)
        let topic = FetchRequest.Topic(topic: "t", partitions: [.init(partitionMaxBytes: 1000)])
        let answer = try client.ask(FetchRequest(topics: [topic]), version: 12)
        let records = try #require(answer.responses.first?.partitions.first?.records)
        let header = try RecordBatchHeader(peeking: records)
        #expect(header.producerID == 7 && header.producerEpoch == 2)
        #expect(header.baseSequence == .max - 1 && header.lastSequence == 0)
        #expect(header.recordCount == 3)
    }
}
