internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import Logging

/// The lanes, the producer and the checkpoints that they share.
struct Fleet: Sendable {
    let surroundings: LaneSurroundings
    let lanes: [Lane]

    /// - Throws: `ServiceError` when the state directory or the producer cannot be had.
    init(
        pipelines: [LoadedPipeline],
        settings: ProducerSettings,
        stateDirectory: String,
        logger: Logger
    ) throws {
        raiseOpenFileLimit()
        let store = try openStore(in: stateDirectory)
        let configuration = settings.configuration
        let pool = BufferPool(configuration: configuration)
        let engine: ProducerEngine
        do {
            engine = try ProducerEngine(configuration: configuration, pool: pool, logger: logger)
        } catch {
            throw ServiceError(.configuration, "\(error)")
        }
        surroundings = LaneSurroundings(
            pipelines: pipelines,
            configuration: configuration,
            engine: engine,
            pool: pool,
            store: store,
            logger: logger
        )
        lanes = try (0..<processorCount()).map { _ in try Lane() }
    }

    func start() throws {
        surroundings.engine.start()
        for (number, lane) in lanes.enumerated() {
            try lane.start(surroundings, number: number, onEnd: {})
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

    /// Whether no file is left and all that was sent has come back.
    var isDone: Bool {
        let report = report
        return report.assignedFiles == report.finishedFiles + report.stoppedFiles
            && report.recordsInFlight == 0 && report.openBatches == 0
    }

    func logReport() {
        let report = report
        for (pipeline, ledger) in zip(surroundings.pipelines, report.ledgers) {
            surroundings.logger.info(
                "books",
                metadata: [
                    "event": "pipeline.books", "pipeline": "\(pipeline.name)",
                    "read": "\(ledger.read)", "sent": "\(ledger.sent)",
                    "dropped": "\(ledger.droppedCount)", "failed": "\(ledger.failedCount)",
                    "acknowledged": "\(ledger.topics.values.reduce(0, +))",
                    "bytes_acked": "\(report.acknowledgedBytes)",
                ]
            )
        }
    }

    // MARK: Starting and stopping

    /// Waits until a broker has answered.
    ///
    /// - Throws: `ServiceError` (69) when none did in time.
    func waitForKafka(timeout: Duration, signals: borrowing Signals) throws {
        let deadline = ContinuousClock.now + timeout
        while !surroundings.engine.statistics.isConnected {
            if case .stop = signals.wait(for: .milliseconds(20)) {
                throw ServiceError(.temporary, "interrupted before Kafka answered")
            }
            guard ContinuousClock.now < deadline else {
                let reason = surroundings.engine.statistics.lastError ?? "no answer"
                throw ServiceError(
                    .unavailable,
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
        surroundings.engine.stop()
        try? surroundings.store.foldLog()
        return status
    }

    private func abort(_ status: inout ExitStatus, _ reason: ExitStatus) {
        status = reason
        for lane in lanes { lane.post(.abort) }
    }
}

/// Opens the checkpoint database of a state directory.
///
/// - Throws: `ServiceError` (73) with what to do.
func openStore(in directory: String) throws -> CheckpointStore {
    try makeDirectories(directory)
    do {
        return try CheckpointStore(path: directory + "/checkpoints.db")
    } catch {
        throw ServiceError(.cannotCreate, error.message)
    }
}
