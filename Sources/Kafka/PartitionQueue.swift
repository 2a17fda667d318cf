internal import KafkaProtocol
internal import NIOCore

/// The batches of one partition, oldest first, and what its leader is known to remember of them.
struct PartitionQueue {
    let id: TopicPartition
    var leader: BrokerID = -1
    var leaderEpoch: Int32 = -1
    /// To be sent: batches that were sent before, in their order, then those that never were; of
    /// these some are numbered, for they are written down.
    var queue = CircularBuffer<ProducerBatch>()
    /// Sent and not answered, in the order of sending.
    var inFlight: [ProducerBatch] = []
    var identity: ProducerIdentity?
    /// The sequence of the next batch that is numbered.
    var nextSequence: Int32 = 0
    /// How many records were numbered before; orders batches, for sequences wrap.
    var nextOrdinal: Int64 = 0
    /// Whether this leader has acknowledged a batch of this producer id.
    var isLeaderProven = false
    /// Under which other numbers it goes on, as soon as nothing is in flight.
    var renewal: Renewal?
    /// Batches that may be in the log, or are: the acknowledgement of a later one settles them.
    var held: [ProducerBatch] = []
    var proof = Proof.unneeded
    /// How often a question for proof got no answer.
    var unansweredProofs = 0
    /// Where a batch was refused that later ones were numbered behind: none of those is in the log.
    var gap: Int64?
    /// A batch was given up of which nobody knows whether it is in the log.
    var isUnresolved = false
    /// The last batch of which it is known where in the log it is.
    var lastAcknowledged: RecoveryAcknowledgement?
    var notBefore: ContinuousClock.Instant?
    var backoff: Backoff
    /// Whether its leader's list of partitions with something to send holds it.
    var isListed = false

    init(id: TopicPartition, backoff: Backoff) {
        self.id = id
        self.backoff = backoff
    }

    /// Whether every batch that was submitted has been delivered or failed.
    var isEmpty: Bool { self.queue.isEmpty && self.inFlight.isEmpty && self.held.isEmpty }

    /// How many batches may be in flight now.
    func inFlightLimit(isIdempotent: Bool, limit: Int) -> Int {
        guard isIdempotent else { return limit }
        // A batch sent again goes alone: the broker would refuse those behind it.
        let isRetrying =
            self.queue.first?.wasSent ?? false || self.inFlight.contains(where: \.isRetry)
        // Kafka takes any first sequence, so a second batch could overtake the first one.
        return isRetrying || !self.isLeaderProven ? 1 : limit
    }

    /// Puts a batch that was sent back to its place among those that wait.
    mutating func requeue(_ batch: ProducerBatch) {
        let place = self.queue.firstIndex { other in
            other.ordinal.map { $0 > batch.ordinal ?? 0 } ?? true
        }
        self.queue.insert(batch, at: place ?? self.queue.endIndex)
    }

    /// Whether no batch that is older waits or is in flight.
    func isOldest(_ batch: ProducerBatch) -> Bool {
        let ordinal = batch.ordinal ?? 0
        return (self.queue.first?.ordinal ?? .max) >= ordinal
            && self.inFlight.allSatisfy { ($0.ordinal ?? .max) >= ordinal }
    }

    /// Numbers a batch that is about to be sent, or written down, for the first time.
    mutating func number(_ batch: ProducerBatch, isIdempotent: Bool) {
        batch.ordinal = self.nextOrdinal
        self.nextOrdinal += Int64(batch.recordCount)
        guard isIdempotent, let identity else { return }
        batch.assign(identity, sequence: self.nextSequence)
        self.nextSequence = RecordSequence.advance(
            self.nextSequence,
            by: Int32(batch.recordCount)
        )
    }

    mutating func changeLeader(to leader: BrokerID, epoch: Int32) {
        self.leaderEpoch = epoch
        guard leader != self.leader else { return }
        self.leader = leader
        self.isLeaderProven = false
        self.isListed = false
        self.notBefore = nil
        self.backoff.reset()
    }
}
