internal import KafkaProtocol

extension BrokerStateMachine {
    /// Makes a topic, unless there is one of that name.
    package mutating func createTopic(
        _ name: String,
        partitions: Int32,
        configs: [String: String] = [:]
    ) {
        guard self.topics[name] == nil else { return }
        let id = TopicID(high: self.configuration.seed, low: UInt64(self.topics.count + 1))
        self.topics[name] = Topic(id: id, partitionCount: Int(partitions), configs: configs)
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
        result.errorCode = self.problem(topic, partitions: count)
        guard result.errorCode == .none else { return result }
        result.numPartitions = count
        result.replicationFactor = 1
        result.configs = []
        guard !validateOnly else { return result }
        let configs = topic.configs.compactMap { config in config.value.map { (config.name, $0) } }
        let unique = Dictionary(configs) { $1 }
        self.createTopic(topic.name, partitions: count, configs: unique)
        result.topicID = self.topics[topic.name]?.id ?? .zero
        return result
    }

    private func problem(
        _ topic: CreateTopicsRequest.Topic,
        partitions: Int32
    ) -> KafkaError {
        if !Topic.isValid(topic.name) { return .invalidTopicException }
        if self.topics[topic.name] != nil { return .topicAlreadyExists }
        if !(1...Self.partitionLimit).contains(partitions) { return .invalidPartitions }
        let hasOneReplica = [-1, 1].contains(topic.replicationFactor)
        return hasOneReplica ? .none : .invalidReplicationFactor
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
