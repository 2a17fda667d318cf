import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct IdempotenceTests {
    @Test func `a batch sent again is answered with its offset and not appended`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: 0, count: 3) == .at(0))
        #expect(try client.produce(7, sequence: 0, count: 3) == .at(0))
        #expect(try client.produce(7, sequence: 3, count: 2) == .at(3))
        #expect(try client.produce(7, sequence: 0, count: 3) == .at(0))
        #expect(try client.values().count == 5)
        let log = try #require(client.broker.partitionLog(topic: "t", partition: 0))
        #expect(log.duplicateCount == 2)
    }

    @Test func `only the numbers of a batch are compared, not its bytes`() throws {
        let client = Conversation()
        let first = try Conversation.batch(["kept"], producer: (7, 0, 0))
        let second = try Conversation.batch(["lost"], producer: (7, 0, 0))
        #expect(try client.produce(first).errorCode == .none)
        #expect(try client.produce(second).errorCode == .none)
        #expect(try client.values() == ["kept"])
    }

    @Test func `the last five batches are remembered`() throws {
        let client = Conversation()
        for sequence in 0..<6 { _ = try client.produce(7, sequence: Int32(sequence)) }
        #expect(try client.produce(7, sequence: 1) == .at(1))
        #expect(try client.produce(7, sequence: 0) == .refused(.outOfOrderSequenceNumber))
    }

    @Test func `a gap, an overlap and other boundaries are refused`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: 0, count: 3) == .at(0))
        #expect(try client.produce(7, sequence: 4) == .refused(.outOfOrderSequenceNumber))
        #expect(try client.produce(7, sequence: 2, count: 2) == .refused(.outOfOrderSequenceNumber))
        #expect(try client.produce(7, sequence: 0, count: 2) == .refused(.outOfOrderSequenceNumber))
        #expect(try client.produce(7, sequence: 3) == .at(3))
    }

    @Test func `a producer id that is not known may begin with any sequence`() throws {
        let client = Conversation()
        #expect(try client.produce(999_999, sequence: 9) == .at(0))
        #expect(try client.produce(999_999, sequence: 10) == .at(1))
    }

    @Test func `with two in flight the second can overtake the first of an unknown id`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: 1) == .at(0))
        #expect(try client.produce(7, sequence: 0) == .refused(.outOfOrderSequenceNumber))
    }

    @Test func `sequences wrap to zero between batches`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: .max - 1, count: 2) == .at(0))
        #expect(try client.produce(7, sequence: 0) == .at(2))
    }

    @Test func `sequences wrap to zero inside a batch`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: .max - 1, count: 4) == .at(0))
        #expect(try client.produce(7, sequence: .max - 1, count: 4) == .at(0))
        #expect(try client.produce(7, sequence: 2) == .at(4))
    }

    @Test func `a raised epoch begins at zero and fences the old one`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: 0) == .at(0))
        #expect(try client.produce(7, epoch: 5, sequence: 3) == .refused(.outOfOrderSequenceNumber))
        #expect(try client.produce(7, epoch: 1, sequence: 0) == .at(1))
        #expect(try client.produce(7, epoch: 0, sequence: 1) == .refused(.invalidProducerEpoch))
    }

    @Test func `a batch with a producer id needs a sequence`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: -1) == .refused(.invalidRecord))
    }

    @Test func `after a clean restart only the last batch is remembered`() throws {
        let client = Conversation()
        for sequence in 0..<3 { _ = try client.produce(7, sequence: Int32(sequence)) }
        client.broker.inject(.forgetProducers(keepingLastBatch: true), now: client.now)
        #expect(try client.produce(7, sequence: 2) == .at(2))
        #expect(try client.produce(7, sequence: 1) == .refused(.outOfOrderSequenceNumber))
        #expect(try client.produce(7, sequence: 3) == .at(3))
    }

    @Test func `when the state is gone a batch sent again is a duplicate`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: 4) == .at(0))
        client.broker.inject(.forgetProducers(keepingLastBatch: false), now: client.now)
        #expect(try client.produce(7, sequence: 4) == .at(1))
    }

    @Test func `producer ids are given once`() throws {
        let client = Conversation()
        let first = try client.ask(InitProducerIDRequest())
        let second = try client.ask(InitProducerIDRequest())
        #expect(first.errorCode == .none && first.producerEpoch == 0)
        #expect(second.producerID != first.producerID)
    }
}
