import KafkaProtocol
import Testing

@testable import Kafka

/// How the producer asks, sends and goes on for a partition that a crash left in doubt.
@Suite struct ProducerRecoveryTests {
    private static let partition = TopicPartition(topic: "t", partition: 0)
    private static let wallClock: Int64 = 1_700_000_000_000
    private static let former = ProducerIdentity(id: 17, epoch: 3)

    /// The row of a batch of `count` records.
    private static func row(_ id: Int64, sequence: Int32, count: Int32 = 1) -> RecoveryBatch {
        RecoveryBatch(
            id: id,
            producerID: Self.former.id,
            epoch: Self.former.epoch,
            baseSequence: sequence,
            recordCount: count,
            createdAt: Self.wallClock - 5000,
            maxTimestamp: Self.wallClock - 5000
        )
    }

    private static func start(
        _ rows: [RecoveryBatch],
        partitions: Int32 = 1,
        clusterID: String? = nil
    ) throws -> Conversation {
        var talk = try Conversation.started(partitions: partitions) { $0.isJournaled = true }
        talk.machine.recover(
            [PartitionRecovery(id: Self.partition, rows: rows)],
            clusterID: clusterID,
            wallClock: Self.wallClock,
            now: talk.now
        )
        return talk
    }

    @Test func `what the leader has is resolved by its number, the rest is sent under its own`()
        throws
    {
        var talk = try Self.start([Self.row(1, sequence: 0), Self.row(2, sequence: 1)])
        let second = try makeBatch()
        talk.machine.remade(try makeBatch(), row: 1, now: talk.now)
        talk.machine.remade(second, row: 2, now: talk.now)
        try talk.tellWhatIsRemembered(of: Self.former, lastSequence: 0)
        let request = try talk.nextProduce(of: second)
        #expect(second.identity == Self.former)
        #expect(second.sequence == 1)
        talk.answer(offset: 8, to: request)
        try talk.answerHighWatermark(9)
        #expect(talk.nextOfNote() == .resolved(row: 1, .appended(baseOffset: nil)))
        #expect(talk.nextOfNote() == .resolved(row: 2, .appended(baseOffset: 8)))
        try talk.expectRecovered(Self.partition)
        #expect(talk.nextOfNote() == nil)
    }

    @Test func `no bootstrap server is asked before it is known who leads`() throws {
        var talk = try Conversation { $0.isJournaled = true }
        talk.machine.recover(
            [PartitionRecovery(id: Self.partition, rows: [Self.row(1, sequence: 0)])],
            clusterID: nil,
            wallClock: Self.wallClock,
            now: talk.now
        )
        #expect(talk.next() == .connect(-1, BrokerAddress(host: "seed", port: 9092)))
        talk.machine.connected(-1, now: talk.now)
        while let action = talk.next() {
            if case .send(.recovery, _, _) = action { Issue.record("\(action)") }
        }
    }

    @Test func `nothing else of the partition is numbered or sent before`() throws {
        var talk = try Self.start([Self.row(1, sequence: 0)], partitions: 2)
        let (held, other) = (try makeBatch(), try makeBatch(partition: 1))
        talk.machine.submit([held, other], now: talk.now)
        let old = try makeBatch()
        talk.machine.remade(old, row: 1, now: talk.now)
        var written: [ProducerBatch] = []
        while written.isEmpty, let action = talk.nextOfNote() {
            talk.giveProducerID(action)
            if case .journal(let batches) = action { written = batches }
        }
        #expect(written == [other])
        #expect(held.sequence == nil)
        talk.machine.journaled(written)
        try talk.tellWhatIsRemembered(of: Self.former, lastSequence: nil, isAsked: true)
        var sent: [[ProducerBatch]] = []
        while let action = talk.nextOfNote() {
            guard case .send(.produce(let batches), let id, _) = action else { continue }
            sent.append(batches)
            if batches == [old] { talk.answer(to: id) }
        }
        #expect(sent.contains([old]))
        #expect(sent.contains([other]))
        #expect(talk.machine.recoveryStatus(of: Self.partition) == nil)
        #expect(held.identity == ProducerIdentity(id: 4711, epoch: 0))
        #expect(held.sequence == 0)
    }

    @Test func `where the leader moved the new one is asked from the start`() throws {
        var talk = try Self.start([Self.row(1, sequence: 0)])
        talk.machine.remade(try makeBatch(), row: 1, now: talk.now)
        let first = try talk.nextRecovery()
        #expect(first.request.question == .highWatermark)
        #expect(first.broker == 1)
        talk.answer(.recovery(.failed(.notLeaderOrFollower)), to: first.id)
        talk.now += .seconds(2)
        while talk.metadataRequest == nil, talk.next() != nil {}
        let asked = try #require(talk.metadataRequest)
        talk.answer(.metadata(cluster(leaders: [2], epoch: 6)), to: asked)
        var second = try talk.nextRecovery()
        if second.broker == 1 { second = try talk.nextRecovery() }
        #expect(second.request.question == .highWatermark)
        #expect(second.request.leaderEpoch == 6)
        #expect(second.broker == 2)
    }

    @Test func `a lost connection is made again, and asked again`() throws {
        var talk = try Self.start([Self.row(1, sequence: 0)])
        talk.machine.remade(try makeBatch(), row: 1, now: talk.now)
        _ = try talk.nextRecovery()
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(5)
        #expect(try talk.nextRecovery().request.question == .highWatermark)
    }

