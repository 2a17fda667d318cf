import KafkaProtocol
import NIOCore
import Testing

/// A message and all versions that it is to survive.
struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let versions: ClosedRange<Int16>
    let encode: @Sendable (Int16) throws -> [UInt8]
    let decodes: @Sendable (ByteBuffer, Int16) -> Bool
    /// Writes it, reads it, and writes what was read: the bytes must be the same.
    let roundTrip: @Sendable (Int16) throws -> (first: [UInt8], second: [UInt8])

    var testDescription: String { self.name }

    init<Request: KafkaRequest>(request: Request) {
        self.name = "\(Request.self)"
        self.versions = Request.versions
        let encode: @Sendable (Request, Int16) throws -> [UInt8] = { request, version in
            var writer = MessageWriter(isFlexible: Request.isFlexible(version))
            try request.write(to: &writer, version: version)
            return Array(writer.finish().joined.readableBytesView)
        }
        self.encode = { try encode(request, $0) }
        self.decodes = { (try? Request(body: $0, version: $1)) != nil }
        self.roundTrip = { version in
            let first = try encode(request, version)
            let read = try Request(body: ByteBuffer(bytes: first), version: version)
            return (first, try encode(read, version))
        }
    }

    init<Request: KafkaRequest>(_ type: Request.Type, response: Request.Response) {
        self.name = "\(Request.Response.self)"
        self.versions = Request.versions
        let encode: @Sendable (Request.Response, Int16) throws -> [UInt8] = { response, version in
            // The frame's length and the correlation id come before what is decoded.
            let frame = try Request.frame(response, version: version, correlationID: 1).joined
            return Array(frame.readableBytesView.dropFirst(8))
        }
        self.encode = { try encode(response, $0) }
        self.decodes = { (try? Request.response(from: $0, version: $1)) != nil }
        self.roundTrip = { version in
            let first = try encode(response, version)
            let read = try Request.response(from: ByteBuffer(bytes: first), version: version)
            return (first, try encode(read, version))
        }
    }

    private static let id = TopicID(high: 0x0102_0304_0506_0708, low: 9)
    private static let bytes = ByteBuffer(string: "some bytes")

    static let all: [Sample] =
        Self.producing + Self.authenticating + Self.transactional + Self.consuming + Self.grouping
        + Self.offsets

    private static let producing: [Sample] = [
        Sample(request: ApiVersionsRequest(clientSoftwareName: "a", clientSoftwareVersion: "1")),
        Sample(
            ApiVersionsRequest.self,
            response: ApiVersionsResponse(
                apiKeys: [.init(apiKey: .produce, minVersion: 0, maxVersion: 12)],
                throttleTimeMilliseconds: 3
            )
        ),
        Sample(
            request: MetadataRequest(
                topics: [.init(topicID: id, name: "orders")],
                allowAutoTopicCreation: true,
                includeTopicAuthorizedOperations: true
            )
        ),
        Sample(
            MetadataRequest.self,
            response: MetadataResponse(
                throttleTimeMilliseconds: 1,
                brokers: [.init(nodeID: 1, host: "h", port: 9092, rack: "r")],
                clusterID: "c",
                controllerID: 1,
                topics: [
                    .init(
                        errorCode: .leaderNotAvailable,
                        name: "orders",
                        topicID: id,
                        partitions: [
                            .init(
                                partitionIndex: 7,
                                leaderID: 1,
                                leaderEpoch: 3,
                                replicaNodes: [1, 2],
                                isrNodes: [1],
                                offlineReplicas: [2]
                            )
                        ]
                    )
                ]
            )
        ),
        Sample(
            request: ProduceRequest(
                acks: -1,
                topicData: [
                    .init(
                        name: "orders",
                        topicID: id,
                        partitionData: [.init(index: 0, records: bytes), .init(index: 1)]
                    )
                ]
            )
        ),
        Sample(
            ProduceRequest.self,
            response: ProduceResponse(
                responses: [
                    .init(
                        name: "orders",
                        topicID: id,
                        partitionResponses: [
                            .init(
                                index: 3,
                                errorCode: .notLeaderOrFollower,
                                baseOffset: 77,
                                recordErrors: [.init(batchIndex: 2, batchIndexErrorMessage: "no")],
                                errorMessage: "moved",
                                currentLeader: .init(leaderID: 4, leaderEpoch: 9)
                            )
                        ]
                    )
                ],
                throttleTimeMilliseconds: 8,
                nodeEndpoints: [.init(nodeID: 4, host: "four", port: 1, rack: nil)]
            )
        ),
        Sample(request: InitProducerIDRequest(transactionalID: "t", producerID: 5)),
        Sample(
            InitProducerIDRequest.self,
            response: InitProducerIDResponse(producerID: 4711, producerEpoch: 2)
        ),
        Sample(
            request: CreateTopicsRequest(
                topics: [
                    .init(
                        name: "t",
                        numPartitions: 3,
                        assignments: [.init(partitionIndex: 0, brokerIDs: [1, 2])],
                        configs: [.init(name: "a", value: nil), .init(name: "b", value: "c")]
                    )
                ]
            )
        ),
        Sample(
            CreateTopicsRequest.self,
            response: CreateTopicsResponse(
                topics: [
                    .init(name: "t", topicID: id, errorMessage: "m", configs: [.init(name: "a")]),
                    .init(name: "u", errorCode: .invalidPartitions, configs: nil),
                ]
            )
        ),
        Sample(
            request: DescribeProducersRequest(topics: [.init(name: "t", partitionIndexes: [3])])
        ),
        Sample(
            DescribeProducersRequest.self,
            response: DescribeProducersResponse(
                topics: [
                    .init(
                        name: "t",
                        partitions: [
                            .init(
                                partitionIndex: 3,
                                errorMessage: "m",
                                activeProducers: [.init(producerID: 7, lastSequence: 9)]
                            )
                        ]
                    )
                ]
            )
        ),
        Sample(request: DeleteTopicsRequest(topics: [.init(name: "t", topicID: id)])),
        Sample(
            DeleteTopicsRequest.self,
            response: DeleteTopicsResponse(
                responses: [.init(name: "t", topicID: id, errorCode: .none, errorMessage: "m")]
            )
        ),
    ]

    private static let authenticating: [Sample] = [
        Sample(request: SASLHandshakeRequest(mechanism: "SCRAM-SHA-512")),
        Sample(
            SASLHandshakeRequest.self,
            response: SASLHandshakeResponse(
                errorCode: .unsupportedSASLMechanism,
                mechanisms: ["PLAIN", "OAUTHBEARER"]
            )
        ),
        Sample(request: SASLAuthenticateRequest(authBytes: ByteBuffer(string: "\0alice\0secret"))),
        Sample(
            SASLAuthenticateRequest.self,
            response: SASLAuthenticateResponse(
                errorMessage: "m",
                authBytes: ByteBuffer(string: "v=x"),
                sessionLifetimeMilliseconds: 3000
            )
        ),
    ]

    private static let transactional: [Sample] = [
        Sample(
            request: AddPartitionsToTxnRequest(
                transactionalID: "t",
                producerID: 5,
                producerEpoch: 2,
                topics: [.init(name: "a", partitions: [0, 3])]
            )
        ),
        Sample(
            AddPartitionsToTxnRequest.self,
            response: AddPartitionsToTxnResponse(
                throttleTimeMilliseconds: 4,
                topics: [
                    .init(
                        name: "a",
                        partitions: [.init(index: 3, errorCode: .concurrentTransactions)]
                    )
                ]
            )
        ),
        Sample(
            request: EndTxnRequest(
                transactionalID: "t",
                producerID: 5,
                producerEpoch: 2,
                committed: true
            )
        ),
        Sample(
            EndTxnRequest.self,
            response: EndTxnResponse(
                throttleTimeMilliseconds: 4,
                errorCode: .invalidTxnState,
                producerID: 6,
                producerEpoch: 3
            )
        ),
        Sample(
            request: AddOffsetsToTxnRequest(
                transactionalID: "t",
                producerID: 5,
                producerEpoch: 2,
                groupID: "g"
            )
        ),
        Sample(
            AddOffsetsToTxnRequest.self,
            response: AddOffsetsToTxnResponse(
                throttleTimeMilliseconds: 4,
                errorCode: .groupAuthorizationFailed
            )
        ),
        Sample(
            request: TxnOffsetCommitRequest(
                transactionalID: "t",
                groupID: "g",
                producerID: 5,
                producerEpoch: 2,
                generationID: 3,
                memberID: "m",
                groupInstanceID: "i",
                topics: [
                    .init(
                        name: "a",
                        partitions: [
                            .init(
                                partitionIndex: 1,
                                committedOffset: 70,
                                committedLeaderEpoch: 2,
                                committedMetadata: "x"
                            )
                        ]
                    )
                ]
            )
        ),
        Sample(
            TxnOffsetCommitRequest.self,
            response: TxnOffsetCommitResponse(
                throttleTimeMilliseconds: 4,
                topics: [
                    .init(
                        name: "a",
                        partitions: [.init(partitionIndex: 1, errorCode: .illegalGeneration)]
                    )
                ]
            )
        ),
        Sample(
            request: DescribeConfigsRequest(
                resources: [.init(name: "a", keys: ["max.message.bytes"]), .init(name: "b")],
                includeSynonyms: true
            )
        ),
        Sample(
            DescribeConfigsRequest.self,
            response: DescribeConfigsResponse(
                results: [
                    .init(
                        errorMessage: "m",
                        name: "a",
                        configs: [
                            .init(
                                name: "max.message.bytes",
                                value: "5",
                                source: 1,
                                synonyms: [.init(name: "message.max.bytes", value: "6", source: 5)]
                            )
                        ]
                    )
                ]
            )
        ),
    ]

    private static let consuming: [Sample] = [
        Sample(
            request: FetchRequest(
                topics: [.init(topic: "t", topicID: id, partitions: [.init(fetchOffset: 9)])],
                forgottenTopicsData: [.init(topic: "t", topicID: id, partitions: [1])],
                rackID: "r"
            )
        ),
        Sample(
            FetchRequest.self,
            response: FetchResponse(
                responses: [
                    .init(
                        topic: "t",
                        topicID: id,
                        partitions: [
                            .init(
                                highWatermark: 9,
                                abortedTransactions: [.init(producerID: 1, firstOffset: 2)],
                                records: bytes
                            ),
                            .init(partitionIndex: 1, records: bytes),
                        ]
                    )
                ]
            )
        ),
        Sample(
            request: ListOffsetsRequest(topics: [.init(name: "t", partitions: [.init()])])
        ),
        Sample(
            ListOffsetsRequest.self,
            response: ListOffsetsResponse(topics: [.init(name: "t", partitions: [.init(offset: 4)])]
            )
        ),
    ]

    private static let grouping: [Sample] = [
        Sample(request: FindCoordinatorRequest(key: "g", coordinatorKeys: ["g", "h"])),
        Sample(
            FindCoordinatorRequest.self,
            response: FindCoordinatorResponse(
                errorMessage: "m",
                host: "h",
                coordinators: [.init(key: "g", host: "h", port: 4)]
            )
        ),
        Sample(
            request: JoinGroupRequest(
                groupID: "g",
                memberID: "m",
                groupInstanceID: "i",
                protocolType: "consumer",
                protocols: [.init(name: "range", metadata: bytes)],
                reason: "r"
            )
        ),
        Sample(
            JoinGroupRequest.self,
            response: JoinGroupResponse(
                protocolName: nil,
                members: [.init(memberID: "m", groupInstanceID: "i", metadata: bytes)]
            )
        ),
        Sample(
            request: SyncGroupRequest(
                groupID: "g",
                memberID: "m",
                protocolName: "range",
                assignments: [.init(memberID: "m", assignment: bytes)]
            )
        ),
        Sample(SyncGroupRequest.self, response: SyncGroupResponse(assignment: bytes)),
        Sample(request: HeartbeatRequest(groupID: "g", generationID: 4, memberID: "m")),
        Sample(HeartbeatRequest.self, response: .init(errorCode: .rebalanceInProgress)),
        Sample(
            request: LeaveGroupRequest(groupID: "g", memberID: "m", members: [.init(reason: "r")])
        ),
        Sample(LeaveGroupRequest.self, response: .init(members: [.init(memberID: "m")])),
    ]

    private static let offsets: [Sample] = [
        Sample(
            request: OffsetCommitRequest(
                groupID: "g",
                topics: [.init(name: "t", partitions: [.init(committedMetadata: "m")])]
            )
        ),
        Sample(
            OffsetCommitRequest.self,
            response: OffsetCommitResponse(topics: [.init(name: "t", partitions: [.init()])])
        ),
        Sample(
            request: OffsetFetchRequest(
                groupID: "g",
                topics: nil,
                groups: [.init(groupID: "g", topics: [.init(name: "t", partitionIndexes: [1])])]
            )
        ),
        Sample(
            OffsetFetchRequest.self,
            response: OffsetFetchResponse(
                topics: [.init(name: "t", partitions: [.init(metadata: "m")])],
                groups: [.init(groupID: "g", topics: [.init(name: "t", partitions: [.init()])])]
            )
        ),
    ]
}

