import KafkaDevBroker
import KafkaProtocol

@testable import Kafka

/// What is written down, and what a crash would leave of it.
struct SimulatedRows {
    struct Row: Equatable {
        var partition: TopicPartition
        var topicID: TopicID
        var identity: ProducerIdentity
        var sequence: Int32
        var count: Int

        init?(_ batch: ProducerBatch) {
            guard let identity = batch.identity, let sequence = batch.sequence else { return nil }
            self.partition = TopicPartition(topic: batch.topic, partition: batch.partition)
            self.topicID = batch.topicID
            self.identity = identity
            self.sequence = sequence
            self.count = batch.recordCount
        }

        func overlaps(_ other: Row) -> Bool {
            self.partition == other.partition && self.identity == other.identity
                && self.sequence < other.sequence + Int32(other.count)
                && other.sequence < self.sequence + Int32(self.count)
        }
    }

    /// Whose records a row has.
    struct Contents {
        var names: [Simulation.Name]
        var createdAt: Int64
        var maxTimestamp: Int64
    }

    /// What the disk has.
    private(set) var rows: [Int64: Row] = [:]
    /// What it will have when the write that is under way has ended.
    private var written: [Int64: Row] = [:]
    private(set) var writing: [ProducerBatch]?
    private var lastID: Int64 = 0
    private(set) var writeCount = 0
    private(set) var contents: [Int64: Contents] = [:]
    private var acknowledged: [TopicPartition: RecoveryAcknowledgement] = [:]

    /// Begins a write; returns what is wrong with it.
    mutating func write(_ batches: [ProducerBatch]) -> String? {
        if self.writing != nil { return "two writes are under way" }
        self.writing = batches
        self.written = self.rows
        for batch in batches {
            guard let row = Row(batch) else { return "a batch is written down without numbers" }
            if batch.journalID == 0 {
                self.lastID += 1
                batch.journalID = self.lastID
            }
            self.written[batch.replaces] = nil
            self.written[batch.journalID] = row
            self.contents[batch.journalID] = Contents(batch)
        }
        for batch in batches {
            guard let row = self.written[batch.journalID] else { continue }
            let others = self.written.filter { $0.key != batch.journalID && $0.value.overlaps(row) }
            if let other = others.first { return "\(row) has numbers of \(other)" }
        }
        return nil
    }

    mutating func commit() -> [ProducerBatch] {
        self.rows = self.written
        self.writeCount += 1
        defer { self.writing = nil }
        return self.writing ?? []
    }

    mutating func settle(_ delivery: Delivery) {
        let batch = delivery.batch
        if case .failed = delivery.result, batch.mayBeInLog { return }
        if case .acknowledged(let offset, _) = delivery.result, let row = Row(batch) {
            self.acknowledge(row, at: offset)
        }
        for id in [batch.journalID, batch.replaces] where id != 0 {
            self.rows[id] = nil
            self.written[id] = nil
        }
    }

    private mutating func acknowledge(_ row: Row, at baseOffset: Int64) {
        let last = baseOffset + Int64(row.count) - 1
        guard baseOffset >= 0, last > self.acknowledged[row.partition]?.offset ?? -1 else { return }
        self.acknowledged[row.partition] = RecoveryAcknowledgement(
            topicID: row.topicID,
            producerID: row.identity.id,
            epoch: row.identity.epoch,
            sequence: RecordSequence.advance(row.sequence, by: Int32(row.count) - 1),
            offset: last
        )
    }

    // MARK: After a death

    /// The process dies; a write that was under way may be on the disk.
    mutating func die(isCommitted: Bool) {
        if isCommitted, self.writing != nil { self.rows = self.written }
        self.writing = nil
        self.written = self.rows
    }

    /// Takes a row out whose batch was found in the log, or sent there.
    mutating func settle(_ id: Int64, _ row: Row, at baseOffset: Int64?) {
        if let baseOffset { self.acknowledge(row, at: baseOffset) }
        self.rows[id] = nil
        self.written[id] = nil
    }

    /// The rows of a partition in the order of their records.
    func rows(of partition: TopicPartition) -> [Int64] {
        self.rows.filter { $0.value.partition == partition }.keys.sorted { first, second in
            guard let one = self.contents[first]?.names, let other = self.contents[second]?.names
            else { return first < second }
            // Records of one lane are in order; batches without a common lane have none.
            for name in one {
                if let same = other.first(where: { $0.lane == name.lane }) {
                    return name.position < same.position
                }
            }
            return first < second
        }
    }

