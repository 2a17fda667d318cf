import KafkaProtocol
import NIOCore
import Testing

@testable import Kafka

@Suite struct ConnectionStateMachineTests {
    static let offered = [
        ApiVersionsResponse.ApiVersion(apiKey: .produce, minVersion: 0, maxVersion: 13),
        ApiVersionsResponse.ApiVersion(apiKey: .metadata, minVersion: 0, maxVersion: 12),
        ApiVersionsResponse.ApiVersion(apiKey: .initProducerID, minVersion: 0, maxVersion: 4),
        ApiVersionsResponse.ApiVersion(apiKey: .apiVersions, minVersion: 0, maxVersion: 2),
    ]

    @Test func `versions are agreed on, falling back to what an older broker knows`() throws {
        var machine = ConnectionStateMachine(configuration: testConfiguration())
        machine.opened(now: beginning)
        #expect(try Self.written(&machine).version == 3)
        let refusal = ApiVersionsResponse(errorCode: .unsupportedVersion, apiKeys: Self.offered)
        machine.received(try Self.frame(refusal, version: 3, correlationID: 1), now: beginning)
        #expect(try Self.written(&machine).version == 2)
        let answer = ApiVersionsResponse(apiKeys: Self.offered)
        machine.received(try Self.frame(answer, version: 2, correlationID: 2), now: beginning)
        #expect(machine.nextAction() == .ready)
        machine.send(.producerID, id: 77, now: beginning)
        #expect(try Self.written(&machine).version == 4)
        let given = InitProducerIDResponse(producerID: 9, producerEpoch: 1)
        let frame = try Self.join(
            InitProducerIDRequest.frame(given, version: 4, correlationID: 3)
        )
        machine.received(frame, now: beginning)
        let identity = ProducerIdentity(id: 9, epoch: 1)
        let expected = ProducerAnswer.producerID(ProducerIDAnswer(identity: identity))
        #expect(machine.nextAction() == .answered(77, expected))
        #expect(machine.nextDeadline == nil)
    }

    @Test func `header and batches are written without copying the batches`() throws {
        var machine = try Self.ready()
        let batches = try [makeBatch(["a"]), makeBatch(["b"], partition: 1)]
        machine.send(.produce(batches), id: 1, now: beginning)
        guard case .write(let pieces)? = machine.nextAction() else { throw UnexpectedAction() }
        for batch in batches {
            let own = try #require(batch.sealed?.buffer)
            #expect(pieces.contains { Self.address($0) == Self.address(own) })
        }
        var frame = try Self.join(pieces)
        let header = try RequestHeader(from: &frame) { _, version in version >= 9 }
        #expect(header.apiKey == .produce)
        #expect(header.apiVersion == 12)
        let request = try ProduceRequest(body: frame, version: 12)
        #expect(request.topicData.map(\.name) == ["t"])
        #expect(request.topicData.first?.partitionData.map(\.index) == [0, 1])
    }

    @Test func `topics whose ids are known go by them, and the answer gets its names again`() throws
    {
        var machine = try Self.ready()
        let batches = try [makeBatch(topic: "a"), makeBatch(topic: "b")]
        for (number, batch) in batches.enumerated() {
            batch.topicID = TopicID(high: 7, low: UInt64(number + 1))
        }
        machine.send(.produce(batches), id: 1, now: beginning)
        guard case .write(let pieces)? = machine.nextAction() else { throw UnexpectedAction() }
        var frame = try Self.join(pieces)
        let header = try RequestHeader(from: &frame) { _, version in version >= 9 }
        #expect(header.apiVersion == 13)
        let request = try ProduceRequest(body: frame, version: 13)
        #expect(request.topicData.map(\.topicID) == batches.map(\.topicID))
        let stranger = TopicID(high: 8, low: 8)
        let topics = [batches[1].topicID, stranger, batches[0].topicID].map { id in
            ProduceResponse.TopicResponse(topicID: id, partitionResponses: [.init(index: 0)])
        }
        let answer = ProduceResponse(
            responses: topics,
            nodeEndpoints: [
                .init(nodeID: 3, host: "c", port: 9093), .init(nodeID: 4, host: "", port: 0),
            ]
        )
        machine.received(
            try Self.join(ProduceRequest.frame(answer, version: 13, correlationID: 2)),
            now: beginning
        )
        guard case .answered(1, .produce(let told))? = machine.nextAction() else {
            throw UnexpectedAction()
        }
        #expect(told.partitions.map(\.topic) == ["b", "", "a"])
        let address = BrokerAddress(host: "c", port: 9093)
        #expect(told.endpoints == [ClusterMetadata.Broker(id: 3, address: address)])
    }

