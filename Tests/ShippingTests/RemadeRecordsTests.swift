import Checkpointing
import KafkaProtocol
import NIOCore
import Testing

@testable import Kafka
@testable import Shipping

struct RemadeRecordsTests {
    @Test func `a record behind the answer to another one says where it is from`() throws {
        var row = JournaledBatch(
            id: 1,
            topic: "dead",
            partition: 0,
            producerID: 7,
            epoch: 0,
            baseSequence: 0,
            recordCount: 4
        )
        row.createdAt = 1000
        let records = [
            made(at: 0, beginsStretch: true), made(at: 10, isAnswer: true, beginsStretch: true),
            made(at: 20), made(at: 30),
        ]
        let configuration = KafkaProducerConfiguration(bootstrapServers: ["none:9092"])
        let batch = try #require(row.remade(of: records, configuration, now: .now))
        let buffer = try #require(batch.sealed?.buffer)
        let sent = try RecordBatch.batches(in: buffer).flatMap { try $0.records() }
        let places = sent.map { record in
            record.headers.first { $0.name == "forktail.position" }
                .map { String(decoding: $0.value ?? [], as: UTF8.self) }
        }
        #expect(places == ["o/3/0/0+0", "o/3/0/10+0", "o/3/0/20+0", nil])
    }

    private func made(
        at offset: Int64,
        isAnswer: Bool = false,
        beginsStretch: Bool = false
    ) -> MadeRecord {
        MadeRecord(
            key: nil,
            value: Array("x".utf8),
            headers: [],
            timestamp: 1000,
            place: RecordPlace(offset: offset),
            prefix: Array("o/3/0/".utf8),
            isAnswer: isAnswer,
            beginsStretch: beginsStretch
        )
    }
}
