import KafkaProtocol
import Testing

@testable import Kafka
@testable import Shipping

struct RowReceiptTests {
    @Test func `the row of a batch that is in the log is settled`() throws {
        let receipt = try receipt(.acknowledged(baseOffset: 42, timestamp: -1))
        #expect(receipt.fate == .acknowledged(baseOffset: 42))
    }

    @Test func `the row of a batch that a broker has refused goes`() throws {
        let refusal = KafkaProducerError.refused(.messageTooLarge, message: nil)
        #expect(try receipt(.failed(refusal)).fate == .refused)
    }

    @Test(arguments: [
        KafkaProducerError.closed, .fatal("it is over"),
        .refused(.clusterAuthorizationFailed, message: nil),
    ])
    func `the row of a batch that the end of the producer kept back stays for the next one`(
        error: KafkaProducerError
    ) throws {
        #expect(try receipt(.failed(error)).fate == .unknown)
    }

    private func receipt(_ result: Delivery.Result) throws -> RowReceipt {
        var batch = RemadeBatch(topic: "t", partition: 0)
        batch.append(
            key: nil,
            value: nil,
            headers: UnsafeBufferPointer(start: nil, count: 0),
            timestamp: 0,
            origin: RecordOrigin(owner: 0, position: 0)
        )
        let configuration = KafkaProducerConfiguration(bootstrapServers: ["none:9092"])
        return RowReceipt(Delivery(batch: try batch.seal(configuration, now: .now), result: result))
    }
}
