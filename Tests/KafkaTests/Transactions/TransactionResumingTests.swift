import KafkaProtocol
import Testing

@testable import Kafka

/// How a producer asks for a commit that another one had asked for before it died.
@Suite struct TransactionResumingTests {
    private let former = ProducerIdentity(id: 77, epoch: 3)

    private func end(_ version: TransactionVersion) -> TransactionRequest {
        let identity = ProducerIdentity(id: 77, epoch: 3, transactions: version)
        return .end(commit: true, identity)
    }

    /// A new producer that has been asked to resume, and has found the coordinator.
    private func resuming(
        _ version: TransactionVersion
    ) throws -> (talk: TransactionTalk, call: TransactionCallID) {
        var talk = try TransactionTalk(version)
        let call = talk.call(.resume(former))
        try talk.findCoordinator()
        return (talk, call)
    }

    @Test(arguments: [TransactionVersion.one, .two])
    func `the commit is asked for again before the producer id is taken over`(
        version: TransactionVersion
    ) throws {
        var (talk, call) = try resuming(version)
        let request = try talk.expect(end(version))
        let next = version == .two ? ProducerIdentity(id: 77, epoch: 4) : nil
        talk.answer(.ended(.none, next), to: request)
        try talk.expectSuccess(of: call)

        let start = talk.call(.restart)
        try talk.initialize()
        try talk.expectSuccess(of: start)
        try talk.begin()
        let batch = try talk.submit()
        if version == .one { try talk.addPartition() }
        talk.acknowledge(try talk.expectProduce(of: batch))
        let commit = talk.call(.commit)
        try talk.end(commit: true)
        try talk.expectSuccess(of: commit)
    }

    @Test(arguments: [
        KafkaError.producerFenced, .invalidProducerEpoch, .invalidProducerIDMapping,
        .transactionAbortable,
    ])
    func `these answers say that it never will be committed`(error: KafkaError) throws {
        var (talk, call) = try resuming(.two)
        let request = try talk.expect(end(.two))
        talk.answer(.ended(error, nil), to: request)
        #expect(try talk.error(of: call) == .transactionAborted)
        let start = talk.call(.restart)
        try talk.initialize()
        try talk.expectSuccess(of: start)
    }

    @Test func `with version 1 a wrong state says so too`() throws {
        var (talk, call) = try resuming(.one)
        let request = try talk.expect(end(.one))
        talk.answer(.ended(.invalidTxnState, nil), to: request)
        #expect(try talk.error(of: call) == .transactionAborted)
    }

    @Test(arguments: [KafkaError.none, .producerFenced])
    func `in a cluster that went to version 2 since, the question is put as it was`(
        error: KafkaError
    ) throws {
        var (talk, call) = try resuming(.two)
        let request = try talk.expect(end(.two))
        talk.answer(.ended(.invalidTxnState, nil), to: request)
        let again = try talk.expect(end(.one))
        talk.answer(.ended(error, nil), to: again)
        if error == .none {
            try talk.expectSuccess(of: call)
        } else {
            #expect(try talk.error(of: call) == .transactionAborted)
        }
    }

    @Test(arguments: [
        KafkaError.concurrentTransactions, .coordinatorLoadInProgress, .unknownServerError,
    ])
    func `these answers say nothing, and it is asked again`(error: KafkaError) throws {
        var (talk, call) = try resuming(.one)
        let request = try talk.expect(end(.one))
        talk.answer(.ended(error, nil), to: request)
        try talk.expectNothing()
        talk.wait()
        let again = try talk.expect(end(.one))
        talk.answer(.ended(.none, nil), to: again)
        try talk.expectSuccess(of: call)
    }

    @Test func `a lost answer and another coordinator change nothing`() throws {
        var (talk, call) = try resuming(.two)
        _ = try talk.expect(end(.two))
        talk.lose(2)
        talk.wait()
        try talk.findCoordinator()
        let request = try talk.expect(end(.two))
        talk.answer(.ended(.notCoordinator, nil), to: request)
        talk.wait()
        try talk.findCoordinator()
        let again = try talk.expect(end(.two))
        talk.answer(.ended(.none, nil), to: again)
        try talk.expectSuccess(of: call)
    }

    @Test func `a principal without the right is told so, and nothing is taken over`() throws {
        var (talk, call) = try resuming(.one)
        let request = try talk.expect(end(.one))
        talk.answer(.ended(.transactionalIDAuthorizationFailed, nil), to: request)
        let error = try talk.error(of: call)
        #expect("\(error)".contains("needs WRITE on the transactional id"))
        try talk.expectNothing()
    }

    @Test func `a producer that was fenced can take the id over again`() throws {
        var talk = try TransactionTalk.written(.one)
        let commit = talk.call(.commit)
        try talk.end(commit: true, .producerFenced)
        guard case .producerFenced = try talk.error(of: commit) else {
            Issue.record("the commit ended otherwise")
            return
        }
        let start = talk.call(.restart)
        try talk.initialize(to: talk.identity(epoch: 5))
        try talk.expectSuccess(of: start)
        try talk.begin()
        let batch = try talk.submit()
        try talk.addPartition(epoch: 5)
        talk.acknowledge(try talk.expectProduce(of: batch))
        #expect(batch.sequence == 0)
        let end = talk.call(.commit)
        try talk.end(commit: true, epoch: 5)
        try talk.expectSuccess(of: end)
    }

    @Test func `what is answered to a question from before that is not heard`() throws {
        var talk = try TransactionTalk.written(.one)
        let commit = talk.call(.commit)
        let stale = try talk.expectEnd(commit: true)
        let resume = talk.call(.resume(former))
        let request = try talk.expect(end(.one))
        #expect(talk.results[commit] == .some(.transactionAborted))
        talk.answer(.ended(.none, nil), to: stale)
        try talk.expectNothing()
        #expect(talk.results[resume] == nil)
        talk.answer(.ended(.none, nil), to: request)
        try talk.expectSuccess(of: resume)
    }
}
