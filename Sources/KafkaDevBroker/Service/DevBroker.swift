package import KafkaProtocol
internal import Logging
internal import NIOCore
internal import NIOPosix

/// A Kafka cluster in memory whose nodes listen on ports of their own.
///
/// ```swift
/// let broker = DevBroker(configuration: .init(defaultPartitions: 4))
/// let port = try await broker.start()
/// ```
package final class DevBroker: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        /// The first node's, the others have the next ones; 0 takes free ones.
        package var port: Int
        /// Partitions of a topic that is made when first mentioned.
        package var defaultPartitions: Int
        /// Nil leaves connections unencrypted.
        package var tls: TLS?
        /// Nil lets everybody in.
        package var sasl: BrokerStateMachine.SASLConfiguration?
        /// What is not allowed; all else is.
        package var denials: [Denial] = []
        /// Nodes of the cluster.
        package var nodes: Int
        /// The folder in which the cluster is kept; nil forgets it at the end.
        package var dataDirectory: String?
        /// The `transaction.version` that the cluster agreed on: 1 or 2.
        package var transactionVersion: Int
        /// What the cluster calls itself.
        package var clusterID = "forktail-dev-broker"

        package init(
            host: String = "127.0.0.1",
            port: Int = 0,
            defaultPartitions: Int = 1,
            nodes: Int = 1,
            dataDirectory: String? = nil,
            transactionVersion: Int = 2
        ) {
            self.host = host
            self.port = port
            self.defaultPartitions = defaultPartitions
            self.nodes = nodes
            self.dataDirectory = dataDirectory
            self.transactionVersion = transactionVersion
        }
    }

    private let dataDirectory: String?
    private let tls: TLS?
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let loop: any EventLoop
    private let shell: NIOLoopBoundBox<BrokerShell>

    package init(configuration: Configuration = Configuration()) {
        self.dataDirectory = configuration.dataDirectory
        self.tls = configuration.tls
        let loop = self.group.next()
        var settings = BrokerStateMachine.Configuration(host: configuration.host)
        settings.clusterID = configuration.clusterID
        settings.nodes = (0..<max(1, configuration.nodes)).map { index in
            let port = configuration.port == 0 ? 0 : configuration.port + index
            return Node(
                id: Int32(index + 1),
                host: configuration.host,
                port: Int32(clamping: port)
            )
        }
        settings.defaultPartitions = Int32(clamping: configuration.defaultPartitions)
        settings.sasl = configuration.sasl
        settings.denials = configuration.denials
        settings.transactionVersion = Int16(clamping: configuration.transactionVersion)
        settings.seed = UInt64.random(in: 1...UInt64.max)
        let listeners = NodeListeners(
            group: self.group,
            loop: loop,
            host: configuration.host,
            requestLimit: settings.maxRequestBytes
        )
        let machine = BrokerStateMachine(configuration: settings)
        self.loop = loop
        self.shell = NIOLoopBoundBox.makeBoxSendingValue(
            BrokerShell(machine, loop: loop, listeners: listeners),
            eventLoop: loop
        )
    }

    /// Listens, and returns the port of the first node.
    package func start() async throws -> Int {
        try await self.listen().first ?? 0
    }

    /// Listens, and returns the ports of all nodes that are up.
    package func listen() async throws -> [Int] {
        let shell = self.shell
        if let context = try self.tls?.makeContext() {
            try await self.perform { $0.encrypt(by: context) }
        }
        if let folder = self.dataDirectory {
            try await self.perform { try $0.keep(in: folder) }
        }
        return try await self.loop.flatSubmit { shell.value.listen() }.get()
    }

    /// Closes all ports and connections; what is not kept in a folder goes with it.
    package func stop() async {
        try? await self.pause()
        do {
            try await self.perform { try $0.finishJournal() }
        } catch {
            Logger(label: "forktail.broker").error(
                "the broker was not stopped in order",
                metadata: ["reason": "\(error)"]
            )
        }
        try? await self.group.shutdownGracefully()
    }

    /// Closes all ports and connections until ``start()`` opens the same ports again.
    ///
    /// The records stay.
    package func pause() async throws {
        try await self.perform { $0.closeAll() }
    }

    /// Has `body` called once, when the cluster cannot be kept any more and all ports close.
    package func onFailure(_ body: @escaping @Sendable (any Error) -> Void) async throws {
        try await self.perform { $0.onFailure = body }
    }

    /// Lets something go wrong.
    package func inject(_ fault: Fault) async throws {
        let shell = self.shell
        try await self.loop.flatSubmit {
            shell.value.update { $0.inject(fault, now: $1) }
            return shell.value.opening
        }.get()
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
