import KafkaProtocol
import Testing

@testable import Kafka

/// What the producer learns of a topic's `max.message.bytes`, and what is dropped on request.
@Suite struct LimitTests {
    private static func publication(limit: Int?) -> ProducerStateMachine.Action {
        let leaders = [TopicMetadata.Partition(leaderID: 1, leaderEpoch: 5)]
        return .publish(
            TopicMetadata(name: "t", partitions: leaders, maxMessageBytes: limit)
        )
    }

    @Test func `a batch that is too large has the topic's limit asked for and told to lanes`()
        throws
    {
        var (talk, _, request) = try Conversation.inFlight(["a"])
        talk.answer(.messageTooLarge, to: request)
        guard case .deliver? = talk.next() else { throw UnexpectedAction() }
        let asked = try talk.expectRequest(.describeLimit(topic: "t"))
        #expect(talk.next() == nil, "it is asked for once")
        talk.answer(.maxMessageBytes(600), to: asked)
        #expect(talk.next() == Self.publication(limit: 600))
    }

    @Test func `without the right to know the limit batches go on being split`() throws {
        var (talk, _, request) = try Conversation.inFlight(["a"])
        talk.answer(.messageTooLarge, to: request)
        _ = talk.next()
        talk.answer(.maxMessageBytes(nil), to: try talk.expectRequest(.describeLimit(topic: "t")))
        #expect(talk.next() == nil)
        #expect(talk.machine.metadata.topics["t"]?.maxMessageBytes == nil)
    }

    @Test func `a limit is asked for again with the metadata, for it may have been raised`() throws
    {
        var (talk, _, request) = try Conversation.inFlight(["a"])
        talk.answer(.messageTooLarge, to: request)
        _ = talk.next()
        let first = try talk.expectRequest(.describeLimit(topic: "t"))
        talk.answer(.maxMessageBytes(600), to: first)
        _ = talk.next()
        talk.machine.submit([try makeBatch()], now: talk.now)
        talk.now += .seconds(301)
        let metadata = try talk.waitForMetadata()
        talk.answer(.metadata(cluster(leaders: [1])), to: metadata)
        let again = talk.machine.requests.first { $0.value.request == .describeLimit(topic: "t") }
        talk.answer(.maxMessageBytes(900), to: try #require(again?.key))
        #expect(talk.next() == Self.publication(limit: 900))
    }

    @Test func `what waits is purged, what is in flight goes on`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        let waiting = try (0..<6).map { try makeBatch(["\($0)"]) }
        talk.machine.submit(waiting, now: talk.now)
        var sent = [batch]
        while case .send(.produce(let batches), _, _)? = talk.next() { sent += batches }
        #expect(sent.count == 5)
        talk.machine.purge(inFlight: false)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == Array(waiting[4...]))
        #expect(deliveries.allSatisfy { $0.result == .failed(.purged) })
        talk.answer(to: request)
        #expect(talk.next() == acknowledged(batch, at: 0))
    }

    @Test func `what is purged in flight may be in the log, so the next epoch begins`() throws {
        var (talk, batches, requests) = try Conversation.threeInFlight()
        talk.machine.purge(inFlight: true)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
        talk.answer(to: requests[0])
        #expect(talk.next() == nil, "a late answer settles nothing")
        let next = try makeBatch()
        talk.machine.submit([next], now: talk.now)
        try talk.settle(next)
        #expect(next.identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(next.sequence == 0)
    }
}
