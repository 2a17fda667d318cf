extension BrokerStateMachine {
    package struct Configuration: Sendable {
        /// The brokers of the cluster, at least one.
        package var nodes: [Node]
        package var clusterID = "forktail-dev-broker"
        /// Partitions of a topic that is made when first mentioned.
        package var defaultPartitions: Int32
        package var createsTopics = true
        /// Replicas of a topic that asks for no number, as far as there are nodes.
        package var defaultReplicationFactor: Int16 = 3
        /// Kafka's `message.max.bytes`.
        package var maxMessageBytes = 1_048_588
        /// Bytes of a partition's batches beyond which the oldest are deleted.
        package var retentionBytes = 1 << 30
        /// Kafka's `socket.request.max.bytes`.
        package var maxRequestBytes = 104_857_600
        /// Kafka's `producer.id.expiration.ms`: how long a producer that writes nothing is known.
        package var producerIDExpiration = Duration.seconds(24 * 3600)
        /// The level of `transaction.version` that the cluster agreed on: 2 ends each transaction
        /// with a new epoch (KIP-890).
        package var transactionVersion: Int16 = 2
        /// Makes topic ids differ from one broker to the next.
        package var seed: UInt64 = 1
        /// Nil lets everybody in.
        package var sasl: SASLConfiguration?
        /// What is not allowed; all else is.
        package var denials: [Denial] = []

        package init(host: String = "127.0.0.1", port: Int32 = 0, defaultPartitions: Int32 = 1) {
            self.nodes = [Node(id: 1, host: host, port: port)]
            self.defaultPartitions = defaultPartitions
        }
    }
}
