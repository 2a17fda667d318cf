import KafkaProtocol
import Testing

@testable import Kafka

/// A conversation with a machine whose batches are journaled, and the journal itself: no batch may
/// be sent whose numbers are not written down.
struct JournalTalk {
    /// What a row says.
    struct Row: Equatable {
        var partition: Int32
        var identity: ProducerIdentity?
        var sequence: Int32?
        var count: Int
        var topicID: TopicID
    }

    var talk: Conversation
    var rows: [Int64: Row] = [:]
    private var lastRow: Int64 = 0
    /// What is being written.
    private(set) var writing: [ProducerBatch]?
    private var written: [Int64: Row] = [:]

    /// As if broker 1 led `t`, was connected and gave out producer id 4711.
    init(
        partitions: Int32 = 1,
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws {
        self.talk = try Conversation.started(partitions: partitions) { configuration in
            configuration.isJournaled = true
            change(&configuration)
        }
    }

    /// One batch acknowledged, so that several may be in flight.
    static func proven(
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws -> JournalTalk {
        var talk = try JournalTalk(change)
        let first = try makeBatch()
        try talk.submit([first])
        try talk.commit([first])
        talk.talk.answer(to: try talk.expectProduce(first))
        #expect(talk.next() == acknowledged(first, at: 0))
        return talk
    }

    /// Batches of which `count` are in flight.
    static func inFlight(_ count: Int) throws -> (
        talk: JournalTalk, batches: [ProducerBatch], requests: [RequestID]
    ) {
        var talk = try JournalTalk.proven()
        let batches = try (0..<count).map { try makeBatch(["\($0)"]) }
        try talk.submit(batches)
        try talk.commit(batches)
        let requests = try batches.map { try talk.expectProduce($0) }
        return (talk, batches, requests)
    }

    mutating func submit(_ batches: [ProducerBatch]) throws {
        self.talk.machine.submit(batches, now: self.talk.now)
    }

    /// The next thing of note; connections are made, producer ids given, and rows noted on the way.
    mutating func next() -> ProducerStateMachine.Action? {
        while let action = self.talk.nextOfNote() {
            switch action {
            case .send(.producerID, let id, _):
                let identity = ProducerIdentity(id: 4711, epoch: 0)
                self.talk.answer(.producerID(ProducerIDAnswer(identity: identity)), to: id)
            case .identified: continue
            case .journal(let batches):
                self.write(batches)
                return action
            case .send(.produce(let batches), _, _):
                for batch in batches { self.checkRow(of: batch) }
                return action
            case .deliver(let deliveries):
                for delivery in deliveries { self.forget(delivery) }
                return action
            default: return action
            }
        }
        return nil
    }

    private mutating func write(_ batches: [ProducerBatch]) {
        #expect(self.writing == nil, "two writes are under way")
        self.writing = batches
        self.written = self.rows
        for batch in batches {
            if batch.journalID == 0 {
                self.lastRow += 1
                batch.journalID = self.lastRow
            }
            self.written[batch.replaces] = nil
            self.written[batch.journalID] = Row(batch)
        }
    }

    private func checkRow(of batch: ProducerBatch) {
        let row = Row(batch)
        #expect(self.rows[batch.journalID] == row, "a batch is sent that is not written down")
        let others = self.rows.filter { $0.key != batch.journalID }.values
        #expect(!others.contains { $0.hasNumbers(of: row) })
    }

    private mutating func forget(_ delivery: Delivery) {
        if case .failed = delivery.result, delivery.batch.mayBeInLog { return }
        let batch = delivery.batch
        for id in [batch.journalID, batch.replaces] where id != 0 {
            self.rows[id] = nil
            self.written[id] = nil
        }
    }

    /// The write that is under way ends.
    mutating func commit() {
        guard let batches = self.writing else { return }
        self.writing = nil
        self.rows = self.written
        self.talk.machine.journaled(batches)
    }

    /// The next thing is that these are written down, and they are.
    mutating func commit(
        _ batches: [ProducerBatch],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try self.expectWrite(batches, sourceLocation: sourceLocation)
        self.commit()
    }

    mutating func expectWrite(
        _ batches: [ProducerBatch],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let action = self.next()
        #expect(action == .journal(batches), sourceLocation: sourceLocation)
    }

    mutating func expectProduce(
        _ batch: ProducerBatch,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RequestID {
        let action = self.next()
        guard case .send(.produce([batch]), let id, _)? = action else {
            Issue.record("\(String(describing: action))", sourceLocation: sourceLocation)
            throw UnexpectedAction()
        }
        return id
    }

    /// The batches that the next write has.
    mutating func nextWrite(
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [ProducerBatch] {
        let action = self.next()
        guard case .journal(let batches)? = action else {
            Issue.record("\(String(describing: action))", sourceLocation: sourceLocation)
            throw UnexpectedAction()
        }
        return batches
    }
}

extension JournalTalk.Row {
    init(_ batch: ProducerBatch) {
        self.init(
            partition: batch.partition,
            identity: batch.identity,
            sequence: batch.sequence,
            count: batch.recordCount,
            topicID: batch.topicID
        )
    }

    func hasNumbers(of other: Self) -> Bool {
        self.partition == other.partition && self.identity == other.identity
            && self.sequence == other.sequence
    }
}
