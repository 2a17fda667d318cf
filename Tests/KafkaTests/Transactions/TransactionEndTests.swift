import KafkaProtocol
import Testing

@testable import Kafka

/// How transactions end, and what is said of it when answers get lost.
@Suite struct TransactionEndTests {
    @Test func `a commit waits for every acknowledgement`() throws {
        var talk = try TransactionTalk.begun()
        let first = try talk.submit()
        let second = try talk.submit()
        let commit = talk.call(.commit)
        try talk.addPartition()
        let request = try talk.expectProduce(of: first)
        try talk.expectNothing()
        talk.acknowledge(request)
        let next = try talk.expectProduce(of: second)
        try talk.expectNothing()
        talk.acknowledge(next)
        try talk.end(commit: true)
        try talk.expectSuccess(of: commit)
    }

    @Test func `records that come after the call to commit are refused`() throws {
        var talk = try TransactionTalk.written()
        _ = talk.call(.commit)
        let late = try talk.submit()
        _ = try talk.expectEnd(commit: true)
        #expect(talk.failure(of: late) == .invalidTransactionState("no transaction is open"))
    }

    @Test(arguments: [TransactionVersion.one, .two])
    func `an empty transaction ends without a request`(version: TransactionVersion) throws {
        var talk = try TransactionTalk.begun(version)
        let commit = talk.call(.commit)
        try talk.expectSuccess(of: commit)
        try talk.begin()
        let abort = talk.call(.abort)
        try talk.expectSuccess(of: abort)
    }

    @Test func `an abort cancels what was not asked yet`() throws {
        var talk = try TransactionTalk.begun()
        talk.talk.machine.connectionClosed(2, reason: "reset", now: talk.talk.now)
        let batch = try talk.submit()
        let abort = talk.call(.abort)
        try talk.expectSuccess(of: abort)
        #expect(talk.failure(of: batch) == .transactionAborted)
    }

    @Test func `an abort after a lost addition asks to end, and takes no for an answer`() throws {
        var talk = try TransactionTalk.begun()
        _ = try talk.submit()
        _ = try talk.expectAddition()
        talk.lose(2)
        let abort = talk.call(.abort)
        try talk.expectNothing()
        talk.wait()
        try talk.findCoordinator()
        try talk.end(commit: false, .invalidTxnState)
        try talk.expectSuccess(of: abort)
        try talk.begin()
    }

    @Test func `version 1 keeps the epoch, and sequences go on`() throws {
        var talk = try TransactionTalk.written(.one)
        let commit = talk.call(.commit)
        try talk.end(commit: true)
        try talk.expectSuccess(of: commit)
        try talk.begin()
        let batch = try talk.submit()
        try talk.addPartition()
        _ = try talk.expectProduce(of: batch)
        #expect(batch.identity == talk.identity())
        #expect(batch.sequence == 1)
    }

    @Test func `version 2 ends with the next epoch, and sequences begin anew`() throws {
        var talk = try TransactionTalk.written(.two)
        let commit = talk.call(.commit)
        try talk.end(commit: true, next: talk.identity(epoch: 1))
        try talk.expectSuccess(of: commit)
        try talk.begin()
        let batch = try talk.submit()
        _ = try talk.expectProduce(of: batch)
        #expect(batch.identity == talk.identity(epoch: 1))
        #expect(batch.sequence == 0)
    }

    @Test func `when the epochs have run out version 2 goes on with a new producer id`() throws {
        var talk = try TransactionTalk.written(.two)
        let commit = talk.call(.commit)
        try talk.end(commit: true, next: talk.identity(epoch: 0, id: 5000))
        try talk.expectSuccess(of: commit)
        try talk.begin()
        let batch = try talk.submit()
        _ = try talk.expectProduce(of: batch)
        #expect(batch.identity == talk.identity(epoch: 0, id: 5000))
        #expect(batch.sequence == 0)
    }

    @Test(arguments: [
        KafkaError.concurrentTransactions, .coordinatorLoadInProgress, .requestTimedOut,
    ])
    func `an end that is not answered yes or no is asked for again`(error: KafkaError) throws {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        for _ in 0..<3 {
            try talk.end(commit: true, error)
            try talk.expectNothing()
            talk.wait()
        }
        try talk.end(commit: true)
        try talk.expectSuccess(of: commit)
    }

    @Test(arguments: [KafkaError.notCoordinator, .coordinatorNotAvailable])
    func `an end is asked of the coordinator's successor`(error: KafkaError) throws {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        try talk.end(commit: true, error)
        talk.wait()
        try talk.findCoordinator()
        try talk.end(commit: true)
        try talk.expectSuccess(of: commit)
    }

    @Test func `an end whose answer is lost is asked for again with the same identity`() throws {
        var talk = try TransactionTalk.written(.two)
        let commit = talk.call(.commit)
        _ = try talk.expectEnd(commit: true)
        talk.lose(2)
        try talk.expectNothing()
        #expect(talk.results[commit] == nil)
        talk.wait()
        try talk.findCoordinator()
        try talk.end(commit: true, next: talk.identity(epoch: 1))
        try talk.expectSuccess(of: commit)
    }

