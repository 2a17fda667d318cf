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
            setup = try JournalSetup(
                store,
                files: store.allFiles(),
                pipelines: pipelines,
                owner: store.original ?? store.owner,
                isBehind: store.original != nil || store.mayHaveLostCommits
            )
        } catch {
            throw ServiceError(.cannotCreate, error.message)
        }
        let rows = RowMaker(
            registry: setup.registry,
            keepsBytes: delivery.journal == .bytes,
            lastID: setup.lastID,
            wallClock: wallClockMilliseconds
        )
        thread = try JournalThread(
            rows,
            setup.unjournaled,
            wallClock: wallClockMilliseconds,
            logger: logger
        )
    }

    /// Starts the thread, and has the producer find out what became of open batches.
    func start(
        _ store: CheckpointStore,
        _ surroundings: LaneSurroundings,
        _ engine: ProducerEngine
    ) throws {
        guard let board = surroundings.board else { return }
        noteCopy(store, surroundings.logger)
        let recoveries = setup.recoveries
        // Of the original's there may be batches where it had sent nothing before.
        let wholeTopics = store.original == nil ? [] : Set(recoveries.map(\.id.topic))
        let logger = surroundings.logger
        let worker = JournalWorker(
            JournalWorker.Surroundings(
                store: store,
                board: board,
                incarnation: store.incarnation,
                recovering: Set(recoveries.map(\.id)),
                wholeTopics: wholeTopics,
                onRecovered: { resolve(store, logger) },
                wallClock: surroundings.wallClock,
                logger: logger
            ),
            books: setup.books
        )
        thread.recover(recoveries.map(\.id))
        try thread.start(worker)
        if !setup.open.isEmpty {
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
            wholeTopics: wholeTopics,
            settings: settings(store),
            wallClock: surroundings.wallClock()
        )
    }

    private func settings(_ store: CheckpointStore) -> RecoveryStateMachine.Settings {
        var settings = RecoveryStateMachine.Settings()
        settings.findsUnjournaled = setup.isBehind
        settings.original = store.original.map { "\($0)" }
        if store.original == nil, store.hostDied { settings.endedBefore = bootTime() }
        return settings
    }

    private func noteCopy(_ store: CheckpointStore, _ logger: Logger) {
        if store.mayHaveLostCommits {
            logger.notice(
                "the host died, and what was committed last may be lost; Kafka is asked for it",
                metadata: [
                    "event": "state.behind", "partitions": "\(setup.partitionsInDoubt.count)",
                ]
            )
        }
        guard let original = store.original else { return }
        logger.warning(
            "the state directory is a copy of another one; what that one has sent since is not known",
            metadata: ["event": "state.copied", "original": "\(original)"]
        )
    }
}

extension ProducerEngine: BatchRecovering {}

extension CheckpointStore {
    /// Whose copy it is; nil if it is none.
    fileprivate var original: OwnerID? {
        if case .copied(let original) = self.ownership { original } else { nil }
    }
}

/// Takes note that all is found out which the journal did not know.
private func resolve(_ store: CheckpointStore, _ logger: Logger) {
    let mustResolve = store.original != nil || store.mayHaveLostCommits
    guard mustResolve else { return }
    do throws(CheckpointError) {
        try store.resolveOwnership()
        logger.notice(
            "it is known what was sent that the journal had lost",
            metadata: ["event": "state.resolved"]
        )
    } catch {
        // The next start looks once more.
        logger.error(
            "the state directory cannot be written",
            metadata: ["event": "journal.failed", "cause": "\(error)"]
        )
    }
}

extension JournalSetup {
    /// What has to be found out, for each partition where something is in doubt.
    var recoveries: [PartitionRecovery] {
        // Settled ones as well: they are looked for where Kafka turns out to have lost records.
        let groups = Dictionary(grouping: journal.batches) {
            TopicPartition(topic: $0.topic, partition: $0.partition)
        }
        let recoveries = partitionsInDoubt.map { id in
            PartitionRecovery(
                id: id,
                rows: (groups[id] ?? []).map { RecoveryBatch($0) }.sorted { $0.isBefore($1) },
                acknowledged: acknowledged(of: id)
            )
        }
        return recoveries.sorted { ($0.id.topic, $0.id.partition) < ($1.id.topic, $1.id.partition) }
    }

    private func acknowledged(of id: TopicPartition) -> RecoveryAcknowledgement? {
        let known = journal.partitions.first {
            $0.topic == id.topic && $0.partition == id.partition
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
            maxTimestamp: row.maxTimestamp,
            settledOffset: row.settledOffset
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
