import NIOCore
import Testing

@testable import Kafka

struct VersionNegotiationTests {
    /// Correlation id 1, error 35, and what librdkafka's mock cluster puts behind it.
    private let mockRefusal: [UInt8] = [
        0, 0, 0, 1, 0, 35, 1, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0,
    ]

    private func answer(_ bytes: [UInt8], asked: Int16) throws -> Wire.VersionsAnswer {
        try Wire.decodeVersions(
            ByteBuffer(bytes: bytes),
            asked: asked,
            configuration: KafkaProducerConfiguration(bootstrapServers: ["b:9092"])
        )
    }

    @Test func `a refusal whose list cannot be read leads to version 0`() throws {
        guard case .retry(0) = try answer(mockRefusal, asked: 4) else {
            Issue.record("not asked again with version 0")
            return
        }
    }

    @Test func `a refusal of version 0 that cannot be read is an error, not a loop`() {
        #expect(throws: (any Error).self) { try answer(mockRefusal, asked: 0) }
    }
}