@Suite struct MessageTests {
    @Test(arguments: Sample.all)
    func `a message is read as it was written, in every version`(sample: Sample) throws {
        for version in sample.versions {
            let (first, second) = try sample.roundTrip(version)
            #expect(first == second, "version \(version)")
        }
    }

    @Test(arguments: Sample.all)
    func `a message that is cut off is refused, in every version`(sample: Sample) throws {
        for version in sample.versions {
            let whole = try sample.encode(version)
            for length in whole.indices {
                let part = ByteBuffer(bytes: whole[..<length])
                #expect(!sample.decodes(part, version), "version \(version), \(length) bytes")
            }
            // What follows a message is passed over, as Kafka's broker and client do.
            #expect(sample.decodes(ByteBuffer(bytes: whole + [0]), version), "version \(version)")
        }
    }

    @Test func `a produce answer keeps its fields in version 10`() throws {
        let response = ProduceResponse(
            responses: [
                .init(
                    name: "t",
                    partitionResponses: [.init(currentLeader: .init(leaderID: 4, leaderEpoch: 9))]
                )
            ],
            nodeEndpoints: [.init(nodeID: 4, host: "four", port: 1)]
        )
        let frame = try ProduceRequest.frame(response, version: 10, correlationID: 1).joined
        let body = try #require(frame.getSlice(at: 8, length: frame.readableBytes - 8))
        #expect(try ProduceRequest.response(from: body, version: 10) == response)
    }

