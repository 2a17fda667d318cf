import Glibc
import KafkaProtocol
import NIOCore
import Testing

@testable import Kafka

/// A broker that answers anything: numbers out of any range, bytes that were changed, nothing.
///
/// The producer may believe it or close the connection; it may not end the process, nor be busy
/// without end. FORKTAIL_INPUTS says how many answers there are, FORKTAIL_SEED which.
@Suite struct HostileBrokerTests {
    @Test func `whatever a broker answers, the producer goes on`() throws {
        let wanted = variable("FORKTAIL_INPUTS").map { $0 / 4 } ?? 12_000
        var seed = UInt64(variable("FORKTAIL_SEED") ?? 1)
        var answers = 0
        while answers < wanted {
            var talk = try HostileTalk(seed: seed)
            for _ in 0..<150 { try talk.turn() }
            answers += talk.answers
            seed += 1
        }
    }

    @Test func `whatever a broker says in SCRAM, it is not believed`() {
        let wanted = variable("FORKTAIL_INPUTS").map { $0 / 4 } ?? 20_000
        var random = SeededGenerator(seed: UInt64(variable("FORKTAIL_SEED") ?? 1))
        for _ in 0..<wanted {
            var exchange = SASLExchange(
                .scramSHA256(username: "user", password: Secret("pencil")),
                nonce: "abc"
            )
            for _ in 0..<2 {
                _ = try? exchange.received(SASLText.random(using: &random))
                #expect(!exchange.isComplete)
            }
        }
    }

    private func variable(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }
}

/// What looks like a message of SCRAM, more or less.
private enum SASLText {
    private static let parts = [
        "r=abc", "r=abcdef", "s=W22ZaJ0SNY7soEsUEjb6gQ==", "s=", "s=====", "i=4096", "i=0", "i=-1",
        "i=99999999999999999999", "i=2147483647", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        "v=", "e=other-error", "m=x", "=", "", ",", "é=1", "r", "\u{0}=\u{0}", "e\u{301}=1",
    ]

    static func random(using generator: inout SeededGenerator) -> [UInt8] {
        let count = Int.random(in: 0...5, using: &generator)
        let chosen = (0..<count).map { _ in self.parts.randomElement(using: &generator) ?? "" }
        var bytes = Array(chosen.joined(separator: ",").utf8)
        for _ in 0..<Int.random(in: 0...2, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: bytes.indices, using: &generator)
            bytes[place] = UInt8.random(in: 0...255, using: &generator)
        }
        // As many iterations as are allowed would take the whole time.
        return bytes.contains(Array("i=4096".utf8)) && Int.random(in: 0..<50, using: &generator) > 0
            ? Array(bytes.prefix(20)) : bytes
    }
}

/// A producer, its connections, and what the broker makes up.
private struct HostileTalk {
    private(set) var answers = 0
    private var random: SeededGenerator
    private var now = beginning
    private let configuration: KafkaProducerConfiguration
    private var producer: ProducerStateMachine
    private var connections: [BrokerID: ConnectionStateMachine] = [:]
    /// Requests without an answer.
    private var asked: [(broker: BrokerID, frame: ByteBuffer)] = []
    private static let actionLimit = 500

    init(seed: UInt64) throws {
        self.random = SeededGenerator(seed: seed)
        self.configuration = testConfiguration {
            $0.isIdempotenceEnabled = seed % 4 > 0
            $0.maxRequestSize = 2000
            $0.batchSize = 2000
        }
        self.producer = try ProducerStateMachine(configuration: self.configuration, seed: seed)
    }

    /// Lets time pass, writes, and answers what was asked.
    mutating func turn() throws {
        if self.chance(3) {
            let count = Int.random(in: 1...4, using: &self.random)
            let batch = try makeBatch(
                (0..<count).map { "\($0)" },
                topic: self.chance(4) ? "u" : "t",
                partition: .random(in: 0...2, using: &self.random),
                createdAt: self.now
            )
            self.producer.requestMetadata(topics: [batch.topic], now: self.now)
            self.producer.submit([batch], now: self.now)
        }
        self.run()
        if !self.asked.isEmpty {
            let place = Int.random(in: self.asked.indices, using: &self.random)
            let (broker, frame) = self.asked.remove(at: place)
            try self.answer(frame, from: broker)
        }
        self.run()
        if self.chance(6), let broker = self.connections.keys.sorted().first {
            self.close(broker, "it was cut")
        }
        if let due = self.producer.nextDeadline(now: self.now), self.asked.isEmpty || self.chance(8)
        {
            self.now = max(self.now, min(due, self.now + .seconds(60)))
            self.run()
        }
    }

