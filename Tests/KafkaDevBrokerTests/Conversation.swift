import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

/// A client that talks to the machine and reads what it answers.
final class Conversation {
    var broker: BrokerStateMachine
    var now = ContinuousClock.now
    var onJournal: ((ByteBuffer) -> Void)?
    private var nextCorrelationID: Int32 = 1
    let connection = BrokerStateMachine.ConnectionID(number: 1)
    let other = BrokerStateMachine.ConnectionID(number: 2)

    init(
        topic: String? = "t",
        partitions: Int32 = 1,
        configs: [String: String] = [:],
        nodes: Int = 1
    ) {
        var configuration = BrokerStateMachine.Configuration(host: "broker", port: 9092)
        configuration.nodes = (1...Int32(nodes)).map { id in
            Node(id: id, host: "broker", port: 9091 + id)
        }
        self.broker = BrokerStateMachine(configuration: configuration)
        self.broker.connectionOpened(self.connection)
        self.broker.connectionOpened(self.other)
        if let topic {
            self.broker.createTopic(topic, partitions: partitions, configs: configs)
        }
    }

    /// Sends a request without looking for the answer; returns its correlation id.
    @discardableResult
    func send<Request: KafkaRequest>(
        _ request: Request,
        version: Int16? = nil,
        from connection: BrokerStateMachine.ConnectionID? = nil
    ) throws -> Int32 {
        let id = self.nextCorrelationID
        self.nextCorrelationID += 1
        let pieces = try request.frame(
            version: version ?? Request.versions.upperBound,
            correlationID: id,
            clientID: "me"
        )
        var frame = ByteBuffer()
        for piece in pieces { frame.writeImmutableBuffer(piece) }
        frame.moveReaderIndex(forwardBy: 4)
        self.broker.received(frame, from: connection ?? self.connection, now: self.now)
        return id
    }

    /// Sends a request and reads the answer to it, which must be the next thing to happen.
    func ask<Request: KafkaRequest>(
        _ request: Request,
        version: Int16? = nil,
        from connection: BrokerStateMachine.ConnectionID? = nil
    ) throws -> Request.Response {
        try self.send(request, version: version, from: connection)
        return try self.answer(to: Request.self, version: version, on: connection)
    }

    func answer<Request: KafkaRequest>(
        to type: Request.Type,
        version: Int16? = nil,
        on connection: BrokerStateMachine.ConnectionID? = nil
    ) throws -> Request.Response {
        let action = try #require(self.next())
        guard case .send(connection ?? self.connection, let pieces) = action else {
            throw Unexpected(action: action)
        }
        var frame = ByteBuffer()
        for piece in pieces { frame.writeImmutableBuffer(piece) }
        frame.moveReaderIndex(forwardBy: 8)
        return try Request.response(from: frame, version: version ?? Request.versions.upperBound)
    }

    /// The next action; what goes to the journal is told to ``onJournal``, if somebody listens.
    func next() -> BrokerStateMachine.Action? {
        while let action = self.broker.nextAction(now: self.now) {
            guard case .journal(let frame) = action, let onJournal else { return action }
            onJournal(frame)
        }
        return nil
    }

    /// Whether the next thing to happen is that the connection is closed.
    func isClosed() -> Bool {
        if case .close(self.connection, _) = self.next() { true } else { false }
    }

    struct Unexpected: Error {
        var action: BrokerStateMachine.Action
    }
}

extension Conversation {
    /// Produces a batch and returns the partition's answer.
    func produce(
        _ records: ByteBuffer?,
        acks: Int16 = -1,
        topic: String = "t",
        partition: Int32 = 0,
        version: Int16 = 12
    ) throws -> ProduceResponse.PartitionResponse {
        let request = Self.request(records, acks: acks, topic: topic, partition: partition)
        let response = try self.ask(request, version: version)
        return try #require(response.responses.first?.partitionResponses.first)
    }

    /// Produces `count` records under a producer id; returns the error and the offset.
    func produce(
        _ producer: Int64,
        epoch: Int16 = 0,
        sequence: Int32,
        count: Int = 1
    ) throws -> Outcome {
        let batch = try Self.batch(
            Array(repeating: "x", count: count),
            producer: (producer, epoch, sequence)
        )
        let answer = try self.produce(batch)
        return Outcome(answer.errorCode, answer.baseOffset)
    }

    struct Outcome: Equatable {
        var error: KafkaError
        var offset: Int64

        init(_ error: KafkaError, _ offset: Int64) {
            self.error = error
            self.offset = offset
        }

        static func at(_ offset: Int64) -> Outcome { Outcome(.none, offset) }
        static func refused(_ error: KafkaError) -> Outcome { Outcome(error, -1) }
    }

    static func request(
        _ records: ByteBuffer?,
        acks: Int16 = -1,
        topic: String = "t",
        partition: Int32 = 0
    ) -> ProduceRequest {
        let data = ProduceRequest.PartitionData(index: partition, records: records)
        return ProduceRequest(acks: acks, topicData: [.init(name: topic, partitionData: [data])])
    }

    static func batch(
        _ values: [String],
        producer: (Int64, Int16, Int32)? = nil,
        codec: Compression? = nil,
        timestamp: Int64 = 1_700_000_000_000
    ) throws -> ByteBuffer {
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        for (index, value) in values.enumerated() {
            Array(value.utf8).withUnsafeBytes { bytes in
                _ = builder.append(key: nil, value: bytes, timestamp: timestamp + Int64(index))
            }
        }
        var sealed = try builder.seal(with: codec.map { Compressor(codec: $0) })
        if let producer {
            sealed.assign(producerID: producer.0, epoch: producer.1, baseSequence: producer.2)
        }
        return sealed.buffer
    }

    /// A batch in which something is changed after it was sealed, with a checksum that fits.
    static func batch(changing change: (inout ByteBuffer) -> Void) throws -> ByteBuffer {
        var batch = try self.batch(["hello"])
        change(&batch)
        let crc = batch.withUnsafeReadableBytes { bytes in
            CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: bytes[21...]))
        }
        batch.setInteger(crc, at: 17)
        return batch
    }

    func values(partition: Int32 = 0) throws -> [String] {
        try self.broker.records(topic: "t", partition: partition)
            .map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
}
