package import KafkaProtocol
internal import NIOCore

extension BrokerStateMachine {
    /// The requests that are known, in the versions that are implemented.
    private static let requests: [any KafkaRequest.Type] = [
        ProduceRequest.self, FetchRequest.self, ListOffsetsRequest.self, MetadataRequest.self,
        OffsetCommitRequest.self, OffsetFetchRequest.self, FindCoordinatorRequest.self,
        JoinGroupRequest.self, HeartbeatRequest.self, LeaveGroupRequest.self,
        SyncGroupRequest.self, ApiVersionsRequest.self, CreateTopicsRequest.self,
        InitProducerIDRequest.self, SASLHandshakeRequest.self, SASLAuthenticateRequest.self,
        AddPartitionsToTxnRequest.self, EndTxnRequest.self,
        DescribeConfigsRequest.self, DeleteTopicsRequest.self, DescribeProducersRequest.self,
    ]

    private static let offered: [ApiVersionsResponse.ApiVersion] = Self.requests.map { type in
        // Kafka 4 offers Produce from 0 on although it refuses 0 to 2: librdkafka takes a broker
        // without version 0 for one that cannot do LZ4.
        let isProduce = type.apiKey == .produce
        return ApiVersionsResponse.ApiVersion(
            apiKey: type.apiKey,
            minVersion: isProduce ? 0 : type.versions.lowerBound,
            maxVersion: type.versions.upperBound
        )
    }

    /// What is offered, with the features that the cluster agreed on.
    private func offer(_ version: Int16) -> ApiVersionsResponse {
        let feature = "transaction.version"
        let level = self.configuration.transactionVersion
        return ApiVersionsResponse(
            apiKeys: Self.offered,
            // Before version 4 a minimum of 0 must not be told (KAFKA-17011).
            supportedFeatures: version < 4
                ? [] : [.init(name: feature, minVersion: 0, maxVersion: 2)],
            finalizedFeaturesEpoch: 1,
            finalizedFeatures: [
                .init(name: feature, maxVersionLevel: level, minVersionLevel: level)
            ]
        )
    }

    private static let flexibleFrom: [APIKey: Int16] = Dictionary(
        uniqueKeysWithValues: Self.requests.map { ($0.apiKey, $0.firstFlexibleVersion) }
    )

    static func isFlexible(_ key: APIKey, version: Int16) -> Bool {
        self.flexibleFrom[key].map { version >= $0 } ?? false
    }

    mutating func dispatch(
        _ header: RequestHeader,
        _ body: ByteBuffer,
        _ to: ReplyAddress,
        now: Instant
    ) throws {
        let version = header.apiVersion
        switch header.apiKey {
        case .apiVersions: try self.apiVersions(body, to, now: now)
        case .produce: self.produce(try .init(body: body, version: version), to, now: now)
        case .fetch: self.fetch(try .init(body: body, version: version), to, now: now)
        case .metadata:
            let request = try MetadataRequest(body: body, version: version)
            self.answer(to, MetadataRequest.self, self.metadata(request, to), now: now)
        case .listOffsets:
            let request = try ListOffsetsRequest(body: body, version: version)
            let response = self.listOffsets(request, to)
            self.answer(to, ListOffsetsRequest.self, response, now: now)
        case .createTopics, .deleteTopics, .describeConfigs, .describeProducers:
            try self.dispatchTopicRequest(header, body, to, now: now)
        default: try self.dispatchTransactionRequest(header, body, to, now: now)
        }
    }

