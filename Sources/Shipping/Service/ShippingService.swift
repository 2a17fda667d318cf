internal import Checkpointing
internal import FileTailing
internal import Kafka
package import Logging
internal import Synchronization

/// `forktail run`: tails the files of all pipelines and ships them until it is told to stop.
package struct ShippingService {
    package struct Options: Sendable {
        package var start: StartPosition?
        /// Drain every file to its end and finish, as a one-shot.
        package var stopsAtEnd: Bool
        package var drainTimeout: Duration
        package var requiresKafka: Bool

        package init(
            start: StartPosition?,
            stopsAtEnd: Bool,
            drainTimeout: Duration,
            requiresKafka: Bool
        ) {
            self.start = start
            self.stopsAtEnd = stopsAtEnd
            self.drainTimeout = drainTimeout
            self.requiresKafka = requiresKafka
        }
    }

    private let fleet: Fleet
    private let watcher: WatcherThread
    private let options: Options
    private let logger: Logger

    /// Opens the checkpoints and prepares everything that can fail before the first byte is read.
    ///
    /// - Throws: `ServiceError` with the exit code and what to do.
    package init(
        deployment: Deployment,
        pipelines: [LoadedPipeline],
        settings: ProducerSettings,
        delivery: DeliveryOptions,
        stateDirectory: String,
        options: Options,
        version: String,
        logger: Logger
    ) throws {
        self.options = options
        self.logger = logger
        fleet = try Fleet(
            pipelines: pipelines,
            settings: settings,
            delivery: delivery,
            stateDirectory: stateDirectory,
            logger: logger
        )
        watcher = try WatcherThread(
            fleet: fleet,
            start: options.start,
            endsAtEndOfFile: options.stopsAtEnd
        )
        logger.info(
            "forktail starts",
            metadata: [
                "event": "service.started", "version": "\(version)",
                "config": "\(deployment.path ?? "none")",
                "profile": "\(deployment.profile ?? "none")",
                "pipelines": "\(pipelines.map(\.name).joined(separator: ","))",
                "state_dir": "\(stateDirectory)", "delivery": "\(delivery.mode.rawValue)",
                "brokers": "\(settings.configuration.bootstrapServers.joined(separator: ","))",
            ]
        )
    }

    /// Runs until a signal or, as a one-shot, until all is shipped.
    package func run(signals: borrowing Signals) throws -> ExitStatus {
        try fleet.start()
        if options.requiresKafka { try fleet.waitForKafka(timeout: .seconds(10), signals: signals) }
        guard try fleet.waitForTransactions(signals: signals) else { return stop(signals) }
        try watcher.start()
        while true {
            if fleet.failure != nil { return stop(signals) }
            switch signals.wait(for: .milliseconds(options.stopsAtEnd ? 50 : 1000)) {
            case .stop: return stop(signals)
            case .report: fleet.logReport()
            case .hangUp: logger.notice("pipelines are not reloaded; restart to take them over")
            case nil: break
            }
            try fleet.refuseOtherCluster()
            guard fleet.keepsCheckpoints() else {
                let status = stop(signals)
                return status == .success ? .cannotCreate : status
            }
            if options.stopsAtEnd { fleet.hurryTransactions() }
            if options.stopsAtEnd, let files = watcher.assignedFiles, fleet.isDone(with: files) {
                return stop(signals)
            }
        }
    }

    /// Stops reading, waits for acknowledgements, writes the checkpoints.
    private func stop(_ signals: borrowing Signals) -> ExitStatus {
        logger.info("stopping", metadata: ["event": "service.stopping"])
        watcher.stop()
        var status = fleet.drain(timeout: options.drainTimeout, signals: signals)
        if options.stopsAtEnd, status == .success { status = oneShotStatus() }
        fleet.logReport()
        logger.info(
            "stopped",
            metadata: ["event": "service.stopped", "exit": "\(status.rawValue)"]
        )
        return status
    }

    /// Whether a one-shot has done what it was asked for, with every file.
    private func oneShotStatus() -> ExitStatus {
        let unregistered = watcher.unregisteredPaths
        let unreadable = watcher.unreadablePaths
        if !unregistered.isEmpty {
            noteUnread(unregistered, because: "their checkpoints cannot be kept")
            return .cannotCreate
        }
        if !unreadable.isEmpty {
            noteUnread(unreadable, because: "they cannot be opened")
            return .noInput
        }
        let report = fleet.report
        let isDamaged = report.ledgers.contains { $0.files[.damaged] ?? 0 > 0 }
        return report.stoppedFiles > 0 || isDamaged ? .dataError : .success
    }

    private func noteUnread(_ paths: Set<String>, because cause: String) {
        logger.error(
            "not all files were read",
            metadata: [
                "event": "service.incomplete", "cause": "\(cause)", "count": "\(paths.count)",
                "files": "\(paths.sorted().prefix(10).joined(separator: ", "))",
            ]
        )
    }
}
