internal import KafkaProtocol

/// Says what may happen to transactions, and which markers end them.
///
/// The rules and the order in which they are checked are those of Apache Kafka's
/// `TransactionCoordinator`, for both `transaction.version` 1 and 2 (KIP-98, KIP-360, KIP-890).
struct TransactionCoordinator: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// Who a producer says it is.
    struct Identity: Sendable, Equatable {
        var producerID: Int64 = -1
        var epoch: Int16 = -1
    }

    /// The markers that end a transaction.
    struct Markers: Sendable, Equatable {
        var identity: Identity
        var isCommit: Bool
        var partitions: [TopicPartition]
    }

    var transactions: [String: Transaction] = [:]
    /// The next producer id, for producers with and without a transactional id.
    var nextProducerID: Int64 = 1000
    /// How long markers take to be written after a transaction has ended.
    var markerDelay = Duration.zero
    /// `transactional.id.expiration.ms`.
    var idExpiration = Duration.seconds(7 * 24 * 3600)
    /// `transaction.max.timeout.ms`.
    var timeoutLimit = Duration.seconds(15 * 60)
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    var checkInterval = Duration.seconds(10)
    private var dueMarkers: [(id: String, due: Instant)] = []
    private var nextCheck: Instant?

    mutating func takeProducerID() -> Int64 {
        self.nextProducerID += 1
        return self.nextProducerID - 1
    }

    /// Adds partitions to a producer's transaction, which opens it.
    mutating func add(
        _ partitions: [TopicPartition],
        to id: String,
        _ identity: Identity,
        raisesEpoch: Bool,
        now: Instant
    ) -> KafkaError {
        self.expire(id, now: now)
        guard !id.isEmpty else { return .invalidRequest }
        guard let transaction = self.transactions[id] else { return .invalidProducerIDMapping }
        guard transaction.producerID == identity.producerID else {
            return .invalidProducerIDMapping
        }
        guard transaction.epoch == identity.epoch else { return .producerFenced }
        guard !transaction.isPreparing else { return .concurrentTransactions }
        self.transactions[id]?.add(partitions, raisesEpoch: raisesEpoch, now: now)
        self.nextCheck = self.nextCheck ?? now + self.checkInterval
        return .none
    }

    /// Whether a partition belongs to a producer's open transaction.
    mutating func verify(
        _ partition: TopicPartition,
        of id: String,
        _ identity: Identity,
        now: Instant
    ) -> KafkaError {
        self.expire(id, now: now)
        guard let transaction = self.transactions[id],
            transaction.producerID == identity.producerID
        else { return .invalidProducerIDMapping }
        guard transaction.epoch == identity.epoch else { return .producerFenced }
        guard !transaction.isPreparing else { return .concurrentTransactions }
        return transaction.partitions.contains(partition) ? .none : .transactionAbortable
    }

    /// A transactional id that nobody used for long is forgotten.
    mutating func expire(_ id: String, now: Instant) {
        guard let transaction = self.transactions[id], transaction.state != .ongoing,
            !transaction.isPreparing, let updatedAt = transaction.updatedAt,
            now - updatedAt >= self.idExpiration
        else { return }
        self.transactions[id] = nil
    }
}

extension TransactionCoordinator {
    /// Goes on after a restart: markers that are missing are written anew.
    mutating func resume(now: Instant) {
        for (id, transaction) in self.transactions.sorted(by: { $0.key < $1.key }) {
            if transaction.isPreparing { self.scheduleMarkers(of: id, now: now) }
            if transaction.state == .ongoing { self.nextCheck = now + self.checkInterval }
        }
    }

    /// When something has to be done unprompted.
    var nextDeadline: Instant? {
        (self.dueMarkers.map(\.due) + [self.nextCheck].compactMap { $0 }).min()
    }

    /// Aborts what has been open for too long; Kafka looks every ten seconds.
    mutating func timePassed(now: Instant) {
        guard let check = self.nextCheck, check <= now else { return }
        for id in self.transactions.keys.sorted() {
            guard let deadline = self.transactions[id]?.deadline, deadline < now else { continue }
            self.fence(id, now: now)
        }
        let isAnyOpen = self.transactions.values.contains { $0.state == .ongoing }
        self.nextCheck = isAnyOpen ? now + self.checkInterval : nil
    }

    mutating func fence(_ id: String, now: Instant) {
        self.transactions[id]?.fence(now: now)
        self.scheduleMarkers(of: id, now: now)
    }

    mutating func scheduleMarkers(of id: String, now: Instant) {
        self.dueMarkers.append((id, now + self.markerDelay))
    }

    /// The markers that are to be written now; their transaction is then over.
    mutating func nextMarkers(now: Instant) -> Markers? {
        guard let index = self.dueMarkers.firstIndex(where: { $0.due <= now }) else { return nil }
        let id = self.dueMarkers.remove(at: index).id
        guard let transaction = self.transactions[id], transaction.isPreparing else {
            preconditionFailure("markers of \(id) are due, which is not ending")
        }
        let markers = Markers(
            identity: Identity(producerID: transaction.producerID, epoch: transaction.epoch),
            isCommit: transaction.state == .prepareCommit,
            partitions: transaction.partitions.sorted {
                ($0.topic, $0.partition) < ($1.topic, $1.partition)
            }
        )
        self.transactions[id]?.complete(now: now)
        return markers
    }
}
