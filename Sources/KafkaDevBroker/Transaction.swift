/// A partition of a topic.
struct TopicPartition: Hashable, Sendable {
    var topic: String
    var partition: Int32
}

/// What a coordinator knows of one transactional id.
struct Transaction: Sendable, Equatable {
    typealias Instant = ContinuousClock.Instant

    enum State: String, Sendable {
        case empty, ongoing, prepareCommit, prepareAbort, completeCommit, completeAbort
    }

    var producerID: Int64
    /// -1 until the id is given out for the first time.
    var epoch: Int16 = -1
    /// The identity before this one, by which a repeated request is known; -1 if it was fenced.
    var lastProducerID: Int64 = -1
    var lastEpoch: Int16 = -1
    /// The identity that takes over when the markers are written, where the epochs ran out.
    var nextProducerID: Int64?
    var timeout: Duration
    var state = State.empty
    var partitions: Set<TopicPartition> = []
    /// When the transaction began that is open.
    var startedAt: Instant?
    var updatedAt: Instant?
    /// Whether the transaction was ended as `transaction.version` 2 has it: with a new epoch.
    var raisesEpoch = false

    var isPreparing: Bool { self.state == .prepareCommit || self.state == .prepareAbort }

    /// Epochs go up to 32766; one more is left for fencing (`TransactionMetadata`).
    var isEpochExhausted: Bool { self.epoch >= Int16.max - 1 }

    /// When the coordinator aborts the open transaction.
    var deadline: Instant? {
        guard self.state == .ongoing else { return nil }
        return self.startedAt.map { $0 + self.timeout }
    }

    mutating func add(_ partitions: [TopicPartition], raisesEpoch: Bool, now: Instant) {
        if self.state != .ongoing {
            self.startedAt = now
            self.partitions = []
        }
        self.state = .ongoing
        self.raisesEpoch = raisesEpoch
        self.partitions.formUnion(partitions)
        self.updatedAt = now
    }

    /// Begins to end the transaction; `raisesEpoch` gives the producer its next epoch at once.
    mutating func prepare(commit: Bool, raisesEpoch: Bool, now: Instant) {
        self.state = commit ? .prepareCommit : .prepareAbort
        self.raisesEpoch = raisesEpoch
        self.updatedAt = now
        guard raisesEpoch else { return }
        self.lastProducerID = self.producerID
        self.lastEpoch = self.epoch
        self.epoch += 1
    }

    /// Takes the transaction away from its producer: the coordinator is going to abort it.
    mutating func fence(now: Instant) {
        self.epoch = self.epoch == .max ? self.epoch : self.epoch + 1
        self.lastEpoch = -1
        self.state = .prepareAbort
        self.raisesEpoch = false
        self.updatedAt = now
    }

    /// Ends the transaction: its markers are written.
    mutating func complete(now: Instant) {
        self.state = self.state == .prepareCommit ? .completeCommit : .completeAbort
        self.partitions = []
        self.startedAt = nil
        self.updatedAt = now
        guard let next = self.nextProducerID else { return }
        self.producerID = next
        self.epoch = 0
        self.nextProducerID = nil
    }
}
