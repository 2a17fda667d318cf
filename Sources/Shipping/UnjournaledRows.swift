internal import Checkpointing
internal import Kafka

/// Makes rows of batches that the log has and the journal has lost.
///
/// Each row of records in such a batch tells where it begins, so that as many records from there on
/// are delivered. Where it ends turns out when the file is read once more.
struct UnjournaledRows: Sendable {
    /// Whose records they are, as position headers say.
    let owner: UInt64
    /// By the ids of all files that there were: the text that most likely made what was sent last.
    let versions: [Int64: Int64]
    /// Where the files' checkpoints stand, by the same ids.
    private let checkpoints: [Int64: (bytes: FileBytes, offset: Int64)]
    /// By topic: how many partitions it had when rows that are left were made.
    let partitionCounts: [String: [Int32]]

    /// - Parameter owner: that of the database; of a copy, that of the original.
    init(
        owner: OwnerID,
        _ journal: Journal,
        files: [FileCheckpoint],
        today: [String: Int64]
    ) {
        self.owner = owner.rawValue
        var newest = today
        for text in journal.texts { newest[text.name] = text.version }
        var versions: [Int64: Int64] = [:]
        for file in files { versions[file.id] = newest[file.pipeline] }
        checkpoints = Dictionary(
            files.map { ($0.id, (FileBytes($0), $0.checkpoint.offset)) },
            uniquingKeysWith: { first, _ in first }
        )
        var counts: [String: [Int32]] = [:]
        for batch in journal.batches {
            for stretch in batch.stretches {
                if versions[stretch.file] != nil {
                    versions[stretch.file] = stretch.pipelineVersion
                }
                guard case .partitionCount(let count) = stretch.routing else { continue }
                if counts[batch.topic]?.contains(count) ?? false { continue }
                counts[batch.topic, default: []].append(count)
            }
        }
        self.versions = versions
        partitionCounts = counts
    }

    /// The row of a batch, settled where it was found, and how many of its records are of files that
    /// are not known here: these were found after the original was copied.
    ///
    /// What begins before a file's checkpoint is wholly behind it and needs no row: a checkpoint
    /// that comes after a row in the journal is lost with it.
    ///
    /// - Parameter partitionCount: how many partitions the topic has now.
    func row(
        id: Int64,
        of batch: FetchedBatch,
        _ partition: TopicPartition,
        partitionCount: Int32,
        wallClock: Int64
    ) -> (row: JournaledBatch, unknownRecords: Int32) {
        var row = JournaledBatch(
            id: id,
            topic: partition.topic,
            partition: partition.partition,
            producerID: batch.producerID,
            epoch: batch.epoch,
            baseSequence: batch.baseSequence,
            recordCount: batch.recordCount
        )
        row.createdAt = wallClock
        row.maxTimestamp = wallClock
        row.state = .settled(baseOffset: batch.baseOffset)
        let ends = batch.positions.dropFirst().map(\.record) + [batch.recordCount]
        var unknownRecords: Int32 = 0
        for (position, end) in zip(batch.positions, ends) {
            let stretch = stretch(
                position,
                count: end - position.record,
                partition,
                [partitionCount] + (partitionCounts[partition.topic] ?? [])
            )
            guard let stretch else {
                unknownRecords += end - position.record
                continue
            }
            if !isPassed(stretch) { row.stretches.append(stretch) }
        }
        return (row, unknownRecords)
    }

    private func isPassed(_ stretch: Stretch) -> Bool {
        guard let checkpoint = checkpoints[stretch.file] else { return false }
        return checkpoint.bytes == FileBytes(stretch) && stretch.from.offset < checkpoint.offset
    }

    /// Nil for a file that is not known here.
    private func stretch(
        _ position: FetchedBatch.Position,
        count: Int32,
        _ partition: TopicPartition,
        _ partitionCounts: [Int32]
    ) -> Stretch? {
        guard let mark = PositionMark(position.value), mark.stream.owner == owner,
            let version = versions[mark.stream.file]
        else { return nil }
        let fitting = partitionCounts.first { count in
            guard count > partition.partition, let hash = position.keyHash else { return false }
            return hash % count == partition.partition
        }
        // A partition that was chosen without its key fits none.
        let partitionCount = fitting ?? partitionCounts.first ?? 1
        return Stretch(
            file: mark.stream.file,
            generation: mark.stream.generation,
            pipelineVersion: version,
            routing: .counted(partitionCount: partitionCount, keyless: position.keyless),
            from: RecordPlace(position: mark.position.rawValue),
            through: Stretch.unknownEnd,
            count: count
        )
    }
}
