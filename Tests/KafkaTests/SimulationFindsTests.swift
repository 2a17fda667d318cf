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
}
