import KafkaProtocol
import Testing

@testable import Kafka

/// What is written down, when, and what is sent after that.
@Suite struct JournalingTests {
    private static let first = ProducerIdentity(id: 4711, epoch: 0)
    private static let second = ProducerIdentity(id: 4711, epoch: 1)

    // MARK: Before the first byte

    @Test func `a batch is sent once it is written down, with the numbers in its row`() throws {
        var talk = try JournalTalk()
        let batch = try makeBatch(["a", "b"])
        try talk.submit([batch])
        try talk.expectWrite([batch])
        #expect(batch.identity == Self.first)
        #expect(batch.sequence == 0)
        #expect(talk.next() == nil, "nothing is sent while it is being written down")
        talk.commit()
        talk.talk.answer(to: try talk.expectProduce(batch))
        #expect(talk.next() == acknowledged(batch, at: 0))
        #expect(talk.next() == nil)
    }

    @Test func `who journals is told the producer id and the cluster first`() throws {
        var talk = try JournalTalk()
        try talk.submit([try makeBatch()])
        while let action = talk.talk.next() {
            talk.talk.perform(action)
            guard case .send(.producerID, let id, _) = action else { continue }
            talk.talk.answer(.producerID(ProducerIDAnswer(identity: Self.first)), to: id)
            #expect(talk.talk.next() == .identified(Self.first, clusterID: ""))
            return
        }
        Issue.record("no producer id was asked for")
    }

    @Test func `what comes during a write is written down by the next one`() throws {
        var talk = try JournalTalk.proven()
        let batches = try (0..<4).map { try makeBatch(["\($0)"]) }
        try talk.submit([batches[0]])
        try talk.expectWrite([batches[0]])
        try talk.submit([batches[1]])
        #expect(talk.next() == nil)
        try talk.submit([batches[2], batches[3]])
        talk.commit()
        try talk.expectWrite(Array(batches[1...]))
        _ = try talk.expectProduce(batches[0])
        talk.commit()
        for batch in batches[1...] { _ = try talk.expectProduce(batch) }
        #expect(batches.map(\.sequence) == [1, 2, 3, 4])
    }

    @Test func `at full speed batches gather for a write, for ten milliseconds at most`() throws {
        var talk = try JournalTalk.proven()
        let batches = try (0..<3).map { try makeBatch(["\($0)"], isFull: true) }
        talk.talk.now += .milliseconds(9)
        try talk.submit(Array(batches[..<2]))
        #expect(talk.next() == nil)
        let due = talk.talk.now + .milliseconds(1)
        #expect(talk.talk.machine.nextDeadline(now: talk.talk.now) == due)
        talk.talk.now = due
        try talk.commit(Array(batches[..<2]))
        for batch in batches[..<2] { _ = try talk.expectProduce(batch) }
        talk.talk.now += .milliseconds(11)
        try talk.submit([batches[2]])
        try talk.commit([batches[2]])
    }

    @Test func `a batch that has lingered is written down at once, and with it what gathered`()
        throws
    {
        var talk = try JournalTalk.proven()
        let full = try makeBatch(["full"], isFull: true)
        try talk.submit([full])
        #expect(talk.next() == nil)
        let lingered = try makeBatch(["lingered"])
        try talk.submit([lingered])
        try talk.commit([full, lingered])
    }

    @Test func `no partition waits for others when as many are gathered as may be in flight`()
        throws
    {
        var talk = try JournalTalk.proven { $0.maxInFlightRequests = 3 }
        let batches = try (0..<3).map { try makeBatch(["\($0)"], isFull: true) }
        try talk.submit(Array(batches[..<2]))
        #expect(talk.next() == nil)
        try talk.submit([batches[2]])
        try talk.commit(batches)
    }

    @Test func `eight megabytes do not wait for more`() throws {
        var talk = try JournalTalk.proven()
        let value = String(repeating: "x", count: 4_200_000)
        let batches = try (0..<2).map { _ in try makeBatch([value], isFull: true) }
        try talk.submit([batches[0]])
        #expect(talk.next() == nil)
        try talk.submit([batches[1]])
        try talk.commit(batches)
    }

    @Test func `one write has the batches of all partitions`() throws {
        var talk = try JournalTalk(partitions: 3)
        let batches = try (0..<3).map { try makeBatch(partition: Int32($0)) }
        try talk.submit(batches)
        try talk.commit(batches)
        guard case .send(.produce(let sent), _, _)? = talk.next() else { throw UnexpectedAction() }
        #expect(sent == batches)
    }

    @Test func `twice as many as may be in flight are written down, the rest later`() throws {
        var talk = try JournalTalk.proven { $0.maxInFlightRequests = 3 }
        let batches = try (0..<10).map { try makeBatch(["\($0)"]) }
        try talk.submit(batches)
        try talk.commit(Array(batches[..<6]))
        let requests = try batches[..<3].map { try talk.expectProduce($0) }
        #expect(talk.next() == nil)
        talk.talk.answer(offset: 1, to: requests[0])
        #expect(talk.next() == acknowledged(batches[0], at: 1))
        try talk.expectWrite([batches[6]])
        _ = try talk.expectProduce(batches[3])
        #expect(talk.next() == nil)
    }

