import KafkaProtocol
import Testing

@testable import Kafka

/// A machine that asks of topics `a` and `b`, and the other side of its conversation.
private struct InquiryConversation {
    var machine: InquiryStateMachine
    var now = beginning

    init(
        servers: [String] = ["seed:9092"],
        topics: [String] = ["a", "b"],
        transactionalID: String? = nil
    ) throws {
        machine = try InquiryStateMachine(
            configuration: testConfiguration { $0.bootstrapServers = servers },
            topics: topics,
            transactionalID: transactionalID,
            patience: .seconds(5),
            seed: 7,
            now: beginning
        )
    }

    static func connected(
        topics: [String] = ["a", "b"],
        transactionalID: String? = nil
    ) throws -> InquiryConversation {
        var talk = try InquiryConversation(topics: topics, transactionalID: transactionalID)
        #expect(talk.next() == .connect(-1, BrokerAddress(host: "seed", port: 9092)))
        #expect(talk.next() == nil)
        talk.machine.connected(-1)
        return talk
    }

    mutating func next() -> InquiryStateMachine.Action? { machine.nextAction(now: now) }

    mutating func expect(
        _ request: InquiryRequest,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        let action = next()
        guard case .send(.inquiry(request), let id, to: -1)? = action else {
            Issue.record("\(String(describing: action))", sourceLocation: sourceLocation)
            throw UnexpectedAction()
        }
        #expect(next() == nil, sourceLocation: sourceLocation)
        return id
    }

    mutating func answer(_ answer: InquiryAnswer, to id: RequestID) {
        machine.received(.inquiry(answer), to: id, now: now)
    }

    mutating func close(_ reason: String, of id: BrokerID = -1, isRefusal: Bool = false) {
        machine.connectionClosed(id, reason: reason, isRefusal: isRefusal, now: now)
    }

    /// Waits until something is to be tried again.
    mutating func wait() throws {
        #expect(next() == nil)
        now = try #require(machine.nextDeadline(now: now))
    }

    /// What came out of it, which is the last that comes.
    mutating func outcome() -> Result<ClusterStanding, ReaderError>? {
        guard case .finished(let result)? = next() else { return nil }
        #expect(next() == nil)
        #expect(machine.nextDeadline(now: now) == nil)
        return result
    }

    mutating func standing() throws -> ClusterStanding {
        let result = outcome()
        return try #require(result).get()
    }
}

private let writable = TopicStanding(name: "a", partitionCount: 3, rights: [.describe, .write])

struct InquiryStateMachineTests {
    @Test func `one broker is asked for all topics at once`() throws {
        var talk = try InquiryConversation.connected()
        let id = try talk.expect(.topics(["a", "b"]))
        let absent = TopicStanding(name: "b", error: .unknownTopicOrPartition)
        talk.answer(.topics([writable, absent], error: .none), to: id)
        let standing = try talk.standing()
        #expect(standing.topics == ["a": writable, "b": absent])
        #expect(standing.allowsTransactionalID == nil)
    }

    @Test func `what a broker does not know yet is asked for again`() throws {
        var talk = try InquiryConversation.connected()
        let id = try talk.expect(.topics(["a", "b"]))
        let electing = TopicStanding(name: "b", error: .leaderNotAvailable)
        talk.answer(.topics([writable, electing], error: .none), to: id)
        try talk.wait()
        let again = try talk.expect(.topics(["b"]))
        let found = TopicStanding(name: "b", partitionCount: 1)
        talk.answer(.topics([found], error: .none), to: again)
        let standing = try talk.standing()
        #expect(standing.topics == ["a": writable, "b": found])
    }

    @Test func `without topics it is asked whether the cluster lets the client in`() throws {
        var talk = try InquiryConversation.connected(topics: [])
        talk.answer(.topics([], error: .none), to: try talk.expect(.topics([])))
        let standing = try talk.standing()
        #expect(standing == ClusterStanding())
    }

    @Test(
        arguments: [
            (.none, true), (.coordinatorNotAvailable, true),
            (.transactionalIDAuthorizationFailed, false),
        ] as [(KafkaError, Bool)]
    )
    func `a transactional id is looked at and not taken`(error: KafkaError, isAllowed: Bool) throws
    {
        var talk = try InquiryConversation.connected(topics: ["a"], transactionalID: "tx")
        talk.answer(.topics([writable], error: .none), to: try talk.expect(.topics(["a"])))
        talk.answer(.transactionalID(error), to: try talk.expect(.transactionalID("tx")))
        let standing = try talk.standing()
        #expect(standing.allowsTransactionalID == isAllowed)
    }

    @Test func `when a broker goes away the next one is asked`() throws {
        var talk = try InquiryConversation(servers: ["one:1", "two:2"])
        #expect(talk.next() == .connect(-1, BrokerAddress(host: "one", port: 1)))
        talk.machine.connected(-1)
        let lost = try talk.expect(.topics(["a", "b"]))
        talk.close("the broker closed the connection")
        try talk.wait()
        #expect(talk.next() == .connect(-2, BrokerAddress(host: "two", port: 2)))
        // Neither a late answer nor a second end of the first connection means anything now.
        talk.answer(.topics([writable], error: .none), to: lost)
        talk.close("late")
        #expect(talk.next() == nil)
        talk.close("Connection refused", of: -2)
        try talk.wait()
        #expect(talk.next() == .connect(-1, BrokerAddress(host: "one", port: 1)))
    }

    @Test func `a broker that refuses is not asked again`() throws {
        var talk = try InquiryConversation.connected()
        talk.close("SASL PLAIN: Authentication failed", isRefusal: true)
        let reason = "seed:9092: SASL PLAIN: Authentication failed"
        #expect(talk.outcome() == .failure(.refused(reason)))
    }

    @Test func `after a while it is given up, with what was last in the way`() throws {
        var talk = try InquiryConversation.connected()
        let id = try talk.expect(.topics(["a", "b"]))
        let electing = TopicStanding(name: "b", error: .leaderNotAvailable)
        talk.answer(.topics([writable, electing], error: .none), to: id)
        talk.now += .seconds(5)
        let reason = "topic \"b\": LEADER_NOT_AVAILABLE (5) (waited 5.0 seconds)"
        #expect(talk.outcome() == .failure(.unreachable(reason)))
    }

    @Test func `a broker that says nothing of a topic is asked again`() throws {
        var talk = try InquiryConversation.connected()
        talk.answer(.topics([writable], error: .none), to: try talk.expect(.topics(["a", "b"])))
        talk.now += .seconds(5)
        let reason = "nothing is told of topic \"b\" (waited 5.0 seconds)"
        #expect(talk.outcome() == .failure(.unreachable(reason)))
    }

    @Test(
        arguments: [
            (.min, nil), (0, nil), (1 << 4, nil), (1 << 8, .describe),
            (1 << 3 | 1 << 4 | 1 << 8, [.read, .write, .describe]),
        ] as [(Int32, TopicRights?)]
    )
    func `an answer without DESCRIBE tells no rights`(operations: Int32, rights: TopicRights?) {
        #expect(TopicRights(authorizedOperations: operations) == rights)
    }
}
