import KafkaProtocol
import Testing

@testable import Kafka

/// What ProducerSimulationTests found, each told in as few steps as it needs.
@Suite struct SimulationFindsTests {
    @Test func `a batch that arrived damaged once is sent again, however often it was sent before`()
        throws
    {
        var talk = try Conversation.started()
        let batch = try makeBatch()
        talk.machine.submit([batch], now: talk.now)
        try talk.connect()
        for _ in 0..<5 {
            let request = try talk.expectRequest(.produce([batch]))
            talk.answer(.notEnoughReplicas, to: request)
            #expect(talk.next() == nil)
            try talk.wait()
        }
        talk.answer(.corruptMessage, to: try talk.expectRequest(.produce([batch])))
        #expect(talk.next() == nil)
        try talk.wait()
        talk.answer(to: try talk.expectRequest(.produce([batch])))
        #expect(talk.next() == acknowledged(batch, at: 0))
    }

    @Test func `a batch that arrives damaged four times fails`() throws {
        var talk = try Conversation.started()
        let batch = try makeBatch()
        talk.machine.submit([batch], now: talk.now)
        try talk.connect()
        for attempt in 1...4 {
            talk.answer(.corruptMessage, to: try talk.expectRequest(.produce([batch])))
            guard attempt < 4 else { break }
            #expect(talk.next() == nil)
            try talk.wait()
        }
        let error = KafkaProducerError.refused(.corruptMessage, message: nil)
        #expect(talk.next() == .deliver([Delivery(batch: batch, result: .failed(error))]))
    }

    @Test func `a first batch that the leader knows nothing of keeps its numbers`() throws {
        var talk = try Conversation.started()
        let batch = try makeBatch(["a", "b"])
        talk.machine.submit([batch], now: talk.now)
        try talk.connect()
        _ = try talk.expectRequest(.produce([batch]))
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.messageTooLarge, to: try talk.nextProduce(of: batch))
        try talk.remember(lastSequence: nil)
        let third = try talk.nextProduce(of: batch)
        #expect(batch.identity == ProducerIdentity(id: 4711, epoch: 0))
        #expect(batch.sequence == 0)
        talk.answer(.messageTooLarge, to: third)
        #expect(talk.machine.statistics.batchesSplit == 1)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `the first batch of an epoch that the leader has not seen keeps its numbers`() throws
    {
        var (talk, batches, requests) = try Conversation.threeInFlight()
        // A batch that is refused and has others behind it: these begin the next epoch.
        talk.answer(.invalidRecord, refused: [0: nil], to: requests[0])
        for request in requests[1...] { talk.answer(.outOfOrderSequenceNumber, to: request) }
        talk.now += .seconds(2)
        _ = try talk.nextProduce(of: batches[1])
        #expect(batches[1].identity == ProducerIdentity(id: 4711, epoch: 1))
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.messageTooLarge, to: try talk.nextProduce(of: batches[1]))
        try talk.remember(lastSequence: 0, epoch: 0)
        talk.answer(to: try talk.nextProduce(of: batches[1]))
        #expect(batches[1].identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(talk.machine.statistics.lastError == nil)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    /// Seed 1782: a copy of the first batch, on another connection, was appended meanwhile.
    @Test func `no other records get the numbers of a batch that was given up`() throws {
        var talk = try Conversation.started { $0.deliveryTimeout = .seconds(10) }
        let old = try makeBatch(["old"])
        let young = try makeBatch(["young"], createdAt: beginning + .seconds(9))
        talk.machine.submit([old, young], now: talk.now)
        try talk.connect()
        talk.answer(.corruptMessage, to: try talk.expectRequest(.produce([old])))
        talk.now += .seconds(10)
        let result = Delivery.Result.failed(.deliveryTimedOut)
        #expect(talk.next() == .deliver([Delivery(batch: old, result: result)]))
        talk.answer(to: try talk.nextProduce(of: young))
        #expect(young.identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(young.sequence == 0)
        #expect(talk.nextOfNote() == acknowledged(young, at: 0))
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }
}