    @Test func `an answer to another request closes the connection`() throws {
        var machine = try Self.ready()
        machine.send(.producerID, id: 1, now: beginning)
        _ = machine.nextAction()
        var frame = ByteBuffer()
        frame.writeInteger(Int32(99))
        machine.received(frame, now: beginning)
        #expect(machine.nextAction() == .close(reason: "it answered out of order"))
    }

    @Test func `an answer that nobody asked for closes the connection`() throws {
        var machine = try Self.ready()
        machine.received(ByteBuffer(integer: Int32(2)), now: beginning)
        #expect(machine.nextAction() == .close(reason: "it answered what was not asked"))
    }

    @Test func `an answer that ends too early closes the connection, whatever its bytes`() throws {
        var generator = SeededGenerator(seed: 42)
        for length in 0..<64 {
            var machine = try Self.ready()
            machine.send(.metadata(topics: ["t"]), id: 1, now: beginning)
            _ = machine.nextAction()
            var frame = ByteBuffer(integer: Int32(2))
            for _ in 0..<length { frame.writeInteger(UInt8.random(in: 1...255, using: &generator)) }
            machine.received(frame, now: beginning)
            guard case .close(let reason)? = machine.nextAction() else {
                Issue.record("\(length) bytes were taken, seed 42")
                continue
            }
            #expect(reason.hasPrefix("its answer does not read"))
        }
    }

    @Test func `a request without an answer closes the connection in time`() throws {
        var machine = try Self.ready()
        machine.send(.producerID, id: 1, now: beginning)
        _ = machine.nextAction()
        #expect(machine.nextDeadline == beginning + .seconds(30))
        machine.timePassed(now: beginning + .seconds(29))
        #expect(machine.nextAction() == nil)
        machine.timePassed(now: beginning + .seconds(30))
        #expect(machine.nextAction() == .close(reason: "no answer within 30.0 seconds"))
    }

    @Test func `with acks=0 a request is settled by writing it`() throws {
        var machine = try Self.ready {
            $0.isIdempotenceEnabled = false
            $0.acknowledgements = .none
        }
        let batch = try makeBatch()
        machine.send(.produce([batch]), id: 5, now: beginning)
        guard case .write? = machine.nextAction() else { throw UnexpectedAction() }
        let partition = ProduceAnswer.Partition(topic: "t", partition: 0)
        let answer = ProducerAnswer.produce(ProduceAnswer(partitions: [partition]))
        #expect(machine.nextAction() == .answered(5, answer))
        #expect(machine.nextDeadline == nil)
    }

    private static func ready(
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) throws -> ConnectionStateMachine {
        var machine = ConnectionStateMachine(configuration: testConfiguration(change))
        machine.opened(now: beginning)
        _ = machine.nextAction()
        let answer = ApiVersionsResponse(apiKeys: self.offered)
        machine.received(try self.frame(answer, version: 3, correlationID: 1), now: beginning)
        #expect(machine.nextAction() == .ready)
        return machine
    }

    private static func written(
        _ machine: inout ConnectionStateMachine
    ) throws -> (key: Int16, version: Int16) {
        guard case .write(let pieces)? = machine.nextAction() else { throw UnexpectedAction() }
        let frame = try self.join(pieces)
        let key = try #require(frame.getInteger(at: 0, as: Int16.self))
        return (key, try #require(frame.getInteger(at: 2, as: Int16.self)))
    }

    private static func frame(
        _ answer: ApiVersionsResponse,
        version: Int16,
        correlationID: Int32
    ) throws -> ByteBuffer {
        let pieces = try ApiVersionsRequest.frame(
            answer,
            version: version,
            correlationID: correlationID
        )
        return try self.join(pieces)
    }

    /// The pieces as one message without its length.
    private static func join(_ pieces: [ByteBuffer]) throws -> ByteBuffer {
        var all = ByteBuffer()
        for piece in pieces { all.writeImmutableBuffer(piece) }
        let first = all.readInteger(as: Int32.self)
        let length = try #require(first)
        #expect(Int(length) == all.readableBytes)
        return all.slice()
    }

    private static func address(_ buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withUnsafeReadableBytes { $0.baseAddress }
    }
}
