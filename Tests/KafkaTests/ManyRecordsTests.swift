import KafkaDevBroker
import KafkaProtocol
import Synchronization
import Testing

@testable import Kafka

/// Records that are taken together, and who is told of them.
@Suite struct ManyRecordsTests {
    @Test func `of records taken together each is told by its place`() async throws {
        try await KafkaProducerTests.withProducer { producer, broker in
            try await broker.createTopic("t", partitions: 3)
            let offsets = Mutex<[Int: [Int64]]>([:])
            for call in 0..<2 {
                // More than are taken under one lock.
                let records = (0..<500).map { number in
                    let value = "\(call * 500 + number)"
                    return KafkaProducerRecord(
                        topic: "t",
                        partition: Int32(number % 3),
                        value: value
                    )
                }
                producer.enqueue(contentsOf: records) { place, result in
                    let number = call * 500 + place
                    let offset = (try? result.get().offset) ?? -1
                    offsets.withLock { $0[number, default: []].append(offset) }
                }
            }
            await producer.flush()
            let told = offsets.withLock { $0 }
            #expect(told.count == 1000)
            for partition in 0..<3 {
                for record in try await broker.records(topic: "t", partition: partition) {
                    let value = String(decoding: record.value ?? [], as: UTF8.self)
                    #expect(told[Int(value) ?? -1] == [record.offset])
                }
            }
        }
    }

    @Test func `what became of each record is returned in their order`() async throws {
        try await KafkaProducerTests.withProducer { producer, broker in
            try await broker.createTopic("t", partitions: 1)
            var records = (0..<300).map { KafkaProducerRecord(topic: "t", value: "\($0)") }
            records[7].partition = 5
            let answers = try await producer.send(contentsOf: records)
            let invalid = KafkaProducerError.invalidPartition(topic: "t", partition: 5)
            #expect(answers[7] == .failure(invalid))
            let offsets = answers.compactMap { try? $0.get().offset }
            #expect(offsets == Array(0..<299))
            let expected = Array(0..<7) + Array(8..<300)
            #expect(try await KafkaProducerTests.numbers(in: broker) == expected)
            #expect(try await producer.send(contentsOf: []).isEmpty)
        }
    }

    @Test func `records sent together wait for room`() async throws {
        let properties = ["buffer.memory": "65536", "max.request.size": "65536"]
        try await KafkaProducerTests.withProducer(properties) { producer, broker in
            let value = String(repeating: "x", count: 5000)
            let records = Array(
                repeating: KafkaProducerRecord(topic: "t", value: value),
                count: 200
            )
            let answers = try await producer.send(contentsOf: records)
            #expect(answers.map { try? $0.get().offset } == Array(0..<200))
        }
    }

    @Test func `records sent together are taken back while they wait`() async throws {
        let broker = DevBroker()
        let port = try await broker.start()
        try await broker.pause()
        try await KafkaProducerTests.withProducer(port: port) { producer in
            let records = ["a", "b", "a"].map { KafkaProducerRecord(topic: $0, value: "v") }
            let task = Task { try await producer.send(contentsOf: records) }
            task.cancel()
            let answers = try await task.value
            #expect(answers == Array(repeating: .failure(.cancelled), count: 3))
        }
        await broker.stop()
    }

