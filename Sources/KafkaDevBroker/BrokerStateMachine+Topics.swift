internal import KafkaProtocol
internal import NIOCore

extension BrokerStateMachine {
    mutating func dispatchTopicRequest(
        _ header: RequestHeader,
        _ body: ByteBuffer,
        _ to: ReplyAddress,
        now: Instant
    ) throws {
        let version = header.apiVersion
        switch header.apiKey {
        case .createTopics:
            let request = try CreateTopicsRequest(body: body, version: version)
            self.answer(to, CreateTopicsRequest.self, self.createTopics(request), now: now)
        case .deleteTopics:
            let request = try DeleteTopicsRequest(body: body, version: version)
            self.answer(to, DeleteTopicsRequest.self, self.deleteTopics(request), now: now)
            self.serveDelayedFetches(now: now)
        case .describeProducers:
            let request = try DescribeProducersRequest(body: body, version: version)
            let response = self.describeProducers(request, to)
            self.answer(to, DescribeProducersRequest.self, response, now: now)
        default:
            let request = try DescribeConfigsRequest(body: body, version: version)
            let response = self.describeConfigs(request, at: to.node)
            self.answer(to, DescribeConfigsRequest.self, response, now: now)
        }
    }

    /// Makes a topic, unless there is one of that name.
    package mutating func createTopic(
        _ name: String,
        partitions: Int32,
        configs: [String: String] = [:]
    ) {
        do {
            let replicas = self.spread(partitions, replicationFactor: -1)
            self.createTopic(name, replicas, try TopicConfiguration(configs))
        } catch {
            preconditionFailure("\(name) cannot have these settings: \(error.message ?? "")")
        }
    }

    private mutating func createTopic(
        _ name: String,
        _ replicas: [[Int32]],
        _ configuration: TopicConfiguration
    ) {
        guard self.topics[name] == nil else { return }
        let id = TopicID(high: self.configuration.seed, low: UInt64(self.createdTopicCount + 1))
        self.createdTopicCount += 1
        self.topics[name] = Topic(
            id: id,
            partitions: replicas.map { self.leadership(of: $0) },
            configuration: configuration
        )
        self.topicNames[id] = name
        if let topic = self.topics[name] {
            self.journal(.topic(TopicEntry(name: name, topic: topic)))
        }
    }

    mutating func deleteTopics(_ request: DeleteTopicsRequest) -> DeleteTopicsResponse {
        DeleteTopicsResponse(
            responses: request.topics.map { topic in
                var result = DeleteTopicsResponse.TopicResult(
                    name: topic.name ?? self.topicNames[topic.topicID],
                    topicID: topic.topicID
                )
                guard let name = result.name, let known = self.topics[name] else {
                    let isByName = topic.name != nil
                    result.errorCode = isByName ? .unknownTopicOrPartition : .unknownTopicID
                    return result
                }
                result.topicID = known.id
                self.deleteTopic(name)
                return result
            }
        )
    }

    /// Deletes a topic; one of the same name that is made later has another id.
    package mutating func deleteTopic(_ name: String) {
        guard let topic = self.topics.removeValue(forKey: name) else { return }
        self.topicNames[topic.id] = nil
        self.journal(.topicDeleted(name: name))
        for group in self.groups.keys { self.groups[group]?.offsets[name] = nil }
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
        var result = CreateTopicsResponse.TopicResult(name: topic.name)
        do {
            let configuration = try self.configuration(of: topic)
            let replicas = try self.replicas(of: topic)
            result.numPartitions = Int32(replicas.count)
            result.replicationFactor = Int16(replicas.first?.count ?? 0)
            result.configs = self.describe(configuration).map { config in
                .init(name: config.name, value: config.value, configSource: config.source)
            }
            guard !validateOnly else { return result }
            self.createTopic(topic.name, replicas, configuration)
            result.topicID = self.topics[topic.name]?.id ?? .zero
        } catch {
            result.errorCode = error.error
            result.errorMessage = error.message
        }
        return result
    }

    private func configuration(
        of topic: CreateTopicsRequest.Topic
    ) throws(Refusal) -> TopicConfiguration {
        guard Topic.isValid(topic.name) else { throw Refusal(.invalidTopicException) }
        guard self.topics[topic.name] == nil else { throw Refusal(.topicAlreadyExists) }
        var values: [String: String] = [:]
        for config in topic.configs {
            guard let value = config.value else {
                throw Refusal(.invalidConfig, "Null value not supported for \(config.name)")
            }
            values[config.name] = value
        }
        return try TopicConfiguration(values)
    }