    @Test func `a batch that is sent again keeps its row`() throws {
        var (talk, batches, requests) = try JournalTalk.inFlight(1)
        talk.talk.answer(.notEnoughReplicas, to: requests[0])
        talk.talk.now += .seconds(2)
        talk.talk.answer(offset: 1, to: try talk.expectProduce(batches[0]))
        #expect(talk.next() == acknowledged(batches[0], at: 1))
    }

    @Test func `a batch for a topic without a leader is written down when its id is known`() throws
    {
        var talk = try JournalTalk()
        let asked = try #require(try talk.askForMetadata())
        talk.talk.answer(.metadata(cluster(leaders: [-1])), to: asked)
        let batch = try makeBatch()
        try talk.submit([batch])
        #expect(talk.next() == nil)
        talk.talk.now += .seconds(2)
        let id = Self.topicID(7)
        talk.talk.answer(
            .metadata(cluster(leaders: [1], epoch: 6, id: id)),
            to: try #require(try talk.askForMetadata())
        )
        try talk.commit([batch])
        #expect(batch.topicID == id)
        _ = try talk.expectProduce(batch)
    }

    // MARK: Other numbers

    @Test func `a refusal is told before other records get the numbers`() throws {
        var (talk, batches, requests) = try JournalTalk.inFlight(1)
        talk.talk.answer(.policyViolation, to: requests[0])
        let next = try makeBatch(["next"])
        try talk.submit([next])
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
        #expect(!batches[0].mayBeInLog)
        try talk.commit([next])
        #expect(next.sequence == batches[0].sequence)
        #expect(next.identity == Self.first)
        _ = try talk.expectProduce(next)
    }

    @Test func `what was numbered behind a refused batch is written down again, all at once`()
        throws
    {
        var talk = try JournalTalk.proven { $0.maxInFlightRequests = 2 }
        let batches = try (0..<6).map { try makeBatch(["\($0)"]) }
        try talk.submit(batches)
        try talk.commit(Array(batches[..<4]))
        let requests = try batches[..<2].map { try talk.expectProduce($0) }
        let rows = batches.map(\.journalID)
        talk.talk.answer(.policyViolation, to: requests[0])
        talk.talk.answer(.outOfOrderSequenceNumber, to: requests[1])
        guard case .deliver? = talk.next() else { throw UnexpectedAction() }
        try talk.commit(Array(batches[1...4]))
        #expect(batches[1...3].map(\.journalID) == Array(rows[1...3]))
        #expect(batches[1...4].map(\.identity) == Array(repeating: Self.second, count: 4))
        #expect(batches[1...4].map(\.sequence) == [0, 1, 2, 3])
        _ = try talk.expectProduce(batches[1])
        #expect(talk.next() == nil)
    }

    @Test func `no batch is numbered anew while its row is being written`() throws {
        var talk = try JournalTalk.proven { $0.maxInFlightRequests = 1 }
        let batches = try (0..<3).map { try makeBatch(["\($0)"]) }
        try talk.submit([batches[0]])
        try talk.commit([batches[0]])
        let request = try talk.expectProduce(batches[0])
        try talk.submit([batches[1]])
        try talk.expectWrite([batches[1]])
        talk.talk.answer(.policyViolation, to: request)
        guard case .deliver? = talk.next() else { throw UnexpectedAction() }
        try talk.submit([batches[2]])
        #expect(talk.next() == nil)
        #expect(batches[1].sequence == 2)
        #expect(batches[1].identity == Self.first)
        talk.commit()
        try talk.commit([batches[1], batches[2]])
        #expect(batches[1].sequence == 0)
        #expect(batches[1].identity == Self.second)
        _ = try talk.expectProduce(batches[1])
    }

    @Test func `a topic of the same name and another id has rows of its own`() throws {
        var talk = try JournalTalk.proven()
        let batch = try makeBatch()
        try talk.submit([batch])
        try talk.expectWrite([batch])
        talk.talk.now += .seconds(400)
        let id = Self.topicID(9)
        talk.talk.answer(
            .metadata(cluster(leaders: [1], epoch: 0, id: id)),
            to: try #require(try talk.askForMetadata())
        )
        talk.commit()
        try talk.commit([batch])
        #expect(batch.topicID == id)
        _ = try talk.expectProduce(batch)
    }

    // MARK: Pieces

