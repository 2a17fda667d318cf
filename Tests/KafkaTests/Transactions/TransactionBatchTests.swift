import KafkaProtocol
import Testing

@testable import Kafka

/// How batches get into a transaction, and what their failures do to it.
@Suite struct TransactionBatchTests {
    private static let partition = TopicPartition(topic: "t", partition: 0)

    @Test func `with version 1 no batch goes out before its partition is added`() throws {
        var talk = try TransactionTalk.begun(.one)
        let batch = try talk.submit()
        let addition = try talk.expectAddition()
        try talk.expectNothing()
        talk.answer(.partitionsAdded([Self.partition: .none]), to: addition)
        let request = try talk.expectProduce(of: batch)
        #expect(batch.sealed?.header.isTransactional == true)
        #expect(batch.identity == talk.identity())
        talk.acknowledge(request)
        let second = try talk.submit()
        _ = try talk.expectProduce(of: second)
    }

    @Test func `with version 2 batches go out at once, and nothing is added`() throws {
        var talk = try TransactionTalk.begun(.two)
        let batch = try talk.submit()
        talk.acknowledge(try talk.expectProduce(of: batch))
        try talk.expectNothing()
        #expect(talk.failure(of: batch) == nil)
    }

    @Test(arguments: [
        KafkaError.unknownTopicOrPartition, .coordinatorLoadInProgress, .concurrentTransactions,
    ])
    func `a partition that cannot be added yet is tried again`(error: KafkaError) throws {
        var talk = try TransactionTalk.begun()
        let batch = try talk.submit()
        for _ in 0..<3 {
            try talk.addPartition(error)
            try talk.expectNothing()
            talk.wait()
        }
        try talk.addPartition()
        _ = try talk.expectProduce(of: batch)
    }

    @Test func `a partition without the right to it makes the transaction one to abort`() throws {
        var talk = try TransactionTalk.begun()
        let batch = try talk.submit()
        try talk.addPartition(.topicAuthorizationFailed)
        try talk.expectNothing()
        #expect(talk.failure(of: batch) == .transactionAborted)
        let commit = talk.call(.commit)
        guard case .transactionAbortable(let reason) = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
        #expect(reason.contains("TOPIC_AUTHORIZATION_FAILED"))
        // Nothing was added, so nothing has to be ended.
        let abort = talk.call(.abort)
        try talk.expectSuccess(of: abort)
        try talk.begin()
    }

    @Test(arguments: [KafkaError.invalidTxnState, .transactionalIDAuthorizationFailed])
    func `an error that no abort mends ends the producer`(error: KafkaError) throws {
        var talk = try TransactionTalk.begun()
        let batch = try talk.submit()
        try talk.addPartition(error)
        try talk.expectNothing()
        guard case .refused(error.rawValue, _, _)? = talk.failure(of: batch) else {
            throw UnexpectedAction()
        }
        let abort = talk.call(.abort)
        guard case .refused(error.rawValue, _, _) = try talk.error(of: abort) else {
            throw UnexpectedAction()
        }
        let late = try talk.submit()
        try talk.expectNothing()
        #expect(talk.failure(of: late) == talk.failure(of: batch))
    }

    @Test(arguments: [KafkaError.producerFenced, .invalidProducerEpoch])
    func `a producer that is fenced before its first batch stops and says so`(
        error: KafkaError
    ) throws {
        var talk = try TransactionTalk.begun()
        let batch = try talk.submit()
        try talk.addPartition(error)
        try talk.expectNothing()
        guard case .producerFenced("tx", _)? = talk.failure(of: batch) else {
            throw UnexpectedAction()
        }
        let commit = talk.call(.commit)
        #expect("\(try talk.error(of: commit))".contains("another producer took over"))
    }

    @Test func `a producer that is fenced by the answer to a batch stops and says so`() throws {
        var talk = try TransactionTalk.written()
        let batch = try talk.submit()
        talk.refuse(.producerFenced, try talk.expectProduce(of: batch))
        try talk.expectNothing()
        let commit = talk.call(.commit)
        guard case .producerFenced = try talk.error(of: commit) else { throw UnexpectedAction() }
    }

