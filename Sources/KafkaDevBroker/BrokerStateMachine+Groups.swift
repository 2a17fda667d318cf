internal import KafkaProtocol
internal import NIOCore

extension BrokerStateMachine {
    mutating func dispatchGroupRequest(
        _ header: RequestHeader,
        _ body: ByteBuffer,
        _ to: ReplyAddress,
        now: Instant
    ) throws {
        let version = header.apiVersion
        switch header.apiKey {
        case .findCoordinator:
            let request = try FindCoordinatorRequest(body: body, version: version)
            let response = self.findCoordinator(request, to)
            self.answer(to, FindCoordinatorRequest.self, response, now: now)
        case .joinGroup:
            let request = try JoinGroupRequest(body: body, version: version)
            self.groups[request.groupID, default: ConsumerGroup()]
                .join(request, to, clientID: header.clientID ?? "", now: now)
            self.deliverAnswers(ofGroup: request.groupID, now: now)
        case .syncGroup:
            let request = try SyncGroupRequest(body: body, version: version)
            self.groups[request.groupID, default: ConsumerGroup()].sync(request, to, now: now)
            self.deliverAnswers(ofGroup: request.groupID, now: now)
        case .heartbeat:
            let request = try HeartbeatRequest(body: body, version: version)
            let error = self.groups[request.groupID]?
                .heard(request.memberID, request.generationID, now: now)
            let response = HeartbeatResponse(errorCode: error ?? .unknownMemberID)
            self.answer(to, HeartbeatRequest.self, response, now: now)
        case .leaveGroup:
            self.leaveGroup(try .init(body: body, version: version), to, now: now)
        case .offsetCommit:
            let request = try OffsetCommitRequest(body: body, version: version)
            self.answer(to, OffsetCommitRequest.self, self.commit(request, now: now), now: now)
        case .offsetFetch:
            let request = try OffsetFetchRequest(body: body, version: version)
            self.answer(to, OffsetFetchRequest.self, self.offsets(request, version), now: now)
        default:
            throw ProtocolError.unsupportedVersion(
                apiKey: header.apiKey.rawValue,
                version: version
            )
        }
    }

    mutating func deliverAnswers(ofGroup name: String, now: Instant) {
        for answer in self.groups[name]?.takeAnswers() ?? [] {
            switch answer {
            case .join(let to, let response):
                self.answer(to, JoinGroupRequest.self, response, now: now)
            case .sync(let to, let response):
                self.answer(to, SyncGroupRequest.self, response, now: now)
            }
        }
    }

    private func findCoordinator(
        _ request: FindCoordinatorRequest,
        _ to: ReplyAddress
    ) -> FindCoordinatorResponse {
        let isGroup = request.keyType == 0
        guard to.version >= 4 else {
            let found = self.describeCoordinator(of: request.key, isGroup: isGroup, to)
            return FindCoordinatorResponse(
                errorCode: found.errorCode,
                nodeID: found.nodeID,
                host: found.host,
                port: found.port
            )
        }
        return FindCoordinatorResponse(
            coordinators: request.coordinatorKeys.map {
                self.describeCoordinator(of: $0, isGroup: isGroup, to)
            }
        )
    }

    private func describeCoordinator(
        of key: String,
        isGroup: Bool,
        _ to: ReplyAddress
    ) -> FindCoordinatorResponse.Coordinator {
        guard isGroup || self.mayUse(.transactionalID(key), to: .describe, to.connection) else {
            return .init(key: key, errorCode: .transactionalIDAuthorizationFailed)
        }
        guard let node = self.coordinator(of: key) else {
            return .init(key: key, errorCode: .coordinatorNotAvailable)
        }
        return .init(key: key, nodeID: node.id, host: node.host, port: node.port)
    }

    private mutating func leaveGroup(
        _ request: LeaveGroupRequest,
        _ to: ReplyAddress,
        now: Instant
    ) {
        let isSingle = to.version < 3
        let leaving = isSingle ? [.init(memberID: request.memberID)] : request.members
        var response = LeaveGroupResponse()
        response.members = leaving.map { member in
            let error = self.groups[request.groupID]?.leave(member, now: now)
            return LeaveGroupResponse.MemberResponse(
                memberID: member.memberID,
                groupInstanceID: member.groupInstanceID,
                errorCode: error ?? .unknownMemberID
            )
        }
        if isSingle { response.errorCode = response.members.first?.errorCode ?? .none }
        self.answer(to, LeaveGroupRequest.self, response, now: now)
        self.deliverAnswers(ofGroup: request.groupID, now: now)
    }

    private mutating func commit(
        _ request: OffsetCommitRequest,
        now: Instant
    ) -> OffsetCommitResponse {
        let error = self.groups[request.groupID, default: ConsumerGroup()]
            .mayCommit(request.memberID, request.generationID, now: now)
        var response = OffsetCommitResponse()
        for topic in request.topics {
            let partitions = topic.partitions.map { partition in
                let isKnown = self.log(topic.name, partition.partitionIndex) != nil
                let result = isKnown ? error : .unknownTopicOrPartition
                if result == .none { self.store(partition, request.groupID, topic.name) }
                return OffsetCommitResponse.PartitionResponse(
                    partitionIndex: partition.partitionIndex,
                    errorCode: result
                )
            }
            response.topics.append(.init(name: topic.name, partitions: partitions))
        }
        return response
    }

    private mutating func store(
        _ partition: OffsetCommitRequest.Partition,
        _ group: String,
        _ topic: String
    ) {
        let committed = ConsumerGroup.CommittedOffset(
            offset: partition.committedOffset,
            leaderEpoch: partition.committedLeaderEpoch,
            metadata: partition.committedMetadata
        )
        self.groups[group]?.offsets[topic, default: [:]][partition.partitionIndex] = committed
        let partition = TopicPartition(topic: topic, partition: partition.partitionIndex)
        let entry = OffsetEntry(group: group, partition: partition, committed: committed)
        self.journal(.committedOffset(entry))
    }

    private func offsets(_ request: OffsetFetchRequest, _ version: Int16) -> OffsetFetchResponse {
        guard version >= 8 else {
            return OffsetFetchResponse(topics: self.offsets(request.groupID, request.topics))
        }
        return OffsetFetchResponse(
            groups: request.groups.map { group in
                OffsetFetchResponse.GroupResponse(
                    groupID: group.groupID,
                    topics: self.offsets(group.groupID, group.topics)
                )
            }
        )
    }

    private func offsets(
        _ group: String,
        _ topics: [OffsetFetchRequest.Topic]?
    ) -> [OffsetFetchResponse.TopicResponse] {
        let committed = self.groups[group]?.offsets ?? [:]
        let wanted =
            topics
            ?? committed.keys.sorted().map { name in
                .init(name: name, partitionIndexes: committed[name]?.keys.sorted() ?? [])
            }
        return wanted.map { topic in
            OffsetFetchResponse.TopicResponse(
                name: topic.name,
                partitions: topic.partitionIndexes.map { index in
                    let found = committed[topic.name]?[index]
                    return OffsetFetchResponse.PartitionResponse(
                        partitionIndex: index,
                        committedOffset: found?.offset ?? -1,
                        committedLeaderEpoch: found?.leaderEpoch ?? -1,
                        metadata: found?.metadata ?? ""
                    )
                }
            )
        }
    }
}
