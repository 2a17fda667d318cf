internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import Logging

/// The lanes, the producer and the checkpoints that they share.
struct Fleet: Sendable {
    let surroundings: LaneSurroundings
    let engine: ProducerEngine
    let store: CheckpointStore
    let lanes: [Lane]
    /// Nil where records may be sent twice.
    let journal: RunningJournal?

    /// - Throws: `ServiceError` when the state directory or the producer cannot be had.
    init(
        pipelines: [LoadedPipeline],
        settings: ProducerSettings,
        delivery: DeliveryOptions,
        stateDirectory: String,
        logger: Logger
    ) throws {
        var configuration = settings.configuration
        try delivery.check(configuration)
        configuration.journalsFarAhead = delivery.journal == .bytes
        raiseOpenFileLimit()
        store = try openStore(in: stateDirectory, delivery.durability)
        let pool = BufferPool(configuration: configuration)
        let isJournaled = delivery.mode == .exactlyOnce
        journal =
            try isJournaled ? RunningJournal(store, pipelines, delivery, logger: logger) : nil
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
        var surroundings = LaneSurroundings(
            pipelines: pipelines,
            configuration: configuration,
            sink: engine,
            pool: pool,
            store: store,
            disk: LinuxDisk(),
            openFileLimit: openFileLimit() / processorCount(),
            wallClock: wallClockMilliseconds,
            logger: logger
        )
        if delivery.marksPositions, isJournaled { surroundings.owner = "\(store.owner)" }
        if let journal {
            surroundings.join(journal.setup, recovery: engine) { [configuration] row, made in
                row.remade(of: made, configuration, now: .now)
            }
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
    }

    /// What was sent without a journal since, it would not know of.
    private func forgetJournal() throws {
        do {
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

    // MARK: Starting and stopping

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

    /// Sends what was read, waits for it as long as allowed, and writes the checkpoints.
    func drain(timeout: Duration, signals: borrowing Signals) -> ExitStatus {
        let deadline = ContinuousClock.now + timeout
        for lane in lanes { lane.post(.drain) }
        var status = ExitStatus.success
        while lanes.contains(where: \.isRunning) {
            if case .stop(isInterrupt: true) = signals.wait(for: .milliseconds(5)) {
                abort(&status, .interrupted)
            } else if ContinuousClock.now >= deadline, status == .success {
                surroundings.logger.warning(
                    "not all was acknowledged in time",
                    metadata: [
                        "event": "service.drain_timeout"
                    ]
                )
                abort(&status, .temporary)
            }
        }
        engine.stop()
        journal?.thread.stop()
        try? store.foldLog()
        // What was sent will be sent again: that must not look like a success.
        return status == .success && report.hasUnsavedCheckpoints ? .cannotCreate : status
    }

    private func abort(_ status: inout ExitStatus, _ reason: ExitStatus) {
        status = reason
        for lane in lanes { lane.post(.abort) }
    }
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