    @Test
    func `a batch of an old epoch leads to an abort, where the coordinator tells of the fence`()
        throws
    {
        var talk = try TransactionTalk.written()
        let batch = try talk.submit()
        talk.refuse(.invalidProducerEpoch, try talk.expectProduce(of: batch))
        let commit = talk.call(.commit)
        guard case .transactionAbortable = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
        let abort = talk.call(.abort)
        try talk.end(commit: false, .producerFenced)
        guard case .producerFenced = try talk.error(of: abort) else { throw UnexpectedAction() }
    }

    @Test(arguments: [TransactionVersion.one, .two])
    func `a batch that failed forbids the commit, and after an abort the next transaction works`(
        version: TransactionVersion
    ) throws {
        var talk = try TransactionTalk.written(version)
        let bad = try talk.submit()
        let request = try talk.expectProduce(of: bad)
        let behind = try talk.submit()
        let late = try talk.expectProduce(of: behind)
        talk.refuse(.messageTooLarge, request)
        try talk.expectNothing()
        let commit = talk.call(.commit)
        guard case .transactionAbortable = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
        let abort = talk.call(.abort)
        try talk.expectNothing()
        talk.refuse(.outOfOrderSequenceNumber, late)
        let raised = talk.identity(epoch: 1)
        try talk.end(commit: false, next: version == .two ? raised : nil)
        if version == .one { try talk.initialize(raising: talk.identity(), to: raised) }
        try talk.expectSuccess(of: abort)
        try talk.begin()
        let good = try talk.submit()
        if version == .one { try talk.addPartition(epoch: 1) }
        talk.acknowledge(try talk.expectProduce(of: good))
        #expect(good.sequence == 0)
        #expect(good.identity == raised)
        let next = talk.call(.commit)
        let end = try talk.expectEnd(commit: true, epoch: 1)
        talk.answer(.ended(.none, version == .two ? talk.identity(epoch: 2) : nil), to: end)
        try talk.expectSuccess(of: next)
    }

    @Test func `the number of a batch that was refused is the next one's after the abort`() throws {
        var talk = try TransactionTalk.written(.one)
        let bad = try talk.submit()
        talk.refuse(.messageTooLarge, try talk.expectProduce(of: bad))
        let abort = talk.call(.abort)
        try talk.end(commit: false)
        try talk.expectSuccess(of: abort)
        try talk.begin()
        let good = try talk.submit()
        try talk.addPartition()
        _ = try talk.expectProduce(of: good)
        #expect(good.sequence == 1)
        #expect(good.identity == talk.identity())
    }

    @Test func `records that nothing was sent of fail with the abort`() throws {
        var talk = try TransactionTalk.begun()
        let batch = try talk.submit()
        let addition = try talk.expectAddition()
        let abort = talk.call(.abort)
        try talk.expectNothing()
        #expect(talk.failure(of: batch) == .transactionAborted)
        talk.answer(.partitionsAdded([Self.partition: .none]), to: addition)
        try talk.end(commit: false)
        try talk.expectSuccess(of: abort)
    }

    @Test func `with version 1 what may be in the log is settled before the abort`() throws {
        var talk = try TransactionTalk.written(.one)
        let lost = try talk.submit()
        _ = try talk.expectProduce(of: lost)
        talk.lose(1)
        let abort = talk.call(.abort)
        try talk.expectNothing()
        talk.wait()
        talk.acknowledge(try talk.expectProduce(of: lost))
        try talk.end(commit: false)
        try talk.expectSuccess(of: abort)
    }

    @Test func `with version 2 what may be in the log is left to the epoch of the abort`() throws {
        var talk = try TransactionTalk.written(.two)
        let lost = try talk.submit()
        _ = try talk.expectProduce(of: lost)
        talk.lose(1)
        let abort = talk.call(.abort)
        let end = try talk.expectEnd(commit: false)
        #expect(talk.failure(of: lost) == .transactionAborted)
        talk.answer(.ended(.none, talk.identity(epoch: 1)), to: end)
        try talk.expectSuccess(of: abort)
    }

