internal import Checkpointing
internal import Glibc
internal import Kafka
internal import KafkaProtocol
package import Logging
internal import PipelineLanguage
internal import Synchronization

/// `forktail verify`: reads topics back, and says of each file whether all of it is there once and
/// in order.
package struct VerifyService {
    package struct Options: Sendable {
        /// Those to read; none for the pipelines' own.
        package var topics: [String]
        /// Milliseconds since 1970; nil for the beginning, and the end.
        package var from: Int64?
        package var to: Int64?
        package var readsUncommitted: Bool
        package var reportsAsJSON: Bool
        package var isQuiet: Bool
        package var patience: Duration

        package init(
            topics: [String],
            from: Int64?,
            to: Int64?,
            readsUncommitted: Bool,
            reportsAsJSON: Bool,
            isQuiet: Bool,
            patience: Duration
        ) {
            self.topics = topics
            self.from = from
            self.to = to
            self.readsUncommitted = readsUncommitted
            self.reportsAsJSON = reportsAsJSON
            self.isQuiet = isQuiet
            self.patience = patience
        }
    }

    /// The name of a cluster that is not the process's own.
    private let cluster: String?
    private let pipelines: [LoadedPipeline]
    private let options: Options
    private let topics: [String]
    /// Nil when there is none to hold the topics against.
    private let state: KnownState?
    private let listener: VerifyListener
    private let reader: TopicReader

    /// Reads back what is in one cluster after the other.
    ///
    /// - Parameter hasState: whether there are checkpoints to hold the topics against.
    /// - Throws: `ServiceError`: 64 when no topic is named, 65 for what cannot be read, 66 when there
    ///   are no checkpoints, 69 when no broker answers, 73 when checkpoints cannot be trusted, 77 when
    ///   a broker refuses, 78 for a wrong property.
    package static func verify(
        _ routes: [Route],
        hasState: Bool,
        options: Options,
        signals: borrowing Signals,
        logger: Logger
    ) throws -> ExitStatus {
        var status = ExitStatus.success
        for (route, topics) in zip(routes, named(options.topics, among: routes)) {
            // Those that were named are in other clusters.
            if topics.isEmpty, !options.topics.isEmpty { continue }
            var options = options
            options.topics = topics
            let service = try VerifyService(
                route,
                hasState: hasState,
                options: options,
                logger: logger
            )
            let ended = try service.run(signals: signals)
            if status == .success { status = ended }
            if ended == .temporary { return ended }
        }
        return status
    }

    /// For each cluster those of some topics that are there; the first has what no pipeline knows.
    private static func named(_ topics: [String], among routes: [Route]) -> [[String]] {
        routes.enumerated().map { index, route in
            topics.filter { topic in
                let owners = routes.indices.filter { routes[$0].mayNameTopic(topic) }
                return owners.contains(index) || owners.isEmpty && index == 0
            }
        }
    }

    /// Reads the checkpoints, before any record: what they have passed must be in the topics.
    private init(
        _ route: Route,
        hasState: Bool,
        options: Options,
        logger: Logger
    ) throws {
        cluster = route.cluster
        pipelines = route.pipelines
        self.options = options
        state = try hasState ? KnownState(in: route.stateDirectory) : nil
        topics = try Self.topics(route, options, state)
        listener = VerifyListener(isCut: options.from != nil)
        var configuration = route.settings.configuration
        // Nothing is sent: a broker that lacks what a producer needs can be read from.
        configuration.isIdempotenceEnabled = false
        configuration.compressionType = .none
        configuration.allowsAutoCreateTopics = false
        // Some brokers answer with more than they are asked for.
        configuration.maxAnswerSize = max(configuration.maxAnswerSize, 256 << 20)
        var scope = ReaderStateMachine.Scope(topics: topics)
        scope.from = options.from.map(LogPlace.time) ?? .start
        scope.to = options.to.map(LogPlace.time) ?? .end
        scope.isolation = options.readsUncommitted ? .readUncommitted : .readCommitted
        // Nobody has sent a dead letter yet, if all went well.
        scope.passesOverMissing = options.topics.isEmpty
        scope.patience = options.patience
        do {
            reader = try TopicReader(configuration: configuration, scope: scope, logger: logger)
        } catch {
            throw ServiceError(.configuration, "\(error)")
        }
    }

    private static func topics(
        _ route: Route,
        _ options: Options,
        _ state: KnownState?
    ) throws -> [String] {
        guard options.topics.isEmpty else { return Set(options.topics).sorted() }
        // What was sent to is known without the pipelines.
        var topics = state?.topics ?? []
        for (path, names) in route.topics {
            guard let all = names.all else {
                if !topics.isEmpty { continue }
                throw ServiceError(
                    .usage,
                    "\(path) sends to \(names.pattern): name the topics, as -t NAME"
                )
            }
            topics.formUnion(all)
        }
        guard !topics.isEmpty else {
            throw ServiceError(.usage, "name a pipeline, or topics, as -t orders")
        }
        return topics.sorted()
    }

    /// Reads, and prints the report on standard output.
    private func run(signals: borrowing Signals) throws -> ExitStatus {
        reader.start(for: listener)
        defer { reader.stop() }
        var shown = ContinuousClock.now
        while !listener.isFinished {
            switch signals.wait(for: .milliseconds(20)) {
            case .stop: return .temporary
            case .report: showProgress()
            case .hangUp, nil:
                guard shown + .seconds(5) <= .now else { continue }
                shown = .now
                if !options.isQuiet { showProgress() }
            }
        }
        if let error = listener.error { throw ServiceError(error.status, error.reason) }
        let report = makeReport()
        let text = options.reportsAsJSON ? report.json : report.text
        try writeToStandardOutput(text)
        return report.status
    }

    private func showProgress() {
        let (read, all, records) = listener.progress
        let percent = all > 0 ? 100 * read / all : 100
        writeToStandardError(
            "verify: \(percent) %  \(Quantity.grouped(read)) of \(Quantity.grouped(all)) offsets, "
                + "\(Quantity.grouped(records)) records\n"
        )
    }

    // MARK: Files

    private func makeReport() -> VerifyReport {
        var report = listener.report(topics: topics)
        report.cluster = cluster
        report.audit.compareTopics()
        for stream in Set(report.audit.streams).union(state?.streams ?? []).sorted() {
            let runs = report.audit.runs(of: stream)
            let count = runs.values.flatMap(\.self).reduce(0) { $0 + $1.count }
            let row = state?.row(of: stream)
            var file = VerifyReport.File(stream: stream, path: row?.path, records: count)
            compare(&file, with: row, runs, cut: report.audit.cut)
            // A file of another pipeline that made nothing for these topics is nobody's concern.
            guard count > 0 || file.findings.values.contains(where: { $0 != .init() }) else {
                continue
            }
            report.files.append(file)
        }
        return report
    }

    /// Makes the file's records again, and looks for each in the topics.
    private func compare(
        _ file: inout VerifyReport.File,
        with row: FileCheckpoint?,
        _ runs: [String: [PositionAudit.Run]],
        cut: Set<TopicPartition>
    ) {
        guard let row else {
            file.notChecked =
                "gaps and repeats of single records: "
                + (state == nil ? "no --state-dir is given" : "it is not in the state directory")
            return
        }
        guard let pipeline = pipelines.first(where: { $0.name == row.pipeline }) else {
            file.notChecked =
                "gaps and repeats of single records: pipeline \"\(row.pipeline)\" is not given"
            return
        }
        guard !pipeline.endsEventsByTime || !row.job.isEmpty else {
            file.notChecked =
                "gaps and repeats of single records: a pause ends its events, and is not in the file"
            return
        }
        let records = FileRecords(
            pipeline: pipeline,
            row: row,
            partitionCounts: listener.partitionCounts
        )
        var audit = FileAudit(
            runs: runs,
            cut: cut,
            end: LinePosition(offset: row.checkpoint.offset),
            // A backfill reads all of a file.
            mayBeginLate: row.job.isEmpty
        )
        let topics = Set(topics)
        do {
            try records.visit { record in
                if topics.contains(record.topic) { audit.expect(record) }
            }
            file.findings = audit.finish()
        } catch {
            file.notChecked = "gaps and repeats of single records: \(error)"
        }
    }
}

