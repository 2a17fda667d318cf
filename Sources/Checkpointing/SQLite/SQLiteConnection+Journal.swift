extension SQLiteConnection {
    func journal() throws(CheckpointError) -> Journal {
        var journal = Journal()
        journal.session = try session()
        journal.partitions = try partitions()
        journal.batches = try batches()
        journal.texts = try texts()
        return journal
    }

    func write(_ changes: JournalChanges) throws(CheckpointError) {
        if let session = changes.session { try write(session) }
        for text in changes.texts { try write(text) }
        for id in changes.removed {
            try query("DELETE FROM batch WHERE id = ?", bind: { $0.bind(id) })
        }
        for batch in changes.closed { try write(batch) }
        for settled in changes.settled { try settle(settled.id, settled.baseOffset) }
        for partition in changes.partitions { try write(partition) }
        for version in changes.removedTexts {
            try query("DELETE FROM pipeline_text WHERE version = ?", bind: { $0.bind(version) })
        }
    }

    func changed(_ table: String, _ name: some Any) -> CheckpointError {
        .damaged(path, "the row of \(table) \(name) was changed")
    }
}

// MARK: - Session, partitions and texts

extension SQLiteConnection {
    private func write(_ session: JournalSession) throws(CheckpointError) {
        try query(
            """
            REPLACE INTO session (
                only, cluster_id, producer_id, epoch, incarnation, opened_at, checksum
            ) VALUES (1,?,?,?,?,?,?)
            """,
            bind: {
                $0.bind(session.clusterID)
                $0.bind(session.producerID)
                $0.bind(Int64(session.epoch))
                $0.bind(session.incarnation)
                $0.bind(session.openedAt)
                $0.bind(session.checksum)
            }
        )
    }

    private func session() throws(CheckpointError) -> JournalSession? {
        var result: JournalSession?
        try query(
            """
            SELECT cluster_id, producer_id, epoch, incarnation, opened_at, checksum FROM session
            """,
            row: { (row) throws(CheckpointError) in
                let session = JournalSession(
                    clusterID: row.text(0),
                    producerID: row.integer(1),
                    epoch: Int16(truncatingIfNeeded: row.integer(2)),
                    incarnation: row.integer(3),
                    openedAt: row.integer(4)
                )
                guard row.integer(5) == session.checksum else { throw changed("session", 1) }
                result = session
            }
        )
        return result
    }

    private func write(_ partition: JournaledPartition) throws(CheckpointError) {
        try query(
            """
            REPLACE INTO partition (
                topic, partition, topic_id, producer_id, epoch, acked_sequence, acked_offset,
                leader_epoch, acked_at, checksum
            ) VALUES (?,?,?,?,?,?,?,?,?,?)
            """,
            bind: {
                $0.bind(partition.topic)
                $0.bind(Int64(partition.partition))
                $0.bind(partition.topicID)
                for number in partition.numbers { $0.bind(number) }
                $0.bind(partition.checksum)
            }
        )
    }

    private func partitions() throws(CheckpointError) -> [JournaledPartition] {
        var result: [JournaledPartition] = []
        try query(
            """
            SELECT topic, partition, topic_id, producer_id, epoch, acked_sequence, acked_offset,
                leader_epoch, acked_at, checksum FROM partition ORDER BY topic, partition
            """,
            row: { (row) throws(CheckpointError) in
                let partition = JournaledPartition(
                    topic: row.text(0),
                    topicID: row.bytes(2),
                    partition: Int32(truncatingIfNeeded: row.integer(1)),
                    producerID: row.integer(3),
                    epoch: Int16(truncatingIfNeeded: row.integer(4)),
                    ackedSequence: Int32(truncatingIfNeeded: row.integer(5)),
                    ackedOffset: row.integer(6),
                    leaderEpoch: Int32(truncatingIfNeeded: row.integer(7)),
                    ackedAt: row.integer(8)
                )
                guard row.integer(9) == partition.checksum else {
                    throw changed("partition", "\(partition.topic)-\(partition.partition)")
                }
                result.append(partition)
            }
        )
        return result
    }

    private func write(_ text: PipelineText) throws(CheckpointError) {
        try query(
            "REPLACE INTO pipeline_text (version, name, path, text, checksum) VALUES (?,?,?,?,?)",
            bind: {
                $0.bind(text.version)
                $0.bind(text.name)
                $0.bind(text.path)
                $0.bind(text.text)
                $0.bind(text.checksum)
            }
        )
    }

    private func texts() throws(CheckpointError) -> [PipelineText] {
        var result: [PipelineText] = []
        try query(
            "SELECT version, name, path, text, checksum FROM pipeline_text ORDER BY version",
            row: { (row) throws(CheckpointError) in
                let text = PipelineText(
                    version: row.integer(0),
                    name: row.text(1),
                    path: row.text(2),
                    text: row.text(3)
                )
                guard row.integer(4) == text.checksum else {
                    throw changed("pipeline text", text.version)
                }
                result.append(text)
            }
        )
        return result
    }
}

extension JournalSession {
    fileprivate var checksum: Int64 {
        var sum = RowChecksum()
        sum.combine(clusterID)
        for number in [producerID, Int64(epoch), incarnation, openedAt] { sum.combine(number) }
        return sum.value
    }
}

extension JournaledPartition {
    /// In the order of the columns.
    fileprivate var numbers: [Int64] {
        [
            producerID, Int64(epoch), Int64(ackedSequence), ackedOffset, Int64(leaderEpoch),
            ackedAt,
        ]
    }

    fileprivate var checksum: Int64 {
        var sum = RowChecksum()
        sum.combine(topic)
        sum.combine(topicID)
        sum.combine(Int64(partition))
        for number in numbers { sum.combine(number) }
        return sum.value
    }
}

extension PipelineText {
    fileprivate var checksum: Int64 {
        var sum = RowChecksum()
        sum.combine(version)
        for text in [name, path, text] { sum.combine(text) }
        return sum.value
    }
}
