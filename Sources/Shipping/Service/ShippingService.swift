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

    /// What is sent to one cluster, and who finds its files.
    fileprivate struct Leg {
        let fleet: Fleet
        let watcher: WatcherThread
    }

    private let legs: [Leg]
    private let options: Options
    private let logger: Logger

    /// Opens the checkpoints and prepares everything that can fail before the first byte is read.
    ///
    /// - Throws: `ServiceError` with the exit code and what to do.
    package init(
        deployment: Deployment,
        routes: [Route],
        delivery: DeliveryOptions,
        options: Options,
        version: String,
        logger: Logger
    ) throws {
        self.options = options
        self.logger = logger
        legs = try routes.map { route in
            let fleet = try Fleet(route, delivery: delivery, share: routes.count, logger: logger)
            let watcher = try WatcherThread(
                fleet: fleet,
                start: options.start,
                endsAtEndOfFile: options.stopsAtEnd
            )
            return Leg(fleet: fleet, watcher: watcher)
        }
        for route in routes {
            let servers = route.settings.configuration.bootstrapServers
            var metadata: Logger.Metadata = [
                "event": "service.started", "version": "\(version)",
                "config": "\(deployment.path ?? "none")",
                "profile": "\(deployment.profile ?? "none")",
                "pipelines": "\(route.pipelines.map(\.name).joined(separator: ","))",
                "state_dir": "\(route.stateDirectory)", "delivery": "\(delivery.mode.rawValue)",
                "brokers": "\(servers.joined(separator: ","))",
            ]
            if let cluster = route.cluster { metadata["cluster"] = "\(cluster)" }
            logger.info("forktail starts", metadata: metadata)
        }
    }

    /// Runs until a signal or, as a one-shot, until all is shipped.
    package func run(signals: borrowing Signals) throws -> ExitStatus {
        for leg in legs { try leg.fleet.start() }
        if options.requiresKafka {
            for leg in legs {
                try leg.fleet.waitForKafka(timeout: .seconds(10), signals: signals)
            }
        }
        var waiting = legs
        while true {
            // A cluster that is away keeps no other waiting.
            do {
                waiting = try waiting.filter { leg in
                    guard try leg.fleet.isReady() else { return true }
                    try leg.watcher.start()
                    return false
                }
            } catch {
                _ = stop(signals)
                throw error
            }
            if legs.contains(where: { $0.fleet.failure != nil }) { return stop(signals) }
            switch signals.wait(for: pause(isWaiting: !waiting.isEmpty)) {
            case .stop: return stop(signals)
            case .report: for leg in legs { leg.fleet.logReport() }
            case .hangUp: logger.notice("pipelines are not reloaded; restart to take them over")
            case nil: break
            }
            try refuseOtherCluster(signals)
            guard legs.allSatisfy({ $0.fleet.keepsCheckpoints() }) else {
                let status = stop(signals)
                return status == .success ? .cannotCreate : status
            }
            guard options.stopsAtEnd else { continue }
            for leg in legs { leg.fleet.hurryTransactions() }
            if legs.allSatisfy(\.isDone) { return stop(signals) }
        }
    }

    private func pause(isWaiting: Bool) -> Duration {
        isWaiting ? .milliseconds(10) : .milliseconds(options.stopsAtEnd ? 50 : 1000)
    }

    /// Ends what can never go on.
    ///
    /// - Throws: `ServiceError` (78) if brokers are of another cluster than before.
    private func refuseOtherCluster(_ signals: borrowing Signals) throws {
        guard
            let (leg, reason) = legs.lazy.compactMap({ leg in
                leg.fleet.refusal.map { (leg, $0) }
            }).first
        else { return }
        leg.fleet.logRefusal(reason)
        _ = stop(signals)
        throw ServiceError(.configuration, reason)
    }

    /// Stops reading, waits for acknowledgements, writes the checkpoints.
    private func stop(_ signals: borrowing Signals) -> ExitStatus {
        logger.info("stopping", metadata: ["event": "service.stopping"])
        for leg in legs { leg.watcher.stop() }
        var status = legs.map(\.fleet).drain(timeout: options.drainTimeout, signals: signals)
        if options.stopsAtEnd, status == .success {
            status = legs.map(oneShotStatus).first { $0 != .success } ?? .success
        }
        for leg in legs { leg.fleet.logReport() }
        logger.info(
            "stopped",
            metadata: ["event": "service.stopped", "exit": "\(status.rawValue)"]
        )
        return status
    }

    /// Whether a one-shot has done what it was asked for, with every file.
    private func oneShotStatus(_ leg: Leg) -> ExitStatus {
        let unregistered = leg.watcher.unregisteredPaths
        let unreadable = leg.watcher.unreadablePaths
        if !unregistered.isEmpty {
            noteUnread(unregistered, because: "their checkpoints cannot be kept")
            return .cannotCreate
        }
        if !unreadable.isEmpty {
            noteUnread(unreadable, because: "they cannot be opened")
            return .noInput
        }
        let report = leg.fleet.report
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

extension ShippingService.Leg {
    /// Whether all that its files had has been shipped.
    fileprivate var isDone: Bool {
        watcher.assignedFiles.map { fleet.isDone(with: $0) } ?? false
    }
}
