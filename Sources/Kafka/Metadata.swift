package import KafkaProtocol

/// What is known of a topic.
package struct TopicMetadata: Sendable, Equatable {
    package var name: String
    /// Why the topic cannot be written to, if it cannot.
    package var error: KafkaError?
    /// By partition number, without gaps.
    package var partitions: [Partition]
    /// The topic's `max.message.bytes`: what a batch may have; nil while it is not known.
    package var maxMessageBytes: Int?

    package struct Partition: Sendable, Equatable {
        /// The broker that leads, -1 while none does.
        package var leaderID: Int32
        package var leaderEpoch: Int32

        package init(leaderID: Int32, leaderEpoch: Int32 = -1) {
            self.leaderID = leaderID
            self.leaderEpoch = leaderEpoch
        }
    }

    package init(
        name: String,
        error: KafkaError? = nil,
        partitions: [Partition] = [],
        maxMessageBytes: Int? = nil
    ) {
        self.name = name
        self.error = error
        self.partitions = partitions
        self.maxMessageBytes = maxMessageBytes
    }
}

/// A partition of a topic.
package struct TopicPartition: Hashable, Sendable, CustomStringConvertible {
    package var topic: String
    package var partition: Int32

    package init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package var description: String { "\(self.topic)-\(self.partition)" }
}
