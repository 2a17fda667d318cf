internal import KafkaProtocol
internal import NIOCore

/// The producer's requests and answers as Kafka's messages, in the versions of one connection.
enum Wire {
    /// The version of each request that both sides know.
    struct Versions {
        let produce: Int16
        let metadata: Int16
        /// Nil with a broker that gives out no producer ids.
        let initProducerID: Int16?
        /// Nil with a broker that does not let clients log in.
        let saslAuthenticate: Int16?
        /// Nil with a broker before 2.8, which does not tell what it remembers of producers.
        let describeProducers: Int16?
        let describeConfigs: Int16?
        let recovery: RecoveryWire.Versions
        /// Nil with a broker from which this client cannot read.
        let reading: ReadVersions?
        /// Nil with a broker that has no transactions.
        var transactions: TransactionVersions?
    }

    /// The answer where a broker is too old for the question.
    static func answerOfOldBroker(
        to request: ProducerRequest,
        versions: Versions
    ) -> ProducerAnswer? {
        switch request {
        case .describeProducers where versions.describeProducers == nil:
            .producers(ProducersAnswer(error: .unsupportedVersion))
        case .describeLimit where versions.describeConfigs == nil: .maxMessageBytes(nil)
        case .recovery(let request) where !versions.recovery.know(request.question):
            .recovery(.failed(.unsupportedVersion))
        case .read where versions.reading == nil: .read(.failed(.unsupportedVersion))
        case .inquiry(.transactionalID) where versions.transactions == nil:
            .inquiry(.transactionalID(.unsupportedVersion))
        default: nil
        }
    }

    enum VersionsAnswer {
        /// Ask again in a version that the broker knows.
        case retry(Int16)
        case refused(String)
        case versions(Versions)
    }

    static let newestApiVersions: Int16 = 3  // 4 and later tell only what a producer does not use
    private static let newestProduce: Int16 = 13
    private static let newestNamingProduce: Int16 = 12  // 13 knows topics by their ids only
    private static let oldestMetadata: Int16 = 4  // can leave the creation of topics out
    private static let maxMessageBytes = "max.message.bytes"
    private static let oldestZstdProduce: Int16 = 7

    // MARK: Versions

    static func encodeVersionsRequest(
        version: Int16,
        correlationID: Int32,
        clientID: String
    ) throws -> [ByteBuffer] {
        let request = ApiVersionsRequest(
            clientSoftwareName: "forktail",
            clientSoftwareVersion: "1"
        )
        return try request.frame(
            version: version,
            correlationID: correlationID,
            clientID: clientID
        )
    }

    static func decodeVersions(
        _ frame: ByteBuffer,
        asked: Int16,
        configuration: KafkaProducerConfiguration
    ) throws -> VersionsAnswer {
        let body = try body(of: frame)
        let answer: ApiVersionsResponse
        do {
            answer = try ApiVersionsRequest.response(from: body, version: asked)
        } catch  where asked > 0 && isRefusal(body) {
            // What follows the refusal is in nobody's format (librdkafka's mock cluster): every
            // broker knows version 0.
            return .retry(0)
        }
        if answer.errorCode == .unsupportedVersion {
            let offered = answer.versions(of: .apiVersions)
            return .retry(min(asked - 1, max(0, offered?.upperBound ?? 0)))
        }
        guard answer.errorCode == .none else { return .refused("ApiVersions: \(answer.errorCode)") }
        return choose(from: answer, configuration)
    }

    private static func isRefusal(_ body: ByteBuffer) -> Bool {
        body.getInteger(at: body.readerIndex) == KafkaError.unsupportedVersion.rawValue
    }

