import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

/// A conversation with a broker that writes down what it does, and can be started again.
private final class KeptConversation {
    var client: Conversation
    private(set) var journal = ByteBuffer()

    init(configs: [String: String] = [:], nodes: Int = 1) {
        self.client = Conversation(topic: nil, nodes: nodes)
        self.client.broker.keepJournal(now: self.client.now)
        self.client.onJournal = { [unowned self] in self.journal.writeImmutableBuffer($0) }
        self.client.broker.createTopic("t", partitions: 2, configs: configs)
    }

    /// What another process finds after this one was killed, with the last bytes missing.
    func killed(cutting count: Int = 0) throws -> Conversation {
        while self.client.next() != nil {}
        let bytes = try #require(
            self.journal.getSlice(at: 0, length: self.journal.readableBytes - count)
        )
        return try self.start(bytes)
    }

    /// What another process finds after this one was stopped in order.
    func stopped() throws -> Conversation {
        while self.client.next() != nil {}
        var bytes = ByteBuffer()
        for frame in self.client.broker.snapshot(isStopped: true, now: self.client.now) {
            bytes.writeImmutableBuffer(frame)
        }
        return try self.start(bytes)
    }

    private func start(_ bytes: ByteBuffer) throws -> Conversation {
        let next = Conversation(topic: nil, nodes: self.client.broker.configuration.nodes.count)
        next.onJournal = { _ in }
        next.now = self.client.now + .seconds(5)
        next.broker.setClock(milliseconds: 1_700_000_005_000, now: next.now)
        var rest = bytes
        try next.broker.restore(from: &rest, now: next.now)
        next.broker.keepJournal(now: next.now)
        return next
    }
}

@Suite struct JournalTests {
    @Test(arguments: [true, false])
    func `records, ids and offsets are there again`(isKilled: Bool) throws {
        let kept = KeptConversation(configs: ["max.message.bytes": "300"])
        for value in ["a", "b"] { _ = try kept.client.produce(try Conversation.batch([value])) }
        let metadata = MetadataRequest(topics: [.init(name: "t")])
        let id = try kept.client.ask(metadata).topics[0].topicID
        let producer = try kept.client.ask(InitProducerIDRequest()).producerID
        let next = try isKilled ? kept.killed() : kept.stopped()
        #expect(try next.values() == ["a", "b"])
        #expect(try next.ask(metadata).topics[0].topicID == id)
        #expect(try next.ask(InitProducerIDRequest()).producerID == producer + 1)
        #expect(try next.produce(try Conversation.batch(["c"])).baseOffset == 2)
        let long = try Conversation.batch([String(repeating: "x", count: 300)])
        #expect(try next.produce(long).errorCode == .messageTooLarge)
    }

    @Test func `after a kill five batches of a producer are known, after a stop the last`() throws {
        let kept = KeptConversation()
        for sequence in 0..<6 {
            #expect(try kept.client.produce(7, sequence: Int32(sequence)) == .at(Int64(sequence)))
        }
        let killed = try kept.killed()
        #expect(try killed.produce(7, sequence: 1) == .at(1))
        #expect(try killed.produce(7, sequence: 0) == .refused(.outOfOrderSequenceNumber))
        let stopped = try kept.stopped()
        #expect(try stopped.produce(7, sequence: 5) == .at(5))
        #expect(try stopped.produce(7, sequence: 4) == .refused(.outOfOrderSequenceNumber))
        #expect(try stopped.produce(7, sequence: 6) == .at(6))
    }

    @Test func `what was cut off is left out`() throws {
        let kept = KeptConversation()
        for value in ["a", "b"] { _ = try kept.client.produce(try Conversation.batch([value])) }
        for count in [1, 20, 60] {
            let next = try kept.killed(cutting: count)
            #expect(try next.values() == ["a"])
            #expect(try next.produce(try Conversation.batch(["c"])).baseOffset == 1)
        }
    }

    @Test(arguments: [true, false])
    func `an open transaction stays open`(isKilled: Bool) throws {
        let kept = KeptConversation()
        let producer = TransactionalProducer(kept.client)
        try producer.initialize(timeout: 30_000)
        _ = try producer.add([0, 1])
        #expect(try producer.produce(0) == .at(0))
        let next = try isKilled ? kept.killed() : kept.stopped()
        #expect(try next.fetch(committed: true).lastStableOffset == 0)
        let again = producer.twin(on: next)
        #expect(try again.produce(1) == .at(1))
        #expect(try again.produce(0, partition: 1) == .at(0))
        #expect(try again.end(commit: true) == .none)
        #expect(try next.fetch(committed: true).batches == ["0:T1", "1:T1", "2:C1"])
    }

    @Test func `a transaction that was left open is aborted after its timeout`() throws {
        let kept = KeptConversation()
        let producer = TransactionalProducer(kept.client)
        try producer.initialize(timeout: 12_000)
        _ = try producer.add([0])
        #expect(try producer.produce(0) == .at(0))
        let next = try kept.killed()
        // Five seconds went by before the start.
        next.now += .seconds(10)
        #expect(next.next() == nil)
        #expect(try next.fetch(committed: true).aborted == [[producer.producerID, 0]])
        #expect(try producer.twin(on: next).end(commit: true) == .producerFenced)
    }