    @Test func `a batch that expires makes the transaction one to abort`() throws {
        var talk = try TransactionTalk.begun { $0.deliveryTimeout = .seconds(10) }
        let batch = try talk.submit()
        _ = try talk.expectAddition()
        talk.talk.now += .seconds(11)
        try talk.expectNothing()
        #expect(talk.failure(of: batch) == .deliveryTimedOut)
        let commit = talk.call(.commit)
        guard case .transactionAbortable = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
    }

    @Test func `a numbered batch that expires ends a producer whose brokers cannot raise epochs`()
        throws
    {
        var talk = try TransactionTalk.begun(raisesEpochs: false) {
            $0.deliveryTimeout = .seconds(10)
        }
        let batch = try talk.submit()
        try talk.addPartition()
        talk.refuse(.requestTimedOut, try talk.expectProduce(of: batch))
        talk.talk.now += .seconds(11)
        try talk.expectNothing()
        #expect(talk.failure(of: batch) == .deliveryTimedOut)
        let abort = talk.call(.abort)
        guard case .fatal(let reason) = try talk.error(of: abort) else { throw UnexpectedAction() }
        #expect(reason.contains("before Kafka 2.5"))
    }

    @Test func `TRANSACTION_ABORTABLE leads to an abort, wherever it comes from`() throws {
        var talk = try TransactionTalk.begun()
        _ = try talk.submit()
        try talk.addPartition(.transactionAbortable)
        try talk.expectAbortable()
        talk = try TransactionTalk.written(.two)
        let batch = try talk.submit()
        talk.refuse(.transactionAbortable, try talk.expectProduce(of: batch))
        try talk.expectAbortable()
        talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        try talk.end(commit: true, .transactionAbortable)
        guard case .transactionAbortable = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
        let abort = talk.call(.abort)
        try talk.end(commit: false)
        try talk.expectSuccess(of: abort)
    }

    @Test func `TRANSACTION_ABORTABLE in an abort ends the producer`() throws {
        var talk = try TransactionTalk.written()
        let abort = talk.call(.abort)
        try talk.end(commit: false, .transactionAbortable)
        guard case .refused(120, _, _) = try talk.error(of: abort) else { throw UnexpectedAction() }
        let begin = talk.call(.begin)
        guard case .refused(120, _, _) = try talk.error(of: begin) else { throw UnexpectedAction() }
    }

    @Test func `a coordinator that forgot the producer id gives a fresh one after the abort`()
        throws
    {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        try talk.end(commit: true, .invalidProducerIDMapping)
        guard case .transactionAbortable = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
        // It knows of no transaction, so there is none to end.
        let abort = talk.call(.abort)
        let fresh = talk.identity(id: 4712)
        try talk.initialize(raising: talk.identity(), to: fresh)
        try talk.expectSuccess(of: abort)
        try talk.begin()
        let batch = try talk.submit()
        let addition = try talk.expect(.addPartitions([Self.partition], fresh))
        talk.answer(.partitionsAdded([Self.partition: .none]), to: addition)
        _ = try talk.expectProduce(of: batch)
        #expect(batch.identity == fresh)
        #expect(batch.sequence == 0)
    }

    @Test func `what an answer says twice, or leaves out, neither crashes nor counts as success`()
        throws
    {
        var talk = try TransactionTalk.begun()
        let batch = try talk.submit()
        let addition = try talk.expectAddition()
        talk.answer(
            .partitionsAdded([TopicPartition(topic: "u", partition: 3): .none]),
            to: addition
        )
        try talk.expectNothing()
        #expect(talk.failure(of: batch) != nil)
        talk = try TransactionTalk.written(.two)
        let other = try talk.submit()
        let request = try talk.expectProduce(of: other)
        let entry = ProduceAnswer.Partition(topic: "t", partition: 0, error: .transactionAbortable)
        let twice = [entry, ProduceAnswer.Partition(topic: "t", partition: 0, baseOffset: 7)]
        talk.talk.answer(.produce(ProduceAnswer(partitions: twice)), to: request)
        try talk.expectAbortable()
    }
}

extension TransactionTalk {
    /// Sees to it that no commit is possible.
    mutating func expectAbortable(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let commit = self.call(.commit)
        let error = try self.error(of: commit, sourceLocation: sourceLocation)
        guard case .transactionAbortable = error else {
            Issue.record("\(error)", sourceLocation: sourceLocation)
            return
        }
    }
}