/// What a state directory knows of files and topics, read beside a running service.
private struct KnownState {
    private let owner: UInt64
    private let rows: [FileCheckpoint]
    /// Those to which something was sent.
    let topics: Set<String>

    init(in directory: String) throws {
        do throws(CheckpointError) {
            let store = try CheckpointStore.open(readOnly: directory + "/checkpoints.db")
            owner = store.owner.rawValue
            rows = try store.allFiles()
            topics = Set(try store.journal().partitions.map(\.topic))
        } catch {
            throw ServiceError(error.kind == .missing ? .noInput : .cannotCreate, error.message)
        }
    }

    /// Files of which something was read.
    var streams: [FileStream] {
        rows.filter { $0.checkpoint.offset > 0 }.map {
            FileStream(owner: owner, file: $0.id, generation: $0.generation)
        }
    }

    func row(of stream: FileStream) -> FileCheckpoint? {
        guard stream.owner == owner else { return nil }
        return rows.first { $0.id == stream.file && $0.generation == stream.generation }
    }
}

extension ReaderError {
    var status: ExitStatus {
        switch self {
        case .unreachable: .unavailable
        case .refused: .noPermission
        case .unreadable: .dataError
        }
    }
}

/// What was read so far, for whoever waits for it.
private final class VerifyListener: TopicReading {
    private struct State {
        var audit = PositionAudit()
        /// By partition: where reading began, where it is, and where it ends.
        var places: [TopicPartition: (start: Int64, offset: Int64, end: Int64)] = [:]
        var remarks: [String] = []
        var failure: ReaderError?
        var isFinished = false
    }

