import KafkaDevBroker
import KafkaProtocol
import NIOCore
import NIOPosix
import Testing

@Suite struct DevBrokerTests {
    /// Sends a request over a socket and reads the answer's bytes behind the correlation id.
    private func exchange<Request: KafkaRequest>(
        _ request: Request,
        version: Int16,
        port: Int
    ) async throws -> Request.Response {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel
                    )
                }
            }
        let pieces = try request.frame(version: version, correlationID: 1, clientID: "me")
        return try await channel.executeThenClose { inbound, outbound in
            for piece in pieces { try await outbound.write(piece) }
            var decoder = FrameDecoder(limit: 1 << 20)
            for try await bytes in inbound {
                decoder.append(bytes)
                guard var frame = try decoder.next() else { continue }
                frame.moveReaderIndex(forwardBy: 4)
                return try Request.response(from: frame, version: version)
            }
            throw ProtocolError.truncated
        }
    }

    @Test func `a record goes in over a socket and comes out again`() async throws {
        let broker = DevBroker(configuration: .init(defaultPartitions: 3))
        let port = try await broker.start()
        let metadata = try await self.exchange(
            MetadataRequest(topics: [.init(name: "t")], allowAutoTopicCreation: true),
            version: 12,
            port: port
        )
        #expect(metadata.brokers.map(\.port) == [Int32(port)])
        #expect(metadata.topics.first?.partitions.count == 3)
        let request = Conversation.request(try Conversation.batch(["hello"]), partition: 2)
        let produced = try await self.exchange(request, version: 9, port: port)
        #expect(produced.responses[0].partitionResponses[0].errorCode == .none)
        let records = try await broker.records(topic: "t", partition: 2)
        #expect(records.map(\.value) == [Array("hello".utf8)])
        await broker.stop()
    }

    @Test func `a broker that was paused comes back on its port with its records`() async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.createTopic("t", partitions: 1)
        let request = Conversation.request(try Conversation.batch(["kept"]))
        _ = try await self.exchange(request, version: 9, port: port)
        try await broker.pause()
        await #expect(throws: (any Error).self) {
            try await self.exchange(request, version: 9, port: port)
        }
        #expect(try await broker.start() == port)
        #expect(try await broker.records(topic: "t", partition: 0).count == 1)
        await broker.stop()
    }

    @Test func `a fault can be asked for while the broker runs`() async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.createTopic("t", partitions: 1)
        try await broker.inject(.refuse(.notEnoughReplicas))
        let request = Conversation.request(try Conversation.batch(["a"]))
        let refused = try await self.exchange(request, version: 9, port: port)
        #expect(refused.responses[0].partitionResponses[0].errorCode == .notEnoughReplicas)
        let taken = try await self.exchange(request, version: 9, port: port)
        #expect(taken.responses[0].partitionResponses[0].baseOffset == 0)
        #expect(try await broker.produceRequestCount() == 2)
        await broker.stop()
    }
}
