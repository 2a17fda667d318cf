import Kafka

@testable import Shipping

/// The transactions of one transactional id, and what a consumer that reads committed sees.
///
/// One thread at a time uses it.
final class SimulatedCoordinator: @unchecked Sendable {
    private enum Last { case nothing, committed, aborted }

    private let kafka: SimulatedKafka
    private let version: TransactionVersion
    private var identity = ProducerIdentity(id: 1, epoch: -1)
    /// Where the open transaction begins in Kafka's log.
    private var openFrom = 0
    private var last = Last.nothing
    /// What is committed, in the order of the log.
    private(set) var committed: [SimulatedKafka.Entry] = []

    init(_ kafka: SimulatedKafka, _ version: TransactionVersion) {
        self.kafka = kafka
        self.version = version
    }

    var values: [String] { committed.map(\.value) }

    /// Answers who says that it is `caller`.
    func obey(
        _ operation: TransactionOperation,
        as caller: ProducerIdentity?
    ) -> (error: KafkaProducerError?, identity: ProducerIdentity?) {
        switch operation {
        case .initialize, .restart:
            end(isCommit: false)
            identity.epoch += 1
            last = .nothing
            return (nil, identity)
        case .begin: return (nil, caller)
        case .commit, .abort:
            guard caller == identity else {
                return (.producerFenced(transactionalID: "t", "EndTxn"), caller)
            }
            end(isCommit: operation == .commit)
            if version == .two { identity.epoch += 1 }
            return (nil, identity)
        case .resume(let former): return (isCommitted(by: former) ? nil : .transactionAborted, nil)
        }
    }

    private func isCommitted(by former: ProducerIdentity) -> Bool {
        let isRepeated = former.epoch == identity.epoch - (version == .two ? 1 : 0)
        if isRepeated, last == .committed { return true }
        guard former.epoch == identity.epoch, last == .nothing || version == .two else {
            return false
        }
        return obey(.commit, as: identity).error == nil
    }

    private func end(isCommit: Bool) {
        if isCommit { committed += kafka.entries[openFrom...] }
        openFrom = kafka.entries.count
        last = isCommit ? .committed : .aborted
    }

    /// Notes that the first record of a transaction has come.
    func noteRecords() {
        if kafka.entries.count > openFrom { last = .nothing }
    }

    /// Kafka aborts what has been open for too long.
    func timeOut() {
        noteRecords()
        guard last == .nothing, kafka.entries.count > openFrom else { return }
        end(isCommit: false)
        identity.epoch += 1
    }
}
