internal import KafkaProtocol
package import NIOCore

/// What the journal holds of the coordinator, so that only what changed is written.
struct JournaledTransactions {
    var transactions: [String: Transaction] = [:]
    var nextProducerID: Int64 = -1
}

/// A cluster that is kept on disk writes each change before it answers.
///
/// The changes are entries in frames: a length, a CRC-32C, the entry. What was cut off by a kill is
/// at the end and is left out.
extension BrokerStateMachine {
    /// Adds a change to the journal, if one is kept.
    mutating func journal(_ entry: JournalEntry) {
        guard self.journaled != nil else { return }
        self.actions.append(.journal(Self.frame(entry)))
    }

    mutating func journalLastBatch(of topic: String, _ index: Int, startedAt start: Int64? = nil) {
        guard self.journaled != nil,
            let batch = self.topics[topic]?.partitions[index].batches.last
        else { return }
        let partition = TopicPartition(topic: topic, partition: Int32(index))
        self.journal(.batch(partition, batch.buffer))
        if let start { self.journalStart(of: topic, index, unless: start) }
    }

    mutating func journalStart(of topic: String, _ index: Int, unless before: Int64?) {
        guard self.journaled != nil,
            let start = self.topics[topic]?.partitions[index].startOffset, start != before
        else { return }
        self.journal(.logStart(TopicPartition(topic: topic, partition: Int32(index)), start))
    }

    /// Adds what changed in the coordinator since the last time.
    mutating func journalTransactions(now: Instant) {
        guard let before = self.journaled,
            before.nextProducerID != self.coordinator.nextProducerID
                || before.transactions != self.coordinator.transactions
        else { return }
        let transactions = self.coordinator.transactions
        if before.nextProducerID != self.coordinator.nextProducerID {
            self.journal(.nextProducerID(self.coordinator.nextProducerID))
        }
        for id in before.transactions.keys.sorted() where transactions[id] == nil {
            self.journal(.transactionExpired(id: id))
        }
        for (id, transaction) in transactions.sorted(by: { $0.key < $1.key })
        where before.transactions[id] != transaction {
            self.journal(.transaction(self.entry(transaction, of: id, now: now)))
        }
        self.journaled = JournaledTransactions(
            transactions: transactions,
            nextProducerID: self.coordinator.nextProducerID
        )
    }

    private mutating func entry(
        _ transaction: Transaction,
        of id: String,
        now: Instant
    ) -> TransactionEntry {
        TransactionEntry(
            id: id,
            transaction: transaction,
            startedAt: transaction.startedAt.map { self.clock.milliseconds(at: $0) } ?? -1,
            updatedAt: self.clock.milliseconds(at: transaction.updatedAt ?? now)
        )
    }

    private static func frame(_ entry: JournalEntry) -> ByteBuffer {
        var writer = MessageWriter(isFlexible: false)
        do {
            try entry.write(to: &writer, version: 0)
        } catch {
            preconditionFailure("an entry cannot be written: \(error)")
        }
        var body = ByteBuffer()
        for piece in writer.finish() { body.writeImmutableBuffer(piece) }
        var frame = ByteBufferAllocator().buffer(capacity: body.readableBytes + 8)
        frame.writeInteger(UInt32(body.readableBytes))
        frame.writeInteger(body.withUnsafeReadableBytes { CRC32C.checksum(of: $0) })
        frame.writeImmutableBuffer(body)
        return frame
    }
}

extension BrokerStateMachine {
    /// Takes back the entries that are whole at the beginning of `journal`.
    package mutating func restore(from journal: inout ByteBuffer, now: Instant) throws {
        while let entry = try Self.nextEntry(in: &journal) { try self.restore(entry, now: now) }
    }

    /// Keeps a journal from now on: what was to be taken back is there.
    package mutating func keepJournal(now: Instant) {
        let age = Int64(self.configuration.producerIDExpiration / .milliseconds(1))
        let limit = self.clock.milliseconds(at: now) - age
        for name in self.topics.keys {
            for index in self.topics[name]?.partitions.indices ?? 0..<0 {
                self.topics[name]?.update(index) { $0.expireProducers(before: limit) }
            }
        }
        self.elect()
        self.coordinator.resume(now: now)
        self.journaled = JournaledTransactions(
            transactions: self.coordinator.transactions,
            nextProducerID: self.coordinator.nextProducerID
        )
    }