    @Test func `records that are gone are given up once nothing can arrive late`() throws {
        var talk = try Self.start([Self.row(1, sequence: 0, count: 4)])
        talk.machine.remade(try makeBatch(["a", "b"]), row: 1, now: talk.now)
        try talk.tellWhatIsRemembered(of: Self.former, lastSequence: nil)
        #expect(talk.nextOfNote() == nil)
        #expect(talk.machine.recoveryStatus(of: Self.partition) == .waitingForLateRequests)
        talk.now += .seconds(31)
        try talk.tellWhatIsRemembered(of: Self.former, lastSequence: nil)
        #expect(talk.nextOfNote() == .resolved(row: 1, .absent))
        try talk.expectRecovered(Self.partition)
        // What follows keeps out what should arrive all the same.
        let next = try makeBatch()
        talk.machine.submit([next], now: talk.now)
        while next.identity == nil, let action = talk.nextOfNote() { talk.giveProducerID(action) }
        #expect(next.identity == ProducerIdentity(id: Self.former.id, epoch: 4))
        #expect(next.sequence == 0)
    }

    @Test func `nothing is sent to another cluster than the journal's`() throws {
        var talk = try Self.start([Self.row(1, sequence: 0)], clusterID: "home")
        talk.machine.submit([try makeBatch()], now: talk.now)
        talk.now += .seconds(400)
        while talk.metadataRequest == nil, let action = talk.next() { talk.perform(action) }
        var answer = cluster(leaders: [1])
        answer.clusterID = "elsewhere"
        talk.answer(.metadata(answer), to: try #require(talk.metadataRequest))
        var reasons: [String] = []
        while let action = talk.nextOfNote() {
            switch action {
            case .recoveryStopped(Self.partition, let reason): reasons.append(reason)
            // Its answer is nothing to keep: the journal's own cluster would be forgotten.
            case .send(.producerID, _, _): talk.giveProducerID(action)
            default: Issue.record("\(action)")
            }
        }
        #expect(reasons.count == 1)
        #expect(reasons.first?.contains("elsewhere") == true)
        #expect(talk.machine.statistics.lastError == reasons.first)
    }

    @Test func `a partition that may neither be read nor is certain stops, and says why`() throws {
        var talk = try Self.start([Self.row(1, sequence: 0)])
        let batch = try makeBatch()
        talk.machine.remade(batch, row: 1, now: talk.now)
        talk.answer(
            .recovery(.failed(.topicAuthorizationFailed)),
            to: try talk.nextRecovery().id
        )
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batch))
        guard case .recoveryStopped(Self.partition, let reason)? = talk.nextOfNote() else {
            throw UnexpectedAction()
        }
        #expect(reason.contains("Grant READ"))
        talk.machine.submit([try makeBatch()], now: talk.now)
        while let action = talk.nextOfNote() {
            if case .send(.produce, _, _) = action { Issue.record("\(action)") }
        }
    }

    @Test func `where a broker is too old to tell the log is read`() throws {
        var talk = try Self.start([Self.row(1, sequence: 0)])
        talk.machine.remade(try makeBatch(), row: 1, now: talk.now)
        try talk.answerHighWatermark(0)
        let asked = try talk.nextRecovery()
        #expect(asked.request.question == .producers)
        talk.answer(.recovery(.failed(.unsupportedVersion)), to: asked.id)
        talk.now += .seconds(2)
        try talk.answerHighWatermark(0)
        #expect(try talk.nextRecovery().request.question == .startOffset)
    }
}

extension Conversation {
    mutating func giveProducerID(_ action: ProducerStateMachine.Action) {
        guard case .send(.producerID, let id, _) = action else { return }
        let identity = ProducerIdentity(id: 4711, epoch: 0)
        self.answer(.producerID(ProducerIDAnswer(identity: identity)), to: id)
    }

    /// The next question of a recovery; connections are made on the way.
    mutating func nextRecovery(
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (request: RecoveryRequest, id: RequestID, broker: BrokerID) {
        while let action = self.next() {
            self.perform(action)
            if case .send(.recovery(let request), let id, let broker) = action {
                return (request, id, broker)
            }
        }
        Issue.record("a recovery asks nothing", sourceLocation: sourceLocation)
        throw UnexpectedAction()
    }

    mutating func answerHighWatermark(
        _ offset: Int64,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let asked = try self.nextRecovery(sourceLocation: sourceLocation)
        #expect(asked.request.question == .highWatermark, sourceLocation: sourceLocation)
        self.answer(.recovery(.offset(offset)), to: asked.id)
    }

    /// Answers what the leader remembers of a producer, and that it leads before and after;
    /// `isAsked` says that the first question is out already.
    mutating func tellWhatIsRemembered(
        of identity: ProducerIdentity,
        lastSequence: Int32?,
        isAsked: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        if isAsked {
            let pending = self.machine.requests.first { request in
                if case .recovery = request.value.request { true } else { false }
            }
            let id = try #require(pending?.key, sourceLocation: sourceLocation)
            self.answer(.recovery(.offset(0)), to: id)
        } else {
            try self.answerHighWatermark(0, sourceLocation: sourceLocation)
        }
        let asked = try self.nextRecovery(sourceLocation: sourceLocation)
        #expect(asked.request.question == .producers, sourceLocation: sourceLocation)
        let producers = lastSequence.map {
            ProducersAnswer.Producer(
                producerID: identity.id,
                epoch: Int32(identity.epoch),
                lastSequence: $0,
                lastTimestamp: 1_700_000_000_000
            )
        }
        self.answer(.recovery(.producers(producers.map { [$0] } ?? [])), to: asked.id)
        try self.answerHighWatermark(0, sourceLocation: sourceLocation)
    }

    mutating func expectRecovered(
        _ partition: TopicPartition,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let action = self.nextOfNote()
        guard case .recovered(partition, _)? = action else {
            Issue.record("\(String(describing: action))", sourceLocation: sourceLocation)
            throw UnexpectedAction()
        }
    }
}
