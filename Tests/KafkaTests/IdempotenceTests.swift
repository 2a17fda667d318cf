import KafkaProtocol
import Testing

@testable import Kafka

/// What becomes of sequences when answers are lost, batches refused and brokers restarted.
@Suite struct IdempotenceTests {
    private static let partition = TopicPartition(topic: "t", partition: 0)

    // MARK: Proof

    @Test
    func `after lost answers and a clean restart the leader is asked and nothing is repeated`()
        throws
    {
        var (talk, batches, _) = try Conversation.manyInFlight(5)
        let sequences = batches.map(\.sequence)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        // All five are in the log, but the broker remembers only the fifth.
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        #expect(talk.next() == nil, "nothing goes before there is proof")
        try talk.remember(lastSequence: 5)
        let request = try talk.nextProduce(of: batches[4])
        #expect(talk.next() == nil, "nothing is delivered before all replicas have it")
        talk.answer(offset: 5, to: request)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
        #expect(deliveries.map(\.result) == Self.acknowledgements([-1, -1, -1, -1, 5]))
        #expect(batches.map(\.sequence) == sequences)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
        // And it goes on as if nothing had been.
        let next = try makeBatch()
        talk.machine.submit([next], now: talk.now)
        try talk.settle(next)
        #expect(next.sequence == 6)
        #expect(next.identity == ProducerIdentity(id: 4711, epoch: 0))
        #expect(talk.machine.isDrained)
    }

