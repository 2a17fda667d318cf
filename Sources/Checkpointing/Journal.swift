/// All that the journal remembers: what was sent under which numbers, and what came of it.
package struct Journal: Equatable, Sendable {
    /// Nil before the first producer id.
    package var session: JournalSession?
    package var partitions: [JournaledPartition] = []
    /// In the order of their ids.
    package var batches: [JournaledBatch] = []
    /// Those that batches name, in the order of their versions.
    package var texts: [PipelineText] = []

    package init() {}
}

/// Under which producer id batches are sent, and since when.
package struct JournalSession: Equatable, Sendable {
    package var clusterID: String
    package var producerID: Int64
    package var epoch: Int16
    /// ``CheckpointStore/incarnation`` when it began.
    package var incarnation: Int64
    /// Milliseconds since 1970.
    package var openedAt: Int64

    package init(
        clusterID: String,
        producerID: Int64,
        epoch: Int16,
        incarnation: Int64,
        openedAt: Int64
    ) {
        self.clusterID = clusterID
        self.producerID = producerID
        self.epoch = epoch
        self.incarnation = incarnation
        self.openedAt = openedAt
    }
}

/// The text of a pipeline that journaled batches were made by.
package struct PipelineText: Equatable, Sendable {
    /// Names it within one database.
    package var version: Int64
    package var name: String
    /// The file it was read from.
    package var path: String
    package var text: String

    package init(version: Int64, name: String, path: String, text: String) {
        self.version = version
        self.name = name
        self.path = path
        self.text = text
    }
}

/// What one commit of the journal writes, in this order.
package struct JournalChanges: Equatable, Sendable {
    package struct Settled: Equatable, Sendable {
        package var id: Int64
        /// Of the batch's first record; -1 where Kafka did not say it.
        package var baseOffset: Int64

        package init(id: Int64, baseOffset: Int64) {
            self.id = id
            self.baseOffset = baseOffset
        }
    }

    package var session: JournalSession?
    package var texts: [PipelineText] = []
    /// Batches whose rows go.
    package var removed: [Int64] = []
    /// Batches that are sent once this is durable; one with a known id takes its row's place.
    package var closed: [JournaledBatch] = []
    /// Batches that are in the log; rows that are there no more are passed over.
    package var settled: [Settled] = []
    package var partitions: [JournaledPartition] = []
    /// Versions that no batch names any more.
    package var removedTexts: [Int64] = []
    /// Whether no power cut may take the commit back, whatever durability was chosen.
    package var isDurable = false

    package init() {}

    package var isEmpty: Bool { self == JournalChanges() }
}

/// Where the journal is kept: a database, or a simulation's memory.
package protocol JournalKeeping: Sendable {
    func journal() throws(CheckpointError) -> Journal

    /// Writes all of it in one durable transaction, or nothing.
    func write(_ changes: JournalChanges) throws(CheckpointError)
}