    private mutating func apiVersions(
        _ body: ByteBuffer,
        _ to: ReplyAddress,
        now: Instant
    ) throws {
        var to = to
        guard ApiVersionsRequest.versions.contains(to.version) else {
            to.version = 0
            let known = Self.offered.filter { $0.apiKey == .apiVersions }
            let refusal = ApiVersionsResponse(errorCode: .unsupportedVersion, apiKeys: known)
            return self.answer(to, ApiVersionsRequest.self, refusal, now: now)
        }
        let request = try ApiVersionsRequest(body: body, version: to.version)
        let isNamed =
            Self.isSoftwareName(request.clientSoftwareName)
            && Self.isSoftwareName(request.clientSoftwareVersion)
        let response =
            to.version < 3 || isNamed
            ? self.offer(to.version)
            : ApiVersionsResponse(errorCode: .invalidRequest)
        self.answer(to, ApiVersionsRequest.self, response, now: now)
    }

    /// Whether Kafka takes it: letters and digits, with dashes and dots between them.
    private static func isSoftwareName(_ name: String) -> Bool {
        let isInner: (UInt8) -> Bool = { byte in
            let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            return isDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        guard let first = name.utf8.first, let last = name.utf8.last else { return false }
        return isInner(first) && isInner(last)
            && name.utf8.allSatisfy {
                isInner($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
            }
    }

    private func listOffsets(
        _ request: ListOffsetsRequest,
        _ to: ReplyAddress
    ) -> ListOffsetsResponse {
        ListOffsetsResponse(
            topics: request.topics.map { topic in
                ListOffsetsResponse.TopicResponse(
                    name: topic.name,
                    partitions: topic.partitions.map {
                        self.offset(
                            topic.name,
                            $0,
                            to,
                            request
                        )
                    }
                )
            }
        )
    }

    private func offset(
        _ topic: String,
        _ partition: ListOffsetsRequest.Partition,
        _ to: ReplyAddress,
        _ request: ListOffsetsRequest
    ) -> ListOffsetsResponse.PartitionResponse {
        var response = ListOffsetsResponse.PartitionResponse(
            partitionIndex: partition.partitionIndex
        )
        guard self.mayUse(topic: topic, to: .describe, to.connection) else {
            response.errorCode = .topicAuthorizationFailed
            return response
        }
        guard let log = self.log(topic, partition.partitionIndex) else {
            response.errorCode = .unknownTopicOrPartition
            return response
        }
        let epoch = partition.currentLeaderEpoch
        if let problem = self.problem(with: log, at: to.node, epoch: epoch) {
            response.errorCode = problem
            return response
        }
        response.leaderEpoch = log.leadership.epoch
        // Only consumers, whose replica is -1, are kept from what not all replicas have.
        let end =
            request.replicaID == -1
            ? log.readableEnd(isCommitted: request.isolationLevel == 1) : log.endOffset
        switch partition.timestamp {
        case -1: response.offset = end
        case -2: response.offset = log.startOffset
        default:
            let latest = log.batches.map(\.header.maxTimestamp).max() ?? -1
            let wanted = partition.timestamp == -3 ? latest : partition.timestamp
            guard let found = log.firstRecord(notBefore: wanted, before: end) else { break }
            (response.timestamp, response.offset) = found
        }
        return response
    }

    func hasPartition(_ topic: String, _ partition: Int32) -> Bool {
        self.topics[topic]?.partitions.indices.contains(Int(partition)) ?? false
    }

    func log(_ topic: String, _ partition: Int32) -> PartitionLog? {
        guard let partitions = self.topics[topic]?.partitions,
            partitions.indices.contains(Int(partition))
        else { return nil }
        return partitions[Int(partition)]
    }
}

extension BrokerStateMachine {
    /// The log of a partition, for tests to look into.
    package func partitionLog(topic: String, partition: Int32) -> PartitionLog? {
        self.log(topic, partition)
    }

    package func topicID(of topic: String) -> TopicID? { self.topics[topic]?.id }

    /// The topics and how many partitions each has.
    package var topicPartitionCounts: [String: Int] {
        self.topics.mapValues(\.partitions.count)
    }

    /// All records of a partition that are kept, those of aborted transactions too.
    package func records(topic: String, partition: Int32) throws -> [Record] {
        try self.log(topic, partition)?.batches.filter { !$0.header.isControl }
            .flatMap { try $0.records() } ?? []
    }
}
