package import KafkaProtocol

/// A journaled batch of which it is not known whether it is in the log.
package struct RecoveryBatch: Sendable, Equatable {
    /// The number of its row in the journal.
    package var id: Int64
    /// The topic that it was for; zero where the cluster has no topic ids.
    package var topicID: TopicID
    package var producerID: Int64
    package var epoch: Int16
    package var baseSequence: Int32
    package var recordCount: Int32
    /// When it was closed, in milliseconds since 1970.
    package var createdAt: Int64
    /// That of its newest record, in milliseconds since 1970: the broker forgets by it.
    package var maxTimestamp: Int64
    /// Where it was acknowledged, -1 where that was not told; nil while it is in flight.
    ///
    /// Such a batch is looked for only when the broker turns out to have lost what it acknowledged.
    package var settledOffset: Int64?

    package init(
        id: Int64,
        topicID: TopicID = .zero,
        producerID: Int64,
        epoch: Int16,
        baseSequence: Int32,
        recordCount: Int32,
        createdAt: Int64,
        maxTimestamp: Int64,
        settledOffset: Int64? = nil
    ) {
        self.id = id
        self.topicID = topicID
        self.producerID = producerID
        self.epoch = epoch
        self.baseSequence = baseSequence
        self.recordCount = recordCount
        self.createdAt = createdAt
        self.maxTimestamp = maxTimestamp
        self.settledOffset = settledOffset
    }

    package var identity: ProducerIdentity {
        ProducerIdentity(id: self.producerID, epoch: self.epoch)
    }

    var lastSequence: Int32 {
        RecordSequence.advance(self.baseSequence, by: self.recordCount - 1)
    }

    /// The earliest time by which a broker may count its age.
    var age: Int64 { min(self.createdAt, self.maxTimestamp) }
}

/// The last batch of a partition of which the journal knows that it was acknowledged: of all that
/// were, and of all that recovery found appended, the one with the highest offset.
package struct RecoveryAcknowledgement: Sendable, Equatable {
    package var topicID: TopicID
    package var producerID: Int64
    package var epoch: Int16
    /// The sequence of its last record; -1 where nothing of this identity was acknowledged yet.
    package var sequence: Int32
    /// The offset of the last record that was acknowledged, under whatever identity; -1 for none.
    package var offset: Int64

    package init(
        topicID: TopicID = .zero,
        producerID: Int64,
        epoch: Int16,
        sequence: Int32,
        offset: Int64
    ) {
        self.topicID = topicID
        self.producerID = producerID
        self.epoch = epoch
        self.sequence = sequence
        self.offset = offset
    }

    var identity: ProducerIdentity {
        ProducerIdentity(id: self.producerID, epoch: self.epoch)
    }
}

/// What became of a journaled batch.
package enum RecoveryOutcome: Sendable, Equatable {
    /// In the log once, on all replicas, with its base offset where the broker told it.
    case appended(baseOffset: Int64?)
    /// Not in the log, and it cannot get there any more under its numbers: its records are new ones.
    ///
    /// The row may be taken out of the journal only in the transaction that writes the rows which
    /// take its records over.
    case absent
}

/// What was found out about a partition, for logs and status.
package struct RecoveryReport: Sendable, Equatable {
    /// Batches that were in the log already, and their records.
    package var foundBatches = 0
    package var foundRecords: Int64 = 0
    /// Batches that were missing and were sent under their old numbers, and their records.
    package var sentBatches = 0
    package var sentRecords: Int64 = 0
    /// Batches that were missing and whose records are to be sent as new ones.
    package var absentBatches = 0
    package var absentRecords: Int64 = 0
    /// Batches in the log that the journal does not know.
    package var unjournaledBatches = 0
    /// Records of which nobody could tell whether they are in the log, and that are sent again.
    package var possibleRepeats: Int64 = 0
    /// Records that had been acknowledged and are gone from the log.
    package var lostRecords: Int64 = 0
    /// Their records.
    package var unjournaledRecords: Int64 = 0
    /// Offsets that could not be read any more, where batches were looked for.
    package var offsetsInDoubt: [Range<Int64>] = []

    package init() {}

    /// Adds what was found of another partition.
    package mutating func add(_ other: RecoveryReport) {
        self.foundBatches += other.foundBatches
        self.foundRecords += other.foundRecords
        self.sentBatches += other.sentBatches
        self.sentRecords += other.sentRecords
        self.absentBatches += other.absentBatches
        self.absentRecords += other.absentRecords
        self.unjournaledBatches += other.unjournaledBatches
        self.unjournaledRecords += other.unjournaledRecords
        self.possibleRepeats += other.possibleRepeats
        self.lostRecords += other.lostRecords
    }
}

/// What a partition's recovery is waiting for.
package enum RecoveryStatus: Sendable, Equatable {
    case waitingForLeader
    /// The leader is asked what it remembers.
    case asking
    /// The log is read up to an offset.
    case reading(offset: Int64, end: Int64)
    /// Requests of the process that ended may still arrive.
    case waitingForLateRequests
    /// A batch has not been made again yet.
    case waitingForRecords(row: Int64)
    case sending(row: Int64)
    case stopped(String)
    case done
}
