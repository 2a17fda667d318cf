package import KafkaProtocol
internal import NIOCore

/// A sealed record batch on its way from a lane to the log, and which records it holds.
///
/// Safe to share: one side has it at a time. The lane fills it and submits it, the producer's event
/// loop numbers and sends it, and the delivery gives it back.
package final class ProducerBatch: @unchecked Sendable, Equatable {
    /// Records in a row of one owner.
    package struct Run: Sendable, Equatable {
        package var owner: UInt64
        package var firstPosition: Int64
        package var lastPosition: Int64
        package var count: Int32

        package init(owner: UInt64, firstPosition: Int64, lastPosition: Int64, count: Int32) {
            self.owner = owner
            self.firstPosition = firstPosition
            self.lastPosition = lastPosition
            self.count = count
        }
    }

    package let topic: String
    package let topicIndex: TopicIndex
    package let partition: Int32
    package let recordCount: Int
    /// The bytes on the wire.
    package let byteCount: Int
    package let createdAt: ContinuousClock.Instant
    /// Whose the records are, in order; one of `recordCount` for each owner in a row.
    package let runs: [Run]
    /// For each record how far its position is from its run's first.
    package let positionDeltas: [UInt32]
    /// Who waits for the records; nil for those of a lane, which counts receipts.
    let completions: BatchCompletions?
    /// The batch itself, until it is released.
    package private(set) var sealed: SealedRecordBatch?

    // What the producer notes while it has the batch.
    /// The topic it was last sent to, which another of the same name is not.
    var topicID = TopicID.zero
    var listener: (any DeliveryListener)?
    var attempts = 0
    /// Attempts after which the broker said that the bytes were damaged.
    var corruptAttempts = 0
    var ordinal: Int64?
    private(set) var identity: ProducerIdentity?
    private(set) var sequence: Int32?
    /// An earlier attempt may have reached the log.
    var mayBePersisted = false
    /// The leader said that it has it.
    var isProvenAppended = false

    private let pool: BufferPool?
    private let charge: Int

    init(
        topic: String,
        topicIndex: TopicIndex,
        partition: Int32,
        createdAt: ContinuousClock.Instant,
        sealed: SealedRecordBatch,
        positions: RecordPositions,
        completions: BatchCompletions? = nil,
        pool: BufferPool?,
        charge: Int
    ) {
        self.topic = topic
        self.topicIndex = topicIndex
        self.partition = partition
        self.recordCount = sealed.recordCount
        self.byteCount = sealed.byteCount
        self.createdAt = createdAt
        self.sealed = sealed
        self.runs = positions.runs
        self.positionDeltas = positions.deltas
        self.completions = completions
        self.pool = pool
        self.charge = charge
    }

    package static func == (first: ProducerBatch, second: ProducerBatch) -> Bool {
        first === second
    }

    /// Whether it was sent more than once.
    var isRetry: Bool { self.attempts > 1 }

    /// The position of a record, by its place in the batch.
    package func position(ofRecord index: Int) -> Int64 {
        self.run(ofRecord: index).firstPosition + Int64(self.positionDeltas[index])
    }

    /// The run that holds a record.
    package func run(ofRecord index: Int) -> Run {
        var end = 0
        for run in self.runs {
            end += Int(run.count)
            if index < end { return run }
        }
        preconditionFailure("record \(index) of a batch of \(self.recordCount)")
    }

    /// Writes producer id, epoch and sequence into the batch.
    func assign(_ identity: ProducerIdentity, sequence: Int32) {
        self.identity = identity
        self.sequence = sequence
        self.sealed?.assign(
            producerID: identity.id,
            epoch: identity.epoch,
            baseSequence: sequence,
            isTransactional: identity.transactions != nil
        )
    }

    /// Makes it a batch that was never numbered.
    func forgetNumber() {
        self.identity = nil
        self.sequence = nil
        self.ordinal = nil
        self.mayBePersisted = false
        self.isProvenAppended = false
    }

    /// Gives the buffer back to its pool; the runs stay.
    package func release() {
        guard let bytes = self.sealed?.buffer else { return }
        self.sealed = nil
        self.listener = nil
        // Moved, not copied: the pool must find nobody else who refers to the bytes.
        self.pool?.put(PooledBuffer(bytes: consume bytes, charge: self.charge))
    }
}

/// Whose the records of a batch are, merged into runs while they are appended.
struct RecordPositions {
    private var ended: [ProducerBatch.Run] = []
    /// The run that grows; without records before the first.
    private var last = ProducerBatch.Run(owner: 0, firstPosition: 0, lastPosition: 0, count: 0)
    private(set) var deltas: [UInt32] = []

    var runs: [ProducerBatch.Run] { self.last.count > 0 ? self.ended + [self.last] : self.ended }

    mutating func append(owner: UInt64, position: Int64) {
        if self.last.count > 0, self.last.owner == owner, let delta = self.delta(to: position) {
            self.last.lastPosition = position
            self.last.count += 1
            self.deltas.append(delta)
        } else {
            if self.last.count > 0 { self.ended.append(self.last) }
            self.last = ProducerBatch.Run(
                owner: owner,
                firstPosition: position,
                lastPosition: position,
                count: 1
            )
            self.deltas.append(0)
        }
    }

    /// Nil where the position goes back or too far: a run of its own begins there.
    private func delta(to position: Int64) -> UInt32? {
        guard position >= self.last.lastPosition else { return nil }
        let (delta, overflow) = position.subtractingReportingOverflow(self.last.firstPosition)
        return overflow ? nil : UInt32(exactly: delta)
    }
}
