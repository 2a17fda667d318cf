import KafkaProtocol
import NIOCore
import Synchronization
import Testing

@testable import Kafka

/// An accumulator over a pool of its own, with topic `t` known.
final class Lane {
    let pool: BufferPool
    let accumulator: RecordAccumulator
    let topic: TopicIndex
    var now = beginning

    init(
        partitions: Int = 1,
        memory: Int = 65_536,
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
    ) {
        let configuration = testConfiguration { configuration in
            configuration.batchSize = 4096
            configuration.bufferMemory = memory
            configuration.maxRequestSize = min(memory, 32_768)
            change(&configuration)
        }
        self.pool = BufferPool(configuration: configuration)
        self.accumulator = RecordAccumulator(
            configuration: configuration,
            pool: self.pool,
            seed: 11
        )
        self.topic = index(of: "t", in: self.accumulator)
        let leaders = Array(repeating: TopicMetadata.Partition(leaderID: 1), count: partitions)
        self.accumulator.update(metadata: TopicMetadata(name: "t", partitions: leaders))
    }

    func append(
        _ value: String = "v",
        key: String? = nil,
        partition: Int32? = nil,
        position: Int64 = 0
    ) -> AppendResult {
        let record = KafkaProducerRecord(
            topic: "t",
            partition: partition,
            key: key,
            value: value
        )
        return appendRecord(
            record,
            self.topic,
            1000,
            position: position,
            now: self.now,
            to: self.accumulator
        )
    }

    func fill(_ count: Int, size: Int = 1000) {
        for _ in 0..<count { _ = self.append(String(repeating: "x", count: size)) }
    }

    /// Appends a record of file `source` that says where it is from.
    func append(
        _ value: String = "v",
        key: String? = nil,
        source: UInt64,
        at position: Int64,
        isAnswer: Bool = false
    ) -> AppendResult {
        withBytes(of: key) { key in
            withBytes(of: value) { value in
                withBytes(of: "5f3a/\(source)/0/") { prefix in
                    self.accumulator.append(
                        topic: self.topic,
                        partition: nil,
                        key: key,
                        value: value,
                        headers: .init(start: nil, count: 0),
                        timestamp: 1000,
                        origin: RecordOrigin(
                            owner: source,
                            position: position,
                            isAnswer: isAnswer,
                            header: prefix.map { PositionHeader(source: source, prefix: $0) }
                        ),
                        now: self.now
                    )
                }
            }
        }
    }

    func flushed() throws -> ProducerBatch {
        self.accumulator.flush()
        return try #require(self.drain().first)
    }

    func drain() -> [ProducerBatch] {
        var batches: [ProducerBatch] = []
        while let batch = self.accumulator.nextReady(now: self.now) { batches.append(batch) }
        return batches
    }
}

func withBytes<Result>(
    of text: String?,
    _ body: (UnsafeRawBufferPointer?) -> Result
) -> Result {
    guard let text else { return body(nil) }
    return Array(text.utf8).withUnsafeBytes { body($0) }
}

/// What each record of a batch says of where it is from.
func positionHeaders(of batch: ProducerBatch) throws -> [String?] {
    var bytes = try #require(batch.sealed?.buffer)
    return try #require(try RecordBatch(from: &bytes)).records().map { record in
        let header = record.headers.first { $0.name == "forktail.position" }
        return header?.value.map { String(decoding: $0, as: UTF8.self) }
    }
}

func index(of topic: String, in accumulator: RecordAccumulator) -> TopicIndex {
    var name = topic
    return name.withUTF8 { accumulator.topicIndex(UnsafeRawBufferPointer($0)) }
}

@Suite struct RecordAccumulatorTests {
    @Test func `a full batch is ready at once, the rest when it has lingered`() throws {
        let lane = Lane()
        lane.fill(5)
        #expect(lane.drain().map(\.recordCount) == [3])
        #expect(lane.accumulator.nextDeadline == beginning + .milliseconds(5))
        lane.now += .milliseconds(5)
        #expect(lane.drain().map(\.recordCount) == [2])
        #expect(!lane.accumulator.hasOpenBatches)
        #expect(lane.accumulator.nextDeadline == nil)
    }

