import KafkaProtocol
import NIOCore
import Testing

@testable import Kafka

/// A reader of topic `t`, and the other side of its conversation.
private struct ReadConversation {
    var machine: ReaderStateMachine
    var now = beginning

    init(_ change: (inout ReaderStateMachine.Scope) -> Void = { _ in }) throws {
        var scope = ReaderStateMachine.Scope(topics: ["t"])
        change(&scope)
        machine = try ReaderStateMachine(
            configuration: testConfiguration(),
            scope: scope,
            seed: 7,
            now: beginning
        )
    }

    /// As if the cluster were known and its leaders connected.
    static func started(
        leaders: [BrokerID] = [1],
        _ change: (inout ReaderStateMachine.Scope) -> Void = { _ in }
    ) throws -> ReadConversation {
        var talk = try ReadConversation(change)
        #expect(talk.next() == .connect(-1, BrokerAddress(host: "seed", port: 9092)))
        talk.machine.connected(-1)
        let id = try talk.expect(.metadata(topics: ["t"]), to: -1)
        talk.machine.received(.metadata(cluster(leaders: leaders)), to: id, now: talk.now)
        for leader in Set(leaders).sorted() {
            #expect(
                talk.next() == .connect(leader, BrokerAddress(host: "broker\(leader)", port: 9092))
            )
            talk.machine.connected(leader)
        }
        return talk
    }

    mutating func next() -> ReaderStateMachine.Action? { machine.nextAction(now: now) }

    mutating func expect(
        _ request: ProducerRequest,
        to broker: BrokerID = 1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        let action = self.next()
        guard case .send(request, let id, broker)? = action else {
            Issue.record("\(String(describing: action))", sourceLocation: sourceLocation)
            throw UnexpectedAction()
        }
        return id
    }

    mutating func answer(_ answer: ReadAnswer, to id: RequestID) {
        machine.received(.read(answer), to: id, now: now)
    }

    /// Says where partition 0 begins and ends.
    mutating func tellEnds(_ start: Int64, _ end: Int64) throws {
        answer(.offset(start), to: try expect(offset(.start)))
        answer(.offset(end), to: try expect(offset(.end)))
        #expect(next() == .found(partition(0), start: start, end: end))
    }

    /// What is read next, as base offsets, and whether each was aborted.
    mutating func nextRead() -> [String]? {
        guard case .read(let read)? = next() else { return nil }
        return read.batches.map { "\($0.batch.header.baseOffset)\($0.isAborted ? " aborted" : "")" }
    }
}

private func partition(_ number: Int32) -> TopicPartition {
    TopicPartition(topic: "t", partition: number)
}

private func offset(
    _ place: LogPlace,
    of number: Int32 = 0,
    _ isolation: IsolationLevel = .readCommitted
) -> ProducerRequest {
    .read(.offset(of: place, in: partition(number), isolation: isolation))
}

private func fetch(
    from offset: Int64,
    of number: Int32 = 0,
    _ isolation: IsolationLevel = .readCommitted
) -> ProducerRequest {
    .read(
        .fetch(
            partition(number),
            from: offset,
            maxBytes: ReaderStateMachine.fetchBytes,
            isolation: isolation
        )
    )
}

/// Batches of two records each, one behind the other from an offset on.
private func log(
    from offset: Int64,
    batches: Int,
    change: (inout SealedRecordBatch) -> Void = { _ in }
) throws -> ByteBuffer {
    var records = ByteBuffer()
    for number in 0..<batches {
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        for _ in 0..<2 { _ = builder.append(key: nil, value: nil, timestamp: 1) }
        var sealed = try builder.seal()
        change(&sealed)
        var bytes = sealed.buffer
        var batch = try #require(try RecordBatch(from: &bytes))
        batch.place(atOffset: offset + Int64(2 * number), leaderEpoch: 0)
        records.writeImmutableBuffer(batch.buffer)
    }
    return records
}

private func marker(at offset: Int64, producerID: Int64, isCommit: Bool) throws -> ByteBuffer {
    var batch = try RecordBatch.endTransactionMarker(
        producerID: producerID,
        epoch: 0,
        isCommit: isCommit,
        coordinatorEpoch: 0,
        timestamp: 1
    )
    batch.place(atOffset: offset, leaderEpoch: 0)
    return batch.buffer
}

