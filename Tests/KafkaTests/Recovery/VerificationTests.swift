import KafkaProtocol
import Testing

@testable import Kafka

/// What a producer finds out about its own batches in the log, where the leader has forgotten them.
@Suite struct VerificationTests {
    private static let identity = ProducerIdentity(id: 4711, epoch: 0)

    /// Two batches of which no answer came, and a leader that remembers nothing of them.
    private static func forgotten() throws -> (
        talk: Conversation, batches: [ProducerBatch]
    ) {
        var (talk, batches, _) = try Conversation.manyInFlight(2)
        talk.machine.setClock(milliseconds: 1_700_000_000_000, now: talk.now)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        try talk.remember(lastSequence: nil)
        return (talk, batches)
    }

    /// Answers with what the log has from the offset on that is asked for.
    private static func tellLog(_ talk: inout Conversation, _ batches: [FetchedBatch]) throws {
        while true {
            if case .batches = try Self.answer(&talk, batches) { return }
        }
    }

    /// Answers one question.
    @discardableResult
    private static func answer(
        _ talk: inout Conversation,
        _ batches: [FetchedBatch]
    ) throws -> RecoveryQuestion {
        let asked = try talk.nextRecovery()
        switch asked.request.question {
        case .highWatermark, .endOffset: talk.answer(.recovery(.offset(3)), to: asked.id)
        case .startOffset: talk.answer(.recovery(.offset(0)), to: asked.id)
        case .producers: talk.answer(.recovery(.producers([])), to: asked.id)
        case .batches(let offset, _):
            let own = batches.filter { $0.baseOffset >= offset }
            let found = FetchedBatches(batches: own, highWatermark: 3, startOffset: 0)
            talk.answer(.recovery(.batches(found)), to: asked.id)
        }
        return asked.request.question
    }

    private static func fetched(_ offset: Int64, sequence: Int32, by id: Int64 = 4711)
        -> FetchedBatch
    {
        FetchedBatch(
            baseOffset: offset,
            lastOffset: offset,
            producerID: id,
            epoch: 0,
            baseSequence: sequence
        )
    }

    @Test func `batches that are in the log are acknowledged where they are`() throws {
        var (talk, batches) = try Self.forgotten()
        try Self.tellLog(&talk, [Self.fetched(1, sequence: 1), Self.fetched(2, sequence: 2)])
        #expect(talk.nextOfNote() == acknowledged(batches[0], at: 1))
        #expect(talk.nextOfNote() == acknowledged(batches[1], at: 2))
        #expect(talk.nextOfNote() == nil)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
        let next = try makeBatch()
        talk.machine.submit([next], now: talk.now)
        try talk.settle(next)
        #expect(next.identity == ProducerIdentity(id: 4711, epoch: 1))
    }

    @Test func `a batch that is not in the log is sent under its numbers`() throws {
        var (talk, batches) = try Self.forgotten()
        let log = [Self.fetched(1, sequence: 1), Self.fetched(2, sequence: 0, by: 99)]
        try Self.tellLog(&talk, log)
        #expect(talk.nextOfNote() == acknowledged(batches[0], at: 1))
        // Its records' timestamps are old: a late request would not be known as one.
        #expect(talk.nextOfNote() == nil)
        talk.now += .seconds(31)
        for _ in 0..<5 { try Self.answer(&talk, log) }
        let request = try talk.nextProduce(of: batches[1])
        #expect(batches[1].sequence == 2)
        #expect(batches[1].identity == Self.identity)
        talk.answer(offset: 3, to: request)
        #expect(talk.nextOfNote() == acknowledged(batches[1], at: 3))
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `nothing else is sent while the log is read`() throws {
        var (talk, _) = try Self.forgotten()
        _ = try talk.nextRecovery()
        talk.machine.submit([try makeBatch()], now: talk.now)
        #expect(talk.nextOfNote() == nil)
    }

    @Test func `where nobody may read, and it is old, what may come twice is counted`() throws {
        var (talk, batches) = try Self.forgotten()
        talk.answer(
            .recovery(.failed(.topicAuthorizationFailed)),
            to: try talk.nextRecovery().id
        )
        for batch in batches { try talk.settle(batch) }
        #expect(batches.allSatisfy { $0.identity == ProducerIdentity(id: 4711, epoch: 1) })
        #expect(talk.machine.statistics.possibleDuplicates == 2)
    }

    @Test func `a batch that is dropped meanwhile is not sent`() throws {
        var (talk, _) = try Self.forgotten()
        let asked = try talk.nextRecovery()
        talk.machine.purge(inFlight: true)
        guard case .deliver? = talk.nextOfNote() else { throw UnexpectedAction() }
        talk.answer(.recovery(.offset(3)), to: asked.id)
        talk.now += .seconds(31)
        try Self.tellLog(&talk, [Self.fetched(1, sequence: 9, by: 99)])
        talk.now += .seconds(31)
        while let action = talk.nextOfNote() {
            if case .send(.produce, _, _) = action { Issue.record("\(action)") }
        }
    }
}
