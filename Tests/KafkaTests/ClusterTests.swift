import KafkaProtocol
import Testing

@testable import Kafka

/// How the producer follows brokers, leaders and topics that change.
@Suite struct ClusterTests {
    // MARK: Leaders

    @Test func `a leader that is new to the client is connected to without asking for metadata`()
        throws
    {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        let leader = TopicMetadata.Partition(leaderID: 3, leaderEpoch: 6)
        talk.answer(.notLeaderOrFollower, leader: leader, endpoints: [3], to: request)
        #expect(talk.next() == .connect(3, BrokerAddress(host: "broker3", port: 9092)))
        talk.machine.connected(3, now: talk.now)
        _ = try talk.expectRequest(.produce([batch]), to: 3)
        #expect(talk.metadataRequest == nil)
        #expect(batch.sequence == 1)
    }

    @Test func `a leader that is named with an old epoch is not believed`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        let leader = TopicMetadata.Partition(leaderID: 2, leaderEpoch: 4)
        talk.answer(.fencedLeaderEpoch, leader: leader, endpoints: [2], to: request)
        talk.now += .milliseconds(150)
        _ = try talk.nextRequest(.metadata(topics: ["t"]))
        _ = try talk.nextProduce(of: batch)
    }

    @Test func `a partition without a leader waits for one and is asked about with pauses`() throws
    {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.now += .milliseconds(200)
        talk.answer(.leaderNotAvailable, to: request)
        var pauses: [Duration] = []
        for _ in 0..<8 {
            let before = talk.now
            let asked = try talk.waitForMetadata()
            pauses.append(talk.now - before)
            talk.answer(.metadata(cluster(leaders: [-1], epoch: 6)), to: asked)
        }
        #expect(pauses.dropFirst().allSatisfy { $0 >= .milliseconds(80) })
        #expect(pauses.suffix(3).allSatisfy { $0 >= .milliseconds(800) && $0 <= .seconds(1.2) })
        talk.answer(.metadata(cluster(leaders: [2], epoch: 7)), to: try talk.waitForMetadata())
        _ = try talk.nextProduce(of: batch, to: 2)
        talk.now += .seconds(60)
        #expect(talk.nextOfNote() == nil)
        #expect(talk.metadataRequest == nil, "a leader was found")
    }

    // MARK: Topics

    @Test func `a topic that was made anew is written to under its new id, from any epoch on`()
        throws
    {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        let more = try makeBatch(["b"])
        talk.machine.submit([more], now: talk.now)
        _ = try talk.expectRequest(.produce([more]))
        let id = TopicID(high: 1, low: 2)
        talk.answer(.unknownTopicID, to: request)
        let asked = try talk.waitForMetadata()
        talk.answer(.metadata(cluster(leaders: [1], epoch: 0, id: id)), to: asked)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        let again = try talk.nextProduce(of: batch)
        #expect(batch.topicID == id)
        #expect(batch.sequence == 1)
        #expect(talk.nextOfNote() == nil, "the new topic has no sequences yet: one is in flight")
        talk.answer(to: again)
        #expect(talk.nextOfNote() == acknowledged(batch, at: 0))
        try talk.settle(more)
    }

    @Test func `a topic that is made a moment later is waited for`() throws {
        var talk = try Conversation()
        let batch = try makeBatch()
        talk.machine.submit([batch], now: talk.now)
        _ = talk.next()
        talk.machine.connected(-1, now: talk.now)
        var request = try talk.expectRequest(.metadata(topics: ["t"]), to: -1)
        for _ in 0..<3 {
            let unknown = cluster(leaders: [], error: .unknownTopicOrPartition)
            talk.answer(.metadata(unknown), to: request)
            request = try talk.waitForMetadata()
        }
        talk.answer(.metadata(cluster(leaders: [1])), to: request)
        let asked = try #require(talk.producerIDRequest)
        let identity = ProducerIdentity(id: 4711, epoch: 0)
        talk.answer(.producerID(ProducerIDAnswer(identity: identity)), to: asked)
        try talk.settle(batch)
    }

    @Test func `a topic that comes too late fails its records in time`() throws {
        var talk = try Conversation { $0.deliveryTimeout = .seconds(5) }
        let batch = try makeBatch()
        talk.machine.submit([batch], now: talk.now)
        _ = talk.next()
        talk.machine.connected(-1, now: talk.now)
        let request = try talk.expectRequest(.metadata(topics: ["t"]), to: -1)
        let unknown = cluster(leaders: [], error: .unknownTopicOrPartition)
        talk.answer(.metadata(unknown), to: request)
        talk.now += .seconds(5)
        let failed = Delivery(batch: batch, result: .failed(.deliveryTimedOut))
        #expect(talk.nextOfNote() == .deliver([failed]))
    }

    @Test func `metadata without partitions fail nothing and are asked for again`() throws {
        var talk = try Conversation()
        let batch = try makeBatch()
        talk.machine.submit([batch], now: talk.now)
        _ = talk.next()
        talk.machine.connected(-1, now: talk.now)
        let request = try talk.expectRequest(.metadata(topics: ["t"]), to: -1)
        talk.answer(.metadata(cluster(leaders: [])), to: request)
        _ = try talk.waitForMetadata()
        #expect(!talk.machine.isDrained)
    }

    @Test func `a topic without records for a while is not asked about any more`() throws {
        var talk = try Conversation.started()
        talk.machine.requestMetadata(topics: ["u"], now: talk.now)
        let first = try talk.waitForMetadata()
        var answer = cluster(leaders: [1])
        answer.topics[0].name = "u"
        talk.answer(.metadata(answer), to: first)
        talk.now += .seconds(299)
        talk.machine.submit([try makeBatch()], now: talk.now)
        talk.now += .seconds(3)
        let asked = try talk.waitForMetadata()
        guard case .metadata(let topics)? = talk.machine.requests[asked]?.request else {
            throw UnexpectedAction()
        }
        #expect(topics == ["t"])
        #expect(talk.machine.metadata.topics["u"] == nil)
        // Its next record has it asked about again.
        talk.machine.submit([try makeBatch(topic: "u")], now: talk.now)
        #expect(talk.machine.metadata.wanted.contains("u"))
    }

    // MARK: Brokers

    @Test func `without an answer for five minutes the client begins anew from its first servers`()
        throws
    {
        var talk = try Conversation.started()
        let batch = try makeBatch()
        talk.machine.submit([batch], now: talk.now)
        try talk.connect()
        _ = try talk.expectRequest(.produce([batch]))
        talk.now += .milliseconds(200)
        talk.machine.refresh("t")
        // The connection holds, but nobody answers on it.
        let first = try talk.nextRequest(.metadata(topics: ["t"]))
        talk.now += .seconds(300)
        var actions = talk.drainActions()
        let reason = "the client begins anew from bootstrap.servers"
        #expect(actions.contains(.disconnect(1, reason: reason)))
        #expect(talk.machine.brokers.keys.contains(2) == false)
        talk.machine.connectionClosed(1, reason: "closed", now: talk.now)
        actions = talk.drainActions()
        #expect(talk.machine.brokers.keys.sorted() == [-1])
        talk.answer(.metadata(cluster(leaders: [1])), to: first)
        #expect(talk.machine.brokers.keys.sorted() == [-1], "a late answer changes nothing")
        talk.now += .seconds(2)
        actions += talk.drainActions()
        #expect(actions.contains(.connect(-1, BrokerAddress(host: "seed", port: 9092))))
        talk.machine.connected(-1, now: talk.now)
        let asked = try talk.nextRequest(.metadata(topics: ["t"]))
        // Another cluster under that name counts its epochs from the start.
        talk.answer(.metadata(cluster(leaders: [2], epoch: 1)), to: asked)
        _ = try talk.nextProduce(of: batch, to: 2)
        #expect(batch.sequence == 0)
    }

    @Test func `first servers that do not answer either are no reason to begin anew again`() throws
    {
        var talk = try Conversation.started()
        talk.machine.submit([try makeBatch()], now: talk.now)
        var anew = 0
        for _ in 0..<2000 {
            for action in talk.drainActions() {
                if case .connect(let id, _) = action {
                    talk.machine.connectionClosed(id, reason: "refused", now: talk.now)
                }
            }
            let known = talk.machine.brokers.count
            guard talk.machine.nextDeadline(now: talk.now) != nil else { break }
            try talk.wait()
            _ = talk.next()
            if talk.machine.brokers.count < known { anew += 1 }
        }
        #expect(talk.now - beginning > .seconds(900))
        #expect(anew == 1)
    }

    @Test func `REBOOTSTRAP_REQUIRED has the client begin anew at once, with a pause`() throws {
        var talk = try Conversation.started()
        talk.machine.submit([try makeBatch()], now: talk.now)
        try talk.connect()
        _ = talk.next()
        talk.machine.refresh("t")
        let asked = try talk.waitForMetadata()
        let answer = ClusterMetadata(brokers: [], error: .rebootstrapRequired)
        talk.answer(.metadata(answer), to: asked)
        let reason = "the client begins anew from bootstrap.servers"
        #expect(talk.next() == .disconnect(1, reason: reason))
        talk.machine.connectionClosed(1, reason: "closed", now: talk.now)
        #expect(talk.next() == .connect(-1, BrokerAddress(host: "seed", port: 9092)))
        talk.machine.connected(-1, now: talk.now)
        #expect(talk.next() == nil, "the question waits for its backoff")
        _ = try talk.waitForMetadata()
    }

    @Test func `without recovery the first servers are not asked again`() throws {
        var talk = try Conversation.started { $0.metadataRecoveryStrategy = .none }
        talk.machine.submit([try makeBatch()], now: talk.now)
        while talk.now - beginning < .seconds(900) {
            for action in talk.drainActions() {
                guard case .connect(let id, _) = action else { continue }
                #expect(id >= 0)
                talk.machine.connectionClosed(id, reason: "refused", now: talk.now)
            }
            try talk.wait()
        }
        #expect(talk.machine.brokers.keys.contains(1))
    }

    @Test func `a connection without work for nine minutes is closed, and made again for a batch`()
        throws
    {
        var (talk, batch, request) = try Conversation.inFlight(["a"]) {
            $0.metadataMaxAge = .seconds(100_000)
            $0.connectionsMaxIdle = .seconds(540)
        }
        talk.now += .seconds(540)
        #expect(talk.next() == nil, "it waits for an answer")
        talk.answer(to: request)
        #expect(talk.next() == acknowledged(batch, at: 0))
        talk.now += .seconds(539)
        #expect(talk.next() == nil)
        try talk.wait()
        #expect(talk.next() == .disconnect(1, reason: "it had nothing to do for 540.0 seconds"))
        talk.machine.connectionClosed(1, reason: "closed", now: talk.now)
        #expect(talk.machine.statistics.isConnected, "an idle end is no trouble")
        let next = try makeBatch()
        talk.machine.submit([next], now: talk.now)
        #expect(talk.next() == .connect(1, BrokerAddress(host: "broker1", port: 9092)))
        talk.machine.connected(1, now: talk.now)
        _ = try talk.nextProduce(of: next)
    }

    @Test func `a broker that is slow to accept gets twice the time after each failure`() throws {
        var talk = try Conversation.started()
        talk.machine.submit([try makeBatch()], now: talk.now)
        var timeouts: [Duration] = []
        while timeouts.count < 4 {
            for case .connect(let id, _) in talk.drainActions() {
                if id == 1 { timeouts.append(talk.machine.connectionSetupTimeout(of: 1)) }
                talk.machine.connectionClosed(id, reason: "timeout", now: talk.now)
            }
            try talk.wait()
        }
        #expect(timeouts == [.seconds(10), .seconds(20), .seconds(30), .seconds(30)])
    }

    @Test func `a producer id is asked of another broker when the first one is lost`() throws {
        var talk = try Conversation.started(partitions: 2) { $0.maxInFlightRequests = 1 }
        talk.machine.submit([try makeBatch(), try makeBatch(partition: 1)], now: talk.now)
        try talk.connect(1, producerID: nil)
        _ = try talk.expectRequest(.producerID, to: 1)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .milliseconds(20)
        for case .connect(let id, _) in talk.drainActions() where id == 2 {
            talk.machine.connected(2, now: talk.now)
        }
        talk.now += .milliseconds(110)
        let actions = talk.drainActions()
        let asked = actions.contains { action in
            if case .send(.producerID, _, let broker) = action { broker == 2 } else { false }
        }
        #expect(asked)
    }

    @Test func `a broker without partitions to send to is not connected to`() throws {
        var talk = try Conversation.started()
        talk.machine.submit([try makeBatch()], now: talk.now)
        try talk.connect()
        for action in talk.drainActions() {
            if case .connect(let id, _) = action { Issue.record("broker \(id)") }
        }
    }
}

extension Conversation {
    /// Lets time pass until metadata are asked for.
    mutating func waitForMetadata() throws -> RequestID {
        for _ in 0..<100 {
            while let action = self.next() { self.perform(action) }
            if let request = self.metadataRequest { return request }
            try self.wait()
        }
        throw UnexpectedAction()
    }
}
