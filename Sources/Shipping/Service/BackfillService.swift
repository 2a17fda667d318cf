internal import Checkpointing
internal import FileTailing
internal import Glibc
internal import Kafka
package import Logging

/// `forktail backfill`: reads files once, ships them, reports, and ends.
package struct BackfillService {
    package struct Options: Sendable {
        package var job: String?
        /// Forget what the job has done before.
        package var restarts: Bool
        package var progress: ProgressStyle
        package var maxErrors: ErrorAllowance
        package var connectTimeout: Duration
        package var summaryAsJSON: Bool
        package var asksFirst: Bool
        package var color: Bool
        package var resume: ResumeCommand

        package init(
            job: String?,
            restarts: Bool,
            progress: ProgressStyle,
            maxErrors: ErrorAllowance,
            connectTimeout: Duration,
            summaryAsJSON: Bool,
            asksFirst: Bool,
            color: Bool,
            resume: ResumeCommand
        ) {
            self.job = job
            self.restarts = restarts
            self.progress = progress
            self.maxErrors = maxErrors
            self.connectTimeout = connectTimeout
            self.summaryAsJSON = summaryAsJSON
            self.asksFirst = asksFirst
            self.color = color
            self.resume = resume
        }
    }

    private let fleet: Fleet
    private let pipeline: LoadedPipeline
    private let options: Options
    private let job: String
    private var inputs: BackfillInputs
    private let startTime = ContinuousClock.now

    /// Ships files to one cluster after the other, as far as nobody interrupts it.
    ///
    /// - Parameter files: none for those that the pipeline names.
    /// - Throws: `ServiceError` with the exit code and what to do.
    package static func ship(
        _ files: [String],
        to routes: [Route],
        delivery: DeliveryOptions,
        options: Options,
        signals: borrowing Signals,
        logger: Logger
    ) throws -> ExitStatus {
        var status = ExitStatus.success
        for (index, route) in routes.enumerated() {
            var service = try BackfillService(
                route: route,
                files: files,
                delivery: delivery,
                options: options,
                logger: logger
            )
            guard try index > 0 || service.isConfirmed() else { return .success }
            if let cluster = route.cluster { writeToStandardError("kafka \(cluster)\n") }
            let ended = try service.run(signals: signals)
            if status == .success { status = ended }
            if ended == .temporary || ended == .interrupted { return ended }
        }
        return status
    }

    /// Finds the files and what the job has done of them.
    ///
    /// - Throws: `ServiceError` with the exit code and what to do.
    private init(
        route: Route,
        files: [String],
        delivery: DeliveryOptions,
        options: Options,
        logger: Logger
    ) throws {
        let pipeline = route.pipelines[0]
        self.pipeline = pipeline
        self.options = options
        job = options.job ?? "\(pipeline.name)-\(Self.today())"
        fleet = try Fleet(route, delivery: delivery, logger: logger)
        let paths = try files.isEmpty ? pipeline.filesMatchingGlobs() : files
        guard !paths.isEmpty else {
            throw ServiceError(.noInput, "\(pipeline.path): its `from` matches no file")
        }
        inputs = try BackfillInputs(
            paths,
            of: pipeline,
            job: job,
            restarts: options.restarts,
            store: fleet.store,
            logger: fleet.surroundings.logger
        )
    }

    /// Ships everything, or as much as there is time for until a signal.
    private mutating func run(signals: borrowing Signals) throws -> ExitStatus {
        try fleet.start()
        try fleet.waitForKafka(timeout: options.connectTimeout, signals: signals)
        guard try fleet.waitForTransactions(signals: signals) else {
            _ = [fleet].drain(timeout: .zero, signals: signals)
            return .temporary
        }
        if fleet.transactions != nil { try inputs.refresh(from: fleet.store) }
        for (id, input) in inputs.all.enumerated() { assign(input, id: id) }
        fleet.surroundings.board?.claimedAll()
        var display = ProgressDisplay(
            BackfillProgress(cluster: fleet.cluster, pipeline: pipeline.name, job: job),
            style: options.progress,
            color: options.color
        )
        var interrupted = false
        var isKept = true
        while !interrupted, isKept, !isDone, fleet.failure == nil {
            try refuseOtherCluster()
            isKept = fleet.keepsCheckpoints()
            giveUpRewrittenFiles()
            fleet.hurryTransactions()
            switch signals.wait(for: .milliseconds(20)) {
            case .stop:
                interrupted = true
                announceStop()
            case .report: display.show(snapshot, now: .now, force: true)
            case .hangUp, nil: display.show(snapshot, now: .now, force: false)
            }
        }
        var drained = [fleet].drain(timeout: .seconds(30), signals: signals)
        if drained == .success, !isKept { drained = .cannotCreate }
        display.finish(snapshot, now: .now)
        return try finish(interrupted: interrupted, drained: drained)
    }

    /// Ends what can never go on.
    ///
    /// - Throws: `ServiceError` (78) if the brokers are of another cluster than before.
    private func refuseOtherCluster() throws {
        guard let reason = fleet.refusal else { return }
        fleet.logRefusal(reason)
        throw ServiceError(.configuration, reason)
    }

    // MARK: Files

    private func assign(_ input: BackfillInputs.Input, id: Int) {
        let position = TailPosition(
            offset: input.row.checkpoint.offset,
            guardBytes: input.row.checkpoint.guardBytes
        )
        fleet.surroundings.board?.claim(FileBytes(input.row))
        fleet.lane(of: id).post(
            .add(
                LaneAssignment(
                    id: id,
                    pipeline: 0,
                    row: input.row,
                    version: fleet.surroundings.version(ofPipeline: 0),
                    position: position,
                    endsAtEndOfFile: true
                )
            )
        )
    }

    /// Ends the reading of files whose bytes were replaced under way: nobody looks for them here.
    private func giveUpRewrittenFiles() {
        for case .rewritten(let id, _, _) in fleet.surroundings.news.take() {
            fleet.surroundings.logger.error(
                "a file was rewritten while it was read; what was not read of it is not sent",
                metadata: [
                    "event": "backfill.rewritten", "file": "\(inputs.all[id].row.path)",
                ]
            )
            fleet.lane(of: id).post(.lost(id))
        }
    }

    // MARK: Progress

    private var isDone: Bool { fleet.isDone(with: inputs.all.count) }

    private var snapshot: BackfillProgress.Snapshot {
        let report = fleet.report
        let ledger = report.ledgers[0]
        let statistics = fleet.engine.statistics
        var snapshot = BackfillProgress.Snapshot()
        snapshot.acknowledgedBytes = min(report.acknowledgedBytes, inputs.totalBytes)
        snapshot.totalBytes = inputs.totalBytes
        snapshot.filesDone = report.finishedFiles
        snapshot.fileCount = inputs.all.count
        snapshot.currentFile = report.currentFile.split(separator: "/").last.map(String.init) ?? ""
        snapshot.recordsSent = ledger.topics.values.reduce(0, +)
        snapshot.recordsDropped = ledger.droppedCount
        snapshot.recordsFailed = ledger.failedCount
        snapshot.limit = report.waitsForMemory ? "broker" : "parse"
        snapshot.kafka = statistics.isConnected ? statistics.summary : "away"
        return snapshot
    }

    private func isConfirmed() throws -> Bool {
        guard options.asksFirst, Terminal.standardErrorIsTerminal, Terminal.standardInputIsTerminal
        else { return true }
        let files = "\(inputs.all.count) file\(inputs.all.count == 1 ? "" : "s")"
        writeToStandardError("\(files), \(Quantity.bytes(inputs.totalBytes)) → Kafka — go? [y/N] ")
        guard let answer = readLine() else { return false }
        return answer.lowercased().hasPrefix("y")
    }

    private func announceStop() {
        writeToStandardError("stopping after in-flight records… (Ctrl-C again to quit now)\n")
    }

    // MARK: The end

    private func finish(interrupted: Bool, drained: ExitStatus) throws -> ExitStatus {
        let report = fleet.report
        let summary = BackfillSummary(
            cluster: fleet.cluster,
            pipeline: pipeline.name,
            job: job,
            ledger: report.ledgers[0],
            seconds: Int64((ContinuousClock.now - startTime) / .seconds(1)),
            finishedBefore: inputs.areFinished ? inputs.all.count : nil
        )
        if !options.summaryAsJSON {
            writeToStandardError(summary.text(interrupted: interrupted || drained != .success))
        }
        // Without its checkpoints the job would begin anew.
        if interrupted || drained != .success, fleet.store.isInPlace {
            writeToStandardError("go on with:\n  \(options.resume.text(job: job))\n")
        }
        if options.summaryAsJSON { try writeToStandardOutput(summary.json) }
        if drained != .success { return drained }
        if interrupted { return .temporary }
        let files = report.ledgers[0].files
        let isUnlikeItself = files[.truncations] ?? 0 > 0 || files[.damaged] ?? 0 > 0
        let isIncomplete = report.stoppedFiles > 0 || isUnlikeItself
        return isIncomplete || !summary.isWithin(options.maxErrors) ? .dataError : .success
    }

    private static func today() -> String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        var text = [CChar](repeating: 0, count: 16)
        strftime(&text, text.count, "%Y-%m-%d", &parts)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// Draws progress: redrawn lines on a terminal, one line every ten seconds elsewhere.
struct ProgressDisplay {
    private var progress: BackfillProgress
    private let style: ProgressStyle
    private let color: Bool
    private var drawnLines = 0
    private var lastShown: ContinuousClock.Instant?

    init(_ progress: BackfillProgress, style: ProgressStyle, color: Bool) {
        self.progress = progress
        self.color = color
        self.style = style == .auto ? (Terminal.standardErrorIsCapable ? .bar : .plain) : style
    }

    mutating func show(
        _ snapshot: BackfillProgress.Snapshot,
        now: ContinuousClock.Instant,
        force: Bool
    ) {
        let interval: Duration = style == .bar ? .milliseconds(200) : .seconds(10)
        let last = lastShown ?? (style == .bar ? now - interval : now)
        if lastShown == nil { lastShown = last }
        guard force || now - last >= interval else { return }
        progress.record(snapshot, now: now)
        lastShown = now
        draw()
    }

    mutating func finish(_ snapshot: BackfillProgress.Snapshot, now: ContinuousClock.Instant) {
        progress.record(snapshot, now: now)
        if style == .bar { draw() }
    }

    private mutating func draw() {
        switch style {
        case .bar:
            let lines = progress.bar(width: Terminal.width, color: color)
            let up = drawnLines > 0 ? "\u{1B}[\(drawnLines)A" : ""
            writeToStandardError(up + lines.map { "\u{1B}[2K\($0)\n" }.joined())
            drawnLines = lines.count
        case .json: writeToStandardError(progress.json)
        case .plain: writeToStandardError(progress.logfmt)
        case .auto, .none: break
        }
    }
}
