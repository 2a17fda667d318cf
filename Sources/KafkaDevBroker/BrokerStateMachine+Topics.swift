internal import KafkaProtocol

extension BrokerStateMachine {
    /// Makes a topic, unless there is one of that name.
    package mutating func createTopic(
        _ name: String,
        partitions: Int32,
        configs: [String: String] = [:]
    ) {
        do {
            self.createTopic(name, partitions: partitions, try TopicConfiguration(configs))
        } catch {
            preconditionFailure("\(name) cannot have these settings: \(error.message ?? "")")
        }
    }

    private mutating func createTopic(
        _ name: String,
        partitions: Int32,
        _ configuration: TopicConfiguration
    ) {
        guard self.topics[name] == nil else { return }
        let id = TopicID(high: self.configuration.seed, low: UInt64(self.topics.count + 1))
        self.topics[name] = Topic(
            id: id,
            partitionCount: Int(partitions),
            configuration: configuration
        )
        self.topicNames[id] = name
    }

    mutating func createTopics(_ request: CreateTopicsRequest) -> CreateTopicsResponse {
        CreateTopicsResponse(
            topics: request.topics.map { self.create($0, validateOnly: request.validateOnly) }
        )
    }

    private mutating func create(
        _ topic: CreateTopicsRequest.Topic,
        validateOnly: Bool
    ) -> CreateTopicsResponse.TopicResult {
        let wanted =
            topic.assignments.isEmpty ? topic.numPartitions : Int32(topic.assignments.count)
        let count = wanted == -1 ? self.configuration.defaultPartitions : wanted
        var result = CreateTopicsResponse.TopicResult(name: topic.name)
        do {
            let configuration = try self.configuration(of: topic, partitions: count)
            result.numPartitions = count
            result.replicationFactor = 1
            result.configs = self.describe(configuration).map { config in
                .init(name: config.name, value: config.value, configSource: config.source)
            }
            guard !validateOnly else { return result }
            self.createTopic(topic.name, partitions: count, configuration)
            result.topicID = self.topics[topic.name]?.id ?? .zero
        } catch {
            result.errorCode = error.error
            result.errorMessage = error.message
        }
        return result
    }

    private func configuration(
        of topic: CreateTopicsRequest.Topic,
        partitions: Int32
    ) throws(Refusal) -> TopicConfiguration {
        guard Topic.isValid(topic.name) else { throw Refusal(.invalidTopicException) }
        guard self.topics[topic.name] == nil else { throw Refusal(.topicAlreadyExists) }
        guard (1...Self.partitionLimit).contains(partitions) else {
            throw Refusal(.invalidPartitions)
        }
        guard [-1, 1].contains(topic.replicationFactor) else {
            throw Refusal(.invalidReplicationFactor)
        }
        var values: [String: String] = [:]
        for config in topic.configs {
            guard let value = config.value else {
                throw Refusal(.invalidConfig, "Null value not supported for \(config.name)")
            }
            values[config.name] = value
        }
        return try TopicConfiguration(values)
    }

    /// More partitions than anybody tries out on one machine.
    private static let partitionLimit: Int32 = 10_000

    mutating func metadata(_ request: MetadataRequest, _ version: Int16) -> MetadataResponse {
        let mayCreate = version < 4 || request.allowAutoTopicCreation
        let asksForAll = request.topics == nil || (version == 0 && request.topics?.isEmpty == true)
        let topics =
            asksForAll
            ? self.topics.keys.sorted().map { self.describe($0) }
            : (request.topics ?? []).map { self.describe($0, mayCreate: mayCreate) }
        let broker = MetadataResponse.Broker(
            nodeID: self.configuration.nodeID,
            host: self.configuration.host,
            port: self.configuration.port
        )
        return MetadataResponse(
            brokers: [broker],
            clusterID: self.configuration.clusterID,
            controllerID: self.configuration.nodeID,
            topics: topics
        )
    }

    private mutating func describe(
        _ topic: MetadataRequest.Topic,
        mayCreate: Bool
    ) -> MetadataResponse.TopicResponse {
        guard let name = topic.name ?? self.topicNames[topic.topicID] else {
            return .init(errorCode: .unknownTopicID, topicID: topic.topicID)
        }
        guard Topic.isValid(name) else {
            return .init(errorCode: .invalidTopicException, name: name)
        }
        if mayCreate && self.configuration.createsTopics {
            self.createTopic(name, partitions: self.configuration.defaultPartitions)
        }
        return self.describe(name)
    }

    private func describe(_ name: String) -> MetadataResponse.TopicResponse {
        guard let topic = self.topics[name] else {
            return .init(errorCode: .unknownTopicOrPartition, name: name)
        }
        let node = self.configuration.nodeID
        let partitions = topic.partitions.indices.map { index in
            MetadataResponse.Partition(
                partitionIndex: Int32(index),
                leaderID: node,
                leaderEpoch: PartitionLog.leaderEpoch,
                replicaNodes: [node],
                isrNodes: [node]
            )
        }
        return .init(name: name, topicID: topic.id, partitions: partitions)
    }
}
