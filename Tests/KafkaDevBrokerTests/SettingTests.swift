import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct SettingTests {
    private func create(_ configs: [String: String?]) throws -> CreateTopicsResponse.TopicResult {
        let client = Conversation(topic: nil)
        let configs = configs.map { CreateTopicsRequest.Config(name: $0.key, value: $0.value) }
        let request = CreateTopicsRequest(topics: [.init(name: "t", configs: configs)])
        return try #require(try client.ask(request).topics.first)
    }

    @Test(arguments: [
        "no.such.setting": "1", "retention.ms": "soon", "retention.ms ": "1",
        "max.message.bytes": "-1", "cleanup.policy": "burn", "compression.type": "rar",
        "message.timestamp.type": "createtime", "preallocate": "yes", "segment.bytes": "13",
        "min.insync.replicas": "0", "min.cleanable.dirty.ratio": "1.1",
    ])
    func `a setting that is none is refused`(name: String, value: String) throws {
        let result = try self.create([name: value])
        #expect(result.errorCode == .invalidConfig)
        #expect(result.errorMessage?.contains(name) == true)
    }

    @Test func `a setting without a value is refused`() throws {
        #expect(try self.create(["retention.ms": nil]).errorCode == .invalidConfig)
    }

    @Test func `a new topic is described to who made it`() throws {
        let result = try self.create(["cleanup.policy": "compact, delete", "retention.ms": "-1"])
        #expect(result.errorCode == .none)
        let own = result.configs?.filter { $0.configSource == 1 }.map(\.name)
        #expect(own == ["cleanup.policy", "retention.ms"])
    }

    @Test func `a topic's settings are described with where they come from`() throws {
        let client = Conversation(configs: ["max.message.bytes": "77"])
        let topic = DescribeConfigsRequest.Resource(
            name: "t",
            keys: ["max.message.bytes", "segment.ms"]
        )
        let answer = try client.ask(
            DescribeConfigsRequest(resources: [topic], includeSynonyms: true)
        )
        let result = try #require(answer.results.first)
        #expect(result.configs.map(\.name) == ["max.message.bytes", "segment.ms"])
        #expect(result.configs.map(\.value) == ["77", "604800000"])
        #expect(result.configs.map(\.source) == [1, 5])
        #expect(result.configs.map(\.type) == [3, 5])
        #expect(result.configs.first?.synonyms.map(\.value) == ["77"])
        for version in DescribeConfigsRequest.versions {
            let bare = try client.ask(
                DescribeConfigsRequest(resources: [topic]),
                version: version
            )
            #expect(bare.results.first?.configs.flatMap(\.synonyms) == [])
        }
    }

    @Test(
        arguments: [
            (2, "no", .unknownTopicOrPartition), (2, "a b", .invalidTopicException),
            (4, "2", .invalidRequest), (16, "x", .invalidRequest), (4, "1", .none),
        ] as [(Int8, String, KafkaError)]
    )
    func `what is not there is not described`(
        type: Int8,
        name: String,
        error: KafkaError
    ) throws {
        let resource = DescribeConfigsRequest.Resource(type: type, name: name)
        let answer = try Conversation().ask(DescribeConfigsRequest(resources: [resource]))
        #expect(answer.results.map(\.errorCode) == [error])
        #expect(answer.results.first?.configs.isEmpty == (error != .none))
    }

    @Test func `a timestamp too far ahead is refused, and its record named`() throws {
        let client = Conversation(configs: ["message.timestamp.after.max.ms": "60000"])
        let now: Int64 = 1_700_000_000_000
        client.broker.setClock(milliseconds: now, now: client.now)
        // The second record is one millisecond later than the first.
        let late = try Conversation.batch(["a", "b"], timestamp: now + 60_000)
        let refused = try client.produce(late)
        #expect(refused.errorCode == .invalidTimestamp)
        #expect(refused.recordErrors.map(\.batchIndex) == [1])
        client.now += .milliseconds(1)
        #expect(try client.produce(late).errorCode == .none)
    }

    @Test func `a timestamp too far back is refused`() throws {
        let client = Conversation(configs: ["message.timestamp.before.max.ms": "1000"])
        let early = try Conversation.batch(["a"], timestamp: 1_699_999_998_999)
        #expect(try client.produce(early).errorCode == .invalidTimestamp)
        #expect(try client.produce(try Conversation.batch(["a"], timestamp: -1)).errorCode == .none)
    }

    @Test func `a topic may have the broker's time`() throws {
        let client = Conversation(configs: ["message.timestamp.type": "LogAppendTime"])
        client.broker.setClock(milliseconds: 5_000, now: client.now)
        client.now += .milliseconds(250)
        let batch = try Conversation.batch(["a", "b"], producer: (7, 0, 3))
        #expect(try client.produce(batch).logAppendTimeMilliseconds == 5_250)
        let records = try client.broker.records(topic: "t", partition: 0)
        #expect(records.map(\.timestamp) == [5_250, 5_250])
        let log = try #require(client.broker.partitionLog(topic: "t", partition: 0))
        #expect(log.batches.map(\.header.baseSequence) == [3])
        try log.batches[0].validateChecksum()
    }

    @Test func `a duplicate is answered with its time`() throws {
        let client = Conversation()
        let batch = try Conversation.batch(["a"], producer: (7, 0, 0), timestamp: 1_234)
        #expect(try client.produce(batch).logAppendTimeMilliseconds == -1)
        #expect(try client.produce(batch).logAppendTimeMilliseconds == 1_234)
    }

    @Test(arguments: ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
    func `a topic may have its own codec`(codec: String) throws {
        let client = Conversation(configs: ["compression.type": codec])
        let values = (0..<100).map { _ in "the same line again" }
        for sent in [Compression.none, .lz4] {
            let batch = try Conversation.batch(values, codec: sent)
            #expect(try client.produce(batch).errorCode == .none)
        }
        let log = try #require(client.broker.partitionLog(topic: "t", partition: 0))
        for batch in log.batches {
            #expect(
                batch.header.compression.map { "\($0)" }
                    == (codec == "uncompressed" ? "none" : codec)
            )
            try batch.validateChecksum()
        }
        #expect(try client.values() == values + values)
    }
}

