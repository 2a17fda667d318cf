internal import KafkaProtocol
internal import NIOCore

extension Wire {
    /// The versions of what transactions need, and what the cluster agreed on.
    struct TransactionVersions {
        let findCoordinator: Int16
        let initProducerID: Int16
        let addPartitions: Int16
        let end: Int16
        /// Nil with brokers that take no offsets in transactions.
        let addOffsets: Int16?
        let commitOffsets: Int16?
        let support: TransactionSupport

        /// Nil where a request is missing.
        init?(_ answer: ApiVersionsResponse) {
            guard
                let findCoordinator = answer.versions(of: .findCoordinator)
                    .flatMap(FindCoordinatorRequest.commonVersion),
                findCoordinator >= 1,  // 0 knows groups only
                let initProducerID = answer.versions(of: .initProducerID)
                    .flatMap(InitProducerIDRequest.commonVersion),
                let addPartitions = answer.versions(of: .addPartitionsToTxn)
                    .flatMap(AddPartitionsToTxnRequest.commonVersion),
                let end = answer.versions(of: .endTxn).flatMap(EndTxnRequest.commonVersion)
            else { return nil }
            self.findCoordinator = findCoordinator
            self.initProducerID = initProducerID
            self.addPartitions = addPartitions
            self.end = end
            self.addOffsets = answer.versions(of: .addOffsetsToTxn)
                .flatMap(AddOffsetsToTxnRequest.commonVersion)
            self.commitOffsets = answer.versions(of: .txnOffsetCommit)
                .flatMap(TxnOffsetCommitRequest.commonVersion)
            let produce = answer.versions(of: .produce)?.upperBound ?? 0
            let isSecond =
                answer.finalizedLevel(of: "transaction.version") >= 2
                && end > newestEndWithoutEpoch && produce > newestExplicitProduce
            self.support = TransactionSupport(
                version: isSecond ? .two : .one,
                featuresEpoch: answer.finalizedFeaturesEpoch,
                raisesEpochs: initProducerID >= 3,
                commitsOffsets: self.addOffsets != nil && self.commitOffsets != nil
            )
        }
    }

    /// From 12 on a batch adds its partition to the transaction (KIP-890).
    static let newestExplicitProduce: Int16 = 11
    /// From 5 on the end of a transaction raises the epoch (KIP-890).
    static let newestEndWithoutEpoch: Int16 = 4
    /// From 5 on offsets add their group to the transaction (KIP-890).
    static let newestExplicitOffsetCommit: Int16 = 4

    static func encode(
        _ request: TransactionRequest,
        versions: Versions,
        correlationID: Int32,
        configuration: KafkaProducerConfiguration
    ) throws -> [ByteBuffer] {
        guard let transactions = versions.transactions, let id = configuration.transactionalID
        else {
            preconditionFailure("\(request) without transactions")
        }
        func frame(_ request: some KafkaRequest, _ version: Int16) throws -> [ByteBuffer] {
            try request.frame(
                version: version,
                correlationID: correlationID,
                clientID: configuration.clientID
            )
        }
        switch request {
        case .findCoordinator:
            let request = FindCoordinatorRequest(key: id, keyType: 1, coordinatorKeys: [id])
            return try frame(request, transactions.findCoordinator)
        case .initProducerID(let former):
            let request = InitProducerIDRequest(
                transactionalID: id,
                transactionTimeoutMilliseconds: milliseconds(configuration.transactionTimeout),
                producerID: former?.id ?? -1,
                producerEpoch: former?.epoch ?? -1
            )
            return try frame(request, transactions.initProducerID)
        case .addPartitions(let partitions, let identity):
            let request = AddPartitionsToTxnRequest(
                transactionalID: id,
                producerID: identity.id,
                producerEpoch: identity.epoch,
                topics: topics(of: partitions)
            )
            return try frame(request, transactions.addPartitions)
        case .end(let isCommit, let identity):
            let request = EndTxnRequest(
                transactionalID: id,
                producerID: identity.id,
                producerEpoch: identity.epoch,
                committed: isCommit
            )
            return try frame(request, transactions.end(for: identity))
        case .addOffsets(let group, let identity):
            let request = AddOffsetsToTxnRequest(
                transactionalID: id,
                producerID: identity.id,
                producerEpoch: identity.epoch,
                groupID: group
            )
            return try frame(request, try transactions.addOffsetsVersion())
        case .findGroupCoordinator(let group):
            let request = FindCoordinatorRequest(key: group, keyType: 0, coordinatorKeys: [group])
            return try frame(request, transactions.findCoordinator)
        case .commitOffsets(let offsets, let identity):
            let request = TxnOffsetCommitRequest(id, offsets, identity)
            return try frame(request, try transactions.commitOffsets(for: identity))
        }
    }

    private static func topics(of partitions: [TopicPartition]) -> [AddPartitionsToTxnRequest.Topic]
    {
        Dictionary(grouping: partitions, by: \.topic)
            .sorted { $0.key < $1.key }
            .map { .init(name: $0.key, partitions: $0.value.map(\.partition)) }
    }