    /// The records that rows have.
    var owedNames: Set<Simulation.Name> {
        Set(self.rows.keys.flatMap { self.contents[$0]?.names ?? [] })
    }

    var recoveries: [PartitionRecovery] {
        Set(self.rows.values.map(\.partition)).sorted { "\($0)" < "\($1)" }.map { partition in
            PartitionRecovery(
                id: partition,
                rows: self.rows(of: partition).compactMap { self.recoveryBatch($0) },
                acknowledged: self.acknowledged[partition]
            )
        }
    }

    private func recoveryBatch(_ id: Int64) -> RecoveryBatch? {
        guard let row = self.rows[id], let contents = self.contents[id] else { return nil }
        return RecoveryBatch(
            id: id,
            topicID: row.topicID,
            producerID: row.identity.id,
            epoch: row.identity.epoch,
            baseSequence: row.sequence,
            recordCount: Int32(row.count),
            createdAt: contents.createdAt,
            maxTimestamp: contents.maxTimestamp
        )
    }

    /// Whether the row of a batch is durable as the batch is.
    func has(_ batch: ProducerBatch) -> Bool {
        self.rows[batch.journalID] == Row(batch)
    }
}

extension SimulatedRows.Contents {
    init(_ batch: ProducerBatch) {
        self.names = (0..<batch.recordCount).map { index in
            Simulation.Name(
                lane: Int(batch.run(ofRecord: index).owner),
                position: Int(batch.position(ofRecord: index))
            )
        }
        self.maxTimestamp = batch.sealed?.header.maxTimestamp ?? -1
        self.createdAt = self.maxTimestamp
    }
}

extension Simulation {
    func write(_ batches: [ProducerBatch]) {
        self.note("written down: \(batches.map { $0.name }.joined(separator: ", "))")
        if let problem = self.batchJournal.write(batches) { self.fail(problem) }
        let delay = self.onceIn(10) ? self.milliseconds(0...3000) : self.milliseconds(0...30)
        self.add(.journaled(incarnation: self.incarnation), at: self.now + delay)
    }

    func journaled() {
        self.producer.journaled(self.batchJournal.commit())
        self.checkJournal()
    }

    /// No byte is sent that a crash would leave no trace of.
    func checkSending(_ request: ProducerRequest) {
        guard self.scenario.shape.isJournaled, case .produce(let batches) = request else { return }
        for batch in batches where !self.batchJournal.has(batch) {
            self.fail("\(batch.name) is sent and not written down")
        }
    }

    /// If the process died now: each batch in the log that its lane has not heard of has a row.
    private func checkJournal() {
        // What may come twice is counted, and its rows are written over.
        guard self.isClusterUp, self.producer.statistics.possibleDuplicates == 0 else { return }
        guard self.onceIn(4) else { return }
        do {
            for topic in self.scenario.topics { try self.checkRows(of: topic.name) }
        } catch {
            self.fail("the log does not read: \(error)")
        }
    }

    private func checkRows(of topic: String) throws {
        let rows = self.batchJournal.rows.values.filter { $0.partition.topic == topic }
        for number in 0..<Int32(self.broker.topicPartitionCounts[topic] ?? 0) {
            let partition = TopicPartition(topic: topic, partition: number)
            let own = rows.filter { $0.partition == partition }
            let log = self.broker.partitionLog(topic: topic, partition: number)
            for batch in log?.batches ?? [] where !batch.header.isControl {
                try self.checkRow(of: batch, among: own, partition)
            }
        }
    }

    private func checkRow(
        of batch: RecordBatch,
        among rows: [SimulatedRows.Row],
        _ partition: TopicPartition
    ) throws {
        let header = batch.header
        let hasRow = rows.contains { row in
            row.identity.id == header.producerID && row.identity.epoch == header.producerEpoch
                && row.sequence == header.baseSequence && row.count == Int(header.recordCount)
        }
        guard !hasRow else { return }
        for record in try batch.records() {
            guard let name = Self.name(of: record) else { continue }
            // What was told of is no concern of the journal's any more.
            guard self.lanes[name.lane].entries[name.position].result == nil else { continue }
            return self.fail("\(partition) has \(name) in a batch that is not written down")
        }
    }
}
