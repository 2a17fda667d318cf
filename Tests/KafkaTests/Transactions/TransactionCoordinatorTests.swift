import KafkaProtocol
import Testing

@testable import Kafka

/// Whom a producer asks about its transactions, and under which identity.
@Suite struct TransactionCoordinatorTests {
    @Test func `nothing is asked before transactions are initialized`() throws {
        var talk = try TransactionTalk()
        try talk.expectNothing()
        let batch = try talk.submit()
        try talk.expectNothing()
        let error = KafkaProducerError.invalidTransactionState("no transaction is open")
        #expect(talk.failure(of: batch) == error)
        let call = talk.call(.begin)
        #expect(
            try talk.error(of: call) == .invalidTransactionState("call initTransactions() first")
        )
    }

    @Test func `a coordinator that does not answer is looked up again, and asked the same`() throws
    {
        var talk = try TransactionTalk()
        let call = talk.call(.initialize)
        try talk.findCoordinator()
        _ = try talk.expect(.initProducerID(raising: nil))
        talk.lose(2)
        try talk.expectNothing()
        talk.wait()
        try talk.findCoordinator()
        try talk.initialize()
        try talk.expectSuccess(of: call)
    }

    @Test(arguments: [KafkaError.notCoordinator, .coordinatorNotAvailable])
    func `a coordinator that moved is looked up again, and the new one asked the same`(
        error: KafkaError
    ) throws {
        var talk = try TransactionTalk()
        let call = talk.call(.initialize)
        try talk.findCoordinator()
        let refused = try talk.expect(.initProducerID(raising: nil))
        let nobody = ProducerIdentity(id: -1, epoch: -1)
        talk.answer(.producerID(ProducerIDAnswer(error: error, identity: nobody)), to: refused)
        try talk.expectNothing()
        talk.wait()
        let lookup = try talk.expect(.findCoordinator, to: nil)
        let address = BrokerAddress(host: "broker1", port: 9092)
        talk.answer(.coordinator(.none, .init(id: 1, address: address)), to: lookup)
        let request = try talk.expect(.initProducerID(raising: nil), to: 1)
        talk.answer(.producerID(ProducerIDAnswer(identity: talk.identity())), to: request)
        try talk.expectSuccess(of: call)
    }

    @Test func `a coordinator that metadata does not tell of is connected to all the same`() throws
    {
        var talk = try TransactionTalk()
        _ = talk.call(.initialize)
        let lookup = try talk.expect(.findCoordinator, to: nil)
        let address = BrokerAddress(host: "broker7", port: 9092)
        talk.answer(.coordinator(.none, .init(id: 7, address: address)), to: lookup)
        #expect(talk.talk.next() == .connect(7, address))
    }

    @Test func `a coordinator that is being elected is waited for`() throws {
        var talk = try TransactionTalk()
        let call = talk.call(.initialize)
        let nobody = ClusterMetadata.Broker(id: -1, address: BrokerAddress(host: "", port: -1))
        let lookup = try talk.expect(.findCoordinator, to: nil)
        talk.answer(.coordinator(.coordinatorNotAvailable, nobody), to: lookup)
        try talk.expectNothing()
        talk.wait()
        try talk.findCoordinator()
        try talk.initialize()
        try talk.expectSuccess(of: call)
    }

    @Test(arguments: [KafkaError.concurrentTransactions, .coordinatorLoadInProgress])
    func `a producer id that is not to be had yet is asked for again`(error: KafkaError) throws {
        var talk = try TransactionTalk()
        let call = talk.call(.initialize)
        try talk.findCoordinator()
        for _ in 0..<3 {
            let request = try talk.expect(.initProducerID(raising: nil))
            let nobody = ProducerIdentity(id: -1, epoch: -1)
            talk.answer(.producerID(ProducerIDAnswer(error: error, identity: nobody)), to: request)
            try talk.expectNothing()
            talk.wait()
        }
        try talk.initialize()
        try talk.expectSuccess(of: call)
    }

    @Test(arguments: [KafkaError.producerFenced, .invalidProducerEpoch])
    func `a producer that is fenced when it asks for its id stops and says so`(
        error: KafkaError
    ) throws {
        var talk = try TransactionTalk()
        let call = talk.call(.initialize)
        try talk.findCoordinator()
        try talk.initialize(refusedWith: error)
        guard case .producerFenced("tx", _) = try talk.error(of: call) else {
            throw UnexpectedAction()
        }
        talk.wait()
        try talk.expectNothing()
        let next = talk.call(.begin)
        guard case .producerFenced = try talk.error(of: next) else { throw UnexpectedAction() }
    }

    @Test func `a timeout that the brokers do not allow is named`() throws {
        var talk = try TransactionTalk()
        let call = talk.call(.initialize)
        try talk.findCoordinator()
        try talk.initialize(refusedWith: .invalidTransactionTimeout)
        #expect("\(try talk.error(of: call))".contains("transaction.max.timeout.ms"))
    }

    @Test func `TRANSACTION_ABORTABLE where there is no transaction ends the producer`() throws {
        var talk = try TransactionTalk()
        let call = talk.call(.initialize)
        try talk.findCoordinator()
        try talk.initialize(refusedWith: .transactionAbortable)
        guard case .refused(120, _, _) = try talk.error(of: call) else { throw UnexpectedAction() }
    }

    @Test func `a right that is missing on the transactional id is named`() throws {
        var talk = try TransactionTalk()
        let call = talk.call(.initialize)
        let lookup = try talk.expect(.findCoordinator, to: nil)
        let nobody = ClusterMetadata.Broker(id: -1, address: BrokerAddress(host: "", port: -1))
        talk.answer(.coordinator(.transactionalIDAuthorizationFailed, nobody), to: lookup)
        #expect("\(try talk.error(of: call))".contains("WRITE on the transactional id \"tx\""))
    }

    @Test func `transactions are initialized once, also when the first caller stopped waiting`()
        throws
    {
        var talk = try TransactionTalk()
        let first = talk.call(.initialize)
        talk.talk.machine.abandon(first)
        try talk.findCoordinator()
        try talk.initialize()
        try talk.expectNothing()
        #expect(talk.results[first] == nil)
        let second = talk.call(.initialize)
        try talk.expectSuccess(of: second)
        let third = talk.call(.initialize)
        let error = KafkaProducerError.invalidTransactionState(
            "initTransactions() was called before"
        )
        #expect(try talk.error(of: third) == error)
    }

    @Test func `the cluster's step to version 2 raises the epoch before the next transaction`()
        throws
    {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        try talk.end(commit: true)
        try talk.expectSuccess(of: commit)
        talk.support = TransactionSupport(version: .two, featuresEpoch: 9)
        talk.lose(1)
        talk.lose(2)
        talk.wait()
        // Who is connected to again tells.
        try talk.expectNothing()
        let begin = talk.call(.begin)
        try talk.findCoordinator()
        let former = ProducerIdentity(id: 4711, epoch: 0, transactions: .one)
        let request = try talk.expect(.initProducerID(raising: former))
        talk.answer(
            .producerID(ProducerIDAnswer(identity: talk.identity(epoch: 1))),
            to: request
        )
        try talk.expectSuccess(of: begin)
        let batch = try talk.submit()
        _ = try talk.expectProduce(of: batch)
        #expect(batch.identity == talk.identity(epoch: 1))
        #expect(batch.sequence == 0)
    }
}

extension TransactionTalk {
    mutating func initialize(refusedWith error: KafkaError) throws {
        let request = try self.expect(.initProducerID(raising: nil))
        let nobody = ProducerIdentity(id: -1, epoch: -1)
        self.answer(.producerID(ProducerIDAnswer(error: error, identity: nobody)), to: request)
    }
}
