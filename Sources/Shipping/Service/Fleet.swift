internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import Logging

/// The lanes that send to one cluster, the producer and the checkpoints that they share.
struct Fleet: Sendable {
    /// The name of a cluster that is not the process's own.
    let cluster: String?
    let surroundings: LaneSurroundings
    let engine: ProducerEngine
    let store: CheckpointStore
    let lanes: [Lane]
    /// Nil where records may be sent twice, or in transactions.
    let journal: RunningJournal?
    /// Nil where records are sent without transactions.
    let transactions: RunningTransactions?

    /// - Parameter share: what part of the files that this process may have open it holds at most.
    /// - Throws: `ServiceError` when the state directory or the producer cannot be had.
    init(
        _ route: Route,
        delivery: DeliveryOptions,
        share: Int = 1,
        logger: Logger
    ) throws {
        cluster = route.cluster
        let pipelines = route.pipelines
        let settings = route.settings
        var logger = logger
        if let cluster { logger[metadataKey: "cluster"] = "\(cluster)" }
        try delivery.check(settings.configuration)
        raiseOpenFileLimit()
        store = try openStore(in: route.stateDirectory, delivery.durability)
        let isJournaled = delivery.mode == .exactlyOnce
        let isTransactional = delivery.mode == .transactional
        if !isTransactional { try RunningTransactions.refusePending(in: store) }
        transactions =
            try isTransactional
            ? RunningTransactions(store, settings.configuration, delivery, lanes: processorCount())
            : nil
        var configuration = settings.configuration
        configuration.transactionalID = transactions?.transactionalID
        let mode = delivery.description(transactionalID: configuration.transactionalID)
        store.describeOwner(mode)
        configuration.journalsFarAhead = delivery.journal == .bytes
        let pool = BufferPool(configuration: configuration)
        journal =
            try isJournaled ? RunningJournal(store, pipelines, delivery, logger: logger) : nil
        journal?.thread.onChange { [store] in store.describeOwner(mode, details: $0.lines) }
        do {
            engine = try ProducerEngine(
                configuration: configuration,
                pool: pool,
                journal: journal?.thread,
                logger: logger
            )
        } catch {
            throw ServiceError(.configuration, "\(error)")
        }
        var sink: any BatchSink = engine
        if let transactions {
            sink = TransactionSink(engine: engine, transactions: transactions.thread)
        }
        var surroundings = LaneSurroundings(
            pipelines: pipelines,
            configuration: configuration,
            sink: sink,
            pool: pool,
            store: transactions?.checkpoints ?? store,
            disk: LinuxDisk(),
            openFileLimit: openFileLimit() / processorCount() / share,
            wallClock: wallClockMilliseconds,
            logger: logger
        )
        surroundings.transactions = transactions?.thread
        if delivery.marksPositions, isJournaled || isTransactional {
            surroundings.owner = "\(store.owner)"
        }
        if let journal {
            surroundings.join(
                journal.setup,
                recovery: engine,
                post: { [thread = journal.thread] in thread.post($0) },
                remake: { [configuration] row, made in
                    row.remade(of: made, configuration, now: .now)
                }
            )
            surroundings.checkpointsSaved = { [thread = journal.thread] in thread.post(.saved($0)) }
        }
        self.surroundings = surroundings
        lanes = try (0..<processorCount()).map { _ in try Lane() }
    }

    func start() throws {
        if let journal {
            try journal.start(store, surroundings, engine)
        } else {
            try forgetJournal()
        }
        engine.start()
        for (number, lane) in lanes.enumerated() {
            try lane.start(surroundings, engine: engine, number: number)
        }
        try transactions?.start(lanes, engine, logger: surroundings.logger)
    }

    /// What was sent without a journal since, it would not know of.
    private func forgetJournal() throws {
        do {
            try store.resolveOwnership()
            let batches = try store.journal().batches
            if batches.isEmpty { return }
            var changes = JournalChanges()
            changes.removed = batches.map(\.id)
            try store.write(changes)
            surroundings.logger.warning(
                "the journal of an earlier run is put away: what was on its way is sent again",
                metadata: ["event": "journal.dropped", "batches": "\(batches.count)"]
            )
        } catch {
            throw ServiceError(.cannotCreate, "\(error)")
        }
    }

    /// The lane that a file belongs to for as long as it lives.
    func lane(of file: Int) -> Lane { lanes[file % lanes.count] }

    // MARK: Reports

    var report: LaneReport {
        var sum = LaneReport()
        sum.ledgers = surroundings.pipelines.map { _ in Ledger() }
        for report in lanes.map(\.report) { sum.add(report) }
        return sum
    }

    /// Whether none of so many files is left and all that was sent has come back.
    ///
    /// A lane's report does not count the files that are on their way to it.
    func isDone(with assignedFiles: Int) -> Bool {
        let report = report
        return report.finishedFiles + report.stoppedFiles == assignedFiles
            && report.recordsInFlight == 0 && report.openBatches == 0
            && transactions?.thread.status.isIdle ?? true
    }

