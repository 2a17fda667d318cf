import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct ProduceTests {
    @Test(arguments: [1, -1] as [Int16], Array(ProduceRequest.versions.dropLast()))
    func `a batch is appended and answered with its offset`(acks: Int16, version: Int16) throws {
        let client = Conversation()
        let first = try client.produce(
            try Conversation.batch(["a", "b"]),
            acks: acks,
            version: version
        )
        #expect(first.errorCode == .none && first.baseOffset == 0)
        let second = try client.produce(try Conversation.batch(["c"]), acks: acks, version: version)
        #expect(second.baseOffset == 2)
        #expect(try client.values() == ["a", "b", "c"])
    }

    @Test func `a topic may be named by its id`() throws {
        let client = Conversation()
        let metadata = try client.ask(MetadataRequest(topics: [.init(name: "t")]))
        var request = Conversation.request(try Conversation.batch(["a"]))
        request.topicData[0].topicID = try #require(metadata.topics.first?.topicID)
        let good = try client.ask(request, version: 13)
        #expect(good.responses[0].partitionResponses[0].errorCode == .none)
        request.topicData[0].topicID = TopicID(high: 9, low: 9)
        let bad = try client.ask(request, version: 13)
        #expect(bad.responses[0].partitionResponses[0].errorCode == .unknownTopicID)
    }

    @Test func `acks of zero get no answer at all`() throws {
        let client = Conversation()
        try client.send(Conversation.request(try Conversation.batch(["a"]), acks: 0), version: 9)
        #expect(client.next() == nil)
        #expect(try client.values() == ["a"])
        #expect(try client.produce(try Conversation.batch(["b"])).baseOffset == 1)
    }

    @Test func `acks of zero to an unknown topic close the connection`() throws {
        let client = Conversation()
        let request = Conversation.request(try Conversation.batch(["a"]), acks: 0, topic: "no")
        try client.send(request, version: 9)
        #expect(client.isClosed())
    }

    @Test func `acks of two are refused`() throws {
        let client = Conversation()
        let answer = try client.produce(try Conversation.batch(["a"]), acks: 2)
        #expect(answer.errorCode == .invalidRequiredAcks)
        #expect(try client.values() == [])
    }

    @Test func `a request without topics is answered`() throws {
        let client = Conversation()
        #expect(try client.ask(ProduceRequest()).responses == [])
    }

    @Test(arguments: [("no", 0), ("t", 1), ("t", 99), ("t", -1)] as [(String, Int32)])
    func `a topic or partition that is not there is refused`(
        topic: String,
        partition: Int32
    ) throws {
        let client = Conversation()
        let batch = try Conversation.batch(["a"])
        let answer = try client.produce(batch, topic: topic, partition: partition)
        #expect(answer.errorCode == .unknownTopicOrPartition)
        #expect(answer.baseOffset == -1)
    }

    @Test func `a wrong checksum is refused`() throws {
        let client = Conversation()
        var forced = try Conversation.batch(["a"])
        forced.setInteger(UInt32(12345), at: 17)
        #expect(try client.produce(forced).errorCode == .corruptMessage)
        var flipped = try Conversation.batch(["a"])
        flipped.setInteger(UInt8(ascii: "b"), at: flipped.writerIndex - 2)
        #expect(try client.produce(flipped).errorCode == .corruptMessage)
        #expect(try client.values() == [])
    }

    /// What is changed in a batch, and what Kafka says to it.
    struct Lie: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let error: KafkaError
        let change: @Sendable (inout ByteBuffer) -> Void

        init(
            _ name: String,
            _ error: KafkaError = .invalidRecord,
            _ change: @escaping @Sendable (inout ByteBuffer) -> Void
        ) {
            self.testDescription = name
            self.error = error
            self.change = change
        }
    }

    @Test(arguments: [
        Lie("five records for one") { $0.setInteger(Int32(5), at: 57) },
        Lie("five records and an end that fits") {
            $0.setInteger(Int32(5), at: 57)
            $0.setInteger(Int32(4), at: 23)
        },
        Lie("no records") { $0.setInteger(Int32(0), at: 57) },
        Lie("a negative count") { $0.setInteger(Int32(-1), at: 57) },
        Lie("the last offset delta is seven") { $0.setInteger(Int32(7), at: 23) },
        Lie("an offset delta of one for the first record") { $0.setInteger(UInt8(2), at: 64) },
        Lie("a record longer than its fields") { $0.setInteger(UInt8(0x12), at: 61) },
        Lie("a value longer than the record") { $0.setInteger(UInt8(0x20), at: 66) },
        Lie("a control batch") { $0.setInteger(Int16(0x20), at: 21) },
        Lie("a transactional batch of no transaction", .transactionalIDAuthorizationFailed) {
            $0.setInteger(Int16(0x10), at: 21)
        },
        Lie("an unknown codec", .unknownServerError) { $0.setInteger(Int16(5), at: 21) },
        Lie("gzip that is none") { $0.setInteger(Int16(1), at: 21) },
        Lie("lz4 that is none") { $0.setInteger(Int16(3), at: 21) },
        Lie("magic 1") { $0.setInteger(Int8(1), at: 16) },
        Lie("magic 9", .corruptMessage) { $0.setInteger(Int8(9), at: 16) },
        Lie("a negative length", .corruptMessage) { $0.setInteger(Int32(-5), at: 8) },
        Lie("a length beyond the end", .corruptMessage) { $0.setInteger(Int32.max, at: 8) },
    ])
    func `a batch that lies is refused`(lie: Lie) throws {
        let client = Conversation()
        let batch = try Conversation.batch(changing: lie.change)
        #expect(try client.produce(batch).errorCode == lie.error)
        #expect(client.broker.partitionLog(topic: "t", partition: 0)?.endOffset == 0)
    }

    @Test func `a partition takes exactly one batch per request`() throws {
        let client = Conversation()
        var two = try Conversation.batch(["a"])
        two.writeImmutableBuffer(try Conversation.batch(["b"]))
        #expect(try client.produce(two).errorCode == .invalidRecord)
        #expect(try client.produce(ByteBuffer()).errorCode == .invalidRecord)
        #expect(try client.produce(nil).errorCode == .invalidRecord)
        #expect(try client.values() == [])
    }

    @Test func `a batch's own base offset is ignored`() throws {
        let client = Conversation()
        let batch = try Conversation.batch { $0.setInteger(Int64(1000), at: 0) }
        #expect(try client.produce(batch).baseOffset == 0)
        #expect(try client.broker.records(topic: "t", partition: 0).map(\.offset) == [0])
    }

    @Test(arguments: Compression.allCases.filter { $0 != .none })
    func `every codec is taken and kept`(codec: Compression) throws {
        let client = Conversation()
        let values = (0..<100).map { _ in "the same line again" }
        let batch = try Conversation.batch(values, codec: codec)
        #expect(try client.produce(batch).errorCode == .none)
        let log = try #require(client.broker.partitionLog(topic: "t", partition: 0))
        #expect(log.batches.map(\.header.compression) == [codec])
        #expect(try client.values() == values)
    }

    @Test func `zstd is refused before version 7`() throws {
        let client = Conversation()
        let batch = try Conversation.batch((0..<99).map { _ in "again" }, codec: .zstd)
        let answer = try client.produce(batch, version: 6)
        #expect(answer.errorCode == .unsupportedCompressionType)
        #expect(try client.produce(batch, version: 7).errorCode == .none)
    }

    @Test func `a batch over the limit is refused`() throws {
        let client = Conversation()
        let fits = try Conversation.batch([String(repeating: "x", count: 900_000)])
        #expect(try client.produce(fits).errorCode == .none)
        let tooLarge = try Conversation.batch([String(repeating: "x", count: 1_100_000)])
        #expect(try client.produce(tooLarge).errorCode == .messageTooLarge)
    }

    @Test func `the size is checked before duplicates are`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: 0, count: 100) == .at(0))
        client.broker.configuration.maxMessageBytes = 100
        #expect(try client.produce(7, sequence: 0, count: 100) == .refused(.messageTooLarge))
    }

    @Test func `a topic may have its own limit`() throws {
        let client = Conversation(configs: ["max.message.bytes": "100"])
        #expect(try client.produce(try Conversation.batch(["short"])).errorCode == .none)
        let long = try Conversation.batch([String(repeating: "x", count: 100)])
        #expect(try client.produce(long).errorCode == .messageTooLarge)
    }

    @Test func `a compacted topic names the records without a key`() throws {
        let client = Conversation(configs: ["cleanup.policy": "compact"])
        let answer = try client.produce(try Conversation.batch(["a", "b"]))
        #expect(answer.errorCode == .invalidRecord)
        #expect(answer.recordErrors.map(\.batchIndex) == [0, 1])
    }

    @Test func `one partition's error does not touch the other`() throws {
        let client = Conversation(partitions: 2)
        let bad = try Conversation.batch { $0.setInteger(Int32(9), at: 57) }
        let good = try Conversation.batch(["good"])
        let request = ProduceRequest(
            acks: -1,
            topicData: [
                .init(
                    name: "t",
                    partitionData: [.init(index: 0, records: bad), .init(index: 1, records: good)]
                )
            ]
        )
        let response = try client.ask(request, version: 9)
        let errors = response.responses.flatMap(\.partitionResponses).map(\.errorCode)
        #expect(errors == [.invalidRecord, .none])
        #expect(try client.values(partition: 1) == ["good"])
    }

    @Test func `twenty requests in a row are answered in their order`() throws {
        let client = Conversation()
        for number in 0..<20 {
            let batch = try Conversation.batch(["\(number)"])
            try client.send(Conversation.request(batch), version: 9)
        }
        for offset in 0..<20 {
            let response = try client.answer(to: ProduceRequest.self, version: 9)
            #expect(response.responses[0].partitionResponses[0].baseOffset == Int64(offset))
        }
    }

    @Test func `the oldest batches go when the log is full`() throws {
        let client = Conversation()
        client.broker.configuration.retentionBytes = 250
        for number in 0..<5 { _ = try client.produce(try Conversation.batch(["\(number)"])) }
        let log = try #require(client.broker.partitionLog(topic: "t", partition: 0))
        #expect(log.startOffset == 2 && log.endOffset == 5)
        #expect(try client.values() == ["2", "3", "4"])
    }
}