    @Test func `a version that is not known is refused before it is read`() {
        #expect(throws: ProtocolError.unsupportedVersion(apiKey: 0, version: 2)) {
            try ProduceRequest(body: ByteBuffer(), version: 2)
        }
        #expect(throws: ProtocolError.unsupportedVersion(apiKey: 0, version: 99)) {
            try ProduceRequest().frame(version: 99, correlationID: 0, clientID: nil)
        }
    }

    @Test func `unknown tags are passed over`() throws {
        let bytes = hex("00 ffff 00000001 01")  // No transaction, acks, timeout, no topics.
        let tags = hex("02 05 03 aabbcc 07 00")
        let request = try ProduceRequest(body: ByteBuffer(bytes: bytes + tags), version: 9)
        #expect(request.acks == -1)
    }

    @Test func `the answer to an unknown ApiVersions version is read as version 0`() throws {
        let refusal = ApiVersionsResponse(
            errorCode: .unsupportedVersion,
            apiKeys: [.init(apiKey: .apiVersions, minVersion: 0, maxVersion: 2)]
        )
        let body = ByteBuffer(bytes: hex("0023 00000001 0012 0000 0002"))
        #expect(try ApiVersionsRequest.response(from: body, version: 4) == refusal)
    }

    @Test func `the features that brokers agreed on are tags of ApiVersions`() throws {
        let answer = ApiVersionsResponse(
            supportedFeatures: [.init(name: "f", minVersion: 0, maxVersion: 2)],
            finalizedFeaturesEpoch: 7,
            finalizedFeatures: [.init(name: "f", maxVersionLevel: 2, minVersionLevel: 1)]
        )
        let frame = try ApiVersionsRequest.frame(answer, version: 4, correlationID: 1).joined
        let tags = "03 00 08 02 0266 0000 0002 00 01 08 0000000000000007 02 08 02 0266 0002 0001 00"
        #expect(
            hexText(frame.readableBytesView)
                == hexText(hex("0000002a 00000001 0000 01 00000000" + tags))
        )
        let body = ByteBuffer(frame.readableBytesView.dropFirst(8))
        let read = try ApiVersionsRequest.response(from: body, version: 4)
        #expect(read == answer && read.finalizedLevel(of: "f") == 2)
        #expect(read.finalizedLevel(of: "g") == 0)
    }

    @Test func `a request's frame has Kafka's bytes`() throws {
        let frame = try MetadataRequest(topics: [.init(name: "t")], allowAutoTopicCreation: false)
            .frame(version: 9, correlationID: 7, clientID: "me")
        #expect(
            hexText(frame.joined.readableBytesView)
                == hexText(hex("00000015 0003 0009 00000007 0002 6d65 00 02 02 74 00 00 00 00 00"))
        )
    }

    @Test func `batches are referred to, not copied, and the length counts them`() throws {
        let first = ByteBuffer(string: "first batch")
        let second = ByteBuffer(string: "second batch")
        let pieces = try ProduceRequest(
            topicData: [
                .init(
                    name: "t",
                    partitionData: [
                        .init(index: 0, records: first), .init(index: 1, records: second),
                    ]
                )
            ]
        ).frame(version: 7, correlationID: 1, clientID: nil)
        #expect(pieces.count == 4)
        #expect(pieces[1] == first && pieces[3] == second)
        let addresses = [pieces[1], first].map { $0.withUnsafeReadableBytes(\.baseAddress) }
        #expect(addresses[0] == addresses[1])
        let length = try #require(pieces[0].getInteger(at: 0, as: Int32.self))
        #expect(Int(length) == pieces.joined.readableBytes - 4)
    }

    @Test func `a request's header tells what follows`() throws {
        let request = ProduceRequest(acks: 1)
        for version in ProduceRequest.versions {
            var frame = try request.frame(version: version, correlationID: 9, clientID: nil).joined
            frame.moveReaderIndex(forwardBy: 4)
            let header = try RequestHeader(from: &frame) { _, version in
                ProduceRequest.isFlexible(version)
            }
            #expect(header.apiKey == .produce && header.apiVersion == version)
            #expect(header.correlationID == 9 && header.clientID == nil)
            #expect(try ProduceRequest(body: frame, version: version) == request)
        }
    }
}