    @Test func `an end that was promised is made good`() throws {
        let kept = KeptConversation()
        kept.client.broker.inject(.delayMarkers(.seconds(60)), now: kept.client.now)
        let producer = TransactionalProducer(kept.client)
        try producer.initialize()
        _ = try producer.add([0])
        #expect(try producer.produce(0) == .at(0))
        #expect(try producer.end(commit: true) == .none)
        let next = try kept.killed()
        #expect(next.next() == nil)
        #expect(try next.fetch(committed: true).batches == ["0:T1", "1:C1"])
        #expect(try producer.twin(on: next).end(commit: true) == .none)
    }

    @Test(arguments: [true, false])
    func `an end that was answered can be asked for again`(isKilled: Bool) throws {
        let kept = KeptConversation()
        let producer = TransactionalProducer(kept.client)
        try producer.initialize()
        for sequence: Int32 in 0..<2 {
            _ = try producer.add([0])
            _ = try producer.produce(sequence)
            #expect(try producer.end(commit: true) == .none)
        }
        let next = try isKilled ? kept.killed() : kept.stopped()
        #expect(next.next() == nil)
        #expect(try producer.twin(on: next).end(commit: true) == .none)
        #expect(try next.fetch(committed: true).batches == ["0:T1", "1:C1", "2:T1", "3:C1"])
    }

    @Test(arguments: [true, false])
    func `aborted transactions are known again`(isKilled: Bool) throws {
        let kept = KeptConversation()
        let producer = TransactionalProducer(kept.client, produceVersion: 12)
        try producer.initialize()
        #expect(try producer.produce(0) == .at(0))
        #expect(try producer.end(commit: false) == .none)
        let next = try isKilled ? kept.killed() : kept.stopped()
        #expect(try next.fetch(committed: true).aborted == [[producer.producerID, 0]])
        let again = producer.twin(on: next)
        #expect(again.epoch == 1)
        #expect(try again.produce(0) == .at(2))
        #expect(try again.end(commit: true) == .none)
    }

    @Test(arguments: [true, false])
    func `what was deleted stays deleted`(isKilled: Bool) throws {
        let kept = KeptConversation(configs: ["retention.bytes": "150"])
        for sequence in 0..<4 { _ = try kept.client.produce(7, sequence: Int32(sequence)) }
        kept.client.broker.createTopic("gone", partitions: 1)
        kept.client.broker.deleteTopic("gone")
        let next = try isKilled ? kept.killed() : kept.stopped()
        let log = try #require(next.broker.partitionLog(topic: "t", partition: 0))
        #expect(log.startOffset == 2 && log.endOffset == 4)
        #expect(next.broker.topicPartitionCounts == ["t": 2])
        #expect(try next.produce(7, sequence: 4) == .at(4))
    }

    @Test func `a producer whose records are deleted is known all the same`() throws {
        let kept = KeptConversation(configs: ["retention.ms": "1000"])
        #expect(try kept.client.produce(7, sequence: 4) == .at(0))
        kept.client.now += .seconds(300)
        #expect(try kept.client.stableEnd() == 1)
        for next in [try kept.killed(), try kept.stopped()] {
            #expect(try next.values() == [])
            #expect(try next.produce(7, sequence: 4) == .at(0))
            #expect(try next.produce(7, sequence: 5) == .at(1))
        }
    }

    @Test(arguments: [true, false])
    func `leaders and committed offsets are there again`(isKilled: Bool) throws {
        let kept = KeptConversation(nodes: 3)
        kept.client.broker.inject(
            .moveLeader(topic: "t", partition: 0, to: 2),
            now: kept.client.now
        )
        let partition = OffsetCommitRequest.Partition(partitionIndex: 1, committedOffset: 0)
        let commit = OffsetCommitRequest(
            groupID: "g",
            topics: [.init(name: "t", partitions: [partition])]
        )
        let committed = try kept.client.ask(commit).topics[0].partitions[0]
        #expect(committed.errorCode == .none)
        let next = try isKilled ? kept.killed() : kept.stopped()
        let leadership = next.broker.partitionLog(topic: "t", partition: 0)?.leadership
        #expect(leadership?.leader == 2 && leadership?.epoch == 1)
        let group = OffsetFetchRequest.Group(
            groupID: "g",
            topics: [.init(name: "t", partitionIndexes: [1])]
        )
        let fetched = try next.ask(OffsetFetchRequest(groups: [group]))
        #expect(fetched.groups[0].topics[0].partitions[0].committedOffset == 0)
    }

    @Test func `a change is written before it is answered`() throws {
        let kept = KeptConversation()
        kept.client.onJournal = nil
        _ = kept.client.next()
        try kept.client.send(Conversation.request(try Conversation.batch(["a"])), version: 9)
        let actions = [kept.client.next(), kept.client.next()]
        guard case .journal = actions[0], case .send = actions[1] else {
            Issue.record("\(actions)")
            return
        }
    }

    @Test func `a broker that keeps nothing writes nothing`() throws {
        let client = Conversation()
        client.onJournal = { _ in Issue.record("a journal is written") }
        #expect(try client.produce(7, sequence: 0) == .at(0))
        try TransactionalProducer(client).initialize()
    }
}