    /// The nodes that each partition of a new topic is to have.
    private func replicas(of topic: CreateTopicsRequest.Topic) throws(Refusal) -> [[Int32]] {
        guard topic.assignments.isEmpty else { return try self.assigned(topic) }
        let wanted = topic.numPartitions
        let count = wanted == -1 ? self.configuration.defaultPartitions : wanted
        guard (1...Self.partitionLimit).contains(count) else {
            throw Refusal(.invalidPartitions)
        }
        let factor = Int(topic.replicationFactor)
        guard factor == -1 || (1...self.nodes.count).contains(factor) else {
            throw Refusal(.invalidReplicationFactor)
        }
        return self.spread(count, replicationFactor: topic.replicationFactor)
    }

    private func assigned(
        _ topic: CreateTopicsRequest.Topic
    ) throws(Refusal) -> [[Int32]] {
        let assignments = topic.assignments.sorted { $0.partitionIndex < $1.partitionIndex }
        let known = Set(self.nodes.map(\.id))
        let isConsecutive = assignments.map(\.partitionIndex) == assignments.indices.map(Int32.init)
        let isValid = assignments.allSatisfy { assignment in
            let nodes = assignment.brokerIDs
            return !nodes.isEmpty && Set(nodes).count == nodes.count && known.isSuperset(of: nodes)
        }
        guard isConsecutive, isValid else { throw Refusal(.invalidReplicaAssignment) }
        return assignments.map(\.brokerIDs)
    }

    private func spread(_ partitions: Int32, replicationFactor: Int16) -> [[Int32]] {
        let standard = min(Int(self.configuration.defaultReplicationFactor), self.nodes.count)
        let factor = replicationFactor == -1 ? standard : Int(replicationFactor)
        let number = self.createdTopicCount
        return (0..<Int(partitions)).map {
            self.replicas(ofPartition: $0, topicNumber: number, count: factor)
        }
    }

    /// More partitions than anybody tries out on one machine.
    private static let partitionLimit: Int32 = 10_000

    mutating func metadata(_ request: MetadataRequest, _ to: ReplyAddress) -> MetadataResponse {
        let version = to.version
        let mayCreate = version < 4 || request.allowAutoTopicCreation
        let asksForAll = request.topics == nil || (version == 0 && request.topics?.isEmpty == true)
        var topics =
            asksForAll
            ? self.topics.keys.sorted().map { self.describe($0) }
                .filter { self.mayUse(topic: $0.name ?? "", to: .describe, to.connection) }
            : (request.topics ?? []).map { self.describe($0, mayCreate: mayCreate, to) }
        if request.includeTopicAuthorizedOperations {
            for (index, topic) in topics.enumerated() where topic.errorCode == .none {
                topics[index].topicAuthorizedOperations =
                    self.authorizedOperations(onTopic: topic.name ?? "", to.connection)
            }
        }
        let brokers = self.nodes.filter(\.isUp).map { node in
            MetadataResponse.Broker(nodeID: node.id, host: node.host, port: node.port)
        }
        return MetadataResponse(
            brokers: brokers,
            clusterID: self.configuration.clusterID,
            controllerID: brokers.first?.nodeID ?? -1,
            topics: topics,
            clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
                ? Self.clusterOperations : .min
        )
    }

    private mutating func describe(
        _ topic: MetadataRequest.Topic,
        mayCreate: Bool,
        _ to: ReplyAddress
    ) -> MetadataResponse.TopicResponse {
        guard let name = topic.name ?? self.topicNames[topic.topicID] else {
            return .init(errorCode: .unknownTopicID, topicID: topic.topicID)
        }
        guard Topic.isValid(name) else {
            return .init(errorCode: .invalidTopicException, name: name)
        }
        guard self.mayUse(topic: name, to: .describe, to.connection) else {
            return .init(errorCode: .topicAuthorizationFailed, name: name)
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
        let partitions = topic.partitions.indices.map { index in
            let leadership = topic.partitions[index].leadership
            return MetadataResponse.Partition(
                errorCode: leadership.leader < 0 ? .leaderNotAvailable : .none,
                partitionIndex: Int32(index),
                leaderID: leadership.leader,
                leaderEpoch: leadership.epoch,
                replicaNodes: leadership.replicas,
                isrNodes: self.inSyncReplicas(leadership),
                offlineReplicas: leadership.replicas.filter { !self.isUp($0) }
            )
        }
        return .init(name: name, topicID: topic.id, partitions: partitions)
    }
}