@Suite struct FrameDecoderTests {
    @Test func `messages come out whole, however the bytes arrive`() throws {
        let stream = hex("00000002 aabb 00000000 00000001 cc")
        for size in 1...stream.count {
            var decoder = FrameDecoder(limit: 100)
            var frames: [String] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                let end = min(start + size, stream.count)
                decoder.append(ByteBuffer(bytes: stream[start..<end]))
                while let frame = try decoder.next() {
                    frames.append(hexText(frame.readableBytesView))
                }
            }
            #expect(frames == ["aabb", "", "cc"])
        }
    }

    @Test func `a length over the limit is refused before its bytes are there`() {
        var decoder = FrameDecoder(limit: 100)
        decoder.append(ByteBuffer(bytes: hex("00000065")))
        #expect(throws: ProtocolError.frameTooLarge(size: 101, limit: 100)) { try decoder.next() }
    }

    @Test func `a negative length is refused`() {
        var decoder = FrameDecoder(limit: 100)
        decoder.append(ByteBuffer(bytes: hex("ffffffff")))
        #expect(throws: ProtocolError.invalidLength(-1)) { try decoder.next() }
    }
}

@Suite struct KafkaErrorTests {
    @Test(arguments: [
        (KafkaError.unknownServerError, "UNKNOWN_SERVER_ERROR (-1)"),
        (.none, "NONE (0)"),
        (.notLeaderOrFollower, "NOT_LEADER_OR_FOLLOWER (6)"),
        (.outOfOrderSequenceNumber, "OUT_OF_ORDER_SEQUENCE_NUMBER (45)"),
        (.saslAuthenticationFailed, "SASL_AUTHENTICATION_FAILED (58)"),
        (.unknownTopicID, "UNKNOWN_TOPIC_ID (100)"),
        (.rebootstrapRequired, "REBOOTSTRAP_REQUIRED (129)"),
        (KafkaError(rawValue: 999), "UNKNOWN_ERROR (999)"),
        (KafkaError(rawValue: -7), "UNKNOWN_ERROR (-7)"),
    ])
    func `an error says its name and number`(error: KafkaError, text: String) {
        #expect("\(error)" == text)
    }
}