    @Test func `a commit that nobody waits for any more gives its result to the next call`() throws
    {
        var talk = try TransactionTalk.written()
        let first = talk.call(.commit)
        let request = try talk.expectEnd(commit: true)
        talk.talk.machine.abandon(first)
        let abort = talk.call(.abort)
        guard case .invalidTransactionState = try talk.error(of: abort) else {
            throw UnexpectedAction()
        }
        talk.answer(.ended(.none, nil), to: request)
        try talk.expectNothing()
        #expect(talk.results[first] == nil)
        let begin = talk.call(.begin)
        guard case .invalidTransactionState = try talk.error(of: begin) else {
            throw UnexpectedAction()
        }
        let late = talk.call(.abort)
        let committed = KafkaProducerError.invalidTransactionState("the transaction is committed")
        #expect(try talk.error(of: late) == committed)
        let second = talk.call(.commit)
        try talk.expectSuccess(of: second)
        try talk.begin()
    }

    @Test func `a commit can be waited for twice`() throws {
        var talk = try TransactionTalk.written()
        let first = talk.call(.commit)
        let request = try talk.expectEnd(commit: true)
        let second = talk.call(.commit)
        talk.answer(.ended(.none, nil), to: request)
        try talk.expectSuccess(of: first)
        try talk.expectSuccess(of: second)
    }

    @Test func `an end with an unknown error is not reported as committed`() throws {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        try talk.end(commit: true, .unknownServerError)
        guard case .transactionOutcomeUnknown = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
        let again = talk.call(.commit)
        guard case .transactionOutcomeUnknown = try talk.error(of: again) else {
            throw UnexpectedAction()
        }
    }

    @Test(arguments: [
        KafkaError.producerFenced, .invalidProducerEpoch, .invalidTxnState,
        .invalidProducerIDMapping, .transactionAbortable,
    ])
    func `a refusal after an answer that was lost leaves the outcome unknown`(
        error: KafkaError
    ) throws {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        _ = try talk.expectEnd(commit: true)
        talk.lose(2)
        try talk.expectNothing()
        talk.wait()
        try talk.findCoordinator()
        try talk.end(commit: true, error)
        guard case .transactionOutcomeUnknown = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
    }

    @Test(arguments: [KafkaError.producerFenced, .invalidProducerEpoch])
    func `a producer that is fenced when it commits stops and says so`(error: KafkaError) throws {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        try talk.end(commit: true, error)
        guard case .producerFenced("tx", _) = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
    }

    @Test(arguments: [KafkaError.invalidTxnState, .transactionalIDAuthorizationFailed])
    func `a commit that is refused for good ends the producer`(error: KafkaError) throws {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        try talk.end(commit: true, error)
        guard case .refused(error.rawValue, _, _) = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
    }

    @Test func `an epoch that has to be raised is raised after the coordinator came back`() throws {
        var talk = try TransactionTalk.written()
        let bad = try talk.submit()
        let request = try talk.expectProduce(of: bad)
        let behind = try talk.submit()
        talk.refuse(.outOfOrderSequenceNumber, try talk.expectProduce(of: behind))
        talk.refuse(.messageTooLarge, request)
        let abort = talk.call(.abort)
        try talk.end(commit: false)
        _ = try talk.expect(.initProducerID(raising: talk.identity()))
        talk.lose(2)
        try talk.expectNothing()
        talk.wait()
        try talk.findCoordinator()
        try talk.initialize(raising: talk.identity(), to: talk.identity(epoch: 1))
        try talk.expectSuccess(of: abort)
        try talk.begin()
        let good = try talk.submit()
        try talk.addPartition(epoch: 1)
        _ = try talk.expectProduce(of: good)
        #expect(good.sequence == 0)
    }

    @Test func `calls that fit no state are refused and change nothing`() throws {
        var talk = try TransactionTalk.initialized()
        for operation in [TransactionOperation.commit, .abort] {
            let call = talk.call(operation)
            let error = KafkaProducerError.invalidTransactionState("no transaction is open")
            #expect(try talk.error(of: call) == error)
        }
        try talk.begin()
        let call = talk.call(.begin)
        let error = KafkaProducerError.invalidTransactionState("the last transaction has not ended")
        #expect(try talk.error(of: call) == error)
        let commit = talk.call(.commit)
        try talk.expectSuccess(of: commit)
    }

    @Test func `a producer without a transactional id has no transactions`() throws {
        var talk = try Conversation.started()
        talk.machine.call(.initialize, 1)
        let error = KafkaProducerError.invalidTransactionState("transactional.id is not set")
        #expect(talk.next() == .completed(1, error))
    }

    @Test func `closing aborts the open transaction first`() throws {
        var talk = try TransactionTalk.written()
        talk.talk.machine.close(draining: true)
        try talk.end(commit: false)
        var actions = talk.talk.drainActions()
        #expect(actions.popLast() == .finished)
    }

    @Test func `closing at once while a commit is under way leaves its outcome unknown`() throws {
        var talk = try TransactionTalk.written()
        let commit = talk.call(.commit)
        _ = try talk.expectEnd(commit: true)
        talk.talk.machine.close(draining: false)
        guard case .transactionOutcomeUnknown = try talk.error(of: commit) else {
            throw UnexpectedAction()
        }
    }
}
