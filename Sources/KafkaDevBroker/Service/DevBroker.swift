package import KafkaProtocol
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// A Kafka node in memory that listens on a port.
///
/// ```swift
/// let broker = DevBroker(configuration: .init(defaultPartitions: 4))
/// let port = try await broker.start()
/// ```
package final class DevBroker: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        /// 0 takes a free one.
        package var port: Int
        /// Partitions of a topic that is made when first mentioned.
        package var defaultPartitions: Int
        /// Nil leaves connections unencrypted.
        package var tls: TLS?
        /// Nil lets everybody in.
        package var sasl: BrokerStateMachine.SASLConfiguration?

        package init(host: String = "127.0.0.1", port: Int = 0, defaultPartitions: Int = 1) {
            self.host = host
            self.port = port
            self.defaultPartitions = defaultPartitions
        }
    }

    private let configuration: Configuration
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let loop: any EventLoop
    private let shell: NIOLoopBoundBox<BrokerShell>
    private let listener = Mutex(Listener())

    private struct Listener: Sendable {
        var channel: (any Channel)?
        /// The port that was taken before, to be taken again.
        var port: Int?
    }

    package init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
        let loop = self.group.next()
        var settings = BrokerStateMachine.Configuration(host: configuration.host)
        settings.defaultPartitions = Int32(clamping: configuration.defaultPartitions)
        settings.sasl = configuration.sasl
        settings.seed = UInt64.random(in: 1...UInt64.max)
        let machine = BrokerStateMachine(configuration: settings)
        self.loop = loop
        self.shell = NIOLoopBoundBox.makeBoxSendingValue(
            BrokerShell(machine, loop: loop),
            eventLoop: loop
        )
    }

    /// Listens, and returns the port.
    package func start() async throws -> Int {
        let bound = self.listener.withLock(\.port)
        let channel = try await self.bind(port: bound ?? self.configuration.port)
        let port = channel.localAddress?.port ?? 0
        try await self.perform { $0.machine.configuration.port = Int32(port) }
        self.listener.withLock { $0 = Listener(channel: channel, port: port) }
        return port
    }

    /// Closes the port and all connections; the records go with it.
    package func stop() async {
        try? await self.pause()
        try? await self.group.shutdownGracefully()
    }

    /// Closes the port and all connections until ``start()`` opens the same port again.
    ///
    /// The records stay.
    package func pause() async throws {
        let channel = self.listener.withLock { listener in
            defer { listener.channel = nil }
            return listener.channel
        }
        try? await channel?.close().get()
        try await self.perform { $0.closeAll() }
    }

    private func bind(port: Int) async throws -> any Channel {
        let shell = self.shell
        let context = try self.configuration.tls?.makeContext()
        let limit = BrokerStateMachine.Configuration().maxRequestBytes
        let buffers = AdaptiveRecvByteBufferAllocator(
            minimum: 4096,
            initial: 65_536,
            maximum: 1 << 20
        )
        return try await ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context {
                        try pipeline.addHandler(NIOSSLServerHandler(context: context))
                    }
                    let handler = BrokerConnectionHandler(shell.value, requestLimit: limit)
                    try pipeline.addHandler(handler)
                }
            }
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: buffers)
            .bind(host: self.configuration.host, port: port)
            .get()
    }

    /// Lets something go wrong.
    package func inject(_ fault: Fault) async throws {
        try await self.perform { shell in shell.update { $0.inject(fault, now: $1) } }
    }

    package func createTopic(
        _ name: String,
        partitions: Int,
        configs: [String: String] = [:]
    ) async throws {
        try await self.perform { shell in
            let count = Int32(clamping: partitions)
            shell.machine.createTopic(name, partitions: count, configs: configs)
        }
    }

    /// All records of a partition; none if it is not there.
    package func records(topic: String, partition: Int) async throws -> [Record] {
        try await self.perform { shell in
            try shell.machine.records(topic: topic, partition: Int32(clamping: partition))
        }
    }

    /// The log of a partition, with its batches as they were sent.
    package func partitionLog(topic: String, partition: Int) async throws -> PartitionLog? {
        try await self.perform { shell in
            shell.machine.partitionLog(topic: topic, partition: Int32(clamping: partition))
        }
    }

    /// The topics and how many partitions each has.
    package func topics() async throws -> [String: Int] {
        try await self.perform { $0.machine.topicPartitionCounts }
    }

    /// How many requests with record batches were received.
    package func produceRequestCount() async throws -> Int {
        try await self.perform { $0.machine.produceRequestCount }
    }

    /// How many connections were opened.
    package func connectionCount() async throws -> Int {
        try await self.perform { $0.connectionCount }
    }

    /// How many logins succeeded.
    package func loginCount() async throws -> Int {
        try await self.perform { $0.machine.loginCount }
    }

    private func perform<Result: Sendable>(
        _ body: @escaping @Sendable (BrokerShell) throws -> Result
    ) async throws -> Result {
        let shell = self.shell
        return try await self.loop.submit { try body(shell.value) }.get()
    }
}