    private mutating func run() {
        for _ in 0..<Self.actionLimit {
            guard let action = self.producer.nextAction(now: self.now) else { return }
            switch action {
            case .connect(let broker, _): self.open(broker)
            case .disconnect(let broker, let reason): self.close(broker, reason)
            case .send(let request, let id, let broker):
                self.connections[broker]?.send(request, id: id, now: self.now)
                self.runConnection(broker)
            default: break
            }
        }
        Issue.record("the producer is busy without end")
    }

    private mutating func open(_ broker: BrokerID) {
        var connection = ConnectionStateMachine(configuration: self.configuration)
        connection.opened(now: self.now)
        self.connections[broker] = connection
        self.runConnection(broker)
    }

    private mutating func close(_ broker: BrokerID, _ reason: String) {
        self.connections[broker] = nil
        self.asked.removeAll { $0.broker == broker }
        self.producer.connectionClosed(broker, reason: reason, now: self.now)
    }

    private mutating func runConnection(_ broker: BrokerID) {
        while let action = self.connections[broker]?.nextAction() {
            switch action {
            case .write(let pieces):
                var frame = ByteBuffer()
                for piece in pieces { frame.writeImmutableBuffer(piece) }
                frame.moveReaderIndex(forwardBy: 4)
                self.asked.append((broker, frame))
            case .ready: self.producer.connected(broker, now: self.now)
            case .answered(let id, let answer):
                self.producer.received(answer, to: id, now: self.now)
            case .close(let reason), .refuse(let reason): self.close(broker, reason)
            case .getCredentials: Issue.record("nobody logs in here")
            }
        }
    }

    // MARK: Answers

    private mutating func answer(_ frame: ByteBuffer, from broker: BrokerID) throws {
        var body = frame
        let header = try RequestHeader(from: &body) { key, version in
            switch key {
            case .produce, .metadata: version >= 9
            case .initProducerID: version >= 2
            case .apiVersions: version >= 3
            default: true
            }
        }
        let pieces: [ByteBuffer]
        switch header.apiKey {
        case .apiVersions: pieces = try self.frame(ApiVersionsRequest.self, self.versions(), header)
        case .metadata: pieces = try self.frame(MetadataRequest.self, self.metadata(), header)
        case .initProducerID:
            pieces = try self.frame(InitProducerIDRequest.self, self.producerID(), header)
        case .produce:
            let request = try ProduceRequest(body: body, version: header.apiVersion)
            pieces = try self.frame(ProduceRequest.self, self.produced(request), header)
        default:
            pieces = try self.frame(DescribeProducersRequest.self, self.producers(), header)
        }
        var whole = ByteBuffer()
        for piece in pieces { whole.writeImmutableBuffer(piece) }
        whole.moveReaderIndex(forwardBy: 4)
        if self.chance(8) { self.damage(&whole) }
        self.answers += 1
        self.connections[broker]?.received(whole, now: self.now)
        self.runConnection(broker)
    }

    private func frame<Request: KafkaRequest>(
        _ type: Request.Type,
        _ response: Request.Response,
        _ header: RequestHeader
    ) throws -> [ByteBuffer] {
        try Request.frame(
            response,
            version: header.apiVersion,
            correlationID: header.correlationID
        )
    }

    private mutating func versions() -> ApiVersionsResponse {
        let keys: [APIKey] = [
            .produce, .metadata, .initProducerID, .apiVersions, .describeProducers,
        ]
        return ApiVersionsResponse(
            errorCode: self.chance(20) ? self.error() : .none,
            apiKeys: keys.filter { _ in !self.chance(40) }.map { key in
                .init(apiKey: key, minVersion: 0, maxVersion: self.chance(20) ? 3 : 20)
            }
        )
    }

    private mutating func metadata() -> MetadataResponse {
        let brokers = (0..<Int.random(in: 0...3, using: &self.random)).map { number in
            MetadataResponse.Broker(
                nodeID: self.chance(10) ? self.number() : Int32(number),
                host: self.chance(10) ? "" : "broker\(number)",
                port: self.chance(10) ? self.number() : 9092
            )
        }
        let topics = ["t", "u", ""].filter { _ in !self.chance(5) }.map { name in
            MetadataResponse.TopicResponse(
                errorCode: self.chance(5) ? self.error() : .none,
                name: self.chance(20) ? nil : name,
                topicID: TopicID(high: 0, low: self.chance(5) ? 1 : 2),
                partitions: (0..<Int32.random(in: 0...4, using: &self.random)).map { index in
                    MetadataResponse.Partition(
                        partitionIndex: self.chance(15) ? self.number() : index,
                        leaderID: self.chance(5) ? self.number() : index % 3,
                        leaderEpoch: self.chance(3) ? self.number() : 5
                    )
                }
            )
        }
        return MetadataResponse(
            throttleTimeMilliseconds: self.chance(10) ? self.number() : 0,
            brokers: brokers,
            topics: topics,
            errorCode: self.chance(10) ? self.error() : .none
        )
    }

