internal import KafkaProtocol
internal import NIOCore

/// Recovery's questions and answers as Kafka's messages, in the versions of one connection.
enum RecoveryWire {
    struct Versions: Equatable {
        let listOffsets: Int16?
        /// Nil with a broker before 2.8, which does not tell what it remembers of producers.
        let describeProducers: Int16?
        let fetch: Int16?

        init(_ answer: ApiVersionsResponse) {
            self.listOffsets = answer.versions(of: .listOffsets)
                .flatMap(ListOffsetsRequest.commonVersion)
            self.describeProducers = answer.versions(of: .describeProducers)
                .flatMap(DescribeProducersRequest.commonVersion)
            self.fetch = answer.versions(of: .fetch).flatMap(FetchRequest.commonVersion)
        }
    }

    /// What a question is about.
    struct Subject: Equatable {
        var id: TopicPartition
        var topicID: TopicID
        /// The epoch of the leader that is asked, -1 where it has none.
        var leaderEpoch: Int32
    }

    private static let newestNamingFetch: Int16 = 12  // 13 knows topics by their ids only
    /// How long the leader may wait for something to read, and how much it may send at once.
    private static let fetchWaitMilliseconds: Int32 = 500
    private static let fetchSize: Int32 = 4 << 20
    private static let debuggingReplica: Int32 = -2
    private static let latest: Int64 = -1
    private static let earliest: Int64 = -2
    /// The header by which a record tells its place in its file.
    static let positionHeader = "forktail.position"

    // MARK: Questions

    /// The request's bytes; nil where the broker is too old for it.
    static func encode(
        _ question: RecoveryQuestion,
        about subject: Subject,
        versions: Versions,
        correlationID: Int32,
        clientID: String
    ) throws -> [ByteBuffer]? {
        switch question {
        case .highWatermark, .endOffset, .startOffset:
            return try versions.listOffsets.map { version in
                try self.listOffsets(question, subject)
                    .frame(version: version, correlationID: correlationID, clientID: clientID)
            }
        case .producers:
            let topic = DescribeProducersRequest.Topic(
                name: subject.id.topic,
                partitionIndexes: [subject.id.partition]
            )
            return try versions.describeProducers.map { version in
                try DescribeProducersRequest(topics: [topic])
                    .frame(version: version, correlationID: correlationID, clientID: clientID)
            }
        case .batches(let offset, _):
            return try fetchVersion(subject, versions).map { version in
                try self.fetch(from: offset, subject)
                    .frame(version: version, correlationID: correlationID, clientID: clientID)
            }
        }
    }

    private static func listOffsets(
        _ question: RecoveryQuestion,
        _ subject: Subject
    ) -> ListOffsetsRequest {
        let partition = ListOffsetsRequest.Partition(
            partitionIndex: subject.id.partition,
            currentLeaderEpoch: subject.leaderEpoch,
            timestamp: question == .startOffset ? self.earliest : self.latest
        )
        return ListOffsetsRequest(
            replicaID: question == .endOffset ? self.debuggingReplica : -1,
            topics: [.init(name: subject.id.topic, partitions: [partition])]
        )
    }

    private static func fetch(from offset: Int64, _ subject: Subject) -> FetchRequest {
        let partition = FetchRequest.Partition(
            partition: subject.id.partition,
            currentLeaderEpoch: subject.leaderEpoch,
            fetchOffset: offset,
            partitionMaxBytes: self.fetchSize
        )
        let topic = FetchRequest.Topic(
            topic: subject.id.topic,
            topicID: subject.topicID,
            partitions: [partition]
        )
        return FetchRequest(
            maxWaitMilliseconds: self.fetchWaitMilliseconds,
            minBytes: 1,
            maxBytes: self.fetchSize,
            topics: [topic]
        )
    }

    /// A topic whose id is not known can be named in an older version.
    private static func fetchVersion(_ subject: Subject, _ versions: Versions) -> Int16? {
        versions.fetch.map { subject.topicID == .zero ? min($0, self.newestNamingFetch) : $0 }
    }

    // MARK: Answers

    /// Reads an answer without its length and correlation id.
    static func decode(
        _ body: ByteBuffer,
        to question: RecoveryQuestion,
        about subject: Subject,
        versions: Versions
    ) throws -> RecoveryAnswer {
        switch question {
        case .highWatermark, .endOffset, .startOffset:
            let answer = try ListOffsetsRequest.response(
                from: body,
                version: versions.listOffsets ?? 0
            )
            let found = answer.topics.first { $0.name == subject.id.topic }?.partitions
                .first { $0.partitionIndex == subject.id.partition }
            guard let found else { return .failed(nil) }
            return found.errorCode == .none ? .offset(found.offset) : .failed(found.errorCode)
        case .producers:
            let response = try DescribeProducersRequest.response(
                from: body,
                version: versions.describeProducers ?? 0
            )
            let answer = ProducersAnswer(response, about: subject.id)
            return answer.error == .none ? .producers(answer.producers) : .failed(answer.error)
        case .batches(_, let ids):
            let answer = try FetchRequest.response(
                from: body,
                version: self.fetchVersion(subject, versions) ?? 0
            )
            return try self.batches(in: answer, about: subject, positionsOf: ids)
        }
    }

    private static func batches(
        in answer: FetchResponse,
        about subject: Subject,
        positionsOf ids: Set<Int64>?
    ) throws -> RecoveryAnswer {
        guard answer.errorCode == .none else { return .failed(answer.errorCode) }
        // One topic was asked for: versions from 13 on name it by its id.
        let found = answer.responses.first?.partitions
            .first { $0.partitionIndex == subject.id.partition }
        guard let found else { return .failed(nil) }
        guard found.errorCode == .none else { return .failed(found.errorCode) }
        var rest = found.records ?? ByteBuffer()
        var batches: [FetchedBatch] = []
        while let batch = try RecordBatch(from: &rest) {
            let isWanted = ids?.contains(batch.header.producerID) ?? true
            let isOurs = isWanted && !batch.header.isControl
            let positions = isOurs ? try self.positions(in: batch) : []
            batches.append(FetchedBatch(batch.header, positions: positions))
        }
        return .batches(
            FetchedBatches(
                batches: batches,
                highWatermark: found.highWatermark,
                startOffset: found.logStartOffset
            )
        )
    }

    private static func positions(in batch: RecordBatch) throws -> [FetchedBatch.Position] {
        var positions: [FetchedBatch.Position] = []
        try batch.forEachRecord { record in
            for header in record.headers where header.name.elementsEqual(self.positionHeader.utf8) {
                guard let value = header.value else { continue }
                positions.append(
                    FetchedBatch.Position(
                        record: record.offsetDelta,
                        value: String(decoding: value, as: UTF8.self),
                        keyHash: record.key.map { murmur2($0) & .max }
                    )
                )
            }
            if record.key == nil, !positions.isEmpty { positions[positions.count - 1].keyless += 1 }
        }
        return positions
    }
}
