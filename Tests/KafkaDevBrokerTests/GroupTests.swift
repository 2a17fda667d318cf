import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct GroupTests {
    private func join(_ memberID: String, rebalance: Int32 = 3000) -> JoinGroupRequest {
        JoinGroupRequest(
            groupID: "g",
            sessionTimeoutMilliseconds: 6000,
            rebalanceTimeoutMilliseconds: rebalance,
            memberID: memberID,
            protocolType: "consumer",
            protocols: [.init(name: "range", metadata: ByteBuffer(string: "me"))]
        )
    }

    private func sync(_ joined: JoinGroupResponse, _ shares: [String: String] = [:])
        -> SyncGroupRequest
    {
        SyncGroupRequest(
            groupID: "g",
            generationID: joined.generationID,
            memberID: joined.memberID,
            assignments: shares.sorted { $0.key < $1.key }.map {
                .init(memberID: $0.key, assignment: ByteBuffer(string: $0.value))
            }
        )
    }

    private func heartbeat(_ joined: JoinGroupResponse) -> HeartbeatRequest {
        HeartbeatRequest(
            groupID: "g",
            generationID: joined.generationID,
            memberID: joined.memberID
        )
    }

    /// Joins as the only member, and shares out.
    private func settled(_ client: Conversation) throws -> JoinGroupResponse {
        let promised = try client.ask(self.join(""))
        #expect(promised.errorCode == .memberIDRequired)
        let joined = try client.ask(self.join(promised.memberID))
        let synced = try client.ask(self.sync(joined, [joined.memberID: "all"]))
        #expect(synced.assignment == ByteBuffer(string: "all"))
        return joined
    }

    @Test func `a single consumer joins, leads and gets what it assigned`() throws {
        let client = Conversation()
        let joined = try self.settled(client)
        #expect(joined.errorCode == .none && joined.generationID == 1)
        #expect(joined.leader == joined.memberID && joined.protocolName == "range")
        #expect(joined.members.map(\.memberID) == [joined.memberID])
        #expect(try client.ask(self.heartbeat(joined)).errorCode == .none)
    }

    @Test func `a second consumer makes the first one join again`() throws {
        let client = Conversation()
        let first = try self.settled(client)
        let promised = try client.ask(self.join(""), from: client.other)
        try client.send(self.join(promised.memberID), from: client.other)
        #expect(try client.ask(self.heartbeat(first)).errorCode == .rebalanceInProgress)
        try client.send(self.join(first.memberID))
        let again = try client.answer(to: JoinGroupRequest.self)
        let second = try client.answer(to: JoinGroupRequest.self, on: client.other)
        #expect(again.generationID == 2 && again.leader == first.memberID)
        #expect(again.members.count == 2 && second.members.isEmpty)
        try client.send(self.sync(second), from: client.other)
        #expect(client.next() == nil)
        try client.send(self.sync(again, [again.memberID: "a", second.memberID: "b"]))
        #expect(
            try client.answer(to: SyncGroupRequest.self).assignment == ByteBuffer(string: "a")
        )
        let share = try client.answer(to: SyncGroupRequest.self, on: client.other).assignment
        #expect(share == ByteBuffer(string: "b"))
    }

    @Test func `who does not join again in time is left out`() throws {
        let client = Conversation()
        _ = try self.settled(client)
        let promised = try client.ask(self.join(""), from: client.other)
        try client.send(self.join(promised.memberID), from: client.other)
        #expect(client.next() == nil)
        client.now += .seconds(3)
        let joined = try client.answer(to: JoinGroupRequest.self, on: client.other)
        #expect(joined.members.map(\.memberID) == [promised.memberID])
    }

    @Test func `who is not heard of for a session is left out`() throws {
        let client = Conversation()
        let joined = try self.settled(client)
        client.now += .seconds(6)
        #expect(client.next() == nil)
        #expect(try client.ask(self.heartbeat(joined)).errorCode == .unknownMemberID)
    }

    @Test func `who leaves makes room`() throws {
        let client = Conversation()
        let joined = try self.settled(client)
        let leave = LeaveGroupRequest(groupID: "g", members: [.init(memberID: joined.memberID)])
        #expect(try client.ask(leave).members.map(\.errorCode) == [.none])
        #expect(try client.ask(leave).members.map(\.errorCode) == [.unknownMemberID])
        #expect(client.broker.nextDeadline == nil)
    }

    @Test func `an old generation is refused`() throws {
        let client = Conversation()
        var joined = try self.settled(client)
        joined.generationID = 0
        #expect(try client.ask(self.heartbeat(joined)).errorCode == .illegalGeneration)
        #expect(try client.ask(self.sync(joined)).errorCode == .illegalGeneration)
    }

    @Test(arguments: [1, 7, 8, 9] as [Int16])
    func `what is committed is told`(version: Int16) throws {
        let client = Conversation()
        let joined = try self.settled(client)
        let commit = OffsetCommitRequest(
            groupID: "g",
            generationID: joined.generationID,
            memberID: joined.memberID,
            topics: [
                .init(
                    name: "t",
                    partitions: [.init(committedOffset: 42), .init(partitionIndex: 9)]
                )
            ]
        )
        let answer = try client.ask(commit)
        #expect(
            answer.topics[0].partitions.map(\.errorCode) == [.none, .unknownTopicOrPartition]
        )
        let asked = OffsetFetchRequest.Topic(name: "t", partitionIndexes: [0, 1])
        let offsets = try client.ask(
            OffsetFetchRequest(
                groupID: "g",
                topics: [asked],
                groups: [.init(groupID: "g", topics: [asked])]
            ),
            version: version
        )
        let topics = version >= 8 ? offsets.groups[0].topics : offsets.topics
        #expect(topics[0].partitions.map(\.committedOffset) == [42, -1])
    }

    @Test func `a stranger may not commit while the group has members`() throws {
        let client = Conversation()
        _ = try self.settled(client)
        let commit = OffsetCommitRequest(
            groupID: "g",
            topics: [.init(name: "t", partitions: [.init(committedOffset: 1)])]
        )
        #expect(try client.ask(commit).topics[0].partitions.map(\.errorCode) == [.unknownMemberID])
    }

    @Test func `the coordinator is this broker, in every version`() throws {
        let client = Conversation()
        for version in FindCoordinatorRequest.versions {
            let request = FindCoordinatorRequest(key: "g", coordinatorKeys: ["g"])
            let answer = try client.ask(request, version: version)
            let port = version >= 4 ? answer.coordinators.first?.port : answer.port
            #expect(port == 9092)
        }
    }
}