    static func decode(
        _ body: ByteBuffer,
        to request: TransactionRequest,
        versions: Versions
    ) throws -> ProducerAnswer {
        guard let transactions = versions.transactions else {
            preconditionFailure("an answer to \(request) without transactions")
        }
        switch request {
        case .findCoordinator, .findGroupCoordinator:
            let version = transactions.findCoordinator
            let answer = try FindCoordinatorRequest.response(from: body, version: version)
            return .transaction(
                try TransactionAnswer(answer, version: version),
                throttle: throttle(answer.throttleTimeMilliseconds)
            )
        case .initProducerID:
            let answer = try InitProducerIDRequest.response(
                from: body,
                version: transactions.initProducerID
            )
            let identity = ProducerIdentity(id: answer.producerID, epoch: answer.producerEpoch)
            return .transaction(
                .producerID(ProducerIDAnswer(error: answer.errorCode, identity: identity)),
                throttle: throttle(answer.throttleTimeMilliseconds)
            )
        case .addPartitions:
            let answer = try AddPartitionsToTxnRequest.response(
                from: body,
                version: transactions.addPartitions
            )
            return .transaction(
                TransactionAnswer(answer),
                throttle: throttle(answer.throttleTimeMilliseconds)
            )
        case .end(_, let identity):
            let version = transactions.end(for: identity)
            let answer = try EndTxnRequest.response(from: body, version: version)
            let fresh = ProducerIdentity(id: answer.producerID, epoch: answer.producerEpoch)
            return .transaction(
                .ended(answer.errorCode, fresh.id < 0 || fresh.epoch < 0 ? nil : fresh),
                throttle: throttle(answer.throttleTimeMilliseconds)
            )
        case .addOffsets:
            let version = try transactions.addOffsetsVersion()
            let answer = try AddOffsetsToTxnRequest.response(from: body, version: version)
            return .transaction(
                .offsetsAdded(answer.errorCode),
                throttle: throttle(answer.throttleTimeMilliseconds)
            )
        case .commitOffsets(_, let identity):
            let answer = try TxnOffsetCommitRequest.response(
                from: body,
                version: try transactions.commitOffsets(for: identity)
            )
            return .transaction(
                TransactionAnswer(answer),
                throttle: throttle(answer.throttleTimeMilliseconds)
            )
        }
    }

    private static func throttle(_ milliseconds: Int32) -> Duration {
        .milliseconds(max(0, milliseconds))
    }
}

extension Wire.TransactionVersions {
    fileprivate func end(for identity: ProducerIdentity) -> Int16 {
        identity.transactions == .two ? self.end : min(self.end, Wire.newestEndWithoutEpoch)
    }

    fileprivate func addOffsetsVersion() throws -> Int16 {
        guard let version = self.addOffsets else {
            throw ProtocolError.unsupportedVersion(
                apiKey: APIKey.addOffsetsToTxn.rawValue,
                version: 0
            )
        }
        return version
    }

    fileprivate func commitOffsets(for identity: ProducerIdentity) throws -> Int16 {
        guard let version = self.commitOffsets else {
            throw ProtocolError.unsupportedVersion(
                apiKey: APIKey.txnOffsetCommit.rawValue,
                version: 0
            )
        }
        let isExplicit = identity.transactions != .two
        return isExplicit ? min(version, Wire.newestExplicitOffsetCommit) : version
    }
}

extension Wire.Versions {
    /// The version for batches, which all belong to the same transaction or to none.
    func produce(_ batches: [ProducerBatch]) -> Int16 {
        guard batches.first?.identity?.transactions == .one else { return self.produce }
        return min(self.produce, Wire.newestExplicitProduce)
    }
}

extension TxnOffsetCommitRequest {
    fileprivate init(_ id: String, _ offsets: GroupOffsets, _ identity: ProducerIdentity) {
        let topics = Dictionary(grouping: offsets.offsets, by: \.topic).sorted { $0.key < $1.key }
        self.init(
            transactionalID: id,
            groupID: offsets.group.groupID,
            producerID: identity.id,
            producerEpoch: identity.epoch,
            generationID: offsets.group.generationID,
            memberID: offsets.group.memberID,
            groupInstanceID: offsets.group.groupInstanceID,
            topics: topics.map { name, partitions in
                Topic(
                    name: name,
                    partitions: partitions.map {
                        Partition(
                            partitionIndex: $0.partition,
                            committedOffset: $0.offset,
                            committedLeaderEpoch: $0.leaderEpoch,
                            committedMetadata: $0.metadata
                        )
                    }
                )
            }
        )
    }
}

extension TransactionAnswer {
    fileprivate init(_ answer: TxnOffsetCommitResponse) {
        var errors: [TopicPartition: KafkaError] = [:]
        for topic in answer.topics {
            for partition in topic.partitions {
                let id = TopicPartition(topic: topic.name, partition: partition.partitionIndex)
                errors[id] = errors[id] ?? partition.errorCode
            }
        }
        self = .offsetsCommitted(errors)
    }

    fileprivate init(_ answer: FindCoordinatorResponse, version: Int16) throws {
        if version >= 4 {
            guard let found = answer.coordinators.first else { throw ProtocolError.truncated }
            let address = BrokerAddress(host: found.host, port: Int(found.port))
            self = .coordinator(found.errorCode, .init(id: found.nodeID, address: address))
        } else {
            let address = BrokerAddress(host: answer.host, port: Int(answer.port))
            self = .coordinator(answer.errorCode, .init(id: answer.nodeID, address: address))
        }
    }

    fileprivate init(_ answer: AddPartitionsToTxnResponse) {
        var errors: [TopicPartition: KafkaError] = [:]
        for topic in answer.topics {
            for partition in topic.partitions {
                let id = TopicPartition(topic: topic.name, partition: partition.index)
                errors[id] = errors[id] ?? partition.errorCode
            }
        }
        self = .partitionsAdded(errors)
    }
}
