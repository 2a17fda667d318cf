package import KafkaProtocol

/// How partitions come into a transaction and what ends it: the cluster's `transaction.version`.
package enum TransactionVersion: Int16, Sendable, Comparable {
    /// Partitions are added by a request of their own; the epoch stays the same (KIP-98).
    case one = 1
    /// The first batch adds its partition, and each end of a transaction raises the epoch (KIP-890).
    case two = 2

    package static func < (first: Self, second: Self) -> Bool {
        first.rawValue < second.rawValue
    }
}

/// What a broker says it can do for transactions when a connection to it begins.
package struct TransactionSupport: Sendable, Equatable {
    package var version: TransactionVersion
    /// Of two brokers that tell different versions the one with the greater epoch knows better.
    package var featuresEpoch: Int64
    /// Whether it raises the epoch of a producer id that is named to it (KIP-360, Kafka 2.5).
    package var raisesEpochs: Bool
    /// Whether offsets of consumer groups can be part of a transaction.
    package var commitsOffsets: Bool

    package init(
        version: TransactionVersion,
        featuresEpoch: Int64 = -1,
        raisesEpochs: Bool = true,
        commitsOffsets: Bool = true
    ) {
        self.commitsOffsets = commitsOffsets
        self.version = version
        self.featuresEpoch = featuresEpoch
        self.raisesEpochs = raisesEpochs
    }
}

/// What the producer asks brokers for its transactions.
package enum TransactionRequest: Sendable, Equatable {
    /// Which broker coordinates the transactional id; any broker knows.
    case findCoordinator
    /// The producer id of the transactional id, or a higher epoch for the one that is named.
    case initProducerID(raising: ProducerIdentity?)
    case addPartitions([TopicPartition], ProducerIdentity)
    case end(commit: Bool, ProducerIdentity)
    case addOffsets(group: String, ProducerIdentity)
    /// Which broker coordinates a consumer group; any broker knows.
    case findGroupCoordinator(String)
    case commitOffsets(GroupOffsets, ProducerIdentity)
}

/// What a broker answered to a ``TransactionRequest``.
package enum TransactionAnswer: Sendable, Equatable {
    case coordinator(KafkaError, ClusterMetadata.Broker)
    case producerID(ProducerIDAnswer)
    case partitionsAdded([TopicPartition: KafkaError])
    /// With the identity to go on with, where the broker gives one (KIP-890).
    case ended(KafkaError, ProducerIdentity?)
    case offsetsAdded(KafkaError)
    case offsetsCommitted([TopicPartition: KafkaError])
}
