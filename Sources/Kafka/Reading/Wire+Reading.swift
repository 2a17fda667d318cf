internal import KafkaProtocol
internal import NIOCore

extension Wire {
    /// The versions of what reading needs.
    struct ReadVersions {
        let listOffsets: Int16
        let fetch: Int16

        /// Nil where a request is missing.
        init?(_ answer: ApiVersionsResponse) {
            guard
                let listOffsets = answer.versions(of: .listOffsets)
                    .flatMap(ListOffsetsRequest.commonVersion),
                let fetch = answer.versions(of: .fetch).flatMap({ range in
                    range.lowerBound <= newestNamingFetch
                        ? FetchRequest.commonVersion(
                            with: range.lowerBound...min(range.upperBound, newestNamingFetch)
                        ) : nil
                })
            else { return nil }
            self.listOffsets = listOffsets
            self.fetch = fetch
        }
    }

    private static let newestNamingFetch: Int16 = 12  // 13 knows topics by their ids only

    static func encode(
        _ request: ReadRequest,
        versions: ReadVersions,
        correlationID: Int32,
        configuration: KafkaProducerConfiguration
    ) throws -> [ByteBuffer] {
        switch request {
        case .offset(let place, let id, let isolation):
            return try ListOffsetsRequest(
                isolationLevel: isolation.code,
                topics: [
                    .init(
                        name: id.topic,
                        partitions: [
                            .init(partitionIndex: id.partition, timestamp: place.timestamp)
                        ]
                    )
                ]
            ).frame(
                version: versions.listOffsets,
                correlationID: correlationID,
                clientID: configuration.clientID
            )
        case .fetch(let id, let offset, let maxBytes, let isolation):
            return try FetchRequest(
                maxWaitMilliseconds: 500,
                minBytes: 1,
                maxBytes: maxBytes,
                isolationLevel: isolation.code,
                topics: [
                    .init(
                        topic: id.topic,
                        partitions: [
                            .init(
                                partition: id.partition,
                                fetchOffset: offset,
                                partitionMaxBytes: maxBytes
                            )
                        ]
                    )
                ]
            ).frame(
                version: versions.fetch,
                correlationID: correlationID,
                clientID: configuration.clientID
            )
        }
    }

    static func decode(
        _ body: ByteBuffer,
        to request: ReadRequest,
        versions: ReadVersions
    ) throws -> ReadAnswer {
        let id = request.partition
        switch request {
        case .offset:
            let answer = try ListOffsetsRequest.response(
                from: body,
                version: versions.listOffsets
            )
            let topic = answer.topics.first { $0.name == id.topic }
            let found = topic?.partitions.first { $0.partitionIndex == id.partition }
            guard let found else { return .failed(.unknownServerError) }
            return found.errorCode == .none ? .offset(found.offset) : .failed(found.errorCode)
        case .fetch:
            let answer = try FetchRequest.response(from: body, version: versions.fetch)
            guard answer.errorCode == .none else { return .failed(answer.errorCode) }
            let topic = answer.responses.first { $0.topic == id.topic }
            let found = topic?.partitions.first { $0.partitionIndex == id.partition }
            // At the end of a log some brokers leave the partition out.
            guard let found else { return .fetched(FetchedRecords()) }
            guard found.errorCode == .none else { return .failed(found.errorCode) }
            return .fetched(FetchedRecords(found))
        }
    }
}

extension FetchedRecords {
    fileprivate init(_ data: FetchResponse.PartitionData) {
        self.init(
            logStart: data.logStartOffset,
            aborted: (data.abortedTransactions ?? []).map {
                AbortedTransaction(producerID: $0.producerID, firstOffset: $0.firstOffset)
            },
            records: data.records ?? ByteBuffer()
        )
    }
}
