import KafkaDevBroker
import KafkaProtocol

@testable import Kafka

/// What is written down, and what a crash would leave of it.
struct SimulatedJournal {
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

    /// What the disk has.
    private(set) var rows: [Int64: Row] = [:]
    /// What it will have when the write that is under way has ended.
    private var written: [Int64: Row] = [:]
    private(set) var writing: [ProducerBatch]?
    private var lastID: Int64 = 0
    private(set) var writeCount = 0

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
        for id in [batch.journalID, batch.replaces] where id != 0 {
            self.rows[id] = nil
            self.written[id] = nil
        }
    }

    /// Whether the row of a batch is durable as the batch is.
    func has(_ batch: ProducerBatch) -> Bool {
        self.rows[batch.journalID] == Row(batch)
    }
}

extension Simulation {
    func write(_ batches: [ProducerBatch]) {
        self.note("written down: \(batches.map { self.name(of: $0) }.joined(separator: ", "))")
        if let problem = self.batchJournal.write(batches) { self.fail(problem) }
        let delay = self.onceIn(10) ? self.milliseconds(0...3000) : self.milliseconds(0...30)
        self.schedule.add(.journaled, at: self.now + delay)
    }

    func journaled() {
        self.producer.journaled(self.batchJournal.commit())
        self.checkJournal()
    }

    /// No byte is sent that a crash would leave no trace of.
    func checkSending(_ request: ProducerRequest) {
        guard self.scenario.shape.isJournaled, case .produce(let batches) = request else { return }
        for batch in batches where !self.batchJournal.has(batch) {
            self.fail("\(self.name(of: batch)) is sent and not written down")
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
        among rows: [SimulatedJournal.Row],
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
