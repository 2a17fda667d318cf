import KafkaProtocol
import Testing

@testable import Kafka

/// Each error code of Produce: what the table says, and that the producer does so.
@Suite struct ProduceErrorTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let error: KafkaError
        let action: ProduceErrorDisposition.Action
        var refreshes = false
        var mayBeAppended = false

        var testDescription: String { "\(self.error)" }
    }

    /// From Kafka's list of errors, and what a shipper makes of them; written down a second time so
    /// that a slip in the table shows.
    private static let rows: [Row] = [
        Row(error: .unknownServerError, action: .retry, mayBeAppended: true),
        Row(error: .none, action: .acknowledge, mayBeAppended: true),
        Row(error: .corruptMessage, action: .retryFewTimes),
        Row(error: .unknownTopicOrPartition, action: .retry, refreshes: true),
        Row(error: .leaderNotAvailable, action: .retry, refreshes: true),
        Row(error: .notLeaderOrFollower, action: .retry, refreshes: true),
        Row(error: .requestTimedOut, action: .retry, mayBeAppended: true),
        Row(error: .brokerNotAvailable, action: .retry, refreshes: true),
        Row(error: .replicaNotAvailable, action: .retry, refreshes: true),
        Row(error: .messageTooLarge, action: .split),
        Row(error: .networkException, action: .retry, refreshes: true, mayBeAppended: true),
        Row(error: .coordinatorLoadInProgress, action: .retry),
        Row(error: .invalidTopicException, action: .refuse),
        Row(error: .recordListTooLarge, action: .split),
        Row(error: .notEnoughReplicas, action: .retry),
        Row(error: .notEnoughReplicasAfterAppend, action: .retry, mayBeAppended: true),
        Row(error: .invalidRequiredAcks, action: .refuse),
        Row(error: .topicAuthorizationFailed, action: .retrySlowly),
        Row(error: .clusterAuthorizationFailed, action: .stop),
        Row(error: .invalidTimestamp, action: .refuseRecords),
        Row(error: .unsupportedVersion, action: .renegotiate),
        Row(error: .invalidRequest, action: .refuse),
        Row(error: .unsupportedForMessageFormat, action: .refuse),
        Row(error: .policyViolation, action: .refuse),
        Row(error: .outOfOrderSequenceNumber, action: .proveSequence),
        Row(error: .duplicateSequenceNumber, action: .acknowledge, mayBeAppended: true),
        Row(error: .invalidProducerEpoch, action: .renewProducerID),
        Row(error: .invalidProducerIDMapping, action: .renewProducerID),
        Row(error: .concurrentTransactions, action: .retry),
        Row(error: .transactionalIDAuthorizationFailed, action: .stop),
        Row(error: .kafkaStorageError, action: .retry, refreshes: true, mayBeAppended: true),
        Row(error: .saslAuthenticationFailed, action: .stop),
        Row(error: .unknownProducerID, action: .proveSequence),
        Row(error: .fencedLeaderEpoch, action: .retry, refreshes: true),
        Row(error: .unknownLeaderEpoch, action: .retry),
        Row(error: .unsupportedCompressionType, action: .decompress),
        Row(error: .invalidRecord, action: .refuseRecords),
        Row(error: .throttlingQuotaExceeded, action: .retry),
        Row(error: .producerFenced, action: .stop),
        Row(error: .unknownTopicID, action: .retry, refreshes: true),
        Row(error: .inconsistentTopicID, action: .retry, refreshes: true),
    ]

    @Test func `every row of the table is tried here`() {
        let tried = Set(Self.rows.map(\.error))
        #expect(tried == Set(ProduceErrorDisposition.table.keys))
    }

    @Test(arguments: Self.rows)
    func `the table says so`(row: Row) {
        let disposition = ProduceErrorDisposition(row.error)
        #expect(disposition.action == row.action)
        #expect(disposition.refreshesMetadata == row.refreshes)
        #expect(disposition.mayBeAppended == row.mayBeAppended)
    }

    @Test func `a code that is not in the table is final`() {
        #expect(ProduceErrorDisposition(KafkaError(rawValue: 999)).action == .refuse)
        #expect(ProduceErrorDisposition(.groupIDNotFound).action == .refuse)
    }

    @Test(arguments: Self.rows.filter { $0.action == .retry })
    func `a retry keeps the numbers, waits, and asks for the leader where it may have changed`(
        row: Row
    ) throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        let sequence = batch.sequence
        talk.answer(row.error, to: request)
        #expect(talk.machine.statistics.lastError == "t-0: \(row.error)")
        #expect(batch.mayBePersisted == row.mayBeAppended)
        #expect(talk.machine.metadata.wanted.contains("t") == row.refreshes)
        talk.now += .milliseconds(79)
        while let action = talk.next() {
            if case .send(.produce, _, _) = action { Issue.record("it did not wait") }
        }
        try talk.settle(batch)
        #expect(batch.sequence == sequence)
        #expect(batch.identity == ProducerIdentity(id: 4711, epoch: 0))
    }

    @Test(arguments: Self.rows.filter { $0.action == .refuse })
    func `a refusal fails the batch and goes on with the next`(row: Row) throws {
        var (talk, batch, request) = try Conversation.inFlight(["a", "b"])
        talk.answer(row.error, to: request)
        let refusal = KafkaProducerError.refused(row.error, message: nil)
        #expect(talk.next() == .deliver([Delivery(batch: batch, result: .failed(refusal))]))
        let next = try makeBatch()
        talk.machine.submit([next], now: talk.now)
        try talk.settle(next)
        #expect(next.sequence == 1)
    }

    @Test(
        arguments: Self.rows.filter { [.split, .refuseRecords, .refuse].contains($0.action) }
    )
    func `a record that is refused is no trouble of Kafka's`(row: Row) throws {
        var (talk, _, request) = try Conversation.inFlight(["a"])
        talk.answer(row.error, to: request)
        _ = talk.drainActions()
        #expect(talk.machine.statistics.recordsFailed == 1)
        #expect(talk.machine.statistics.lastError == nil)
    }

    @Test(arguments: Self.rows.filter { $0.action == .stop })
    func `what stops the producer fails all that waits`(row: Row) throws {
        var (talk, batches, requests) = try Conversation.threeInFlight()
        talk.answer(row.error, to: requests[0])
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
        let refusal = KafkaProducerError.refused(row.error, message: nil)
        #expect(deliveries.allSatisfy { $0.result == .failed(refusal) })
    }

    @Test(arguments: Self.rows.filter { $0.action == .renewProducerID })
    func `a producer id that is not ours ends with a fresh one`(row: Row) throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(row.error, to: request)
        let asked = try talk.nextRequest(.producerID)
        let fresh = ProducerIdentity(id: 4712, epoch: 0)
        talk.answer(.producerID(ProducerIDAnswer(identity: fresh)), to: asked)
        try talk.settle(batch)
        #expect(batch.identity == fresh)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `a batch that arrives damaged is sent three times more`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        for _ in 0..<3 {
            talk.answer(.corruptMessage, to: request)
            talk.now += .seconds(2)
            request = try talk.nextProduce(of: batch)
        }
        talk.answer(.corruptMessage, to: request)
        let refusal = KafkaProducerError.refused(.corruptMessage, message: nil)
        #expect(talk.next() == .deliver([Delivery(batch: batch, result: .failed(refusal))]))
    }

    @Test func `a topic without the right to write is tried every ten seconds`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(.topicAuthorizationFailed, to: request)
        #expect(talk.next() == nil)
        talk.now += .milliseconds(9999)
        #expect(talk.next() == nil)
        talk.now += .milliseconds(1)
        talk.answer(to: try talk.nextProduce(of: batch))
        #expect(talk.next() == acknowledged(batch, at: 0))
    }

    @Test func `UNSUPPORTED_VERSION has versions negotiated again`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(.unsupportedVersion, to: request)
        #expect(talk.next() == .disconnect(1, reason: "UNSUPPORTED_VERSION (35)"))
        talk.machine.connectionClosed(1, reason: "closed", now: talk.now)
        try talk.reconnect()
        try talk.settle(batch)
    }

    @Test func `a codec that the topic does not take is left out`() throws {
        var (talk, first, answered) = try Conversation.inFlight(["a"])
        talk.answer(to: answered)
        #expect(talk.next() == acknowledged(first, at: 0))
        let lane = Lane { $0.compressionType = .zstd }
        for number in 0..<3 {
            let value = String(repeating: "line \(number) ", count: 20)
            #expect(lane.append(value, position: Int64(number)) == .appended)
        }
        lane.accumulator.flush()
        let batch = try #require(lane.drain().first)
        talk.machine.submit([batch], now: talk.now)
        let request = try talk.expectRequest(.produce([batch]))
        let sequence = batch.sequence
        talk.answer(.unsupportedCompressionType, to: request)
        guard case .send(.produce(let sent), let id, _)? = talk.next() else {
            throw UnexpectedAction()
        }
        let plain = try #require(sent.first)
        #expect(plain.sealed?.compression == Compression.none)
        #expect(plain.sequence == sequence)
        #expect(plain.recordCount == 3)
        #expect((0..<3).map { plain.position(ofRecord: $0) } == [0, 1, 2])
        talk.answer(.unsupportedCompressionType, to: id)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == [plain])
    }

    @Test(arguments: [KafkaError.invalidRecord, .invalidTimestamp])
    func `records that are named get the broker's words, their neighbours go on`(
        error: KafkaError
    ) throws {
        var (talk, _, request) = try Conversation.inFlight(["a", "b", "c", "d"])
        talk.answer(error, refused: [0: "too old", 2: nil], to: request)
        guard case .deliver(let refused)? = talk.next() else { throw UnexpectedAction() }
        #expect(refused.map { $0.batch.position(ofRecord: 0) } == [0, 20])
        let expected: [Delivery.Result] = [
            .failed(.refused(error, message: "too old")), .failed(.refused(error, message: nil)),
        ]
        #expect(refused.map(\.result) == expected)
        guard case .send(.produce(let rest), _, _)? = talk.next() else { throw UnexpectedAction() }
        #expect(rest.map(\.recordCount) == [2])
    }

    @Test func `without names the halves are tried until the record is found`() throws {
        var (talk, _, request) = try Conversation.inFlight(["a", "bad"])
        talk.answer(.invalidRecord, to: request)
        guard case .send(.produce(let first), let id, _)? = talk.next() else {
            throw UnexpectedAction()
        }
        talk.answer(to: id)
        _ = talk.next()
        #expect(first.map { $0.position(ofRecord: 0) } == [0])
        guard case .send(.produce, let next, _)? = talk.next() else { throw UnexpectedAction() }
        talk.answer(.invalidRecord, to: next)
        guard case .deliver(let refused)? = talk.next() else { throw UnexpectedAction() }
        #expect(refused.map { $0.batch.position(ofRecord: 0) } == [10])
    }
}