struct ReaderStateMachineTests {
    @Test func `a partition is read from its start to where it ended`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(4, 8)
        let first = try talk.expect(fetch(from: 4))
        talk.answer(.fetched(FetchedRecords(records: try log(from: 4, batches: 1))), to: first)
        #expect(talk.nextRead() == ["4"])
        let second = try talk.expect(fetch(from: 6))
        // More came meanwhile: that is not read.
        talk.answer(.fetched(FetchedRecords(records: try log(from: 6, batches: 3))), to: second)
        #expect(talk.nextRead() == ["6"])
        #expect(talk.next() == .finished(nil))
        #expect(talk.next() == nil)
    }

    @Test func `a batch of which the answer holds the beginning alone is fetched again`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(0, 4)
        var records = try log(from: 0, batches: 2)
        records = try #require(records.getSlice(at: 0, length: records.readableBytes - 1))
        talk.answer(.fetched(FetchedRecords(records: records)), to: try talk.expect(fetch(from: 0)))
        #expect(talk.nextRead() == ["0"])
        _ = try talk.expect(fetch(from: 2))
    }

    @Test func `an empty topic is finished at once`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(0, 0)
        #expect(talk.next() == .finished(nil))
    }

    @Test func `no more than four answers are waited for at a time`() throws {
        var talk = try ReadConversation.started(leaders: Array(repeating: 1, count: 6))
        for place in [LogPlace.start, .end] {
            var asked: [RequestID] = []
            for number in Int32(0)..<6 { asked.append(try talk.expect(offset(place, of: number))) }
            for id in asked { talk.answer(.offset(place == .start ? 0 : 2), to: id) }
        }
        var fetches: [RequestID] = []
        while let action = talk.next() {
            if case .send(_, let id, _) = action { fetches.append(id) }
        }
        #expect(fetches.count == 4)
        let records = try log(from: 0, batches: 1)
        talk.answer(.fetched(FetchedRecords(records: records)), to: fetches[0])
        #expect(talk.nextRead() == ["0"])
        _ = try talk.expect(fetch(from: 0, of: 4))
        #expect(talk.next() == nil)
    }

    @Test func `reading goes on at the same offset when the leader has moved`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(0, 4)
        let first = try talk.expect(fetch(from: 0))
        talk.answer(.fetched(FetchedRecords(records: try log(from: 0, batches: 1))), to: first)
        #expect(talk.nextRead() == ["0"])
        talk.answer(.failed(.notLeaderOrFollower), to: try talk.expect(fetch(from: 2)))
        let metadata = try talk.expect(.metadata(topics: ["t"]))
        talk.machine.received(.metadata(cluster(leaders: [2])), to: metadata, now: talk.now)
        #expect(talk.next() == .connect(2, BrokerAddress(host: "broker2", port: 9092)))
        talk.machine.connected(2)
        talk.now += .seconds(1)
        _ = try talk.expect(fetch(from: 2), to: 2)
    }

    @Test func `what was asked on a connection that ended is asked again`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(0, 4)
        _ = try talk.expect(fetch(from: 0))
        talk.machine.connectionClosed(1, reason: "gone", isRefusal: false, now: talk.now)
        let metadata = try talk.expect(.metadata(topics: ["t"]), to: -1)
        talk.machine.received(.metadata(cluster(leaders: [1])), to: metadata, now: talk.now)
        talk.now += .seconds(1)
        #expect(talk.next() == .connect(1, BrokerAddress(host: "broker1", port: 9092)))
        talk.machine.connected(1)
        _ = try talk.expect(fetch(from: 0))
    }

    @Test func `batches of an aborted transaction are told as such up to its marker`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(0, 7)
        var records = try log(from: 0, batches: 2) {
            $0.assign(producerID: 9, epoch: 0, baseSequence: 0, isTransactional: true)
        }
        records.writeImmutableBuffer(try marker(at: 4, producerID: 9, isCommit: false))
        records.writeImmutableBuffer(
            try log(from: 5, batches: 1) {
                $0.assign(producerID: 9, epoch: 0, baseSequence: 4, isTransactional: true)
            }
        )
        let aborted = [FetchedRecords.AbortedTransaction(producerID: 9, firstOffset: 2)]
        talk.answer(
            .fetched(FetchedRecords(aborted: aborted, records: records)),
            to: try talk.expect(fetch(from: 0))
        )
        #expect(talk.nextRead() == ["0", "2 aborted", "4", "5"])
    }

    @Test func `a time behind the last record stands for the end`() throws {
        var talk = try ReadConversation.started { $0.to = .time(99) }
        talk.answer(.offset(0), to: try talk.expect(offset(.start)))
        talk.answer(.offset(-1), to: try talk.expect(offset(.time(99))))
        talk.answer(.offset(6), to: try talk.expect(offset(.end)))
        #expect(talk.next() == .found(partition(0), start: 0, end: 6))
    }

    @Test func `records that are deleted before they are read are told`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(0, 6)
        talk.answer(.failed(.offsetOutOfRange), to: try talk.expect(fetch(from: 0)))
        talk.answer(.offset(4), to: try talk.expect(offset(.start)))
        #expect(talk.next() == .skipped(partition(0), from: 0, to: 4))
        _ = try talk.expect(fetch(from: 4))
    }

    @Test func `a log that ends before what was read of it cannot be read`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(0, 6)
        talk.answer(.failed(.offsetOutOfRange), to: try talk.expect(fetch(from: 0)))
        talk.answer(.offset(0), to: try talk.expect(offset(.start)))
        let reason = "t-0 ends before offset 0, which it had"
        #expect(talk.next() == .finished(.unreadable(reason)))
    }

    @Test func `a batch whose bytes changed ends the reading`() throws {
        var talk = try ReadConversation.started()
        try talk.tellEnds(0, 2)
        var records = try log(from: 0, batches: 1)
        let last = records.writerIndex - 1
        records.setInteger(UInt8(255), at: last)
        talk.answer(.fetched(FetchedRecords(records: records)), to: try talk.expect(fetch(from: 0)))
        guard case .finished(.unreadable(let reason)?)? = talk.next() else {
            throw UnexpectedAction()
        }
        #expect(reason.hasPrefix("t-0 behind offset 0: "))
    }

    @Test func `a topic that is not there ends the reading`() throws {
        var talk = try ReadConversation()
        _ = talk.next()
        talk.machine.connected(-1)
        let id = try talk.expect(.metadata(topics: ["t"]), to: -1)
        let answer = cluster(leaders: [], error: .unknownTopicOrPartition)
        talk.machine.received(.metadata(answer), to: id, now: talk.now)
        #expect(talk.next() == .finished(.unreadable("there is no topic \"t\"")))
    }

    @Test func `a topic that may be missing counts as read`() throws {
        var talk = try ReadConversation { $0.passesOverMissing = true }
        _ = talk.next()
        talk.machine.connected(-1)
        let id = try talk.expect(.metadata(topics: ["t"]), to: -1)
        let answer = cluster(leaders: [], error: .unknownTopicOrPartition)
        talk.machine.received(.metadata(answer), to: id, now: talk.now)
        #expect(talk.next() == .absent("t"))
        #expect(talk.next() == .finished(nil))
    }

    @Test func `without the right to read the reason says so`() throws {
        var talk = try ReadConversation.started()
        talk.answer(.failed(.topicAuthorizationFailed), to: try talk.expect(offset(.start)))
        let reason = "t-0: TOPIC_AUTHORIZATION_FAILED (29): reading needs READ on the topic"
        #expect(talk.next() == .finished(.refused(reason)))
    }

    @Test func `brokers that do not answer are given up after a while, with the last reason`()
        throws
    {
        var talk = try ReadConversation()
        var attempts = 0
        var result: ReaderStateMachine.Action?
        while result == nil {
            switch talk.next() {
            case .connect(let id, _)?:
                attempts += 1
                talk.machine.connectionClosed(
                    id,
                    reason: "Connection refused",
                    isRefusal: false,
                    now: talk.now
                )
            case let action?: result = action
            case nil: talk.now = try #require(talk.machine.nextDeadline(now: talk.now))
            }
        }
        #expect(attempts > 10)
        let reason = "seed:9092: Connection refused (waited 30.0 seconds)"
        #expect(result == .finished(.unreachable(reason)))
        #expect(talk.now == beginning + .seconds(30))
    }

    @Test func `a partition that stays without a leader is given up after a while`() throws {
        var talk = try ReadConversation()
        _ = talk.next()
        talk.machine.connected(-1)
        var result: ReaderStateMachine.Action?
        while result == nil {
            switch talk.next() {
            case .send(_, let id, _)?:
                let answer = ProducerAnswer.metadata(cluster(leaders: [-1]))
                talk.machine.received(answer, to: id, now: talk.now)
            case let action?: result = action
            case nil: talk.now = try #require(talk.machine.nextDeadline(now: talk.now))
            }
        }
        #expect(result == .finished(.unreachable("t-0 has no leader (waited 30.0 seconds)")))
    }
}
