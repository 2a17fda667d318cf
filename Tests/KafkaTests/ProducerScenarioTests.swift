import KafkaProtocol
import NIOCore
import Testing

@testable import Kafka

/// Stories that other producers' tests tell, and that no other suite here holds.
@Suite struct ProducerScenarioTests {
    private static let partition = TopicPartition(topic: "t", partition: 0)

    // MARK: Batches that were given up

    @Test func `a late MESSAGE_TOO_LARGE splits no batch that was given up`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a", "b"])
        talk.machine.purge(inFlight: true)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == [batch])
        talk.answer(.messageTooLarge, to: request)
        #expect(talk.next() == nil)
        #expect(talk.machine.statistics.batchesSplit == 0)
        #expect(talk.machine.isDrained)
    }

    @Test func `a batch behind one in flight expires without having been sent`() throws {
        var (talk, _, _) = try Conversation.inFlight(["a"]) {
            $0.maxInFlightRequests = 1
            $0.deliveryTimeout = .seconds(10)
        }
        let waiting = try makeBatch(["b"])
        talk.machine.submit([waiting], now: talk.now)
        #expect(talk.next() == nil)
        #expect(talk.machine.nextDeadline(now: talk.now) == beginning + .seconds(10))
        talk.now += .seconds(10)
        let failed = Delivery(batch: waiting, result: .failed(.deliveryTimedOut))
        #expect(talk.nextOfNote() == .deliver([failed]))
        #expect(waiting.sequence == nil)
    }

    // MARK: Retries

    @Test func `pauses between attempts double up to their limit, give or take a fifth`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        var pauses: [Duration] = []
        for _ in 0..<7 {
            talk.answer(.notEnoughReplicas, to: request)
            let due = try #require(talk.machine.partitions[0].notBefore)
            pauses.append(due - talk.now)
            talk.now = due
            request = try talk.nextProduce(of: batch)
        }
        for (pause, expected) in zip(pauses, [100, 200, 400, 800, 1000, 1000, 1000]) {
            let range =
                Duration.milliseconds(expected * 8 / 10)...(.milliseconds(expected * 12 / 10))
            #expect(range.contains(pause), "\(pauses)")
        }
        // Another leader is not to blame for what the former one answered.
        let leader = TopicMetadata.Partition(leaderID: 2, leaderEpoch: 6)
        talk.answer(.notLeaderOrFollower, leader: leader, to: request)
        let next = try talk.nextProduce(of: batch, to: 2)
        talk.answer(.notEnoughReplicas, to: next)
        let due = try #require(talk.machine.partitions[0].notBefore)
        #expect(due - talk.now <= .milliseconds(120))
    }

    @Test(arguments: 1...5)
    func `any number of batches that may be there, then errors in a row, end in one copy of each`(
        count: Int
    ) throws {
        var (talk, batches, _) = try Conversation.manyInFlight(count)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        let later = try (0..<2).map { try makeBatch(["later \($0)"]) }
        talk.machine.submit(later, now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.notEnoughReplicas, to: try talk.nextProduce(of: batches[0]))
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        // All are there, and the broker remembers the last one.
        try talk.remember(lastSequence: Int32(count))
        talk.answer(offset: Int64(count), to: try talk.nextProduce(of: batches[count - 1]))
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
        for batch in later {
            let request = try talk.nextProduce(of: batch)
            talk.answer(to: request)
            #expect(talk.next() == acknowledged(batch, at: 0))
        }
        #expect(later.map(\.sequence) == [Int32(count + 1), Int32(count + 2)])
        #expect(talk.machine.statistics.possibleDuplicates == 0)
        #expect(talk.machine.isDrained)
    }

    @Test func `a batch that too few replicas have is sent again and acknowledged as a duplicate`()
        throws
    {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(.notEnoughReplicasAfterAppend, to: request)
        #expect(batch.mayBePersisted)
        talk.now += .seconds(2)
        talk.answer(.duplicateSequenceNumber, to: try talk.nextProduce(of: batch))
        #expect(talk.next() == acknowledged(batch, at: -1))
        #expect(batch.sequence == 1)
    }

    // MARK: Pieces

    @Test(arguments: KafkaProducerConfiguration.CompressionType.allCases)
    func `pieces of a batch keep keys, headers, timestamps and the codec`(
        type: KafkaProducerConfiguration.CompressionType
    ) throws {
        let lane = Lane { $0.compressionType = type }
        for number in 0..<6 {
            let record = KafkaProducerRecord(
                topic: "t",
                key: "key \(number)",
                value: String(repeating: "value \(number) ", count: 30),
                headers: ["name": "header \(number)", "none": nil]
            )
            let result = appendRecord(
                record,
                lane.topic,
                1000 + Int64(number) * 7,
                position: Int64(number),
                now: lane.now,
                to: lane.accumulator
            )
            #expect(result == .appended)
        }
        lane.accumulator.flush()
        let batch = try #require(lane.drain().first)
        let whole = try Self.records(of: batch)
        for wanted in [[0, 1, 2], [3, 4, 5], [1, 4]] {
            let piece = try #require(batch.piece(records: wanted))
            let records = try Self.records(of: piece)
            #expect(records.map(\.key) == wanted.map { whole[$0].key })
            #expect(records.map(\.value) == wanted.map { whole[$0].value })
            #expect(records.map(\.headers) == wanted.map { whole[$0].headers })
            #expect(records.map(\.timestamp) == wanted.map { whole[$0].timestamp })
            #expect(piece.sealed?.compression == batch.sealed?.compression)
        }
    }

    private static func records(of batch: ProducerBatch) throws -> [Record] {
        var bytes = try #require(batch.sealed?.buffer)
        let read = try #require(try RecordBatch(from: &bytes))
        try read.validateChecksum()
        return try read.records()
    }

    // MARK: Answers that make no sense

    @Test func `a partition that is answered twice counts once`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        let first = ProduceAnswer.Partition(topic: "t", partition: 0, baseOffset: 7)
        let second = ProduceAnswer.Partition(topic: "t", partition: 0, error: .messageTooLarge)
        let stranger = ProduceAnswer.Partition(topic: "u", partition: 9, error: .invalidRecord)
        let answer = ProduceAnswer(partitions: [stranger, first, second])
        talk.answer(.produce(answer), to: request)
        #expect(talk.next() == acknowledged(batch, at: 7))
        #expect(talk.next() == nil)
    }

    @Test func `records that an answer names and the batch does not have are passed over`() throws {
        var (talk, _, request) = try Conversation.inFlight(["a", "b"])
        talk.answer(.invalidRecord, refused: [1: "bad", 77: "none", -3: nil], to: request)
        guard case .deliver(let refused)? = talk.next() else { throw UnexpectedAction() }
        #expect(refused.map { $0.batch.position(ofRecord: 0) } == [10])
    }
}