@Suite struct AgeTests {
    @Test func `records that are older than the topic keeps them go with a check`() throws {
        let client = Conversation(configs: ["retention.ms": "60000"])
        client.broker.setClock(milliseconds: 1_000_000, now: client.now)
        for (value, timestamp) in [("old", 900_000), ("new", 1_290_000), ("late", 1)] {
            let batch = try Conversation.batch([value], timestamp: Int64(timestamp))
            #expect(try client.produce(batch).errorCode == .none)
        }
        client.now += .seconds(299)
        #expect(try client.fetch(committed: false).records == 3)
        // What lies behind a newer batch stays, as in a segment.
        client.now += .seconds(1)
        _ = try client.stableEnd()
        #expect(try client.values() == ["new", "late"])
        let log = try #require(client.broker.partitionLog(topic: "t", partition: 0))
        #expect(log.startOffset == 1 && log.endOffset == 3)
        client.now += .seconds(300)
        _ = try client.stableEnd()
        #expect(try client.values() == [])
        #expect(try client.produce(try Conversation.batch(["x"])).baseOffset == 3)
    }

    @Test func `a compacted topic keeps old records`() throws {
        let client = Conversation(configs: ["retention.ms": "1", "cleanup.policy": "compact"])
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        Array("k".utf8).withUnsafeBytes { _ = builder.append(key: $0, value: nil, timestamp: 1) }
        #expect(try client.produce(builder.seal().buffer).errorCode == .none)
        client.now += .seconds(3600)
        #expect(try client.fetch(committed: false).records == 1)
    }

    @Test func `a producer that writes nothing for a day is forgotten`() throws {
        let client = Conversation()
        #expect(try client.produce(7, sequence: 4) == .at(0))
        client.now += .seconds(24 * 3600 - 1)
        #expect(try client.produce(7, sequence: 4) == .at(0))
        #expect(try client.produce(7, sequence: 9) == .refused(.outOfOrderSequenceNumber))
        // The broker looks every ten minutes.
        client.now += .seconds(1)
        #expect(try client.produce(7, sequence: 9) == .at(1))
        #expect(try client.produce(7, sequence: 10) == .at(2))
    }

    @Test func `a producer's age is that of its records' timestamps`() throws {
        let client = Conversation()
        client.broker.configuration.producerIDExpiration = .seconds(60)
        let old = try Conversation.batch(["a"], producer: (7, 0, 4), timestamp: 1_600_000_000_000)
        #expect(try client.produce(old).baseOffset == 0)
        client.now += .seconds(600)
        #expect(try client.produce(old).baseOffset == 1)
    }

    @Test func `an open transaction keeps its producer known`() throws {
        let client = Conversation()
        client.broker.configuration.producerIDExpiration = .seconds(60)
        let producer = TransactionalProducer(client)
        try producer.initialize(timeout: 900_000)
        _ = try producer.add([0])
        #expect(try producer.produce(0) == .at(0))
        client.now += .seconds(600)
        #expect(try producer.produce(5) == .refused(.outOfOrderSequenceNumber))
        #expect(try producer.produce(1) == .at(1))
    }
}