    /// How every file stands; empty when a lane does not answer within a second.
    func fileReports() -> [FileReport] {
        let box = FileReportBox(lanes: lanes.count)
        for lane in lanes { lane.post(.describe(box)) }
        let deadline = ContinuousClock.now + .seconds(1)
        while ContinuousClock.now < deadline, lanes.allSatisfy(\.isRunning) {
            if let reports = box.reports { return reports }
            waitForInput([], until: .now + .milliseconds(1), now: .now)
        }
        return []
    }

    func logReport() {
        let report = report
        let files = fileReports()
        journal?.thread.logReport()
        for (pipeline, ledger) in zip(surroundings.pipelines, report.ledgers) {
            let own = files.filter { $0.pipeline == pipeline.name }
            var metadata: Logger.Metadata = [
                "event": "pipeline.books", "pipeline": "\(pipeline.name)",
                "read": "\(ledger.read)", "sent": "\(ledger.acknowledgedSent)",
                "dropped": "\(ledger.droppedCount)", "failed": "\(ledger.acknowledgedFailures)",
                "unacknowledged": "\(ledger.unacknowledged)",
                "acknowledged": "\(ledger.topics.values.reduce(0, +))",
                "bytes_acked": "\(report.acknowledgedBytes)",
                "lag_bytes": "\(own.reduce(0) { $0 + $1.lag })",
                "lag_seconds": "\((own.map(\.age).max() ?? .zero) / .seconds(1))",
            ]
            for state in FileReport.State.allCases {
                let count = own.count { $0.state == state }
                if count > 0 { metadata["files_\(state.rawValue)"] = "\(count)" }
            }
            for (counter, count) in ledger.files { metadata[counter.rawValue] = "\(count)" }
            surroundings.logger.info("books", metadata: metadata)
        }
    }

    /// Whether the next start will find the checkpoints; says so if it will not.
    func keepsCheckpoints() -> Bool {
        if store.isInPlace { return true }
        surroundings.logger.error(
            "the checkpoint database was removed; the next start will read files as new",
            metadata: ["event": "state.removed", "file": "\(store.path)"]
        )
        return false
    }

    /// Why the brokers are taken for those of another cluster than before; nil if they are not.
    var refusal: String? { engine.statistics.refusal }

    func logRefusal(_ reason: String) {
        surroundings.logger.error(
            "the brokers are of another cluster: nothing was sent",
            metadata: ["event": "cluster.changed", "cause": "\(reason)"]
        )
    }

    // MARK: Starting and stopping

    /// Lets go of what only one process may have; the lanes have ended.
    func close() {
        engine.stop()
        journal?.thread.stop()
        transactions?.thread.stop()
        try? store.close()
    }

    /// Waits until a broker has answered.
    ///
    /// - Throws: `ServiceError` (69) when none did in time; 77 when it was a matter of credentials or
    ///   certificates.
    func waitForKafka(timeout: Duration, signals: borrowing Signals) throws {
        let deadline = ContinuousClock.now + timeout
        while !engine.statistics.isConnected {
            if case .stop = signals.wait(for: .milliseconds(20)) {
                throw ServiceError(.temporary, "interrupted before Kafka answered")
            }
            guard ContinuousClock.now < deadline else {
                let statistics = engine.statistics
                let reason = statistics.lastError ?? "no answer"
                throw ServiceError(
                    statistics.isRefused ? .noPermission : .unavailable,
                    "no broker of \(surroundings.configuration.bootstrapServers.joined(separator: ", "))"
                        + " can be reached: \(reason)"
                )
            }
        }
    }

    /// Waits until it is known what an earlier run has committed, which may take as long as Kafka does.
    ///
    /// - Returns: false when a signal came first.
    /// - Throws: `ServiceError` when Kafka does not let this process send.
    func waitForTransactions(signals: borrowing Signals) throws -> Bool {
        while try !isReady() {
            if case .stop = signals.wait(for: .milliseconds(10)) { return false }
        }
        return true
    }

    /// Whether it is known what an earlier run has committed.
    ///
    /// - Throws: `ServiceError` when Kafka does not let this process send.
    func isReady() throws -> Bool {
        guard let status = transactions?.thread.status, !status.isResolved else { return true }
        if let failure = status.failure { throw ServiceError(failure.status, failure.message) }
        return false
    }

    /// Lets a commit come early if it is all that is waited for.
    func hurryTransactions() {
        guard let thread = transactions?.thread, !thread.status.isIdle else { return }
        let report = report
        if report.recordsInFlight == 0, report.openBatches == 0 { thread.post(.hurry) }
    }

    /// Why nothing can be sent any more.
    var failure: TransactionFailure? { transactions?.thread.status.failure }
}

/// Opens the checkpoint database of a state directory.
///
/// - Throws: `ServiceError` (73) with what to do.
func openStore(
    in directory: String,
    _ durability: JournalDurability
) throws -> CheckpointStore {
    try makeDirectories(directory)
    do {
        return try CheckpointStore(
            path: directory + "/checkpoints.db",
            synchronous: durability.synchronous
        )
    } catch {
        throw ServiceError(.cannotCreate, error.message)
    }
}
