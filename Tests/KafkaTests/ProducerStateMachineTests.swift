import KafkaProtocol
import Testing

@testable import Kafka

@Suite struct ProducerStateMachineTests {
    @Test func `a batch goes to its leader and its acknowledgement comes back`() throws {
        var talk = try Conversation.started()
        let batch = try makeBatch(["a", "b"])
        talk.machine.submit([batch], now: talk.now)
        try talk.connect()
        let request = try talk.expectRequest(.produce([batch]))
        #expect(batch.sequence == 0)
        #expect(batch.identity == ProducerIdentity(id: 4711, epoch: 0))
        #expect(talk.next() == nil)
        talk.answer(offset: 40, to: request)
        #expect(talk.next() == acknowledged(batch, at: 40))
        #expect(talk.machine.statistics.recordsAcknowledged == 2)
        #expect(talk.machine.isDrained)
    }

    @Test func `one batch is in flight until the first acknowledgement, then five`() throws {
        var talk = try Conversation.started()
        let batches = try (0..<8).map { try makeBatch(["\($0)"]) }
        talk.machine.submit(batches, now: talk.now)
        try talk.connect()
        let first = try talk.expectRequest(.produce([batches[0]]))
        #expect(talk.next() == nil)
        talk.answer(to: first)
        #expect(talk.next() == acknowledged(batches[0], at: 0))
        for number in 1...5 { _ = try talk.expectRequest(.produce([batches[number]])) }
        #expect(talk.next() == nil)
        #expect(batches.prefix(6).map(\.sequence) == [0, 1, 2, 3, 4, 5])
    }

    @Test func `batches behind a lost one go again one at a time and in order`() throws {
        var (talk, batches, requests) = try Conversation.threeInFlight()
        talk.answer(.leaderNotAvailable, to: requests[0])
        talk.answer(.outOfOrderSequenceNumber, to: requests[1])
        talk.answer(.outOfOrderSequenceNumber, to: requests[2])
        talk.machine.submit([try makeBatch()], now: talk.now)
        try talk.wait()
        for batch in batches {
            let sequence = batch.sequence
            let request = try talk.nextProduce(of: batch)
            #expect(talk.next() == nil, "only the oldest may be in flight")
            talk.answer(to: request)
            #expect(talk.next() == acknowledged(batch, at: 0))
            #expect(batch.sequence == sequence)
        }
    }

