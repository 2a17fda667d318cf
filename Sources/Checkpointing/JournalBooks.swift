/// Which rows of the journal live, and what its next commit has to write.
///
/// A row lives from the moment its batch is closed until the batch is in the log *and* the
/// checkpoints of all its files have passed it: until then a restart reads its records once more.
/// One partition that stands still holds back the checkpoint, and with it the rows of all that the
/// others have delivered meanwhile; so nothing here looks at rows that do not change.
///
///     books.closed([batch])
///     try store.write(books.takeChanges())         // now the batch may be sent
///     books.settled(batch.id, baseOffset: 4711, at: now)
///     books.reached(file: 12, generation: 0, offset: 8192)
///     books.takeChanges().removed                  // [batch.id]
package struct JournalBooks: Sendable {
    private struct Row: Sendable {
        var topicPartition: TopicPartition
        var topicID: [UInt8]
        var producerID: Int64
        var epoch: Int16
        var lastSequence: Int32
        var recordCount: Int32
        /// Files whose checkpoints have not passed it.
        var filesBehind = 0
        var isSettled: Bool

        init(_ batch: JournaledBatch) {
            topicPartition = TopicPartition(topic: batch.topic, partition: batch.partition)
            topicID = batch.topicID
            producerID = batch.producerID
            epoch = batch.epoch
            lastSequence = batch.lastSequence
            recordCount = batch.recordCount
            isSettled = batch.isSettled
        }
    }

    private struct TopicPartition: Hashable, Sendable {
        let topic: String
        let partition: Int32
    }

    private var rows: [Int64: Row] = [:]
    private var files: [Int64: FileEnds] = [:]
    private var partitions: [TopicPartition: JournaledPartition] = [:]
    private var texts: PipelineTexts

    private var session: JournalSession?
    /// Whether the next commit names something that no power cut may take back.
    private var isDurable = false
    private var closed: [Int64: JournaledBatch] = [:]
    private var settled: [Int64: Int64] = [:]
    private var removed: Set<Int64> = []
    private var changedPartitions: Set<TopicPartition> = []
    /// Rows that are in the database, as far as ``takeChanges()`` was called.
    private var written: Set<Int64> = []

    /// - Parameter files: all that are remembered; rows of others wait for no checkpoint.
    package init(_ journal: Journal, files: [FileCheckpoint]) {
        texts = PipelineTexts(journal)
        for file in files {
            let place = FileEnds.Place(file.generation, file.checkpoint.offset)
            self.files[file.id] = FileEnds(reached: place)
        }
        for partition in journal.partitions {
            let key = TopicPartition(topic: partition.topic, partition: partition.partition)
            partitions[key] = partition
        }
        for batch in journal.batches {
            written.insert(batch.id)
            enter(batch, knownFilesOnly: true)
        }
    }

    /// How many rows live.
    package var count: Int { rows.count }

    /// Whether somebody waits for the next commit; what else there is to write can come later.
    package var isAwaited: Bool { session != nil || !closed.isEmpty }

    /// Whether there is anything to write.
    package var isEmpty: Bool {
        !isAwaited && settled.isEmpty && removed.isEmpty && changedPartitions.isEmpty
            && !texts.isChanged
    }

    // MARK: - What happened

    /// Tells of a new producer id or epoch.
    package mutating func opened(_ session: JournalSession) {
        self.session = session
    }

    /// Tells of batches that want to be sent.
    ///
    /// One whose id is known has the same records under other numbers. The id of one that was
    /// dropped is not used again.
    package mutating func closed(_ batches: [JournaledBatch]) {
        for batch in batches {
            closed[batch.id] = batch
            for stretch in batch.stretches { texts.name(stretch.pipelineVersion) }
            noteIdentity(of: batch)
            if rows[batch.id] == nil {
                enter(batch, knownFilesOnly: false)
            } else {
                renumber(batch)
            }
        }
    }

    /// Tells of a batch that was found in the log, and of which the journal knew nothing.
    ///
    /// - Parameter time: milliseconds since 1970.
    package mutating func found(_ batch: JournaledBatch, at time: Int64) {
        guard case .settled(let baseOffset) = batch.state else { return }
        closed([batch])
        acknowledge(Row(batch), baseOffset, -1, time)
    }

    /// Tells where the stretches of a batch end that was found in the log.
    package mutating func completed(_ batch: JournaledBatch) {
        guard rows.removeValue(forKey: batch.id) != nil else { return }
        for file in Set(batch.stretches.map(\.file)) { files[file]?.remove(row: batch.id) }
        closed[batch.id] = batch
        for stretch in batch.stretches { texts.name(stretch.pipelineVersion) }
        enter(batch, knownFilesOnly: true)
    }

    /// Tells that a batch is in the log.
    ///
    /// - Parameters:
    ///   - baseOffset: of its first record; -1 where Kafka did not say it.
    ///   - leaderEpoch: of the leader that said so; -1 where it is not known.
    ///   - time: milliseconds since 1970.
    package mutating func settled(
        _ id: Int64,
        baseOffset: Int64,
        leaderEpoch: Int32 = -1,
        at time: Int64
    ) {
        guard let row = rows[id] else { return }
        rows[id]?.isSettled = true
        settled[id] = baseOffset
        acknowledge(row, baseOffset, leaderEpoch, time)
        if row.filesBehind == 0 { leave(id) }
    }

    /// Tells that a batch will never be sent again, and is not in the log as it is.
    ///
    /// Kafka refused it, other batches have taken over its records, or they are lost.
    package mutating func dropped(_ id: Int64) {
        leave(id)
    }

    /// Tells that a file's checkpoint is durable there.
    package mutating func reached(file: Int64, generation: Int64, offset: Int64) {
        let place = FileEnds.Place(generation, offset)
        let passed = files[file, default: FileEnds()].reach(place)
        for id in passed { pass(id) }
    }

    /// Tells that files are remembered no more.
    package mutating func forgotten(_ ids: [Int64]) {
        for id in ids {
            let ends = files.removeValue(forKey: id)
            for row in ends?.rows ?? [] { pass(row) }
        }
    }

    /// The version by which batches name this text; it is written with the first of them.
    package mutating func version(of name: String, path: String, text: String) -> Int64 {
        texts.version(of: name, path: path, text: text)
    }

    // MARK: - What is to be written

    /// What the next commit writes.
    ///
    /// The books go on as if it were written: a commit that fails is tried again with the same
    /// changes, before the next ones.
    package mutating func takeChanges() -> JournalChanges {
        var changes = JournalChanges()
        changes.session = session
        changes.closed = closed.values.sorted { $0.id < $1.id }
        changes.settled = settled.map { .init(id: $0.key, baseOffset: $0.value) }
        changes.settled.sort { $0.id < $1.id }
        changes.removed = removed.sorted()
        changes.partitions = changedPartitions.compactMap { partitions[$0] }
        changes.partitions.sort { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
        (changes.texts, changes.removedTexts) = texts.takeChanges()
        // After a power cut it must be known where, and for which lines, to look in the log.
        changes.isDurable = isDurable || session != nil || !changes.texts.isEmpty
        isDurable = false
        written.formUnion(closed.keys)
        session = nil
        closed.removeAll(keepingCapacity: true)
        settled.removeAll(keepingCapacity: true)
        removed.removeAll(keepingCapacity: true)
        changedPartitions.removeAll(keepingCapacity: true)
        return changes
    }

    // MARK: - Rows

    private mutating func enter(_ batch: JournaledBatch, knownFilesOnly: Bool) {
        var row = Row(batch)
        for (file, end) in batch.ends where !knownFilesOnly || files[file] != nil {
            let isAhead = files[file, default: FileEnds()].add(end, row: batch.id)
            if isAhead { row.filesBehind += 1 }
        }
        rows[batch.id] = row
        if row.isSettled, row.filesBehind == 0 { leave(batch.id) }
    }

    private mutating func renumber(_ batch: JournaledBatch) {
        guard let before = rows[batch.id] else { return }
        var row = Row(batch)
        row.filesBehind = before.filesBehind
        rows[batch.id] = row
    }

    /// The checkpoint of one of the row's files has passed it.
    private mutating func pass(_ id: Int64) {
        rows[id]?.filesBehind -= 1
        if let row = rows[id], row.isSettled, row.filesBehind == 0 { leave(id) }
    }

    private mutating func leave(_ id: Int64) {
        guard rows.removeValue(forKey: id) != nil else { return }
        closed[id] = nil
        settled[id] = nil
        if written.remove(id) != nil { removed.insert(id) }
    }

    /// Takes note of the identity under which batches are sent to a partition from now on.
    private mutating func noteIdentity(of batch: JournaledBatch) {
        let key = TopicPartition(topic: batch.topic, partition: batch.partition)
        let known = partitions[key]
        let isSameTopic = known?.topicID == batch.topicID
        if let known, isSameTopic, known.producerID == batch.producerID,
            known.epoch == batch.epoch
        {
            return
        }
        var partition = JournaledPartition(
            topic: batch.topic,
            topicID: batch.topicID,
            partition: batch.partition,
            producerID: batch.producerID,
            epoch: batch.epoch
        )
        if let known, isSameTopic {
            partition.ackedOffset = known.ackedOffset
            partition.leaderEpoch = known.leaderEpoch
            partition.ackedAt = known.ackedAt
        }
        partitions[key] = partition
        changedPartitions.insert(key)
        isDurable = true
    }

    private mutating func acknowledge(
        _ row: Row,
        _ baseOffset: Int64,
        _ leaderEpoch: Int32,
        _ time: Int64
    ) {
        var partition = JournaledPartition(
            topic: row.topicPartition.topic,
            topicID: row.topicID,
            partition: row.topicPartition.partition,
            producerID: row.producerID,
            epoch: row.epoch,
            ackedSequence: row.lastSequence,
            leaderEpoch: leaderEpoch,
            ackedAt: time
        )
        let known = partitions[row.topicPartition]
        let isSameTopic = known?.topicID == row.topicID
        if baseOffset >= 0 {
            partition.ackedOffset = baseOffset + Int64(row.recordCount) - 1
        } else if let known, isSameTopic {
            partition.ackedOffset = known.ackedOffset
        }
        partitions[row.topicPartition] = partition
        changedPartitions.insert(row.topicPartition)
    }
}

extension JournaledBatch {
    /// The sequence of its last record; after the highest one comes 0.
    package var lastSequence: Int32 {
        Int32((Int64(baseSequence) + Int64(recordCount) - 1) & Int64(Int32.max))
    }

    /// Where each remembered file has to be passed for the batch to lie behind its checkpoint.
    fileprivate var ends: [Int64: FileEnds.Place] {
        var ends: [Int64: FileEnds.Place] = [:]
        for stretch in stretches where stretch.file != FileCheckpoint.unregisteredID {
            let end = FileEnds.Place(stretch.generation, stretch.through.offset)
            ends[stretch.file] = max(ends[stretch.file] ?? end, end)
        }
        return ends
    }
}