    @Test func `halves are written down in the place of the whole before they are sent`() throws {
        var talk = try JournalTalk.proven()
        let batch = try makeBatch(["a", "b", "c"])
        try talk.submit([batch])
        try talk.commit([batch])
        talk.talk.answer(.messageTooLarge, to: try talk.expectProduce(batch))
        let halves = try talk.nextWrite()
        #expect(halves.map(\.recordCount) == [1, 2])
        #expect(halves.map(\.sequence) == [1, 2])
        #expect(halves.map(\.replaces) == [batch.journalID, batch.journalID])
        #expect(halves.map(\.isPiece) == [true, true])
        #expect(talk.next() == nil)
        talk.commit()
        #expect(talk.rows[batch.journalID] == nil)
        for half in halves {
            talk.talk.answer(offset: 1, to: try talk.expectProduce(half))
            #expect(talk.next() == acknowledged(half, at: 1))
        }
    }

    @Test func `the records beside a refused one take its row over, and it none`() throws {
        var talk = try JournalTalk.proven()
        let batch = try makeBatch(["a", "bad", "c"])
        try talk.submit([batch])
        try talk.commit([batch])
        talk.talk.answer(.invalidRecord, refused: [1: nil], to: try talk.expectProduce(batch))
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch.replaces) == [0])
        let rest = try #require(try talk.nextWrite().first)
        #expect(rest.replaces == batch.journalID)
        #expect(rest.recordCount == 2)
        talk.commit()
        #expect(Array(talk.rows.keys) == [rest.journalID])
        _ = try talk.expectProduce(rest)
    }

    @Test func `where all records are refused the row goes with them`() throws {
        var talk = try JournalTalk.proven()
        let batch = try makeBatch(["bad", "worse"])
        try talk.submit([batch])
        try talk.commit([batch])
        talk.talk.answer(
            .invalidRecord,
            refused: [0: nil, 1: nil],
            to: try talk.expectProduce(batch)
        )
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch.replaces) == [batch.journalID, batch.journalID])
        #expect(talk.rows.isEmpty)
    }

    // MARK: What fails during a write

    @Test func `a batch that is dropped during its write is not sent, and its numbers are free`()
        throws
    {
        var talk = try JournalTalk.proven()
        let (dropped, next) = (try makeBatch(["dropped"]), try makeBatch(["next"]))
        try talk.submit([dropped])
        try talk.expectWrite([dropped])
        talk.talk.machine.purge(inFlight: false)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.result) == [.failed(.purged)])
        #expect(!dropped.mayBeInLog)
        try talk.submit([next])
        #expect(talk.next() == nil, "its numbers are still being written down for the dropped one")
        talk.commit()
        try talk.commit([next])
        #expect(next.sequence == dropped.sequence)
        _ = try talk.expectProduce(next)
    }

    @Test func `a batch that expires unsent cannot be in the log`() throws {
        var talk = try JournalTalk.proven { $0.deliveryTimeout = .seconds(5) }
        let batch = try makeBatch(createdAt: talk.talk.now)
        try talk.submit([batch])
        try talk.expectWrite([batch])
        talk.talk.now += .seconds(6)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.result) == [.failed(.deliveryTimedOut)])
        #expect(!batch.mayBeInLog)
    }

    @Test func `closed at once, what is in flight may be in the log, and what is not sent cannot`()
        throws
    {
        var talk = try JournalTalk.proven { $0.maxInFlightRequests = 1 }
        let batches = try (0..<3).map { try makeBatch(["\($0)"]) }
        try talk.submit([batches[0], batches[1]])
        try talk.commit([batches[0], batches[1]])
        _ = try talk.expectProduce(batches[0])
        try talk.submit([batches[2]])
        talk.talk.machine.close(draining: false)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
        #expect(batches.map(\.mayBeInLog) == [true, false, false])
        talk.commit()
        #expect(talk.next() == .finished)
    }

    @Test func `a drain writes down and sends what is left`() throws {
        var talk = try JournalTalk.proven()
        let batch = try makeBatch()
        try talk.submit([batch])
        talk.talk.machine.close(draining: true)
        try talk.expectWrite([batch])
        #expect(talk.next() == nil)
        talk.commit()
        talk.talk.answer(offset: 1, to: try talk.expectProduce(batch))
        #expect(talk.next() == acknowledged(batch, at: 1))
        #expect(talk.next() == .finished)
    }

    @Test func `batches that need a row need sequences, and no transactions`() {
        for change in [
            { (configuration: inout KafkaProducerConfiguration) in
                configuration.isIdempotenceEnabled = false
            },
            { $0.transactionalID = "shipper" },
        ] {
            #expect(throws: KafkaProducerError.self) {
                try testConfiguration {
                    $0.isJournaled = true
                    change(&$0)
                }.validate()
            }
        }
    }

    private static func topicID(_ byte: UInt8) -> TopicID {
        TopicID(high: UInt64(byte), low: 0)
    }
}

extension JournalTalk {
    /// The number of the question for metadata that is asked next, or was.
    mutating func askForMetadata() throws -> RequestID? {
        if self.talk.metadataRequest == nil {
            self.talk.machine.requestMetadata(topics: ["u"], now: self.talk.now)
            _ = self.next()
        }
        return self.talk.metadataRequest
    }
}
