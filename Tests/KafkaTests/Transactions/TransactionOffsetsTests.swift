import KafkaProtocol
import Testing

@testable import Kafka

/// How offsets of a consumer group get into a transaction.
@Suite struct TransactionOffsetsTests {
    private static let offsets = GroupOffsets(
        group: KafkaGroupMetadata(groupID: "g", generationID: 3, memberID: "m"),
        offsets: [KafkaConsumedOffset(topic: "in", partition: 0, offset: 7)]
    )
    private static let partition = TopicPartition(topic: "in", partition: 0)

    @Test func `with version 1 the group is added, its coordinator found, and told the offsets`()
        throws
    {
        var talk = try TransactionTalk.begun(.one)
        let call = talk.sendOffsets(Self.offsets)
        let addition = try talk.expect(.addOffsets(group: "g", talk.identity()))
        talk.answer(.offsetsAdded(.none), to: addition)
        try talk.findGroupCoordinator("g")
        let request = try talk.expect(.commitOffsets(Self.offsets, talk.identity()), to: 1)
        #expect(talk.results[call] == nil)
        talk.answer(.offsetsCommitted([Self.partition: .none]), to: request)
        try talk.expectSuccess(of: call)
        let commit = talk.call(.commit)
        try talk.end(commit: true)
        try talk.expectSuccess(of: commit)
    }

    @Test func `with version 2 the offsets open the transaction`() throws {
        var talk = try TransactionTalk.begun(.two)
        let call = talk.sendOffsets(Self.offsets)
        try talk.findGroupCoordinator("g")
        try talk.commitOffsets(Self.offsets)
        try talk.expectSuccess(of: call)
        let commit = talk.call(.commit)
        try talk.end(commit: true, next: talk.identity(epoch: 1))
        try talk.expectSuccess(of: commit)
    }

    @Test func `a commit waits for offsets that are on their way`() throws {
        var talk = try TransactionTalk.begun(.two)
        let call = talk.sendOffsets(Self.offsets)
        let commit = talk.call(.commit)
        try talk.findGroupCoordinator("g")
        try talk.commitOffsets(Self.offsets)
        try talk.end(commit: true)
        try talk.expectSuccess(of: call)
        try talk.expectSuccess(of: commit)
    }

    @Test(arguments: [
        KafkaError.coordinatorLoadInProgress, .unknownTopicOrPartition, .concurrentTransactions,
    ])
    func `offsets that the group cannot take yet are told again`(error: KafkaError) throws {
        var talk = try TransactionTalk.begun(.two)
        let call = talk.sendOffsets(Self.offsets)
        try talk.findGroupCoordinator("g")
        try talk.commitOffsets(Self.offsets, error)
        try talk.expectNothing()
        talk.wait()
        try talk.commitOffsets(Self.offsets)
        try talk.expectSuccess(of: call)
    }

    @Test func `a group's coordinator that moved, or is lost, is found again`() throws {
        var talk = try TransactionTalk.begun(.two)
        let call = talk.sendOffsets(Self.offsets)
        try talk.findGroupCoordinator("g")
        try talk.commitOffsets(Self.offsets, .notCoordinator)
        talk.wait()
        try talk.findGroupCoordinator("g")
        _ = try talk.expect(.commitOffsets(Self.offsets, talk.identity()), to: 1)
        talk.lose(1)
        try talk.expectNothing()
        talk.wait()
        try talk.findGroupCoordinator("g")
        try talk.commitOffsets(Self.offsets)
        try talk.expectSuccess(of: call)
    }

    @Test(arguments: [
        KafkaError.illegalGeneration, .unknownMemberID, .fencedInstanceID,
        .groupAuthorizationFailed, .transactionAbortable,
    ])
    func `a member that the group does not know any more has to abort`(error: KafkaError) throws {
        var talk = try TransactionTalk.begun(.two)
        let call = talk.sendOffsets(Self.offsets)
        try talk.findGroupCoordinator("g")
        try talk.commitOffsets(Self.offsets, error)
        guard case .transactionAbortable = try talk.error(of: call) else {
            throw UnexpectedAction()
        }
        let abort = talk.call(.abort)
        try talk.end(commit: false, next: talk.identity(epoch: 1))
        try talk.expectSuccess(of: abort)
    }

    @Test func `an abort ends the wait for offsets`() throws {
        var talk = try TransactionTalk.begun(.one)
        let call = talk.sendOffsets(Self.offsets)
        let addition = try talk.expect(.addOffsets(group: "g", talk.identity()))
        let abort = talk.call(.abort)
        #expect(try talk.error(of: call) == .transactionAborted)
        talk.answer(.offsetsAdded(.none), to: addition)
        try talk.end(commit: false)
        try talk.expectSuccess(of: abort)
    }

    @Test func `a fenced producer's offsets end it`() throws {
        var talk = try TransactionTalk.begun(.one)
        let call = talk.sendOffsets(Self.offsets)
        let addition = try talk.expect(.addOffsets(group: "g", talk.identity()))
        talk.answer(.offsetsAdded(.producerFenced), to: addition)
        guard case .producerFenced = try talk.error(of: call) else { throw UnexpectedAction() }
    }

    @Test func `offsets need a transaction, and brokers that take them`() throws {
        var talk = try TransactionTalk.initialized()
        let early = talk.sendOffsets(Self.offsets)
        let error = KafkaProducerError.invalidTransactionState("no transaction is open")
        #expect(try talk.error(of: early) == error)
        talk.support.commitsOffsets = false
        talk.lose(2)
        talk.wait()
        try talk.expectNothing()
        try talk.begin()
        let call = talk.sendOffsets(Self.offsets)
        guard case .refused(35, _, _) = try talk.error(of: call) else { throw UnexpectedAction() }
        let commit = talk.call(.commit)
        try talk.expectSuccess(of: commit)
    }
}

extension TransactionTalk {
    /// Answers that broker 1 coordinates the group.
    mutating func findGroupCoordinator(_ group: String) throws {
        let request = try self.expect(.findGroupCoordinator(group), to: nil)
        let address = BrokerAddress(host: "broker1", port: 9092)
        self.answer(.coordinator(.none, .init(id: 1, address: address)), to: request)
    }

    mutating func commitOffsets(_ offsets: GroupOffsets, _ error: KafkaError = .none) throws {
        let request = try self.expect(.commitOffsets(offsets, self.identity()), to: 1)
        var errors: [TopicPartition: KafkaError] = [:]
        for offset in offsets.offsets {
            errors[TopicPartition(topic: offset.topic, partition: offset.partition)] = error
        }
        self.answer(.offsetsCommitted(errors), to: request)
    }
}