    @Test func `what it seals reads back as it was appended`() throws {
        for type in KafkaProducerConfiguration.CompressionType.allCases {
            let lane = Lane { $0.compressionType = type }
            for number in 0..<20 {
                let value = String(repeating: "line \(number) ", count: 10)
                #expect(lane.append(value, key: "k\(number)", position: Int64(number)) == .appended)
            }
            lane.accumulator.flush()
            let batch = try #require(lane.drain().first)
            var bytes = try #require(batch.sealed?.buffer)
            let read = try #require(try RecordBatch(from: &bytes))
            try read.validateChecksum()
            let records = try read.records()
            #expect(records.map(\.key) == (0..<20).map { "k\($0)".kafkaBytes })
            #expect(read.header.compression?.rawValue != nil)
            #expect((type == .none) == (read.header.compression == Compression.none))
            batch.release()
            #expect(lane.pool.availableBytes == lane.pool.memory)
        }
    }

    @Test func `a batch is filled in the memory that the one before gave back`() throws {
        let lane = Lane()
        var addresses: Set<UnsafeRawPointer?> = []
        for _ in 0..<5 {
            lane.fill(3)
            lane.accumulator.flush()
            let batch = try #require(lane.drain().first)
            addresses.insert(batch.sealed?.buffer.withVeryUnsafeBytes { $0.baseAddress })
            batch.release()
        }
        #expect(addresses.count == 1)
    }

    @Test func `a record larger than a batch has a batch of its own`() throws {
        let lane = Lane()
        #expect(lane.append(String(repeating: "x", count: 9000)) == .appended)
        lane.accumulator.flush()
        #expect(lane.drain().map(\.recordCount) == [1])
    }

    @Test func `a record over max request size is refused with its size`() throws {
        let lane = Lane()
        let result = lane.append(String(repeating: "x", count: 40_000))
        guard case .tooLarge(let size, let limit) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(size > 40_000)
        #expect(limit == 32_768)
    }

    @Test func `batches fit what the topic takes, once that is known`() throws {
        let lane = Lane()
        let partitions = [TopicMetadata.Partition(leaderID: 1)]
        lane.accumulator.update(
            metadata: TopicMetadata(name: "t", partitions: partitions, maxMessageBytes: 2500)
        )
        lane.fill(4)
        lane.accumulator.flush()
        #expect(lane.drain().map(\.recordCount) == [2, 2])
        let result = lane.append(String(repeating: "x", count: 2500))
        #expect(result == .tooLarge(size: 2561, limit: 2500))
    }

    @Test func `a record over the topic's limit is sent where compression may make it fit`() throws
    {
        let lane = Lane { $0.compressionType = .zstd }
        let partitions = [TopicMetadata.Partition(leaderID: 1)]
        lane.accumulator.update(
            metadata: TopicMetadata(name: "t", partitions: partitions, maxMessageBytes: 2500)
        )
        #expect(lane.append(String(repeating: "x", count: 2600)) == .appended)
        lane.accumulator.flush()
        #expect(try #require(lane.drain().first).byteCount < 2500)
    }

    @Test func `who waits for a batch is told when the oldest has lingered, not later`() throws {
        let lane = Lane(partitions: 3)
        for partition in 0..<3 {
            #expect(lane.append(partition: Int32(partition)) == .appended)
            lane.now += .milliseconds(2)
        }
        #expect(lane.accumulator.nextDeadline == beginning + .milliseconds(5))
        #expect(lane.drain().map(\.partition) == [0])
        #expect(lane.accumulator.nextDeadline == beginning + .milliseconds(7))
    }