    @Test func `what the leader does not have is sent, and that settles what it has`() throws {
        var (talk, batches, _) = try Conversation.manyInFlight(5)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        try talk.remember(lastSequence: 3)
        let request = try talk.nextProduce(of: batches[3])
        talk.answer(offset: 4, to: request)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == Array(batches[..<4]))
        #expect(deliveries.map(\.result) == Self.acknowledgements([-1, -1, -1, 4]))
        try talk.settle(batches[4])
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `what the leader says is not there is sent again under the same numbers`() throws {
        var (talk, batch, _) = try Self.lostThenOutOfOrder()
        try talk.remember(lastSequence: 0)
        try talk.settle(batch)
        #expect(batch.sequence == 1)
        #expect(batch.identity == ProducerIdentity(id: 4711, epoch: 0))
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `records that a broker lost are said, and the rest begins the next epoch`() throws {
        var (talk, batches, _) = try Conversation.manyInFlight(3)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        try talk.remember(lastSequence: -1)
        #expect(talk.machine.statistics.lastError?.contains("lost records") == true)
        for batch in batches { try talk.settle(batch) }
        #expect(batches.map(\.sequence) == [0, 1, 2])
        #expect(batches.allSatisfy { $0.identity == ProducerIdentity(id: 4711, epoch: 1) })
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `proof is asked of another leader when the leader changed`() throws {
        var (talk, batch, _) = try Self.lostThenOutOfOrder()
        talk.now += .seconds(2)
        let request = try talk.nextRequest(.describeProducers(Self.partition))
        talk.answer(.producers(ProducersAnswer(error: .notLeaderOrFollower)), to: request)
        let asked = try #require(talk.metadataRequest)
        talk.answer(.metadata(cluster(leaders: [2], epoch: 6)), to: asked)
        talk.now += .seconds(2)
        let again = try talk.nextRequest(.describeProducers(Self.partition))
        let own = ProducersAnswer.Producer(producerID: 4711, epoch: 0, lastSequence: 1)
        talk.answer(.producers(ProducersAnswer(producers: [own])), to: again)
        talk.answer(offset: 1, to: try talk.nextProduce(of: batch, to: 2))
        #expect(talk.nextOfNote() == acknowledged(batch, at: 1))
    }

    @Test func `a leader that keeps silent is asked three times, and then batches are tried`()
        throws
    {
        var (talk, batches, _) = try Conversation.manyInFlight(2)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        for _ in 0..<3 {
            talk.now += .seconds(2)
            _ = try talk.nextRequest(.describeProducers(Self.partition))
            talk.machine.connectionClosed(1, reason: "no answer", now: talk.now)
        }
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        talk.now += .seconds(2)
        talk.answer(offset: 2, to: try talk.nextProduce(of: batches[1]))
        guard case .deliver(let deliveries)? = talk.nextOfNote() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
    }

    @Test func `where no leader tells, each batch is tried until one is known`() throws {
        var (talk, batches, _) = try Conversation.manyInFlight(5)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        try talk.remember(lastSequence: nil, error: .topicAuthorizationFailed)
        for batch in batches[..<4] {
            talk.now += .seconds(2)
            talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batch))
        }
        talk.now += .seconds(2)
        talk.answer(offset: 5, to: try talk.nextProduce(of: batches[4]))
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `where nothing can be proven the possible repeats are counted`() throws {
        var (talk, batches, _) = try Conversation.manyInFlight(3)
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        try talk.remember(lastSequence: nil, error: .unsupportedVersion)
        for batch in batches {
            talk.now += .seconds(2)
            talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batch))
        }
        for batch in batches { try talk.settle(batch) }
        #expect(batches.allSatisfy { $0.identity == ProducerIdentity(id: 4711, epoch: 1) })
        #expect(talk.machine.statistics.possibleDuplicates == 3)
    }

    @Test func `a leader that has forgotten the producer id proves nothing`() throws {
        var (talk, batch, _) = try Self.lostThenOutOfOrder()
        try talk.remember(lastSequence: nil)
        try talk.settle(batch)
        #expect(batch.identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(talk.machine.statistics.possibleDuplicates == 1)
    }

    @Test func `a newer epoch that somebody else began ends with a fresh producer id`() throws {
        var (talk, batch, _) = try Self.lostThenOutOfOrder()
        try talk.remember(lastSequence: 7, epoch: 4)
        let request = try talk.nextRequest(.producerID)
        let fresh = ProducerIdentity(id: 4712, epoch: 0)
        talk.answer(.producerID(ProducerIDAnswer(identity: fresh)), to: request)
        try talk.settle(batch)
        #expect(batch.identity == fresh)
        #expect(talk.machine.statistics.possibleDuplicates == 1)
    }

    @Test func `after the last epoch comes a fresh producer id`() throws {
        var queue = PartitionQueue(id: Self.partition, backoff: Backoff(base: .zero, limit: .zero))
        queue.identity = ProducerIdentity(id: 1, epoch: .max)
        #expect(queue.identity?.next == nil)
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.machine.partitions[0].identity = ProducerIdentity(id: 4711, epoch: .max)
        talk.answer(.outOfOrderSequenceNumber, to: request)
        let asked = try talk.nextRequest(.producerID)
        let fresh = ProducerIdentity(id: 4712, epoch: 0)
        talk.answer(.producerID(ProducerIDAnswer(identity: fresh)), to: asked)
        try talk.settle(batch)
        #expect(batch.identity == fresh)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `OUT_OF_ORDER of a batch that was never appended raises the epoch at once`() throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.answer(.outOfOrderSequenceNumber, to: request)
        try talk.settle(batch)
        #expect(batch.identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(batch.sequence == 0)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test(arguments: [false, true])
    func `UNKNOWN_PRODUCER_ID raises the epoch, after proof where an answer was lost`(
        isLost: Bool
    ) throws {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        if isLost {
            talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
            talk.now += .seconds(2)
            request = try talk.nextProduce(of: batch)
        }
        talk.answer(.unknownProducerID, to: request)
        if isLost {
            // Brokers that answer so (before 2.5) do not tell what they remember.
            try talk.remember(lastSequence: nil, error: .unsupportedVersion)
            talk.now += .seconds(2)
            talk.answer(.unknownProducerID, to: try talk.nextProduce(of: batch))
        }
        try talk.settle(batch)
        #expect(batch.identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(talk.machine.statistics.possibleDuplicates == (isLost ? 1 : 0))
    }

    @Test func `a raised epoch leaves other partitions in theirs`() throws {
        var talk = try Conversation.started(partitions: 2)
        let first = try makeBatch(partition: 0)
        let second = try makeBatch(partition: 1)
        talk.machine.submit([first, second], now: talk.now)
        try talk.connect()
        let request = try talk.expectRequest(.produce([first, second]))
        let answers = [
            ProduceAnswer.Partition(topic: "t", partition: 0, error: .outOfOrderSequenceNumber),
            ProduceAnswer.Partition(topic: "t", partition: 1, error: .notEnoughReplicas),
        ]
        talk.answer(.produce(ProduceAnswer(partitions: answers)), to: request)
        talk.now += .seconds(2)
        _ = try talk.expectRequest(.produce([first, second]))
        #expect(first.identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(second.identity == ProducerIdentity(id: 4711, epoch: 0))
        #expect(second.sequence == 0)
    }

    @Test func `a batch keeps its numbers when another partition gets a fresh producer id`() throws
    {
        var talk = try Conversation.started(partitions: 2)
        let first = try makeBatch(partition: 0)
        let second = try makeBatch(partition: 1)
        talk.machine.submit([first, second], now: talk.now)
        try talk.connect()
        let request = try talk.expectRequest(.produce([first, second]))
        let answers = [
            ProduceAnswer.Partition(topic: "t", partition: 0, error: .invalidProducerIDMapping),
            ProduceAnswer.Partition(topic: "t", partition: 1, error: .notEnoughReplicas),
        ]
        talk.answer(.produce(ProduceAnswer(partitions: answers)), to: request)
        let asked = try talk.expectRequest(.producerID)
        let fresh = ProducerIdentity(id: 4712, epoch: 0)
        talk.answer(.producerID(ProducerIDAnswer(identity: fresh)), to: asked)
        talk.now += .seconds(2)
        let again = try talk.expectRequest(.produce([first, second]))
        #expect(first.identity == fresh)
        #expect(second.identity == ProducerIdentity(id: 4711, epoch: 0))
        let results = [0, 1].map { ProduceAnswer.Partition(topic: "t", partition: $0) }
        talk.answer(.produce(ProduceAnswer(partitions: results)), to: again)
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.count == 2)
    }

    // MARK: Gaps

    @Test func `a refused batch that others were numbered behind raises the epoch for these`()
        throws
    {
        var (talk, batches, requests) = try Conversation.threeInFlight()
        talk.answer(.messageTooLarge, to: requests[0])
        guard case .deliver(let deliveries)? = talk.next() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == [batches[0]])
        #expect(talk.nextOfNote() == nil, "two are still in flight")
        talk.answer(.outOfOrderSequenceNumber, to: requests[1])
        #expect(talk.next() == nil, "one is still in flight")
        // Its answer is lost, but behind the gap it cannot have been appended.
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        for batch in batches[1...] { try talk.settle(batch) }
        #expect(batches[1...].allSatisfy { $0.identity == ProducerIdentity(id: 4711, epoch: 1) })
        #expect(batches[1...].map(\.sequence) == [0, 1])
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `what was sent before a refused batch is settled under its own numbers first`()
        throws
    {
        var (talk, batches, requests) = try Conversation.threeInFlight()
        talk.answer(.messageTooLarge, to: requests[1])
        _ = talk.next()
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        try talk.settle(batches[0])
        #expect(batches[0].identity == ProducerIdentity(id: 4711, epoch: 0))
        #expect(batches[0].sequence == 1)
        try talk.settle(batches[2])
        #expect(batches[2].identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `a refused batch that was the last leaves no gap`() throws {
        var (talk, _, request) = try Conversation.inFlight(["a"])
        talk.answer(.messageTooLarge, to: request)
        _ = talk.next()
        let next = try makeBatch()
        talk.machine.submit([next], now: talk.now)
        try talk.settle(next)
        #expect(next.sequence == 1)
        #expect(next.identity == ProducerIdentity(id: 4711, epoch: 0))
    }

    @Test func `a record that the broker names is refused, the rest keeps its first sequence`()
        throws
    {
        var (talk, _, request) = try Conversation.inFlight(["a", "bad", "c"])
        talk.answer(.invalidRecord, refused: [1: "null key"], to: request)
        guard case .deliver(let refused)? = talk.next() else { throw UnexpectedAction() }
        #expect(refused.map { $0.batch.position(ofRecord: 0) } == [10])
        let error = KafkaProducerError.refused(.invalidRecord, message: "null key")
        #expect(refused.map(\.result) == [.failed(error)])
        guard case .send(.produce(let rest), let id, _)? = talk.next() else {
            throw UnexpectedAction()
        }
        #expect(rest.map(\.recordCount) == [2])
        #expect(rest.first?.position(ofRecord: 1) == 20)
        #expect(rest.first?.sequence == 1)
        talk.answer(to: id)
        _ = talk.next()
        let next = try makeBatch()
        talk.machine.submit([next], now: talk.now)
        try talk.settle(next)
        #expect(next.sequence == 3)
        #expect(next.identity == ProducerIdentity(id: 4711, epoch: 0))
    }

    @Test func `batches behind one that lost a record begin the next epoch after its rest`() throws
    {
        var (talk, first, request) = try Conversation.inFlight(["a", "bad", "c"])
        let second = try makeBatch(["d"])
        talk.machine.submit([second], now: talk.now)
        let behind = try talk.expectRequest(.produce([second]))
        talk.answer(.invalidRecord, refused: [1: "null key"], to: request)
        talk.answer(.outOfOrderSequenceNumber, to: behind)
        #expect(first.sealed == nil)
        _ = talk.next()
        guard case .send(.produce(let rest), let id, _)? = talk.next() else {
            throw UnexpectedAction()
        }
        #expect(rest.map(\.recordCount) == [2])
        #expect(talk.next() == nil)
        talk.answer(to: id)
        _ = talk.next()
        try talk.settle(second)
        #expect(second.identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test(arguments: [KafkaError.messageTooLarge, .invalidRecord, .policyViolation])
    func `a refusal after a lost answer counts only once absence is proven`(
        error: KafkaError
    ) throws {
        var (talk, batch, _) = try Conversation.inFlight(["a"])
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(error, to: try talk.nextProduce(of: batch))
        try talk.remember(lastSequence: 0)
        talk.answer(error, to: try talk.nextProduce(of: batch))
        guard case .deliver(let deliveries)? = talk.nextOfNote() else { throw UnexpectedAction() }
        let refusal = KafkaProducerError.refused(error, message: nil)
        #expect(deliveries == [Delivery(batch: batch, result: .failed(refusal))])
    }

    @Test func `a refusal after a lost answer is passed over when the batch is in the log`() throws
    {
        var (talk, batch, _) = try Conversation.inFlight(["a", "b"])
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.messageTooLarge, to: try talk.nextProduce(of: batch))
        try talk.remember(lastSequence: 2)
        talk.answer(.messageTooLarge, to: try talk.nextProduce(of: batch))
        #expect(talk.nextOfNote() == acknowledged(batch, at: -1))
    }

    // MARK: Batches that were given up

    @Test func `a given up batch is resolved by the acknowledgement of the next`() throws {
        var (talk, batches, new) = try Self.firstExpired()
        let request = try talk.nextProduce(of: batches[1])
        #expect(talk.next() == nil, "nothing new goes meanwhile")
        talk.answer(offset: 2, to: request)
        #expect(talk.next() == acknowledged(batches[1], at: 2))
        try talk.settle(new)
        #expect(new.identity == ProducerIdentity(id: 4711, epoch: 0))
        #expect(new.sequence == 3)
    }

    @Test func `a given up batch and then 45 raise the epoch once absence is proven`() throws {
        var (talk, batches, new) = try Self.firstExpired()
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[1]))
        try talk.remember(lastSequence: 0)
        try talk.settle(batches[1])
        try talk.settle(new)
        #expect(batches[1].identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(batches[1].sequence == 0)
        #expect(new.sequence == 1)
        #expect(talk.machine.statistics.possibleDuplicates == 0)
    }

    @Test func `when all batches in doubt are given up the next epoch begins`() throws {
        var (talk, batches, _) = try Conversation.manyInFlight(2) {
            $0.deliveryTimeout = .seconds(10)
        }
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(10)
        let deliveries = talk.nextOfNote()
        let failed = batches.map { Delivery(batch: $0, result: .failed(.deliveryTimedOut)) }
        #expect(deliveries == .deliver(failed))
        let new = try makeBatch(createdAt: talk.now)
        talk.machine.submit([new], now: talk.now)
        try talk.settle(new)
        #expect(new.identity == ProducerIdentity(id: 4711, epoch: 1))
        #expect(new.sequence == 0)
    }

    @Test func `a batch that waits for proof expires too`() throws {
        var (talk, batches, _) = try Conversation.manyInFlight(2) {
            $0.deliveryTimeout = .seconds(10)
        }
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        try talk.remember(lastSequence: nil, error: .unsupportedVersion)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batches[0]))
        talk.now = beginning + .seconds(10)
        guard case .deliver(let deliveries)? = talk.nextOfNote() else { throw UnexpectedAction() }
        #expect(deliveries.map(\.batch) == batches)
        #expect(talk.machine.isDrained)
    }

    // MARK: Beginnings

    /// A batch whose answer was lost, and which the broker then calls out of order.
    private static func lostThenOutOfOrder() throws -> (
        talk: Conversation, batch: ProducerBatch, request: RequestID
    ) {
        var (talk, batch, request) = try Conversation.inFlight(["a"])
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(2)
        talk.answer(.outOfOrderSequenceNumber, to: try talk.nextProduce(of: batch))
        return (talk, batch, request)
    }

    /// Two batches whose answers were lost and of which the first is given up, and a new one.
    private static func firstExpired() throws -> (
        talk: Conversation, batches: [ProducerBatch], new: ProducerBatch
    ) {
        var (talk, first, _) = try Conversation.inFlight(["1"]) {
            $0.deliveryTimeout = .seconds(10)
        }
        let second = try makeBatch(["2"], createdAt: beginning + .seconds(60))
        talk.machine.submit([second], now: talk.now)
        _ = try talk.expectRequest(.produce([second]))
        talk.machine.connectionClosed(1, reason: "reset", now: talk.now)
        talk.now += .seconds(10)
        let new = try makeBatch(["3"], createdAt: beginning + .seconds(60))
        talk.machine.submit([new], now: talk.now)
        let failed = Delivery(batch: first, result: .failed(.deliveryTimedOut))
        guard talk.nextOfNote() == .deliver([failed]) else { throw UnexpectedAction() }
        return (talk, [first, second], new)
    }

    private static func acknowledgements(_ offsets: [Int64]) -> [Delivery.Result] {
        offsets.map { .acknowledged(baseOffset: $0, timestamp: -1) }
    }
}