    /// The next entry; nil at the end and at what is cut off or damaged.
    private static func nextEntry(in journal: inout ByteBuffer) throws -> JournalEntry? {
        var rest = journal
        guard let length: UInt32 = rest.readInteger(), let crc: UInt32 = rest.readInteger(),
            let body = rest.readSlice(length: Int(length)),
            body.withUnsafeReadableBytes({ CRC32C.checksum(of: $0) }) == crc
        else { return nil }
        journal = rest
        var reader = MessageReader(body, isFlexible: false)
        return try JournalEntry(from: &reader, version: 0)
    }

    private mutating func restore(_ entry: JournalEntry, now: Instant) throws {
        switch entry {
        case .topic(let entry):
            self.topics[entry.name] = try Topic(restoring: entry)
            self.topicNames[entry.id] = entry.name
            self.createdTopicCount = max(self.createdTopicCount, Int(clamping: entry.id.low))
        case .topicDeleted(let name): self.deleteTopic(name)
        case .batch(let partition, var bytes):
            guard let batch = try RecordBatch(from: &bytes) else { throw ProtocolError.truncated }
            self.restore(partition) { $0.restore(batch) }
        case .logStart(let partition, let offset):
            self.restore(partition) { $0.restoreStart(offset) }
        case .leadership(let partition, let leadership):
            self.restore(partition) { $0.leadership = leadership }
        case .producer(let partition, let entry):
            self.restore(partition) { $0.restore(entry.state, ofProducer: entry.producerID) }
        case .aborted(let partition, let aborted): self.restore(partition) { $0.restore(aborted) }
        case .transaction(let entry): self.restore(entry, now: now)
        case .transactionExpired(let id): self.coordinator.transactions[id] = nil
        case .nextProducerID(let number): self.coordinator.nextProducerID = number
        case .committedOffset(let entry):
            let partition = entry.partition
            self.groups[entry.group, default: ConsumerGroup()]
                .offsets[partition.topic, default: [:]][partition.partition] = entry.committed
        case .stopped: self.inject(.forgetProducers(keepingLastBatch: true), now: now)
        }
    }

    private mutating func restore(
        _ partition: TopicPartition,
        _ body: (inout PartitionLog) -> Void
    ) {
        guard self.hasPartition(partition.topic, partition.partition) else { return }
        self.topics[partition.topic]?.update(Int(partition.partition), body)
    }

    private mutating func restore(_ entry: TransactionEntry, now: Instant) {
        let time = self.clock.milliseconds(at: now)
        var transaction = entry.transaction
        if entry.startedAt >= 0 {
            transaction.startedAt = now - .milliseconds(time - entry.startedAt)
        }
        transaction.updatedAt = now - .milliseconds(time - entry.updatedAt)
        self.coordinator.transactions[entry.id] = transaction
    }

    /// All that is remembered, as a journal that begins anew.
    package mutating func snapshot(isStopped: Bool, now: Instant) -> [ByteBuffer] {
        var frames = [Self.frame(.nextProducerID(self.coordinator.nextProducerID))]
        for name in self.topics.keys.sorted() {
            guard let topic = self.topics[name] else { continue }
            frames.append(Self.frame(.topic(TopicEntry(name: name, topic: topic))))
            for (index, log) in topic.partitions.enumerated() {
                let partition = TopicPartition(topic: name, partition: Int32(index))
                frames += log.entries(as: partition).map(Self.frame)
            }
        }
        for (id, transaction) in self.coordinator.transactions.sorted(by: { $0.key < $1.key }) {
            let entry = self.entry(transaction, of: id, now: now)
            frames.append(Self.frame(.transaction(entry)))
        }
        for (name, group) in self.groups.sorted(by: { $0.key < $1.key }) {
            frames += group.entries(as: name).map(Self.frame)
        }
        if isStopped { frames.append(Self.frame(.stopped)) }
        return frames
    }
}

extension PartitionLog {
    fileprivate func entries(as partition: TopicPartition) -> [JournalEntry] {
        var entries: [JournalEntry] = [.logStart(partition, self.startOffset)]
        entries += self.batches.map { .batch(partition, $0.buffer) }
        entries += self.abortedTransactions.map { .aborted(partition, $0) }
        // The batches say most of it, but not what was written by those that are deleted.
        entries += self.producers.states.sorted { $0.key < $1.key }.map { id, state in
            .producer(partition, ProducerEntry(producerID: id, state: state))
        }
        return entries
    }
}

extension ConsumerGroup {
    fileprivate func entries(as name: String) -> [JournalEntry] {
        self.offsets.sorted { $0.key < $1.key }.flatMap { topic, partitions in
            partitions.sorted { $0.key < $1.key }.map { index, committed in
                let partition = TopicPartition(topic: topic, partition: index)
                let entry = OffsetEntry(group: name, partition: partition, committed: committed)
                return .committedOffset(entry)
            }
        }
    }
}
