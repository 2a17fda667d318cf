package import KafkaProtocol

/// What recovery asks a partition's leader.
package enum RecoveryQuestion: Sendable, Equatable {
    /// ListOffsets as a consumer, of the latest offset: only the leader answers, with how far all
    /// replicas are (the high watermark).
    case highWatermark
    /// ListOffsets of the latest offset with replica -2, which Kafka answers with the end of the
    /// log, also what lies above the high watermark.
    case endOffset
    /// ListOffsets of the earliest offset.
    case startOffset
    /// DescribeProducers.
    case producers
    /// Fetch, reading uncommitted records, from an offset on: headers of all whole batches, and the
    /// position headers in those of the named producer ids; nil for those of all.
    case batches(from: Int64, positionsOf: Set<Int64>?)
}

/// A question's number within one partition's recovery.
package typealias RecoveryQuestionID = UInt64

/// What the leader answered to a ``RecoveryQuestion``.
package enum RecoveryAnswer: Sendable, Equatable {
    /// To all of ListOffsets.
    case offset(Int64)
    case producers([ProducersAnswer.Producer])
    case batches(FetchedBatches)
    /// With the broker's error, or nil where none came: the connection was lost, time was up.
    case failed(KafkaError?)
}

/// What a Fetch returned, reduced to whose batches they are.
package struct FetchedBatches: Sendable, Equatable {
    package var batches: [FetchedBatch]
    package var highWatermark: Int64
    package var startOffset: Int64

    package init(batches: [FetchedBatch], highWatermark: Int64, startOffset: Int64) {
        self.batches = batches
        self.highWatermark = highWatermark
        self.startOffset = startOffset
    }
}

/// The header of a batch in the log, and the positions that its records tell.
package struct FetchedBatch: Sendable, Equatable {
    package struct Position: Sendable, Equatable {
        /// The record's place in the batch.
        package var record: Int32
        /// The value of its header `forktail.position`.
        package var value: String
        /// How many records have no key, from this one up to the next that tells its place.
        package var keyless: Int32
        /// The hash of this record's key, by which it found its partition; nil without a key.
        package var keyHash: Int32?

        package init(record: Int32, value: String, keyless: Int32 = 0, keyHash: Int32? = nil) {
            self.record = record
            self.value = value
            self.keyless = keyless
            self.keyHash = keyHash
        }
    }

    package var baseOffset: Int64
    package var lastOffset: Int64
    package var producerID: Int64
    package var epoch: Int16
    package var baseSequence: Int32
    package var positions: [Position]

    package init(
        baseOffset: Int64,
        lastOffset: Int64,
        producerID: Int64 = -1,
        epoch: Int16 = -1,
        baseSequence: Int32 = -1,
        positions: [Position] = []
    ) {
        self.baseOffset = baseOffset
        self.lastOffset = lastOffset
        self.producerID = producerID
        self.epoch = epoch
        self.baseSequence = baseSequence
        self.positions = positions
    }

    package init(_ header: RecordBatchHeader, positions: [Position] = []) {
        self.init(
            baseOffset: header.baseOffset,
            lastOffset: header.baseOffset + Int64(header.lastOffsetDelta),
            producerID: header.producerID,
            epoch: header.producerEpoch,
            baseSequence: header.baseSequence,
            positions: positions
        )
    }

    /// How many records it had when it was appended; compaction may have taken some since.
    package var recordCount: Int32 { Int32(clamping: self.lastOffset - self.baseOffset + 1) }
}

/// What became of an attempt to send a journaled batch under its numbers.
package enum RecoverySending: Sendable, Equatable {
    /// Appended, or answered as a duplicate, with its base offset (-1 where it was not told).
    case acknowledged(baseOffset: Int64)
    /// Retriable, or without an answer: nothing is known of it. With the error, if there was one.
    case failed(KafkaError?)
    /// Refused for good: out of sequence, fenced, too large and whatever else is not retriable.
    case refused(KafkaError)
}
