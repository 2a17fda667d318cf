internal import KafkaProtocol
internal import NIOCore

extension Wire {
    static func encode(
        _ request: InquiryRequest,
        versions: Versions,
        correlationID: Int32,
        clientID: String
    ) throws -> [ByteBuffer] {
        switch request {
        case .topics(let names):
            return try MetadataRequest(
                topics: names.map { MetadataRequest.Topic(name: $0) },
                allowAutoTopicCreation: false,
                includeTopicAuthorizedOperations: true
            ).frame(version: versions.metadata, correlationID: correlationID, clientID: clientID)
        case .transactionalID(let id):
            guard let transactions = versions.transactions else {
                throw ProtocolError.unexpectedNull
            }
            return try FindCoordinatorRequest(key: id, keyType: 1, coordinatorKeys: [id]).frame(
                version: transactions.findCoordinator,
                correlationID: correlationID,
                clientID: clientID
            )
        }
    }

    static func decode(
        _ body: ByteBuffer,
        to request: InquiryRequest,
        versions: Versions
    ) throws -> InquiryAnswer {
        switch request {
        case .topics:
            let answer = try MetadataRequest.response(from: body, version: versions.metadata)
            return .topics(answer.topics.map(TopicStanding.init), error: answer.errorCode)
        case .transactionalID:
            let version = versions.transactions?.findCoordinator ?? 1
            let answer = try FindCoordinatorRequest.response(from: body, version: version)
            guard version >= 4 else { return .transactionalID(answer.errorCode) }
            guard let found = answer.coordinators.first else { throw ProtocolError.truncated }
            return .transactionalID(found.errorCode)
        }
    }
}

extension TopicStanding {
    fileprivate init(_ answer: MetadataResponse.TopicResponse) {
        self.init(
            name: answer.name ?? "",
            error: answer.errorCode,
            partitionCount: answer.partitions.count,
            rights: TopicRights(authorizedOperations: answer.topicAuthorizedOperations)
        )
    }
}
