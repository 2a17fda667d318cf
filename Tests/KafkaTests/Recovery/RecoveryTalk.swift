import KafkaProtocol
import Testing

@testable import Kafka

/// The time of day at which the recoveries of these tests begin.
let wallClock: Int64 = 1_700_000_000_000
let hour: Int64 = 3_600_000
let topicID = TopicID(high: 1, low: 1)
/// The acknowledged batch before the first one in doubt: offset 99 has sequence 99.
let acknowledged = RecoveryAcknowledgement(
    topicID: topicID,
    producerID: 7,
    epoch: 0,
    sequence: 99,
    offset: 99
)

/// Batches of ten records each, the first of which has sequence 100, and rows 1, 2 and so on.
func journal(
    _ count: Int,
    producerID: Int64 = 7,
    epoch: Int16 = 0,
    firstRow: Int64 = 1,
    firstSequence: Int32 = 100,
    age: Int64 = 1000,
    stampAge: Int64? = nil
) -> [RecoveryBatch] {
    (0..<count).map { number in
        RecoveryBatch(
            id: firstRow + Int64(number),
            topicID: topicID,
            producerID: producerID,
            epoch: epoch,
            baseSequence: RecordSequence.advance(firstSequence, by: Int32(10 * number)),
            recordCount: 10,
            createdAt: wallClock - age,
            maxTimestamp: wallClock - (stampAge ?? age)
        )
    }
}

func remembered(
    _ lastSequence: Int32,
    of producerID: Int64 = 7,
    epoch: Int32 = 0,
    age: Int64 = 1000
) -> ProducersAnswer.Producer {
    ProducersAnswer.Producer(
        producerID: producerID,
        epoch: epoch,
        lastSequence: lastSequence,
        lastTimestamp: wallClock - age
    )
}

/// A batch of ten records in the log.
func logged(
    _ sequence: Int32,
    at offset: Int64,
    count: Int64 = 10,
    of producerID: Int64 = 7,
    epoch: Int16 = 0,
    positions: [FetchedBatch.Position] = []
) -> FetchedBatch {
    FetchedBatch(
        baseOffset: offset,
        lastOffset: offset + count - 1,
        producerID: producerID,
        epoch: epoch,
        baseSequence: sequence,
        positions: positions
    )
}

/// A recovery, its time, and the leader's side of the conversation.
struct RecoveryTalk {
    var machine: RecoveryStateMachine
    var now = beginning

    init(
        _ rows: [RecoveryBatch],
        acknowledged: RecoveryAcknowledgement? = acknowledged,
        _ change: (inout RecoveryStateMachine.Settings) -> Void = { _ in }
    ) {
        var settings = RecoveryStateMachine.Settings()
        change(&settings)
        self.machine = RecoveryStateMachine(
            rows: rows,
            acknowledged: acknowledged,
            settings: settings,
            wallClock: wallClock,
            now: self.now
        )
    }

    /// With a leader, and all batches made again.
    static func started(
        _ rows: [RecoveryBatch],
        acknowledged: RecoveryAcknowledgement? = acknowledged,
        _ change: (inout RecoveryStateMachine.Settings) -> Void = { _ in }
    ) -> RecoveryTalk {
        var talk = RecoveryTalk(rows, acknowledged: acknowledged, change)
        talk.lead(epoch: 3)
        for row in rows { talk.machine.made(row: row.id) }
        return talk
    }

    mutating func lead(epoch: Int32?, topicID: TopicID = topicID) {
        self.machine.leaderChanged(epoch: epoch, topicID: topicID, now: self.now)
    }

    mutating func next() -> RecoveryStateMachine.Action? {
        self.machine.nextAction(now: self.now)
    }

    /// Expects a question to be next, and answers it.
    mutating func answer(
        _ question: RecoveryQuestion,
        _ answer: RecoveryAnswer,
        at location: SourceLocation = #_sourceLocation
    ) {
        guard case .ask(question, let id)? = self.next() else {
            Issue.record("\(question) is not asked", sourceLocation: location)
            return
        }
        self.machine.received(answer, to: id, now: self.now)
    }

    /// Has the leader asked what it remembers.
    mutating func remembers(
        _ producers: ProducersAnswer.Producer...,
        at location: SourceLocation = #_sourceLocation
    ) {
        self.answer(.highWatermark, .offset(500), at: location)
        self.answer(.producers, .producers(producers), at: location)
        self.answer(.highWatermark, .offset(500), at: location)
    }

    /// Has the log read, which holds nothing but these batches from `from` on.
    mutating func reads(
        from: Int64,
        start: Int64 = 0,
        end: Int64? = nil,
        of ids: Set<Int64> = [7],
        _ batches: [FetchedBatch],
        at location: SourceLocation = #_sourceLocation
    ) {
        let end = end ?? batches.last.map { $0.lastOffset + 1 } ?? from
        self.answer(.startOffset, .offset(start), at: location)
        self.answer(.endOffset, .offset(end), at: location)
        guard from < end else { return }
        let fetched = FetchedBatches(batches: batches, highWatermark: end, startOffset: start)
        self.answer(.batches(from: from, positionsOf: ids), .batches(fetched), at: location)
    }

    /// Expects a batch to be sent.
    mutating func sends(
        _ row: Int64,
        _ outcome: RecoverySending,
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(self.next() == .send(row: row), sourceLocation: location)
        self.machine.sent(row: row, outcome, now: self.now)
    }

    mutating func isAppended(
        _ row: Int64,
        at offset: Int64? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let action = RecoveryStateMachine.Action.resolved(row: row, .appended(baseOffset: offset))
        #expect(self.next() == action, sourceLocation: location)
    }

    mutating func isAbsent(_ row: Int64, _ location: SourceLocation = #_sourceLocation) {
        #expect(self.next() == .resolved(row: row, .absent), sourceLocation: location)
    }

    mutating func isDone(
        successor: ProducerIdentity? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(self.next() == .done(successor: successor), sourceLocation: location)
        #expect(self.next() == nil, sourceLocation: location)
    }

    /// Expects it to end, and returns what it says.
    mutating func stops(_ location: SourceLocation = #_sourceLocation) throws -> String {
        guard case .stop(let reason)? = self.next() else {
            Issue.record("it goes on", sourceLocation: location)
            return ""
        }
        #expect(self.next() == nil, sourceLocation: location)
        return reason
    }

    /// Lets time pass to where the machine wants to be asked again.
    mutating func pass(_ location: SourceLocation = #_sourceLocation) {
        #expect(self.next() == nil, sourceLocation: location)
        guard let deadline = self.machine.nextDeadline(now: self.now) else {
            Issue.record("it waits for nothing", sourceLocation: location)
            return
        }
        self.now = max(self.now, deadline)
    }
}