@Suite struct FaultTests {
    @Test func `a refused request appends nothing, the next one does`() throws {
        let client = Conversation()
        client.broker.inject(.refuse(.notEnoughReplicas), now: client.now)
        #expect(try client.produce(7, sequence: 0) == .refused(.notEnoughReplicas))
        #expect(try client.produce(7, sequence: 0) == .at(0))
    }

    @Test func `a lost answer has appended`() throws {
        let client = Conversation()
        client.broker.inject(.loseAnswer(nth: 2), now: client.now)
        #expect(try client.produce(7, sequence: 0) == .at(0))
        let batch = try Conversation.batch(["x"], producer: (7, 0, 1))
        try client.send(Conversation.request(batch), version: 9)
        #expect(client.isClosed())
        client.broker.connectionOpened(client.connection)
        #expect(try client.produce(7, sequence: 1) == .at(1))
        #expect(try client.values().count == 2)
    }

    @Test func `an answer that is swallowed leaves the connection open`() throws {
        let client = Conversation()
        client.broker.inject(.swallowAnswer(), now: client.now)
        try client.send(Conversation.request(try Conversation.batch(["a"])), version: 9)
        #expect(client.next() == nil)
        #expect(try client.produce(try Conversation.batch(["b"])).baseOffset == 1)
    }

    @Test func `an error after the append leaves the batch in the log`() throws {
        let client = Conversation()
        client.broker.inject(.failAfterAppend(.notEnoughReplicasAfterAppend), now: client.now)
        #expect(try client.produce(7, sequence: 0) == .refused(.notEnoughReplicasAfterAppend))
        #expect(try client.produce(7, sequence: 0) == .at(0))
        #expect(try client.values().count == 1)
    }

    @Test func `a stalled broker answers later`() throws {
        let client = Conversation()
        client.broker.inject(.stall(.seconds(3)), now: client.now)
        try client.send(Conversation.request(try Conversation.batch(["a"])), version: 9)
        #expect(client.next() == nil)
        #expect(client.broker.nextDeadline == client.now + .seconds(3))
        client.now += .seconds(3)
        let response = try client.answer(to: ProduceRequest.self, version: 9)
        #expect(response.responses[0].partitionResponses[0].baseOffset == 0)
    }

    @Test func `all connections can be closed`() throws {
        let client = Conversation()
        client.broker.inject(.closeConnections, now: client.now)
        #expect(client.isClosed())
        #expect(client.next() == .close(client.other, reason: "all connections are closed"))
        #expect(client.next() == nil)
    }
}
