package import KafkaProtocol

/// What a broker answered to one of the producer's requests, reduced to what the producer decides on.
package enum ProducerAnswer: Sendable, Equatable {
    case metadata(ClusterMetadata)
    case producerID(ProducerIDAnswer)
    case produce(ProduceAnswer)
    case producers(ProducersAnswer)
    case recovery(RecoveryAnswer)
    case transaction(TransactionAnswer, throttle: Duration = .zero)
    /// Nil where the broker does not tell.
    case maxMessageBytes(Int?)
    /// To a reader.
    case read(ReadAnswer)
    /// To who asks before anything is sent.
    case inquiry(InquiryAnswer)
}

/// The brokers of a cluster, and the topics that were asked for.
package struct ClusterMetadata: Sendable, Equatable {
    package struct Broker: Sendable, Equatable {
        package var id: BrokerID
        package var address: BrokerAddress

        package init(id: BrokerID, address: BrokerAddress) {
            self.id = id
            self.address = address
        }
    }

    package struct Partition: Sendable, Equatable {
        package var index: Int32
        package var leaderID: BrokerID
        package var leaderEpoch: Int32

        package init(index: Int32, leaderID: BrokerID, leaderEpoch: Int32 = -1) {
            self.index = index
            self.leaderID = leaderID
            self.leaderEpoch = leaderEpoch
        }
    }

    package struct Topic: Sendable, Equatable {
        package var name: String
        package var error: KafkaError
        package var id: TopicID
        package var partitions: [Partition]

        package init(
            name: String,
            error: KafkaError = .none,
            id: TopicID = .zero,
            partitions: [Partition] = []
        ) {
            self.name = name
            self.error = error
            self.id = id
            self.partitions = partitions
        }
    }

    package var brokers: [Broker]
    package var topics: [Topic]
    package var error: KafkaError
    /// Nil where the cluster does not tell.
    package var clusterID: String?

    package init(
        brokers: [Broker],
        topics: [Topic] = [],
        error: KafkaError = .none,
        clusterID: String? = nil
    ) {
        self.brokers = brokers
        self.topics = topics
        self.error = error
        self.clusterID = clusterID
    }
}

/// The producer id and epoch under which the broker counts sequences.
package struct ProducerIdentity: Sendable, Hashable {
    package var id: Int64
    package var epoch: Int16
    /// How it is used in transactions; nil without a transactional id.
    package var transactions: TransactionVersion?

    package init(id: Int64, epoch: Int16, transactions: TransactionVersion? = nil) {
        self.id = id
        self.epoch = epoch
        self.transactions = transactions
    }
}

/// A broker's answer to a request for a producer id.
package struct ProducerIDAnswer: Sendable, Equatable {
    package var error: KafkaError
    package var identity: ProducerIdentity

    package init(error: KafkaError = .none, identity: ProducerIdentity) {
        self.error = error
        self.identity = identity
    }
}

extension ProducerIdentity {
    /// The same producer id in its next epoch, nil after the last one.
    var next: ProducerIdentity? {
        self.epoch < .max ? ProducerIdentity(id: self.id, epoch: self.epoch + 1) : nil
    }
}

/// A leader's answer to what it remembers of a partition's producers.
package struct ProducersAnswer: Sendable, Equatable {
    package struct Producer: Sendable, Equatable {
        package var producerID: Int64
        package var epoch: Int32
        /// The sequence of the last record in the log, -1 where none is known.
        package var lastSequence: Int32
        /// That of the newest batch, in milliseconds since 1970, by which the broker forgets; -1
        /// where none is known.
        package var lastTimestamp: Int64

        package init(
            producerID: Int64,
            epoch: Int32,
            lastSequence: Int32,
            lastTimestamp: Int64 = -1
        ) {
            self.producerID = producerID
            self.epoch = epoch
            self.lastSequence = lastSequence
            self.lastTimestamp = lastTimestamp
        }
    }

    package var error: KafkaError
    package var producers: [Producer]

    package init(error: KafkaError = .none, producers: [Producer] = []) {
        self.error = error
        self.producers = producers
    }
}

/// A broker's answer to a request with record batches.
package struct ProduceAnswer: Sendable, Equatable {
    package struct Partition: Sendable, Equatable {
        package var topic: String
        package var partition: Int32
        package var error: KafkaError
        package var message: String?
        package var baseOffset: Int64
        /// The broker's own timestamp in milliseconds, -1 where the record keeps the producer's.
        package var logAppendTime: Int64
        /// Which records of the batch were refused, with why.
        package var refusedRecords: [Int32: String?]
        /// The leader that the broker knows of when it is not the leader itself.
        package var currentLeader: TopicMetadata.Partition?

        package init(
            topic: String,
            partition: Int32,
            error: KafkaError = .none,
            message: String? = nil,
            baseOffset: Int64 = -1,
            logAppendTime: Int64 = -1,
            refusedRecords: [Int32: String?] = [:],
            currentLeader: TopicMetadata.Partition? = nil
        ) {
            self.topic = topic
            self.partition = partition
            self.error = error
            self.message = message
            self.baseOffset = baseOffset
            self.logAppendTime = logAppendTime
            self.refusedRecords = refusedRecords
            self.currentLeader = currentLeader
        }
    }

    package var partitions: [Partition]
    package var throttle: Duration
    /// Where the leaders are that the answer names (KIP-951).
    package var endpoints: [ClusterMetadata.Broker]

    package init(
        partitions: [Partition],
        throttle: Duration = .zero,
        endpoints: [ClusterMetadata.Broker] = []
    ) {
        self.partitions = partitions
        self.throttle = throttle
        self.endpoints = endpoints
    }
}

/// A broker's number; those below zero stand for `bootstrap.servers`, whose numbers are not known yet.
package typealias BrokerID = Int32

/// A request's number within one producer.
package typealias RequestID = UInt64

/// What the producer asks a broker for.
package enum ProducerRequest: Sendable, Equatable {
    case metadata(topics: [String])
    case producerID
    case produce([ProducerBatch])
    /// What the leader remembers of a partition's producers (KIP-664).
    case describeProducers(TopicPartition)
    case recovery(RecoveryRequest)
    case transaction(TransactionRequest)
    /// A topic's `max.message.bytes`.
    case describeLimit(topic: String)
    /// What readers ask; a producer does not.
    case read(ReadRequest)
    /// What is asked before there is a producer.
    case inquiry(InquiryRequest)
}

/// What became of a batch: the receipt for all its records.
package struct Delivery: Sendable, Equatable {
    package enum Result: Sendable, Equatable {
        /// In the log from `baseOffset` on (-1 where the broker did not say).
        case acknowledged(baseOffset: Int64, timestamp: Int64)
        /// Not in the log, as far as can be known: every record of the batch was refused.
        case failed(KafkaProducerError)
    }

    package var batch: ProducerBatch
    package var result: Result

    package init(batch: ProducerBatch, result: Result) {
        self.batch = batch
        self.result = result
    }
}
