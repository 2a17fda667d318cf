import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct TransactionTests {
    @Test func `a committed transaction is seen once it is over`() throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        #expect(try producer.initialize() == .none)
        #expect(producer.epoch == 0)
        #expect(try producer.add([0]) == [.none])
        #expect(try producer.produce(0, count: 4) == .at(0))
        let open = try client.fetch(committed: true)
        #expect(
            open
                == Fetched(
                    records: 0,
                    highWatermark: 4,
                    lastStableOffset: 0,
                    aborted: [],
                    batches: []
                )
        )
        #expect(try client.fetch(committed: false).records == 4)
        #expect(try client.stableEnd() == 0)
        #expect(try producer.end(commit: true) == .none)
        let over = try client.fetch(committed: true)
        #expect(
            over.batches == ["0:T4", "4:C1"] && over.lastStableOffset == 5 && over.aborted == []
        )
        #expect(try client.stableEnd() == 5)
    }

    @Test func `an aborted transaction is named to those who read committed records`() throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        try producer.initialize()
        _ = try producer.add([0])
        #expect(try producer.produce(0, count: 4) == .at(0))
        #expect(try producer.end(commit: true) == .none)
        _ = try producer.add([0])
        #expect(try producer.produce(4, count: 3) == .at(5))
        #expect(try producer.end(commit: false) == .none)
        let fetched = try client.fetch(committed: true)
        #expect(fetched.batches == ["0:T4", "4:C1", "5:T3", "8:C1"])
        #expect(fetched.aborted == [[producer.producerID, 5]])
        #expect(fetched.lastStableOffset == 9)
        #expect(try client.fetch(committed: false).aborted == nil)
        #expect(try client.fetch(committed: true, from: 9).aborted == [])
        #expect(try client.values().count == 7)
    }

    @Test func `the markers say how the transaction ended`() throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        try producer.initialize()
        for commit in [true, false] {
            _ = try producer.add([0])
            _ = try producer.produce(commit ? 0 : 1)
            _ = try producer.end(commit: commit)
        }
        let log = try #require(client.broker.partitionLog(topic: "t", partition: 0))
        #expect(log.batches.map(\.isCommitMarker) == [nil, true, nil, false])
        for batch in log.batches { try batch.validateChecksum() }
    }

    @Test func `a batch sent again within its transaction is known`() throws {
        let producer = TransactionalProducer(Conversation())
        try producer.initialize()
        _ = try producer.add([0])
        #expect(try producer.produce(0, count: 4) == .at(0))
        #expect(try producer.produce(0, count: 4) == .at(0))
    }

    @Test(
        arguments: [(10, .invalidTxnState), (11, .transactionAbortable)] as [(Int16, KafkaError)]
    )
    func `a partition that was not added is refused`(version: Int16, error: KafkaError) throws {
        let producer = TransactionalProducer(Conversation(partitions: 2), produceVersion: version)
        try producer.initialize()
        #expect(try producer.produce(0, partition: 1) == .refused(error))
        _ = try producer.add([0])
        #expect(try producer.produce(0, partition: 1) == .refused(error))
        #expect(try producer.produce(0, partition: 0) == .at(0))
    }

    @Test func `a partition that is not there keeps the others out`() throws {
        let producer = TransactionalProducer(Conversation(partitions: 2))
        try producer.initialize()
        #expect(try producer.add([0, 9]) == [.operationNotAttempted, .unknownTopicOrPartition])
        #expect(try producer.produce(0) == .refused(.invalidTxnState))
    }

    @Test func `a producer id that is not the transaction's is refused`() throws {
        let producer = TransactionalProducer(Conversation())
        #expect(try producer.add([0]) == [.invalidProducerIDMapping])
        try producer.initialize()
        producer.producerID = 424_242
        #expect(try producer.add([0]) == [.invalidProducerIDMapping])
        #expect(try producer.end(commit: true) == .invalidProducerIDMapping)
        #expect(try producer.produce(0) == .refused(.invalidProducerIDMapping))
    }

    @Test func `records outside a transaction do not interrupt an open one`() throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        try producer.initialize()
        _ = try producer.add([0])
        #expect(try producer.produce(0) == .at(0))
        #expect(try producer.produce(1, isTransactional: false) == .refused(.invalidTxnState))
        #expect(try producer.end(commit: true) == .none)
        #expect(try producer.produce(1, isTransactional: false) == .at(2))
    }

    @Test func `a second producer of the name fences the first and aborts its transaction`() throws
    {
        let client = Conversation()
        let zombie = TransactionalProducer(client)
        try zombie.initialize()
        _ = try zombie.add([0])
        #expect(try zombie.produce(0, count: 2) == .at(0))
        let producer = TransactionalProducer(client)
        #expect(try producer.initialize() == .concurrentTransactions)
        #expect(try producer.initialize() == .none)
        #expect(producer.producerID == zombie.producerID && producer.epoch == 2)
        #expect(try client.fetch(committed: true).aborted == [[zombie.producerID, 0]])
        #expect(try zombie.add([0]) == [.producerFenced])
        #expect(try zombie.add([0], version: 1) == [.invalidProducerEpoch])
        #expect(try zombie.produce(2) == .refused(.invalidProducerEpoch))
        #expect(try zombie.end(commit: true) == .producerFenced)
        #expect(try zombie.end(commit: true, version: 1) == .invalidProducerEpoch)
        #expect(try producer.add([0]) == [.none])
        #expect(try producer.produce(0) == .at(3))
        #expect(try producer.end(commit: true) == .none)
    }

    @Test func `a producer that lost its way goes on with its identity`() throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        try producer.initialize()
        let identity = (producer.producerID, producer.epoch)
        #expect(try producer.initialize(as: identity) == .none)
        #expect(producer.producerID == identity.0 && producer.epoch == 1)
        // The answer was lost: the same question gets the same answer.
        #expect(try producer.initialize(as: identity) == .none)
        #expect(producer.epoch == 1)
        #expect(try TransactionalProducer(client).initialize() == .none)
        #expect(try producer.initialize(as: (identity.0, 1)) == .producerFenced)
        #expect(try producer.initialize(as: (identity.0, 1), version: 3) == .invalidProducerEpoch)
    }

    @Test(
        arguments: [
            (-1, .invalidTransactionTimeout), (0, .invalidTransactionTimeout),
            (900_001, .invalidTransactionTimeout), (900_000, .none),
        ] as [(Int32, KafkaError)]
    )
    func `a transaction may take up to fifteen minutes`(timeout: Int32, error: KafkaError) throws {
        #expect(try TransactionalProducer(Conversation()).initialize(timeout: timeout) == error)
    }

    @Test func `a transactional id must be one, an identity whole`() throws {
        let client = Conversation()
        #expect(try TransactionalProducer(client, id: "").initialize() == .invalidRequest)
        let producer = TransactionalProducer(client)
        #expect(try producer.initialize(as: (7, -1)) == .invalidRequest)
    }

    @Test func `a transaction that takes too long is aborted and its producer fenced`() throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        try producer.initialize(timeout: 1500)
        _ = try producer.add([0])
        #expect(try producer.produce(0) == .at(0))
        client.now += .seconds(9)
        #expect(client.next() == nil)
        #expect(try client.fetch(committed: true).lastStableOffset == 0)
        // The coordinator looks every ten seconds.
        #expect(client.broker.nextDeadline == client.now + .seconds(1))
        client.now += .seconds(1)
        #expect(client.next() == nil)
        let fetched = try client.fetch(committed: true)
        #expect(fetched.lastStableOffset == 2 && fetched.aborted == [[producer.producerID, 0]])
        #expect(try producer.end(commit: true) == .producerFenced)
        #expect(try producer.end(commit: true, version: 1) == .invalidProducerEpoch)
        #expect(try producer.produce(1) == .refused(.invalidProducerEpoch))
        #expect(client.broker.nextDeadline == nil)
    }

    @Test func `a transactional id that rests for a week is forgotten`() throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        try producer.initialize()
        let producerID = producer.producerID
        client.now += .seconds(7 * 24 * 3600)
        #expect(try producer.add([0]) == [.invalidProducerIDMapping])
        #expect(try producer.initialize() == .none)
        #expect(producer.producerID != producerID && producer.epoch == 0)
    }
}