    private mutating func producerID() -> InitProducerIDResponse {
        let ids: [Int64] = [0, 1, -1, .max, .min, 4711, 4712]
        let epochs: [Int16] = [0, 1, -1, .max, .max - 1, .min]
        return InitProducerIDResponse(
            errorCode: self.chance(5) ? self.error() : .none,
            producerID: ids.randomElement(using: &self.random) ?? 0,
            producerEpoch: epochs.randomElement(using: &self.random) ?? 0
        )
    }

    private mutating func produced(_ request: ProduceRequest) -> ProduceResponse {
        var response = ProduceResponse()
        for topic in request.topicData where !self.chance(20) {
            var partitions = topic.partitionData.map { self.outcome(of: $0.index) }
            if self.chance(20) { partitions.append(self.outcome(of: self.number())) }
            if self.chance(20) { partitions += partitions }
            response.responses.append(
                .init(name: topic.name, partitionResponses: partitions)
            )
        }
        response.throttleTimeMilliseconds = self.chance(10) ? self.number() : 0
        return response
    }

    private mutating func outcome(of index: Int32) -> ProduceResponse.PartitionResponse {
        var outcome = ProduceResponse.PartitionResponse(index: index)
        outcome.errorCode = self.chance(2) ? self.error() : .none
        // This one ends the producer, and all others with it.
        if outcome.errorCode == .clusterAuthorizationFailed, !self.chance(30) {
            outcome.errorCode = .none
        }
        outcome.baseOffset = [0, 17, -1, .max, .min].randomElement(using: &self.random) ?? 0
        outcome.logAppendTimeMilliseconds =
            [-1, .max, .min].randomElement(using: &self.random) ?? 0
        if self.chance(4) {
            outcome.recordErrors = (0..<Int.random(in: 1...3, using: &self.random)).map { _ in
                .init(batchIndex: self.chance(2) ? self.number() : 0)
            }
        }
        if self.chance(4) {
            outcome.currentLeader = .init(leaderID: self.number(), leaderEpoch: self.number())
        }
        return outcome
    }

    private mutating func producers() -> DescribeProducersResponse {
        let producers = (0..<Int.random(in: 0...3, using: &self.random)).map { _ in
            DescribeProducersResponse.Producer(
                producerID: [0, 1, 4711, 4712, .max].randomElement(using: &self.random) ?? 0,
                producerEpoch: self.number(),
                lastSequence: self.number()
            )
        }
        let partitions = (Int32(0)...2).map { index in
            DescribeProducersResponse.Partition(
                partitionIndex: index,
                errorCode: self.chance(3) ? self.error() : .none,
                activeProducers: producers
            )
        }
        let topics = ["t", "u"].map { name in
            DescribeProducersResponse.Topic(name: name, partitions: partitions)
        }
        return DescribeProducersResponse(topics: topics)
    }

    // MARK: Chance

    private mutating func damage(_ frame: inout ByteBuffer) {
        for _ in 0..<Int.random(in: 1...3, using: &self.random) {
            let place = Int.random(in: 4...max(4, frame.writerIndex - 1), using: &self.random)
            guard place < frame.writerIndex else { continue }
            frame.setInteger(UInt8.random(in: 0...255, using: &self.random), at: place)
        }
        if self.chance(4) {
            let length = Int.random(in: 0...frame.readableBytes, using: &self.random)
            frame = frame.getSlice(at: frame.readerIndex, length: length) ?? frame
        }
    }

    private mutating func error() -> KafkaError {
        KafkaError(rawValue: .random(in: -2...133, using: &self.random))
    }

    private mutating func number() -> Int32 {
        let numbers: [Int32] = [0, 1, 2, 3, -1, -2, .max, .min, .max - 1, 100]
        return numbers.randomElement(using: &self.random) ?? 0
    }

    private mutating func chance(_ times: Int) -> Bool {
        Int.random(in: 0..<times, using: &self.random) == 0
    }
}
