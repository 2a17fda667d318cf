internal import Checkpointing
internal import Kafka
internal import KafkaProtocol
internal import Logging

/// The journal of a service: what an earlier life left, and the thread that goes on with it.
struct RunningJournal: Sendable {
    let setup: JournalSetup
    let thread: JournalThread

    /// - Throws: `ServiceError` when the journal cannot be read, or the process has no descriptors.
    init(
        _ store: CheckpointStore,
        _ pipelines: [LoadedPipeline],
        _ delivery: DeliveryOptions,
        logger: Logger
    ) throws {
        do {
            setup = try JournalSetup(store, files: store.allFiles(), pipelines: pipelines)
        } catch {
            throw ServiceError(.cannotCreate, error.message)
        }
        let rows = RowMaker(
            registry: setup.registry,
            keepsBytes: delivery.journal == .bytes,
            lastID: setup.lastID,
            wallClock: wallClockMilliseconds
        )
        thread = try JournalThread(rows, logger: logger)
    }

    /// Starts the thread, and has the producer find out what became of open batches.
    func start(
        _ store: CheckpointStore,
        _ surroundings: LaneSurroundings,
        _ engine: ProducerEngine
    ) throws {
        guard let board = surroundings.board else { return }
        noteCopy(store, surroundings.logger)
        let worker = JournalWorker(
            JournalWorker.Surroundings(
                store: store,
                board: board,
                incarnation: store.incarnation,
                wallClock: surroundings.wallClock,
                logger: surroundings.logger
            ),
            books: setup.books
        )
        try thread.start(worker)
        let recoveries = setup.recoveries
        if !recoveries.isEmpty {
            surroundings.logger.notice(
                "batches were on their way when the last run ended; it is found out what became of them",
                metadata: [
                    "event": "recovery.found", "batches": "\(setup.open.count)",
                    "records": "\(setup.open.reduce(0) { $0 + Int64($1.recordCount) })",
                    "partitions": "\(recoveries.count)",
                ]
            )
        }
        engine.recover(
            recoveries,
            clusterID: setup.journal.session?.clusterID,
            wallClock: surroundings.wallClock()
        )
    }

    private func noteCopy(_ store: CheckpointStore, _ logger: Logger) {
        guard case .copied(let original) = store.ownership else { return }
        logger.warning(
            "the state directory is a copy of another one; what that one has sent since is not known",
            metadata: ["event": "state.copied", "original": "\(original)"]
        )
    }
}

extension ProducerEngine: BatchRecovering {}

extension JournalSetup {
    /// What has to be found out, for each partition with open batches.
    var recoveries: [PartitionRecovery] {
        let groups = Dictionary(grouping: open) {
            TopicPartition(topic: $0.topic, partition: $0.partition)
        }
        let recoveries = groups.map { id, rows in
            PartitionRecovery(
                id: id,
                rows: rows.map { RecoveryBatch($0) }.sorted { $0.isBefore($1) },
                acknowledged: acknowledged(of: id)
            )
        }
        return recoveries.sorted { ($0.id.topic, $0.id.partition) < ($1.id.topic, $1.id.partition) }
    }

    private func acknowledged(of id: TopicPartition) -> RecoveryAcknowledgement? {
        let known = journal.partitions.first {
            $0.topic == id.topic && $0.partition == id.partition && $0.ackedSequence >= 0
        }
        return known.map { known in
            RecoveryAcknowledgement(
                topicID: TopicID(bytes: known.topicID),
                producerID: known.producerID,
                epoch: known.epoch,
                sequence: known.ackedSequence,
                offset: known.ackedOffset
            )
        }
    }
}

extension RecoveryBatch {
    fileprivate init(_ row: JournaledBatch) {
        self.init(
            id: row.id,
            topicID: TopicID(bytes: row.topicID),
            producerID: row.producerID,
            epoch: row.epoch,
            baseSequence: row.baseSequence,
            recordCount: row.recordCount,
            createdAt: row.createdAt,
            maxTimestamp: row.maxTimestamp
        )
    }

    /// In the order of their numbers; after the highest sequence comes 0.
    fileprivate func isBefore(_ other: RecoveryBatch) -> Bool {
        if producerID != other.producerID { return id < other.id }
        if epoch != other.epoch { return epoch < other.epoch }
        let distance = other.baseSequence &- baseSequence
        return distance > 0 ? distance < 1 << 30 : distance < -(1 << 30)
    }
}

extension TopicID {
    /// Zero for anything but sixteen bytes.
    fileprivate init(bytes: [UInt8]) {
        func half(_ bytes: ArraySlice<UInt8>) -> UInt64 {
            bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard bytes.count == 16 else {
            self = .zero
            return
        }
        self.init(high: half(bytes[..<8]), low: half(bytes[8...]))
    }
}