@Suite struct TransactionEndTests {
    @Test func `with nothing open there is nothing to end`() throws {
        let producer = TransactionalProducer(Conversation())
        try producer.initialize()
        #expect(try producer.end(commit: true) == .invalidTxnState)
        #expect(try producer.end(commit: false) == .invalidTxnState)
    }

    @Test(arguments: [true, false])
    func `an end may be asked for again, but not the other one`(commit: Bool) throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        try producer.initialize()
        _ = try producer.add([0])
        #expect(try producer.produce(0) == .at(0))
        #expect(try producer.end(commit: commit) == .none)
        #expect(try producer.end(commit: commit) == .none)
        #expect(try producer.end(commit: !commit) == .invalidTxnState)
        #expect(try client.fetch(committed: false).batches == ["0:T1", "1:C1"])
    }

    @Test func `until the markers are written the next transaction has to wait`() throws {
        let client = Conversation()
        client.broker.inject(.delayMarkers(.milliseconds(40)), now: client.now)
        let producer = TransactionalProducer(client)
        try producer.initialize()
        _ = try producer.add([0])
        _ = try producer.produce(0)
        #expect(try producer.end(commit: true) == .none)
        #expect(try producer.end(commit: true) == .concurrentTransactions)
        #expect(try producer.end(commit: false) == .invalidTxnState)
        #expect(try producer.add([0]) == [.concurrentTransactions])
        #expect(try producer.initialize() == .concurrentTransactions)
        #expect(try client.fetch(committed: true).lastStableOffset == 0)
        #expect(client.broker.nextDeadline == client.now + .milliseconds(40))
        client.now += .milliseconds(40)
        #expect(client.next() == nil)
        #expect(try client.fetch(committed: true).lastStableOffset == 2)
        #expect(try producer.add([0]) == [.none])
    }

    @Test func `a consumer that waits is told of the commit`() throws {
        let client = Conversation()
        let producer = TransactionalProducer(client)
        try producer.initialize()
        _ = try producer.add([0])
        _ = try producer.produce(0)
        let wanted = FetchRequest.Partition(fetchOffset: 0, partitionMaxBytes: .max)
        let request = FetchRequest(
            maxWaitMilliseconds: 500,
            minBytes: 1,
            isolationLevel: 1,
            topics: [.init(topic: "t", partitions: [wanted])]
        )
        try client.send(request, version: 11, from: client.other)
        #expect(client.next() == nil)
        #expect(try producer.end(commit: true) == .none)
        let answer = try client.answer(to: FetchRequest.self, version: 11, on: client.other)
        #expect(answer.responses[0].partitions[0].lastStableOffset == 2)
    }
}

