import KafkaProtocol
import Synchronization
import Testing

@testable import Kafka
@testable import Shipping

private let beginning = ContinuousClock.now

struct ProduceWorkerTests {
    @Test func `lines are sent in order, and it ends when all is acknowledged`() {
        let talk = Talk()
        talk.topicIsKnown()
        talk.input("one\ntw")
        talk.input("o\nthree")
        talk.worker.inputEnded(now: talk.now)
        #expect(talk.sink.values == ["one", "two", "three"])
        #expect(!talk.worker.isDone)
        talk.acknowledge(from: 40)
        #expect(talk.worker.isDone)
        #expect(talk.worker.report.summary == "3 records read = 3 acknowledged")
        #expect(talk.worker.report.status == .success)
    }

    @Test func `each receipt is a line with partition and offset`() {
        let talk = Talk { $0.showsReceipts = true }
        talk.topicIsKnown()
        talk.input("one\ntwo\n")
        talk.worker.inputEnded(now: talk.now)
        #expect(talk.worker.takeData() == "")
        talk.acknowledge(from: 40)
        #expect(
            talk.worker.takeData() == """
                line 1: t partition 0 offset 40
                line 2: t partition 0 offset 41

                """
        )
    }

    @Test func `lines of several files are told apart`() {
        let talk = Talk {
            $0.inputs = ["a.txt", "b.txt"]
            $0.showsReceipts = true
        }
        talk.topicIsKnown()
        talk.input("one")
        #expect(talk.worker.currentInput == 0)
        talk.worker.inputEnded(now: talk.now)
        #expect(talk.worker.currentInput == 1)
        talk.input("two\n")
        talk.worker.inputEnded(now: talk.now)
        talk.acknowledge(from: 7)
        #expect(
            talk.worker.takeData() == """
                a.txt:1: t partition 0 offset 7
                b.txt:1: t partition 0 offset 8

                """
        )
    }

    @Test func `a line without a separator ends the reading, and those before it are sent`() {
        let talk = Talk { $0.format.parsesKey = true }
        talk.topicIsKnown()
        talk.input("1\tone\nno key\n3\tthree\n")
        #expect(talk.sink.values == ["one"])
        #expect(!talk.worker.wantsInput)
        talk.acknowledge(from: 0)
        #expect(talk.worker.isDone)
        #expect(
            talk.worker.takeTalk() == "forktail: line 2: no tab after the key (--key-separator)\n"
        )
        #expect(talk.worker.report.summary == "2 records read = 1 acknowledged + 1 failed")
        #expect(talk.worker.report.status == .dataError)
    }

    @Test func `a record that is too large is named by its line, and the others go on`() {
        let talk = Talk(["max.request.size": "1024", "batch.size": "1024"])
        talk.topicIsKnown()
        talk.input("one\n" + String(repeating: "x", count: 1000) + "\n")
        talk.input(String(repeating: "y", count: 5000) + "\nfour\n")
        talk.worker.inputEnded(now: talk.now)
        #expect(talk.sink.values == ["one", "four"])
        talk.acknowledge(from: 0)
        #expect(
            talk.worker.takeTalk() == """
                forktail: line 2: a record of 1102 bytes is over the limit of 1024 \
                (max.request.size, or the topic's max.message.bytes)
                forktail: line 3: longer than max.request.size (1024)

                """
        )
        #expect(talk.worker.report.summary == "4 records read = 2 acknowledged + 2 failed")
        #expect(talk.worker.report.status == .dataError)
    }

    @Test func `what the broker refuses is named by its line`() {
        let talk = Talk()
        talk.topicIsKnown()
        talk.input("one\ntwo\n")
        talk.worker.inputEnded(now: talk.now)
        talk.settle(.failed(.refused(code: 29, name: "TOPIC_AUTHORIZATION_FAILED", message: nil)))
        #expect(
            talk.worker.takeTalk().hasPrefix(
                "forktail: line 1: the broker refused it: TOPIC_AUTHORIZATION_FAILED (29)\n"
            )
        )
        #expect(talk.worker.report.status == .noPermission)
        #expect(talk.worker.report.failed == 2)
    }

    @Test func `only the first failures are told one by one`() {
        let talk = Talk()
        talk.topicIsKnown()
        talk.input(String(repeating: "x\n", count: 100))
        talk.worker.inputEnded(now: talk.now)
        talk.settle(.failed(.deliveryTimedOut))
        let lines = talk.worker.takeTalk().split(separator: "\n")
        #expect(lines.count == ProduceWorker.failureTextLimit + 1)
        #expect(talk.worker.report.failed == 100)
        #expect(talk.worker.report.status == .unavailable)
    }

    @Test func `a topic that brokers do not make is waited for as long as making one takes`() {
        let talk = Talk()
        talk.topicIsKnown(error: .unknownTopicOrPartition)
        talk.input("one\n")
        talk.pass(ProduceWorker.topicCreationTime - .milliseconds(1))
        #expect(!talk.worker.isDone)
        #expect(talk.worker.nextDeadline == beginning + ProduceWorker.topicCreationTime)
        talk.pass(.milliseconds(1))
        #expect(talk.worker.isDone)
        #expect(talk.worker.report.status == .configuration)
        #expect(talk.worker.report.gaveUp?.reason.contains("\"t\" does not exist") == true)
        #expect(
            talk.worker.report.summary == "1 record read = 0 acknowledged + 1 not acknowledged"
        )
    }

    @Test func `where no topic may be made a missing one is told at once`() {
        let talk = Talk(["allow.auto.create.topics": "false"])
        talk.topicIsKnown(error: .unknownTopicOrPartition)
        #expect(talk.worker.report.gaveUp?.status == .configuration)
    }

    @Test func `a topic that is made meanwhile is written to`() {
        let talk = Talk()
        talk.topicIsKnown(error: .unknownTopicOrPartition)
        talk.input("one\n")
        talk.worker.inputEnded(now: talk.now)
        talk.pass(.seconds(4))
        talk.topicIsKnown()
        #expect(talk.sink.values == ["one"])
        talk.pass(.seconds(4))
        talk.acknowledge(from: 0)
        #expect(talk.worker.report.status == .success)
    }

    @Test func `a partition that the topic does not have is told before anything is sent`() {
        let talk = Talk { $0.partition = 4 }
        talk.topicIsKnown(partitions: 4)
        #expect(
            talk.worker.report.gaveUp?.reason
                == "topic \"t\" has no partition 4: it has 4, from 0 to 3"
        )
        #expect(talk.worker.report.status == .usage)
    }

    @Test func `no name for a topic is told at once`() {
        let talk = Talk { $0.topic = "a b" }
        #expect(talk.worker.report.gaveUp?.status == .usage)
        #expect(talk.worker.isDone)
    }

    @Test func `without news from Kafka it gives up, and says what the trouble was`() {
        let talk = Talk()
        talk.topicIsKnown()
        talk.pass(.seconds(60))
        #expect(!talk.worker.isDone, "nothing is owed")
        talk.input("one\n")
        talk.worker.inputEnded(now: talk.now)
        talk.pass(.seconds(29))
        #expect(!talk.worker.isDone)
        talk.pass(.seconds(1))
        #expect(
            talk.worker.report.gaveUp?.reason
                == "no acknowledgement for 30 s (--timeout); the last trouble: broker 1 is away"
        )
        #expect(talk.worker.report.status == .unavailable)
    }

    @Test func `each acknowledgement is news`() {
        let talk = Talk()
        talk.topicIsKnown()
        talk.input("one\n")
        talk.pass(.seconds(20))
        let first = talk.sink.takeBatches()
        talk.input("two\n")
        talk.pass(.seconds(9))
        talk.settle(.acknowledged(baseOffset: 0, timestamp: -1), of: first)
        talk.pass(.seconds(29))
        #expect(!talk.worker.isDone)
        talk.pass(.seconds(1))
        #expect(talk.worker.report.gaveUp?.status == .unavailable)
    }

    @Test func `a stop sends the whole lines that were read`() {
        let talk = Talk()
        talk.topicIsKnown()
        talk.input("one\ntwo\nthr")
        talk.worker.step([.stop], now: talk.now)
        #expect(talk.sink.values == ["one", "two"])
        #expect(!talk.worker.wantsInput)
        talk.acknowledge(from: 0)
        #expect(talk.worker.isDone)
        #expect(talk.worker.report.status == .temporary)
        #expect(talk.worker.report.summary == "2 records read = 2 acknowledged")
    }

    @Test func `an abort says how many are not acknowledged`() {
        let talk = Talk()
        talk.input("one\ntwo\nthree\n")
        talk.worker.step([.abort], now: talk.now)
        #expect(talk.worker.isDone)
        #expect(talk.sink.values == [])
        #expect(
            talk.worker.report.summary == "3 records read = 0 acknowledged + 3 not acknowledged"
        )
    }

    @Test func `no more is read while memory is spent`() {
        let properties = [
            "buffer.memory": "65536", "batch.size": "65536", "max.request.size": "65536",
        ]
        let talk = Talk(properties)
        talk.topicIsKnown()
        let line = String(repeating: "x", count: 40_000) + "\n"
        talk.input(line + line)
        talk.pass(.seconds(1))
        #expect(talk.sink.values.count == 1)
        #expect(!talk.worker.wantsInput)
        talk.acknowledge(from: 0)
        talk.worker.step([.memoryReturned], now: talk.now)
        #expect(talk.worker.wantsInput)
        talk.pass(.seconds(1))
        #expect(talk.sink.values.count == 2)
    }

    @Test func `input that breaks off ends with what was read`() {
        let talk = Talk()
        talk.topicIsKnown()
        talk.input("one\n")
        talk.worker.inputFailed("Input/output error", now: talk.now)
        talk.acknowledge(from: 0)
        #expect(talk.worker.isDone)
        #expect(
            talk.worker.takeTalk()
                == "forktail: standard input: cannot be read: Input/output error\n"
        )
        #expect(talk.worker.report.status == .noInput)
        #expect(talk.worker.report.summary == "1 record read = 1 acknowledged")
    }

    @Test func `receipts that cannot be written end it`() {
        let talk = Talk { $0.showsReceipts = true }
        talk.topicIsKnown()
        talk.input("one\n")
        talk.worker.outputFailed("cannot write to standard output: No space left on device")
        #expect(talk.worker.isDone)
        #expect(talk.worker.report.status == .outputFailed)
    }

    @Test func `the last receipt that cannot be written is told as well`() {
        let talk = Talk { $0.showsReceipts = true }
        talk.topicIsKnown()
        talk.input("one\n")
        talk.worker.inputEnded(now: talk.now)
        talk.acknowledge(from: 0)
        #expect(talk.worker.isDone)
        talk.worker.outputFailed("cannot write to standard output: No space left on device")
        #expect(talk.worker.report.status == .outputFailed)
    }

    @Test func `input without a line still asks for the topic`() {
        let talk = Talk()
        talk.worker.inputEnded(now: talk.now)
        #expect(talk.sink.askedFor == ["t"])
        #expect(!talk.worker.isDone)
        talk.topicIsKnown()
        #expect(talk.worker.isDone)
        #expect(talk.worker.report.status == .success)
    }
}