    private static func choose(
        from answer: ApiVersionsResponse,
        _ configuration: KafkaProducerConfiguration
    ) -> VersionsAnswer {
        let offeredProduce = answer.versions(of: .produce).flatMap { range in
            range.lowerBound <= newestProduce
                ? range.lowerBound...min(range.upperBound, newestProduce) : nil
        }
        guard let produce = offeredProduce.flatMap(ProduceRequest.commonVersion) else {
            return .refused("it offers no version of Produce from 3 to \(newestProduce)")
        }
        let offered = answer.versions(of: .metadata)
        guard let metadata = offered.flatMap(MetadataRequest.commonVersion),
            metadata >= oldestMetadata
        else { return .refused("it offers no version of Metadata from \(oldestMetadata) to 13") }
        let initProducerID = answer.versions(of: .initProducerID)
            .flatMap(InitProducerIDRequest.commonVersion)
        if initProducerID == nil, configuration.isIdempotenceEnabled {
            return .refused("it gives out no producer ids: enable.idempotence=false does without")
        }
        if configuration.compressionType == .zstd, produce < oldestZstdProduce {
            return .refused("it does not take zstd: lz4, snappy and gzip are older")
        }
        let saslAuthenticate = authenticateVersion(from: answer)
        if saslAuthenticate == nil, configuration.securityProtocol.usesSASL {
            return .refused(
                "it offers no SASL on this port: security.protocol="
                    + (configuration.securityProtocol.usesTLS ? "SSL" : "PLAINTEXT")
                    + " does without"
            )
        }
        let transactions = TransactionVersions(answer)
        if configuration.transactionalID != nil, transactions == nil {
            return .refused("it has no transactions: without transactional.id records can be sent")
        }
        return .versions(
            Versions(
                produce: produce,
                metadata: metadata,
                initProducerID: initProducerID,
                saslAuthenticate: saslAuthenticate,
                describeProducers: answer.versions(of: .describeProducers)
                    .flatMap(DescribeProducersRequest.commonVersion),
                describeConfigs: answer.versions(of: .describeConfigs)
                    .flatMap(DescribeConfigsRequest.commonVersion),
                recovery: RecoveryWire.Versions(answer),
                reading: ReadVersions(answer),
                transactions: transactions
            )
        )
    }

    private static func authenticateVersion(from answer: ApiVersionsResponse) -> Int16? {
        let handshake = answer.versions(of: .saslHandshake)
        guard handshake.flatMap(SASLHandshakeRequest.commonVersion) != nil else { return nil }
        return answer.versions(of: .saslAuthenticate)
            .flatMap(SASLAuthenticateRequest.commonVersion)
    }

    /// Whether these are the first bytes of an alert of TLS; as a length they would be 352 MB.
    static func isTLS(_ bytes: ByteBuffer) -> Bool {
        bytes.getInteger(at: bytes.readerIndex, as: UInt16.self) == 0x1503
    }

    // MARK: Requests

    static func encode(
        _ request: ProducerRequest,
        versions: Versions,
        correlationID: Int32,
        configuration: KafkaProducerConfiguration
    ) throws -> [ByteBuffer] {
        let clientID = configuration.clientID
        switch request {
        case .metadata(let topics):
            return try MetadataRequest(
                topics: topics.map { MetadataRequest.Topic(name: $0) },
                allowAutoTopicCreation: configuration.allowsAutoCreateTopics
            ).frame(version: versions.metadata, correlationID: correlationID, clientID: clientID)
        case .producerID:
            return try InitProducerIDRequest().frame(
                version: versions.initProducerID ?? 0,
                correlationID: correlationID,
                clientID: clientID
            )
        case .produce(let batches):
            let id = batches.first?.identity?.transactions.flatMap { _ in
                configuration.transactionalID
            }
            return try ProduceRequest(
                transactionalID: id,
                acks: configuration.acknowledgements.rawValue,
                timeoutMilliseconds: milliseconds(configuration.requestTimeout),
                topicData: topicData(batches)
            ).frame(
                version: produceVersion(of: batches, versions),
                correlationID: correlationID,
                clientID: clientID
            )
        case .describeProducers(let partition):
            return try DescribeProducersRequest(topics: [
                .init(name: partition.topic, partitionIndexes: [partition.partition])
            ]).frame(
                version: versions.describeProducers ?? 0,
                correlationID: correlationID,
                clientID: clientID
            )
        case .recovery(let request):
            return try RecoveryWire.encode(
                request.question,
                about: request.subject,
                versions: versions.recovery,
                correlationID: correlationID,
                clientID: clientID
            ) ?? []
        case .transaction(let request):
            return try encode(
                request,
                versions: versions,
                correlationID: correlationID,
                configuration: configuration
            )
        case .describeLimit(let topic):
            return try DescribeConfigsRequest(resources: [
                .init(name: topic, keys: [maxMessageBytes])
            ]).frame(
                version: versions.describeConfigs ?? 1,
                correlationID: correlationID,
                clientID: clientID
            )
        case .read(let request):
            guard let reading = versions.reading else { throw ProtocolError.unexpectedNull }
            return try encode(
                request,
                versions: reading,
                correlationID: correlationID,
                configuration: configuration
            )
        case .inquiry(let request):
            return try encode(
                request,
                versions: versions,
                correlationID: correlationID,
                clientID: clientID
            )
        }
    }