    @Test func `spent memory gives out what is open, and takes records again after a receipt`()
        throws
    {
        let lane = Lane(partitions: 4, memory: 8192) { $0.maxRequestSize = 4096 }
        #expect(lane.append(partition: 0) == .appended)
        #expect(lane.append(partition: 1) == .appended)
        #expect(lane.append(partition: 2) == .bufferFull)
        let batches = lane.drain()
        #expect(batches.map(\.partition) == [0, 1])
        #expect(lane.append(partition: 2) == .bufferFull)
        batches[0].release()
        #expect(lane.append(partition: 2) == .appended)
    }

    @Test func `a flush does not wait for records that come after it`() throws {
        let lane = Lane(partitions: 2)
        _ = lane.append(partition: 0)
        lane.accumulator.flush()
        _ = lane.append(partition: 1)
        #expect(lane.drain().map(\.partition) == [0])
        #expect(lane.accumulator.hasOpenBatches)
    }

    @Test func `runs tell whose the records are and where each is`() throws {
        let lane = Lane()
        for (owner, position) in [(1, 5), (1, 9), (2, 0), (1, 20), (1, 3)] {
            _ = lane.append(position: Int64(position * 10 + owner))
        }
        lane.accumulator.flush()
        let batch = try #require(lane.drain().first)
        #expect((0..<5).map { batch.position(ofRecord: $0) } == [51, 91, 2, 201, 31])
        #expect(batch.runs.map(\.count) == [2, 2, 1])
    }

    @Test func `a key goes where Java's producer sends it`() throws {
        let lane = Lane(partitions: 10)
        for (key, partition) in [("21", 0), ("foobar", 6), ("kafka", 0), ("a", 4)] {
            #expect(lane.append(key: key) == .appended)
            lane.accumulator.flush()
            #expect(lane.drain().map(\.partition) == [Int32(partition)], "\(key)")
        }
    }

    @Test func `topics are ready, unknown or wrong`() throws {
        let lane = Lane()
        #expect(lane.accumulator.isReady(lane.topic) == .ready)
        let other = index(of: "other", in: lane.accumulator)
        #expect(lane.accumulator.isReady(other) == .needsMetadata)
        for name in ["", ".", "..", "a b", String(repeating: "x", count: 250)] {
            let topic = index(of: name, in: lane.accumulator)
            #expect(lane.accumulator.isReady(topic) == .failed(.invalidTopicException))
        }
        #expect(lane.append(partition: 7) == .invalidPartition)
        #expect(index(of: "t", in: lane.accumulator) == lane.topic)
    }
}

@Suite struct StickyPartitionerTests {
    @Test func `it stays until a batch is full, and leaves by twice its size at the latest`() {
        var sticky = StickyPartitioner(batchSize: 100, isAdaptive: true, seed: 3)
        var chosen: Set<Int32> = []
        for _ in 0..<50 {
            let first = sticky.partition(queued: { _ in 0 }, count: 8)
            sticky.produced(150, batchIsFull: false)
            #expect(sticky.partition(queued: { _ in 0 }, count: 8) == first)
            sticky.produced(0, batchIsFull: true)
            chosen.insert(sticky.partition(queued: { _ in 0 }, count: 8))
            sticky.produced(200, batchIsFull: false)
        }
        #expect(chosen.count > 4)
    }

    @Test func `who is pinned stays among some partitions, also when a batch is full`() throws {
        let lane = Lane(partitions: 4)
        lane.accumulator.pin(lane.topic) { $0 == 2 }
        lane.fill(20)
        lane.accumulator.pin(lane.topic) { $0 >= 2 }
        lane.fill(1)
        lane.accumulator.unpin(lane.topic)
        lane.accumulator.flush()
        var partitions: [Int32] = []
        while let batch = lane.accumulator.nextReady(now: lane.now) {
            partitions.append(batch.partition)
            #expect(Set(batch.runs.map(\.routing)).count == 1)
        }
        #expect(partitions.count > 4)
        #expect(Set(partitions) == [2])
    }

