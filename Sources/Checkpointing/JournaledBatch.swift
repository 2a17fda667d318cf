/// Records of one file in a row that one batch holds.
///
/// Nothing of the records themselves is kept: they are made again from the file. So a stretch holds
/// *every* record between its two places that its routing leads to the batch's partition, and ends
/// where one was left out: refused, too long, or in another batch since before a restart.
package struct Stretch: Equatable, Sendable {
    package enum Routing: Equatable, Sendable {
        /// Those whose key or explicit partition leads to the batch's partition of so many.
        case partitionCount(Int32)
        /// Those without key: the sticky partitioner gave all of them to the batch's partition.
        case sticky
        /// The one dead letter for a record that Kafka itself refused.
        ///
        /// Its place is the refused record's, so it does not come in order.
        case answer
        /// As many as there are, from the first place on: of a batch that was found in the log, and
        /// of which the journal knew nothing.
        ///
        /// The last place is ``Stretch/unknownEnd`` until the file was read once more.
        ///
        /// - Parameter partitionCount: by which those with a key found their partition.
        /// - Parameter keyless: how many have none.
        case counted(partitionCount: Int32, keyless: Int32)
    }

    /// The last place of a stretch of which only the number of records is known: behind all there are.
    package static let unknownEnd = RecordPlace(position: .max - 1)

    /// The id in ``FileCheckpoint``, or ``FileCheckpoint/unregisteredID``.
    package var file: Int64
    package var generation: Int64
    /// The ``PipelineText`` that made the records.
    package var pipelineVersion: Int64
    package var routing: Routing
    /// The place of the first record.
    package var from: RecordPlace
    /// The place of the last one.
    package var through: RecordPlace
    /// How many records they are.
    package var count: Int32

    /// Whether it is not known where it ends.
    package var isCounted: Bool {
        if case .counted = routing { true } else { false }
    }

    package init(
        file: Int64,
        generation: Int64,
        pipelineVersion: Int64,
        routing: Routing,
        from: RecordPlace,
        through: RecordPlace,
        count: Int32
    ) {
        self.file = file
        self.generation = generation
        self.pipelineVersion = pipelineVersion
        self.routing = routing
        self.from = from
        self.through = through
        self.count = count
    }
}

/// A closed batch: what was, or may have been, sent under numbers that never change.
package struct JournaledBatch: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        /// Its fate is not known: it may be in the log, or not.
        case inFlight
        /// It is in the log; the base offset is -1 where Kafka did not say it.
        case settled(baseOffset: Int64)
    }

    /// Given by the journal's caller, rising within a database, never 0.
    package var id: Int64
    package var topic: String
    /// 16 bytes, or none where the brokers give topics no ids.
    package var topicID: [UInt8] = []
    package var partition: Int32
    package var producerID: Int64
    package var epoch: Int16
    package var baseSequence: Int32
    package var recordCount: Int32
    /// The latest timestamp of its records, in milliseconds since 1970.
    package var maxTimestamp: Int64 = 0
    /// When it was closed by the wall clock, in milliseconds since 1970.
    package var createdAt: Int64 = 0
    package var stretches: [Stretch] = []
    /// The batch itself, where the journal keeps whole batches until they are settled.
    package var bytes: [UInt8]?
    package var state: State = .inFlight

    package init(
        id: Int64,
        topic: String,
        partition: Int32,
        producerID: Int64,
        epoch: Int16,
        baseSequence: Int32,
        recordCount: Int32
    ) {
        self.id = id
        self.topic = topic
        self.partition = partition
        self.producerID = producerID
        self.epoch = epoch
        self.baseSequence = baseSequence
        self.recordCount = recordCount
    }

    package var isSettled: Bool { state != .inFlight }

    /// Where it is in the log, -1 where Kafka did not say it; nil while it is in flight.
    package var settledOffset: Int64? {
        if case .settled(let offset) = state { offset } else { nil }
    }
}

/// What is known of one partition: how far our batches are in its log.
package struct JournaledPartition: Equatable, Sendable {
    package var topic: String
    /// 16 bytes, or none where the brokers give topics no ids.
    package var topicID: [UInt8]
    package var partition: Int32
    package var producerID: Int64
    package var epoch: Int16
    /// The last sequence that was acknowledged under these numbers; -1 if none was.
    package var ackedSequence: Int32
    /// The offset of the last acknowledged record; -1 if Kafka never said one.
    package var ackedOffset: Int64
    /// The epoch of the leader that acknowledged it; -1 if it did not say.
    package var leaderEpoch: Int32
    /// Milliseconds since 1970.
    package var ackedAt: Int64

    package init(
        topic: String,
        topicID: [UInt8] = [],
        partition: Int32,
        producerID: Int64,
        epoch: Int16,
        ackedSequence: Int32 = -1,
        ackedOffset: Int64 = -1,
        leaderEpoch: Int32 = -1,
        ackedAt: Int64 = 0
    ) {
        self.topic = topic
        self.topicID = topicID
        self.partition = partition
        self.producerID = producerID
        self.epoch = epoch
        self.ackedSequence = ackedSequence
        self.ackedOffset = ackedOffset
        self.leaderEpoch = leaderEpoch
        self.ackedAt = ackedAt
    }
}