    @Test func `answers out of order settle each batch`() throws {
        var (talk, batches, requests) = try Conversation.threeInFlight()
        talk.answer(offset: 2, to: requests[1])
        talk.answer(offset: 1, to: requests[0])
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == [batches[1], batches[0]])
    }

    @Test func `DUPLICATE_SEQUENCE_NUMBER is an acknowledgement without an offset`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(.duplicateSequenceNumber, to: request)
        #expect(talk.next() == acknowledged(batch, at: -1))
    }

    @Test func `a batch that was never sent expires without a gap`() throws {
        var talk = try Conversation.started { $0.deliveryTimeout = .seconds(10) }
        let old = try makeBatch(["old"])
        let young = try makeBatch(["young"], createdAt: beginning + .seconds(9))
        talk.machine.submit([old, young], now: talk.now)
        talk.now += .seconds(10)
        let result = Delivery.Result.failed(.deliveryTimedOut)
        #expect(talk.next() == .deliver([Delivery(batch: old, result: result)]))
        try talk.connect()
        _ = try talk.expectRequest(.produce([young]))
        #expect(young.sequence == 0)
    }

    @Test func `a batch that is too large goes in halves until one record is refused`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a", "b", "c"])
        let base = try #require(batch.sequence)
        talk.answer(.messageTooLarge, to: request)
        guard case .send(.produce(let first), let id, _)? = talk.next() else {
            throw UnexpectedAction()
        }
        #expect(first.map(\.recordCount) == [1])
        #expect(first.first?.sequence == base)
        #expect(first.first?.position(ofRecord: 0) == 0)
        talk.answer(offset: 7, to: id)
        #expect(talk.next() == acknowledged(first[0], at: 7))
        guard case .send(.produce(let second), let next, _)? = talk.next() else {
            throw UnexpectedAction()
        }
        #expect(second.map(\.recordCount) == [2])
        #expect(second.first?.sequence == base + 1)
        #expect(second.first?.position(ofRecord: 1) == 20)
        talk.answer(.messageTooLarge, to: next)
        guard case .send(.produce(let third), let last, _)? = talk.next() else {
            throw UnexpectedAction()
        }
        talk.answer(.messageTooLarge, to: last)
        guard case .deliver(let refused)? = talk.next() else { throw UnexpectedAction() }
        #expect(refused.map(\.batch) == third)
        #expect(third.first?.position(ofRecord: 0) == 10)
        #expect(talk.machine.statistics.recordsFailed == 1)
    }

    @Test func `a leader that the answer names is used at once`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        let leader = TopicMetadata.Partition(leaderID: 2, leaderEpoch: 6)
        talk.answer(.notLeaderOrFollower, leader: leader, to: request)
        try talk.connect(2, producerID: nil)
        _ = try talk.expectRequest(.produce([batch]), to: 2)
    }

    @Test func `without a name the leader is asked for, and followed without waiting`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(.notLeaderOrFollower, to: request)
        talk.now += .milliseconds(150)
        let asked = try talk.nextRequest(.metadata(topics: ["t"]))
        talk.answer(.metadata(cluster(leaders: [2], epoch: 6)), to: asked)
        let actions = talk.drainActions()
        #expect(actions.contains(.connect(2, BrokerAddress(host: "broker2", port: 9092))))
        talk.machine.connected(2, now: talk.now)
        _ = try talk.expectRequest(.produce([batch]), to: 2)
    }

    @Test func `metadata older than what is known moves no partition back`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        let leader = TopicMetadata.Partition(leaderID: 2, leaderEpoch: 9)
        talk.answer(.notLeaderOrFollower, leader: leader, to: request)
        talk.machine.requestMetadata(topics: ["other"], now: talk.now)
        talk.machine.refresh("t")
        let asked = try talk.nextRequest(.metadata(topics: ["other", "t"]))
        talk.answer(.metadata(cluster(leaders: [1], epoch: 8)), to: asked)
        _ = try talk.nextProduce(of: batch, to: 2)
    }

    @Test func `a retry waits for its backoff`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(.notEnoughReplicas, to: request)
        #expect(talk.next() == nil)
        let due = try #require(talk.machine.nextDeadline(now: talk.now))
        #expect((Duration.milliseconds(80)...(.milliseconds(120))).contains(due - talk.now))
        talk.now = due
        _ = try talk.expectRequest(.produce([batch]))
    }

    @Test func `a lost connection puts all its batches back in order`() throws {
        var (talk, batches, _) = try Conversation.threeInFlight()
        let sequences = batches.map(\.sequence)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        #expect(talk.machine.statistics.lastError == "broker1:9092: reset")
        try talk.reconnect()
        for batch in batches { try talk.settle(batch) }
        #expect(batches.map(\.sequence) == sequences)
        #expect(talk.machine.statistics.lastError == nil)
    }

    @Test func `what was in flight to a broker that left the cluster is sent to the next leader`()
        throws
    {
        var (talk, batch, _) = try Conversation.inFlight(["a"])
        // Another topic's question tells that the broker is gone, before its connection breaks.
        talk.machine.requestMetadata(topics: ["u"], now: talk.now)
        talk.now += .seconds(1)
        let other = try talk.expectRequest(.metadata(topics: ["u"]))
        var survivors = cluster(leaders: [])
        survivors.brokers.removeAll { $0.id == 1 }
        survivors.topics = []
        talk.answer(.metadata(survivors), to: other)
        #expect(talk.next() == .disconnect(1, reason: "the broker left the cluster"))
        talk.machine.connectionClosed(1, reason: "closed", now: talk.now)
        talk.now += .seconds(2)
        #expect(talk.next() == .connect(2, BrokerAddress(host: "broker2", port: 9092)))
        talk.machine.connected(2, now: talk.now)
        let request = try talk.expectRequest(.metadata(topics: ["t", "u"]), to: 2)
        var moved = cluster(leaders: [2], epoch: 6)
        moved.brokers.removeAll { $0.id == 1 }
        talk.answer(.metadata(moved), to: request)
        talk.answer(to: try talk.nextProduce(of: batch, to: 2))
        #expect(talk.drainActions().contains(acknowledged(batch, at: 0)))
    }

    @Test func `a broker that is away is tried again after a pause, not in a loop`() throws {
        var talk = try Conversation.started()
        talk.machine.submit([try makeBatch()], now: talk.now)
        for _ in 0..<5 {
            let actions = talk.drainActions()
            for case .connect(let id, _) in actions {
                talk.machine.connectionClosed(id, reason: "refused", now: talk.now)
            }
            #expect(
                !talk.drainActions().contains {
                    if case .connect(1, _) = $0 { true } else { false }
                }
            )
            try talk.wait()
        }
        #expect(talk.machine.statistics.lastError?.hasSuffix("refused") == true)
    }

    @Test func `a broker that throttles is left alone for exactly that long`() throws {
        var (talk, _, request) = try Conversation.inFlight(["a"])
        let next = try makeBatch(["b"])
        talk.machine.submit([next], now: talk.now)
        talk.answer(throttle: .milliseconds(700), to: request)
        _ = talk.next()
        #expect(talk.next() == nil)
        talk.now += .milliseconds(699)
        #expect(talk.next() == nil)
        try talk.wait()
        #expect(talk.now == beginning + .milliseconds(700))
        _ = try talk.expectRequest(.produce([next]))
    }

    @Test func `sequences wrap from the greatest number to zero`() throws {
        var queue = PartitionQueue(
            id: TopicPartition(topic: "t", partition: 0),
            backoff: Backoff(base: .zero, limit: .zero)
        )
        queue.identity = ProducerIdentity(id: 1, epoch: 0)
        queue.nextSequence = .max - 1
        let batches = try [makeBatch(["a", "b", "c"]), makeBatch(["d"])]
        for batch in batches { queue.number(batch, isIdempotent: true) }
        #expect(batches.map(\.sequence) == [.max - 1, 1])
        #expect(batches.map(\.ordinal) == [0, 3])
    }

    @Test func `a partition that found no room in a request is first in the next`() throws {
        var talk = try Conversation.started(partitions: 3) {
            $0.maxRequestSize = 1024
            $0.batchSize = 1024
        }
        let value = String(repeating: "x", count: 400)
        let batches = try (0..<6).map { try makeBatch([value], partition: Int32($0 % 3)) }
        talk.machine.submit(batches, now: talk.now)
        try talk.connect()
        _ = try talk.expectRequest(.produce([batches[0], batches[1]]))
        _ = try talk.expectRequest(.produce([batches[2]]))
        #expect(talk.next() == nil)
    }

    @Test func `CLUSTER_AUTHORIZATION_FAILED fails what waits and what comes`() throws {
        var talk = try Conversation.started()
        let batch = try makeBatch()
        talk.machine.submit([batch], now: talk.now)
        try talk.connect(producerID: nil)
        let request = try talk.expectRequest(.producerID)
        let identity = ProducerIdentity(id: -1, epoch: -1)
        let answer = ProducerIDAnswer(error: .clusterAuthorizationFailed, identity: identity)
        talk.answer(.producerID(answer), to: request)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == [batch])
        talk.machine.submit([batch], now: talk.now)
        guard case .deliver? = talk.next() else { throw UnexpectedAction() }
    }

    @Test func `an answer without the partition closes the connection`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(.produce(ProduceAnswer(partitions: [])), to: request)
        #expect(talk.next() == .disconnect(1, reason: "it answered without t-0"))
        talk.machine.connectionClosed(1, reason: "closed", now: talk.now)
        try talk.reconnect()
        try talk.settle(batch)
    }

    @Test func `closing waits for what was taken and then finishes`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.machine.close(draining: true)
        #expect(talk.next() == nil)
        talk.answer(to: request)
        #expect(talk.next() == acknowledged(batch, at: 0))
        #expect(talk.next() == .disconnect(1, reason: "the producer is closed"))
        #expect(talk.next() == .finished)
        #expect(talk.next() == nil)
        #expect(talk.machine.nextDeadline(now: talk.now) == nil)
    }

    @Test func `closing at once fails what is in flight, and a late answer changes nothing`() throws
    {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.machine.close(draining: false)
        let failed = Delivery(batch: batch, result: .failed(.closed))
        #expect(talk.next() == .deliver([failed]))
        talk.answer(to: request)
        #expect(!talk.drainActions().contains { if case .deliver = $0 { true } else { false } })
    }

    @Test func `an invalid topic is published with its error and its batches fail`() throws {
        var talk = try Conversation()
        let batch = try makeBatch()
        talk.machine.submit([batch], now: talk.now)
        _ = talk.next()
        talk.machine.connected(-1, now: talk.now)
        let request = try talk.expectRequest(.metadata(topics: ["t"]), to: -1)
        let answer = cluster(leaders: [], error: .invalidTopicException)
        talk.answer(.metadata(answer), to: request)
        let actions = talk.drainActions()
        let published = TopicMetadata(name: "t", error: .invalidTopicException)
        #expect(actions.contains(.publish(published)))
        #expect(actions.contains { if case .deliver = $0 { true } else { false } })
        #expect(talk.machine.isDrained)
    }
}
