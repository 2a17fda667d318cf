package import KafkaProtocol
internal import NIOCore

/// A sealed record batch on its way from a lane to the log, and which records it holds.
///
/// Safe to share: one side has it at a time. The lane fills it and submits it, the producer's event
/// loop numbers and sends it, and the delivery gives it back.
package final class ProducerBatch: @unchecked Sendable, Equatable {
    /// Records in a row of one owner, whose partition was found in one way.
    package struct Run: Sendable, Equatable {
        /// How records found their partition that take the place of refused ones.
        package static let answer: Int32 = 0

        package var owner: UInt64
        package var firstPosition: Int64
        package var lastPosition: Int64
        package var count: Int32
        /// How the records found their partition: the topic's number of partitions if by their keys
        /// or their own choice, the stint of the sticky partitioner, below zero, if by its choice,
        /// and ``answer`` for a record in the place of one that Kafka refused.
        package var routing: Int32

        package init(
            owner: UInt64,
            firstPosition: Int64,
            lastPosition: Int64,
            count: Int32,
            routing: Int32
        ) {
            self.owner = owner
            self.firstPosition = firstPosition
            self.lastPosition = lastPosition
            self.count = count
            self.routing = routing
        }
    }

    package let topic: String
    package let topicIndex: TopicIndex
    package let partition: Int32
    package let recordCount: Int
    /// The bytes on the wire.
    package let byteCount: Int
    package let createdAt: ContinuousClock.Instant
    /// It was closed because a record had no room in it, not because of its age.
    package let isFull: Bool
    /// Whose the records are, in order.
    package let runs: [Run]
    /// It is made of some records of a sealed batch: between two of its runs others may be missing.
    package let isPiece: Bool
    /// For each record how far its position is from its run's first.
    package let positionDeltas: [UInt32]
    /// Who waits for the records; nobody for those of a lane, which counts receipts.
    let completions: BatchCompletions
    /// The batch itself, until it is released.
    package private(set) var sealed: SealedRecordBatch?

    /// Its row in the journal, 0 without one.
    package var journalID: Int64 = 0
    /// The row whose records it takes over, 0 for none; it goes when this batch's row comes, or when
    /// this batch fails without one.
    package internal(set) var replaces: Int64 = 0

    // What the producer notes while it has the batch.
    /// The topic it was last sent to, which another of the same name is not.
    package internal(set) var topicID = TopicID.zero
    var listener: (any DeliveryListener)?
    var attempts = 0
    /// Attempts after which the broker said that the bytes were damaged.
    var corruptAttempts = 0
    var ordinal: Int64?
    package private(set) var identity: ProducerIdentity?
    /// The sequence of its first record.
    package private(set) var sequence: Int32?
    /// It was sent under these numbers.
    var wasSent = false
    var journaling = Journaling.missing
    /// The row that it was made again from, to be sent under its numbers.
    var recoveryRow: Int64?
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
        isFull: Bool = false,
        completions: BatchCompletions = BatchCompletions(),
        isPiece: Bool = false,
        pool: BufferPool?,
        charge: Int
    ) {
        self.topic = topic
        self.topicIndex = topicIndex
        self.partition = partition
        self.recordCount = sealed.recordCount
        self.byteCount = sealed.byteCount
        self.createdAt = createdAt
        self.isFull = isFull
        self.sealed = sealed
        self.runs = positions.runs
        self.positionDeltas = positions.deltas
        self.completions = completions
        self.isPiece = isPiece
        self.pool = pool
        self.charge = charge
    }

    package static func == (first: ProducerBatch, second: ProducerBatch) -> Bool {
        first === second
    }

    /// Whether it may be in the log although it failed.
    package var mayBeInLog: Bool { self.mayBePersisted || self.isProvenAppended }

    /// Milliseconds since 1970 of its newest record; nil once it is released.
    package var maxTimestamp: Int64? { self.sealed?.header.maxTimestamp }

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
        self.wasSent = false
        self.journaling = .missing
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