@Suite struct TransactionVersion2Tests {
    private func producer(_ client: Conversation) throws -> TransactionalProducer {
        let producer = TransactionalProducer(client, produceVersion: 12)
        try producer.initialize()
        return producer
    }

    @Test func `the broker says that it knows version 2`() throws {
        let client = Conversation()
        let request = ApiVersionsRequest(clientSoftwareName: "f", clientSoftwareVersion: "1")
        let newest = try client.ask(request)
        #expect(newest.finalizedLevel(of: "transaction.version") == 2)
        #expect(newest.supportedFeatures.map(\.minVersion) == [0])
        let older = try client.ask(request, version: 3)
        #expect(older.finalizedLevel(of: "transaction.version") == 2)
        #expect(older.supportedFeatures == [])
        client.broker.configuration.transactionVersion = 1
        #expect(try client.ask(request).finalizedLevel(of: "transaction.version") == 1)
    }

    @Test func `producing adds the partition, and the end raises the epoch`() throws {
        let client = Conversation()
        let producer = try self.producer(client)
        #expect(try producer.produce(0, count: 2) == .at(0))
        #expect(try producer.end(commit: true) == .none)
        #expect(producer.epoch == 1)
        #expect(try producer.produce(0) == .at(3))
        #expect(try producer.end(commit: false) == .none)
        #expect(producer.epoch == 2)
        let fetched = try client.fetch(committed: true)
        #expect(fetched.batches == ["0:T2", "2:C1", "3:T1", "4:C1"])
        #expect(fetched.aborted == [[producer.producerID, 3]])
    }

    @Test func `what is late does not get into the next transaction`() throws {
        let client = Conversation()
        let producer = try self.producer(client)
        #expect(try producer.produce(0) == .at(0))
        let late = producer.twin()
        #expect(try producer.end(commit: true) == .none)
        #expect(try late.produce(1) == .refused(.invalidProducerEpoch))
        #expect(try producer.produce(1) == .refused(.outOfOrderSequenceNumber))
        #expect(try producer.produce(0) == .at(2))
    }

    @Test func `an end whose answer was lost is answered alike`() throws {
        let client = Conversation()
        let producer = try self.producer(client)
        _ = try producer.produce(0)
        let twin = producer.twin()
        let opposite = producer.twin()
        #expect(try producer.end(commit: true) == .none)
        #expect(try twin.end(commit: true) == .none)
        #expect(twin.epoch == producer.epoch)
        #expect(try opposite.end(commit: false) == .invalidTxnState)
        #expect(try client.fetch(committed: false).batches == ["0:T1", "1:C1"])
    }

    @Test func `an empty transaction may be aborted, not committed`() throws {
        let producer = try self.producer(Conversation())
        #expect(try producer.end(commit: true) == .invalidTxnState)
        #expect(try producer.end(commit: false) == .none)
        #expect(producer.epoch == 1)
    }

    @Test func `when the epochs run out the next transaction has another producer id`() throws {
        let client = Conversation()
        let producer = try self.producer(client)
        let producerID = producer.producerID
        for _ in 0..<Int(Int16.max - 1) { _ = try producer.end(commit: false) }
        #expect(producer.producerID == producerID && producer.epoch == Int16.max - 1)
        #expect(try producer.produce(0) == .at(0))
        let twin = producer.twin()
        #expect(try producer.end(commit: true) == .none)
        #expect(producer.producerID != producerID && producer.epoch == 0)
        #expect(try twin.end(commit: true) == .none)
        #expect(twin.producerID == producer.producerID && twin.epoch == 0)
        #expect(try producer.produce(0) == .at(2))
    }

    @Test func `a fenced producer's end is refused`() throws {
        let client = Conversation()
        let zombie = try self.producer(client)
        #expect(try zombie.produce(0) == .at(0))
        let producer = TransactionalProducer(client, produceVersion: 12)
        #expect(try producer.initialize() == .concurrentTransactions)
        #expect(try producer.initialize() == .none)
        #expect(try zombie.end(commit: true) == .producerFenced)
        #expect(try zombie.produce(1) == .refused(.invalidProducerEpoch))
    }
}
