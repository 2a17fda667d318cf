internal import Checkpointing
internal import Kafka
internal import Logging

/// The transactions of a service: what an earlier life left, and the thread that goes on with it.
struct RunningTransactions: Sendable {
    let transactionalID: String
    let checkpoints: GatheredCheckpoints
    let thread: TransactionThread
    private let cycle: TransactionCycle

    /// - Throws: `ServiceError` when checkpoints are pending of which nothing can be found out here.
    init(
        _ store: CheckpointStore,
        _ configuration: KafkaProducerConfiguration,
        _ delivery: DeliveryOptions,
        lanes: Int
    ) throws {
        let id = configuration.transactionalID ?? Self.ownID(in: store)
        transactionalID = id
        let pending = try Self.pending(store)
        if let other = pending.first(where: { $0.transactionalID != id }) {
            throw ServiceError(
                .configuration,
                "a transaction of \"\(other.transactionalID)\" was being committed when the last run"
                    + " ended; start once with -X transactional.id=\(other.transactionalID), which finds"
                    + " out whether it was"
            )
        }
        cycle = TransactionCycle(
            interval: delivery.transactionInterval,
            timeout: configuration.transactionTimeout,
            lanes: lanes,
            pending: pending.first
        )
        let thread = try TransactionThread()
        self.thread = thread
        checkpoints = GatheredCheckpoints(store) { thread.noteChange() }
    }

    /// Refuses to read from checkpoints of which it is not known whether they are the latest.
    ///
    /// - Throws: `ServiceError` (78) with what to do.
    static func refusePending(in store: CheckpointStore) throws {
        guard let pending = try pending(store).first else { return }
        throw ServiceError(
            .configuration,
            "a transaction was being committed when the last run ended; start once with --delivery"
                + " transactional -X transactional.id=\(pending.transactionalID), which finds out"
                + " whether it was"
        )
    }

    /// The transactional id where the properties name none.
    static func ownID(in store: CheckpointStore) -> String { "forktail-\(name(of: store))" }

    /// Who the state directory is, or was copied from: a copy takes the transactional id over.
    private static func name(of store: CheckpointStore) -> OwnerID {
        if case .copied(let original) = store.ownership { original } else { store.owner }
    }

    private static func pending(_ store: CheckpointStore) throws -> [PendingCheckpoints] {
        do {
            return try store.pending()
        } catch {
            throw ServiceError(.cannotCreate, error.message)
        }
    }

    func start(_ lanes: [Lane], _ engine: ProducerEngine, logger: Logger) throws {
        let thread = thread
        let worker = TransactionWorker(
            TransactionWorker.Surroundings(
                transactionalID: transactionalID,
                checkpoints: checkpoints,
                ask: { operation in
                    engine.transact(operation) { result in
                        thread.post(.answered(result.error, result.identity))
                    }
                },
                tell: { message in for lane in lanes { lane.post(message) } },
                beginCut: { thread.beginCut() },
                logger: logger
            ),
            cycle
        )
        try thread.start(worker)
    }
}