    @Test func `a task that was cancelled before sends nothing`() async throws {
        try await KafkaProducerTests.withProducer { producer, broker in
            try await broker.createTopic("t", partitions: 1)
            _ = try await producer.send(KafkaProducerRecord(topic: "t", value: "0"))
            let record = KafkaProducerRecord(topic: "t", value: "1")
            let single = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                _ = try await producer.send(record)
            }
            let error = await #expect(throws: KafkaProducerError.self) { try await single.value }
            #expect(error == .cancelled)
            let many = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await producer.send(contentsOf: [record, record])
            }
            let answers = try await many.value
            #expect(answers == Array(repeating: .failure(.cancelled), count: 2))
            #expect(try await KafkaProducerTests.numbers(in: broker) == [0])
        }
    }

    @Test func `where no producer could be made, each record is told why`() async throws {
        let configuration = KafkaProducerConfiguration(bootstrapServers: [])
        let producer = KafkaProducer(configuration: configuration)
        let places = Mutex<[Int]>([])
        let records = ["a", "b"].map { KafkaProducerRecord(topic: $0, value: "v") }
        producer.enqueue(contentsOf: records) { place, result in
            if case .failure(.configuration) = result { places.withLock { $0.append(place) } }
        }
        #expect(places.withLock { $0 } == [0, 1])
        await #expect(throws: KafkaProducerError.self) {
            try await producer.send(contentsOf: records)
        }
    }

    @Test func `a task and completions that share a batch are each told of their own`()
        async throws
    {
        try await KafkaProducerTests.withProducer(["linger.ms": "20"]) { producer, broker in
            try await broker.createTopic("t", partitions: 1)
            _ = try await producer.send(KafkaProducerRecord(topic: "t", value: "0"))
            let before = KafkaProducerTests.Told()
            let after = KafkaProducerTests.Told()
            let (first, second) = (before.completion, after.completion)
            for number in 1..<4 {
                let record = KafkaProducerRecord(topic: "t", value: "\(number)")
                producer.enqueue(record, onCompletion: first)
            }
            async let sent = producer.send(KafkaProducerRecord(topic: "t", value: "x"))
            let metadata = try await sent
            for number in 5..<8 {
                let record = KafkaProducerRecord(topic: "t", value: "\(number)")
                producer.enqueue(record, onCompletion: second)
                producer.enqueue(record, onCompletion: first)
            }
            await producer.flush()
            #expect(before.offsets == [1, 2, 3, 6, 8, 10])
            #expect(metadata.offset == 4)
            #expect(after.offsets == [5, 7, 9])
        }
    }
}

/// Who waits for the records of a batch, without a producer.
@Suite struct BatchCompletionsTests {
    private static func batch(_ waiters: [(RecordWaiter, timestamp: Int64)]) throws -> ProducerBatch
    {
        let lane = Lane()
        for (number, (waiter, timestamp)) in waiters.enumerated() {
            let result = appendRecord(
                KafkaProducerRecord(topic: "t", value: "v\(number)"),
                lane.topic,
                timestamp,
                position: Int64(10 + number),
                waiter: waiter,
                now: lane.now,
                to: lane.accumulator
            )
            #expect(result == .appended)
        }
        lane.accumulator.flush()
        return try #require(lane.drain().first)
    }

    private static func runs(of batch: ProducerBatch) -> [(records: Range<Int>, firstID: Int64)] {
        var runs: [(Range<Int>, Int64)] = []
        batch.completions.forEachRun(of: batch) { runs.append(($0, $1.firstID)) }
        return runs
    }

    @Test func `records in a row with one completion are noted together`() throws {
        let told = KafkaProducerTests.Told(), other = KafkaProducerTests.Told()
        let completion = RecordWaiter.completion(told.completion)
        let batch = try Self.batch([
            (completion, 1), (completion, 1), (.completion(other.completion), 1),
            (completion, 1), (completion, 2), (completion, 2),
        ])
        let runs = Self.runs(of: batch)
        #expect(runs.map(\.records) == [0..<2, 2..<3, 3..<4, 4..<6])
        #expect(runs.map(\.firstID) == [10, 12, 13, 14])
        batch.release()
    }

    @Test func `one completion of two calls is told the places of each`() throws {
        let places = Mutex<[Int]>([])
        let completion: KafkaProducer.NumberedCompletion = { place, _ in
            places.withLock { $0.append(place) }
        }
        let batch = try Self.batch([
            (.each(completion, firstID: 10), 1), (.each(completion, firstID: 10), 1),
            (.each(completion, firstID: 12), 1), (.each(completion, firstID: 12), 1),
        ])
        batch.completions.forEachRun(of: batch) { records, run in
            for record in records {
                run.waiter.tell(.failure(.purged), id: batch.position(ofRecord: record))
            }
        }
        #expect(places.withLock { $0 } == [0, 1, 0, 1])
        batch.release()
    }

    @Test func `a piece of a batch finds who waits for its records`() throws {
        let told = KafkaProducerTests.Told(), other = KafkaProducerTests.Told()
        let first = RecordWaiter.completion(told.completion)
        let second = RecordWaiter.completion(other.completion)
        let batch = try Self.batch((0..<6).map { ($0 < 4 ? first : second, 1) })
        let piece = try #require(batch.piece(records: [1, 3, 4]))
        let runs = Self.runs(of: piece)
        #expect(runs.map(\.records) == [0..<1, 1..<2, 2..<3])
        #expect(runs.map(\.firstID) == [10, 10, 14])
        batch.release()
    }
}