    private let state = Mutex(State())
    private let isCut: Bool

    init(isCut: Bool) {
        self.isCut = isCut
    }

    var isFinished: Bool { state.withLock { $0.isFinished } }

    var error: ReaderError? { state.withLock { $0.failure } }

    /// Offsets read, offsets in all, and records.
    var progress: (read: Int64, all: Int64, records: Int64) {
        state.withLock { state in
            let read = state.places.values.reduce(0) { $0 + $1.offset - $1.start }
            let all = state.places.values.reduce(0) { $0 + $1.end - $1.start }
            return (read, all, state.audit.records)
        }
    }

    var partitionCounts: [String: Int32] {
        state.withLock { state in
            state.places.keys.reduce(into: [:]) { $0[$1.topic, default: 0] += 1 }
        }
    }

    func report(topics: [String]) -> VerifyReport {
        state.withLock { state in
            var report = VerifyReport(topics: topics, audit: state.audit)
            report.remarks = state.remarks
            report.partitionCount = state.places.count
            return report
        }
    }

    // MARK: TopicReading

    func absent(_ topic: String) {
        state.withLock { $0.remarks.append("there is no topic \(topic)") }
    }

    func found(_ partition: TopicPartition, start: Int64, end: Int64) {
        state.withLock { state in
            state.places[partition] = (start, start, end)
            if start > 0 || isCut { state.audit.beginsLate(partition) }
        }
    }

    func read(_ read: ReadBatches) {
        state.withLock { state in
            do {
                for each in read.batches {
                    try state.audit.read(
                        each.batch,
                        isAborted: each.isAborted,
                        in: read.partition
                    )
                }
            } catch {
                state.failure = .unreadable("\(read.partition): \(error)")
                state.isFinished = true
            }
            state.places[read.partition]?.offset = read.offset
        }
    }

    func skipped(_ partition: TopicPartition, from: Int64, to: Int64) {
        state.withLock { state in
            state.remarks.append("\(partition) was deleted from offset \(from) to \(to) meanwhile")
            state.audit.beginsLate(partition)
        }
    }

    func finished(_ error: ReaderError?) {
        state.withLock { state in
            state.failure = state.failure ?? error
            state.isFinished = true
        }
    }
}