    private static func topicData(_ batches: [ProducerBatch]) -> [ProduceRequest.TopicData] {
        var topics: [ProduceRequest.TopicData] = []
        var places: [String: Int] = [:]
        for batch in batches {
            let partition = ProduceRequest.PartitionData(
                index: batch.partition,
                records: batch.sealed?.buffer
            )
            if let place = places[batch.topic] {
                topics[place].partitionData.append(partition)
            } else {
                places[batch.topic] = topics.count
                topics.append(
                    ProduceRequest.TopicData(
                        name: batch.topic,
                        topicID: batch.topicID,
                        partitionData: [partition]
                    )
                )
            }
        }
        return topics
    }

    static func milliseconds(_ duration: Duration) -> Int32 {
        Int32(clamping: Int64(duration / .milliseconds(1)))
    }

    // MARK: Answers

    static func decode(
        _ frame: ByteBuffer,
        to request: ProducerRequest,
        versions: Versions
    ) throws -> ProducerAnswer {
        let body = try body(of: frame)
        switch request {
        case .metadata:
            let answer = try MetadataRequest.response(from: body, version: versions.metadata)
            return .metadata(ClusterMetadata(answer))
        case .producerID:
            let answer = try InitProducerIDRequest.response(
                from: body,
                version: versions.initProducerID ?? 0
            )
            let identity = ProducerIdentity(id: answer.producerID, epoch: answer.producerEpoch)
            return .producerID(ProducerIDAnswer(error: answer.errorCode, identity: identity))
        case .produce(let batches):
            let version = produceVersion(of: batches, versions)
            var answer = try ProduceRequest.response(from: body, version: version)
            if version > newestNamingProduce { giveNames(to: &answer, of: batches) }
            return .produce(ProduceAnswer(answer))
        case .describeProducers(let partition):
            let answer = try DescribeProducersRequest.response(
                from: body,
                version: versions.describeProducers ?? 0
            )
            return .producers(ProducersAnswer(answer, about: partition))
        case .recovery(let request):
            let answer = try RecoveryWire.decode(
                body,
                to: request.question,
                about: request.subject,
                versions: versions.recovery
            )
            return .recovery(answer)
        case .transaction(let request): return try decode(body, to: request, versions: versions)
        case .describeLimit(let topic):
            let answer = try DescribeConfigsRequest.response(
                from: body,
                version: versions.describeConfigs ?? 1
            )
            let own = answer.results.first { $0.name == topic && $0.errorCode == .none }
            let setting = own?.configs.first { $0.name == maxMessageBytes }
            return .maxMessageBytes(setting?.value.flatMap { Int($0) })
        case .read(let request):
            guard let reading = versions.reading else { throw ProtocolError.unexpectedNull }
            return .read(try decode(body, to: request, versions: reading))
        case .inquiry(let request):
            return .inquiry(try decode(body, to: request, versions: versions))
        }
    }

    /// A topic whose id is not known can be named in an older version.
    private static func produceVersion(
        of batches: [ProducerBatch],
        _ versions: Versions
    ) -> Int16 {
        let version = versions.produce(batches)
        let isNamed = batches.contains { $0.topicID == .zero }
        return isNamed ? min(version, newestNamingProduce) : version
    }

    /// Finds the names of the topics that an answer tells by their ids; others were not asked for.
    private static func giveNames(to answer: inout ProduceResponse, of batches: [ProducerBatch]) {
        let names = Dictionary(batches.map { ($0.topicID, $0.topic) }) { first, _ in first }
        for index in answer.responses.indices {
            answer.responses[index].name = names[answer.responses[index].topicID] ?? ""
        }
    }

    /// What stands for an answer with acks=0.
    static func unacknowledged(_ batches: [ProducerBatch]) -> ProduceAnswer {
        ProduceAnswer(
            partitions: batches.map {
                ProduceAnswer.Partition(topic: $0.topic, partition: $0.partition)
            }
        )
    }

    static func body(of frame: ByteBuffer) throws -> ByteBuffer {
        var body = frame
        guard body.readInteger(as: Int32.self) != nil else { throw ProtocolError.truncated }
        return body
    }
}

extension Compressor {
    /// Nil where batches are not compressed.
    convenience init?(_ configuration: KafkaProducerConfiguration) {
        let codec: Compression
        switch configuration.compressionType {
        case .none: return nil
        case .gzip: codec = .gzip
        case .snappy: codec = .snappy
        case .lz4: codec = .lz4
        case .zstd: codec = .zstd
        }
        self.init(codec: codec, level: configuration.compressionLevel)
    }
}