    @Test func `a partition without a leader is not chosen, a busy one seldom`() {
        let queued: [Int?] = [0, 3, 1, nil]
        var sticky = StickyPartitioner(batchSize: 1, isAdaptive: true, seed: 5)
        var counts = [0, 0, 0, 0]
        for _ in 0..<8000 {
            counts[Int(sticky.partition(queued: { queued[Int($0)] }, count: 4))] += 1
            sticky.leave()
        }
        // 4 : 1 : 3 of 8,000, give or take a few.
        #expect((3800...4200).contains(counts[0]))
        #expect((850...1150).contains(counts[1]))
        #expect((2800...3200).contains(counts[2]))
        #expect(counts[3] == 0)
    }
}

@Suite struct BufferPoolTests {
    @Test func `who waits longest is first, and small takers leave enough for a large one`() throws
    {
        let pool = BufferPool(memory: 4096, bufferSize: 1024)
        let calls = Mutex<[String]>([])
        let large = pool.makeTaker { calls.withLock { $0.append("large") } }
        let small = pool.makeTaker { calls.withLock { $0.append("small") } }
        let buffers = try (0..<4).map { _ in
            try #require(pool.take(size: 10, for: small, now: beginning))
        }
        #expect(pool.take(size: 2048, for: large, now: beginning) == nil)
        #expect(pool.take(size: 10, for: small, now: beginning) == nil)
        pool.put(buffers[0])
        #expect(calls.withLock { $0 } == [])
        #expect(pool.take(size: 10, for: small, now: beginning) == nil)
        pool.put(buffers[1])
        #expect(calls.withLock { $0 } == ["large"])
        #expect(pool.take(size: 2048, for: large, now: beginning)?.charge == 2048)
        pool.put(buffers[2])
        #expect(calls.withLock { $0 } == ["large", "small"])
        #expect(pool.take(size: 10, for: small, now: beginning) != nil)
        #expect(pool.waiterCount == 0)
    }

    @Test func `who takes less meanwhile still waits for more`() throws {
        let pool = BufferPool(memory: 4096, bufferSize: 1024)
        let calls = Mutex(0)
        let taker = pool.makeTaker { calls.withLock { $0 += 1 } }
        let buffers = try (0..<4).map { _ in
            try #require(pool.take(size: 10, for: taker, now: beginning))
        }
        #expect(pool.take(size: 2048, for: taker, now: beginning) == nil)
        pool.put(buffers[0])
        #expect(pool.take(size: 10, for: taker, now: beginning) == nil)
        pool.put(buffers[1])
        #expect(calls.withLock { $0 } == 1)
        #expect(pool.take(size: 10, for: taker, now: beginning) != nil)
        #expect(pool.waiterCount == 1)
        pool.put(buffers[2])
        #expect(calls.withLock { $0 } == 2)
        #expect(pool.take(size: 2048, for: taker, now: beginning) != nil)
        #expect(pool.waiterCount == 0)
    }

    @Test func `who stops waiting makes way`() throws {
        let pool = BufferPool(memory: 1024, bufferSize: 1024)
        let calls = Mutex(0)
        let first = pool.makeTaker {}
        let second = pool.makeTaker { calls.withLock { $0 += 1 } }
        let buffer = try #require(pool.take(size: 1, for: first, now: beginning))
        #expect(pool.take(size: 1, for: first, now: beginning) == nil)
        #expect(pool.take(size: 1, for: second, now: beginning) == nil)
        pool.put(buffer)
        pool.remove(first)
        #expect(calls.withLock { $0 } == 1)
        #expect(pool.take(size: 1, for: second, now: beginning) != nil)
    }

    @Test func `a buffer that a write still refers to is not written over`() throws {
        let pool = BufferPool(memory: 1024, bufferSize: 1024)
        let taker = pool.makeTaker {}
        var buffer = try #require(pool.take(size: 1, for: taker, now: beginning))
        buffer.bytes.writeString("being written")
        let pending = buffer.bytes
        pool.put(buffer)
        var next = try #require(pool.take(size: 1, for: taker, now: beginning))
        next.bytes.writeString("something else")
        #expect(String(buffer: pending) == "being written")
    }
}
