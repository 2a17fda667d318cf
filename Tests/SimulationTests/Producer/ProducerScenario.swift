import KafkaDevBroker

@testable import Kafka

/// What a seed decides before anything happens.
struct ProducerScenario {
    /// What kind of producer is tried, and in which trouble.
    struct Shape {
        var isIdempotent = true
        /// After an orderly restart a broker remembers each producer's last batch only.
        var restartsInOrder = false
        /// Some records are such as the broker must refuse.
        var hasPoison = false
        var hasDeliveryTimeout = false
        /// Batches are written down before they are sent.
        var isJournaled = false
        /// The producer's process dies now and then.
        var dies = false
    }

    struct Topic {
        var name: String
        var partitions: Int32
        var configs: [String: String] = [:]
        /// When somebody makes it.
        var createdAfter: Duration

        var isCompacted: Bool { self.configs["cleanup.policy"] == "compact" }
    }

    let shape: Shape
    var configuration: KafkaProducerConfiguration
    var broker: BrokerStateMachine.Configuration
    /// Whether the brokers answer DescribeProducers, as those since 2.8 do.
    var tellsOfProducers: Bool
    var topics: [Topic]
    /// How many records each lane writes.
    var lanes: [Int]
    /// The most records that a lane writes at once.
    var burst: Int
    var pause: Duration
    var faults: [NetworkFault]
    var faultInterval: Duration
    var faultsLast: Duration
    /// Whether the producer is told to end while there are still faults.
    var closesEarly: Bool

    init(_ shape: Shape, using random: inout SeededGenerator) {
        self.shape = shape
        let nodes = Int32.random(in: 1...4, using: &random)
        self.configuration = Self.configuration(shape, nodes: nodes, using: &random)
        self.broker = BrokerStateMachine.Configuration()
        self.broker.nodes = (1...nodes).map { Node(id: $0, host: "node\($0)", port: 9092) }
        self.broker.defaultPartitions = .random(in: 1...4, using: &random)
        self.topics = (0..<Int.random(in: 1...3, using: &random)).map { number in
            Self.topic(number, shape, nodes: nodes, using: &random)
        }
        // A topic that is made because it was asked for has no settings of its own.
        self.broker.createsTopics =
            self.topics.allSatisfy(\.configs.isEmpty) && .random(using: &random)
        self.lanes = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            .random(in: 40...160, using: &random)
        }
        self.tellsOfProducers = Int.random(in: 0..<3, using: &random) > 0
        self.burst = .random(in: 4...50, using: &random)
        self.pause = .milliseconds(Int.random(in: 5...1500, using: &random))
        self.faultInterval = .milliseconds(Int.random(in: 40...2500, using: &random))
        self.faultsLast = .seconds(Int.random(in: 10...40, using: &random))
        self.closesEarly = .random(using: &random)
        self.faults = NetworkFault.allCases.filter { fault in
            switch fault {
            case .clusterRestarted: shape.restartsInOrder
            case .leaderMoved, .nodeStopped: nodes > 1
            default: true
            }
        }
        // Not everything at once: some troubles are seen only where others do not end them.
        self.faults.shuffle(using: &random)
        self.faults.removeLast(.random(in: 0..<self.faults.count, using: &random))
    }

    private static func configuration(
        _ shape: Shape,
        nodes: Int32,
        using random: inout SeededGenerator
    ) -> KafkaProducerConfiguration {
        let servers = (1...nodes).map { "node\($0):9092" }
        var configuration = KafkaProducerConfiguration(bootstrapServers: servers)
        configuration.isIdempotenceEnabled = shape.isIdempotent
        configuration.isJournaled = shape.isJournaled
        configuration.maxInFlightRequests = .random(in: 1...5, using: &random)
        configuration.batchSize = .random(in: 300...3000, using: &random)
        configuration.maxRequestSize = .random(in: 3000...12_000, using: &random)
        configuration.bufferMemory = .random(in: 12_000...100_000, using: &random)
        configuration.linger = .milliseconds(Int.random(in: 0...50, using: &random))
        configuration.requestTimeout = .seconds(Int.random(in: 1...8, using: &random))
        // What is asked for only then would hide that it was not asked for in time.
        configuration.metadataMaxAge = .seconds(24 * 3600)
        configuration.compressionType = Int.random(in: 0..<4, using: &random) == 0 ? .lz4 : .none
        if shape.hasDeliveryTimeout {
            configuration.deliveryTimeout = .milliseconds(
                Int.random(in: 1000...9000, using: &random)
            )
        }
        return configuration
    }

    private static func topic(
        _ number: Int,
        _ shape: Shape,
        nodes: Int32,
        using random: inout SeededGenerator
    ) -> Topic {
        var topic = Topic(
            name: "topic\(number)",
            partitions: .random(in: 1...4, using: &random),
            createdAfter: .random(using: &random)
                ? .zero : .milliseconds(Int.random(in: 0...15_000, using: &random))
        )
        if Int.random(in: 0..<3, using: &random) == 0 {
            topic.configs["max.message.bytes"] = "\(Int.random(in: 500...1500, using: &random))"
        }
        if nodes > 2, Int.random(in: 0..<3, using: &random) == 0 {
            topic.configs["min.insync.replicas"] = "2"
        }
        if shape.hasPoison, Bool.random(using: &random) {
            topic.configs["cleanup.policy"] = "compact"
        }
        return topic
    }

    var settings: SimulatedCluster<LaneEvent>.Settings {
        SimulatedCluster.Settings(
            configuration: self.configuration,
            broker: self.broker,
            tellsOfProducers: self.tellsOfProducers,
            faults: self.faults,
            faultInterval: self.faultInterval
        )
    }
}