/// A worker, its time, and what it hands on.
private final class Talk {
    let worker: ProduceWorker
    let sink = Sink()
    let topic: String
    var now = beginning
    private var acknowledged: Int64 = 0

    init(
        _ properties: [String: String] = [:],
        _ change: (inout ProduceWorker.Settings) -> Void = { _ in }
    ) {
        var settings = ProduceWorker.Settings(topic: "t")
        change(&settings)
        topic = settings.topic
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["broker1:9092"])
        for (name, value) in properties {
            #expect(throws: Never.self) { try configuration.set(name, to: value) }
        }
        worker = ProduceWorker(
            settings: settings,
            configuration: configuration,
            pool: BufferPool(configuration: configuration),
            listener: Silence(),
            sink: sink,
            onMemory: {},
            wallClock: { 1_700_000_000_000 },
            trouble: { "broker 1 is away" }
        )
        worker.start(now: now)
    }

    func topicIsKnown(partitions: Int = 1, error: KafkaError? = nil) {
        let known = TopicMetadata.Partition(leaderID: 1)
        let metadata = TopicMetadata(
            name: topic,
            error: error,
            partitions: error == nil ? Array(repeating: known, count: partitions) : []
        )
        worker.step([.metadataChanged(metadata)], now: now)
    }

    func input(_ text: String) {
        worker.received(text.utf8, now: now)
    }

    func pass(_ duration: Duration) {
        now += duration
        worker.step([], now: now)
    }

    func acknowledge(from offset: Int64) {
        settle(.acknowledged(baseOffset: offset, timestamp: -1))
    }

    func settle(_ result: Delivery.Result, of batches: [ProducerBatch]? = nil) {
        let batches = batches ?? sink.takeBatches()
        for batch in batches { batch.release() }
        let deliveries = batches.map { Delivery(batch: $0, result: result) }
        worker.step([.delivered(deliveries)], now: now)
    }
}

