import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct DescribeProducersTests {
    private func ask(
        _ client: Conversation,
        topic: String = "t",
        partition: Int32 = 0
    ) throws -> DescribeProducersResponse.Partition {
        let topic = DescribeProducersRequest.Topic(name: topic, partitionIndexes: [partition])
        let answer = try client.ask(DescribeProducersRequest(topics: [topic]))
        return try #require(answer.topics.first?.partitions.first)
    }

    @Test func `the last sequence and epoch of each producer are told`() throws {
        let client = Conversation()
        #expect(try self.ask(client).activeProducers == [])
        #expect(try client.produce(9, sequence: 4, count: 3) == .at(0))
        #expect(try client.produce(7, epoch: 2, sequence: .max, count: 2) == .at(3))
        let found = try self.ask(client).activeProducers
        #expect(found.map(\.producerID) == [7, 9])
        #expect(found.map(\.producerEpoch) == [2, 0])
        #expect(found.map(\.lastSequence) == [0, 6])
        #expect(found.map(\.lastTimestamp) == [1_700_000_000_001, 1_700_000_000_002])
        #expect(found.map(\.currentTransactionStartOffset) == [-1, -1])
        #expect(found.map(\.coordinatorEpoch) == [-1, -1])
    }

    @Test func `an open transaction is told of, and that it ended`() throws {
        let client = Conversation()
        #expect(try client.produce(9, sequence: 0) == .at(0))
        let producer = TransactionalProducer(client, produceVersion: 12)
        try producer.initialize()
        #expect(try producer.produce(0) == .at(1))
        let open = try #require(try self.ask(client).activeProducers.last)
        #expect(open.currentTransactionStartOffset == 1 && open.coordinatorEpoch == -1)
        #expect(try producer.end(commit: true) == .none)
        // The marker raised the epoch: under this one nothing has been written yet.
        let over = try #require(try self.ask(client).activeProducers.last)
        #expect(over.currentTransactionStartOffset == -1 && over.coordinatorEpoch == 0)
        #expect(over.producerEpoch == 1 && over.lastSequence == -1)
    }

    @Test(
        arguments: [
            ("t", 3, .unknownTopicOrPartition), ("x", 0, .unknownTopicOrPartition),
            ("a b", 0, .invalidTopicException), ("t", 1, .notLeaderOrFollower), ("t", 2, .none),
        ] as [(String, Int32, KafkaError)]
    )
    func `replicas answer, others do not`(
        topic: String,
        partition: Int32,
        error: KafkaError
    ) throws {
        let client = Conversation(topic: nil, nodes: 3)
        let assignments: [[Int32]] = [[1], [2], [3, 1]]
        let wanted = CreateTopicsRequest.Topic(
            name: "t",
            assignments: assignments.enumerated().map { index, nodes in
                .init(partitionIndex: Int32(index), brokerIDs: nodes)
            }
        )
        _ = try client.ask(CreateTopicsRequest(topics: [wanted]))
        #expect(try self.ask(client, topic: topic, partition: partition).errorCode == error)
    }
}