private final class Silence: DeliveryListener {
    func deliver(_ deliveries: [Delivery]) {}
    func metadataChanged(_ metadata: TopicMetadata) {}
}

/// What was handed to the producer.
private final class Sink: BatchSink {
    private struct State {
        var batches: [ProducerBatch] = []
        var values: [String] = []
        var topics: [String] = []
    }

    private let state = Mutex(State())

    var values: [String] { state.withLock { $0.values } }
    var askedFor: [String] { state.withLock { $0.topics } }

    func takeBatches() -> [ProducerBatch] {
        state.withLock { state in
            defer { state.batches = [] }
            return state.batches
        }
    }

    func submit(_ batches: [ProducerBatch], for listener: any DeliveryListener) {
        state.withLock { state in
            state.batches += batches
            for batch in batches { state.values += values(of: batch) }
        }
    }

    func requestMetadata(topics: [String]) {
        state.withLock { $0.topics += topics }
    }

    private func values(of batch: ProducerBatch) -> [String] {
        var values: [String] = []
        guard var bytes = batch.sealed?.buffer else { return [] }
        #expect(throws: Never.self) {
            let records = try RecordBatch(from: &bytes)
            try records?.forEachRecord(limit: 1 << 20) { span in
                values.append(span.value.map { String(decoding: $0, as: UTF8.self) } ?? "null")
            }
        }
        return values
    }
}
