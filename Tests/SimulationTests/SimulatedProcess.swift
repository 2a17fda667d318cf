import Checkpointing
import FileTailing
import Glibc
import Kafka
import Logging
import PipelineLanguage
import RecordProcessing

@testable import Shipping

/// One life of `forktail run`: the real watcher and lanes, on simulated surroundings.
final class SimulatedProcess {
    /// What outlives a process.
    struct Host {
        var disk: any Disk
        var kafka: any SimulatedDownstream
        var store: any CheckpointKeeping
        /// Milliseconds since 1970.
        var wallClock: @Sendable () -> Int64
        /// Whether hints wait; nil asks the kernel.
        var hasHints: (() -> Bool)?
        var onLog: @Sendable (String) -> Void
        /// Nil sends without a journal.
        var journal: (any JournalKeeping)?
        /// Whether the journal may have lost its last commits.
        var isBehind = false
        /// Called when all is known that the journal has lost.
        var onRecovered: @Sendable () -> Void = {}
        /// The checkpoints of all files, for the journal.
        var files: () throws -> [FileCheckpoint] = { [] }
    }

    struct Limits {
        var chunkLength = 256 * 1024
        var openFileLimit = 100
        var usesEvents = true
        var lanes = 2
        var keepsBytes = false
        /// What the partitions of records without a key are chosen by.
        var seed: UInt64 = 1
        /// Linger, batches and memory.
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["none:9092"])
    }

    private final class Inbox: LaneFace, @unchecked Sendable {
        // Safe: one thread at a time runs a simulation.
        var messages: [LaneMessage] = []

        func deliver(_ deliveries: [Delivery]) { messages.append(.delivered(deliveries)) }
        func metadataChanged(_ topic: TopicMetadata) { messages.append(.metadataChanged(topic)) }
        func memoryReturned() { messages.append(.memoryReturned) }
        func recovered(_ file: Int) { messages.append(.recovered(file)) }
    }

    private final class JournalInbox: @unchecked Sendable {
        // Safe: one thread at a time runs a simulation.
        var messages: [JournalMessage] = []
    }

    private final class Flag: @unchecked Sendable {
        // Safe: one thread at a time runs a simulation.
        var isSet = true
    }

    private let inboxes: [Inbox]
    private let lanes: [LaneWorker]
    private var isBusy: [Bool]
    private var watcher: WatcherWorker
    private let hasNews = Flag()
    private let host: Host
    private var journal: JournalWorker?
    private let journalInbox = JournalInbox()
    private var kafka: any SimulatedDownstream { host.kafka }
    private(set) var isDraining = false

    init(_ pipeline: LoadedPipeline, on host: Host, _ limits: Limits) throws {
        let onLog = host.onLog
        let logger = Logger(label: "simulation") { _ in TraceLog(onLog: onLog) }
        var surroundings = LaneSurroundings(
            pipelines: [pipeline],
            configuration: limits.configuration,
            sink: host.kafka,
            pool: BufferPool(configuration: limits.configuration),
            store: host.store,
            disk: host.disk,
            openFileLimit: limits.openFileLimit,
            chunkLength: limits.chunkLength,
            wallClock: host.wallClock,
            logger: logger
        )
        let journal = try host.journal.map { keeper in
            try JournalSetup(
                keeper,
                files: try host.files(),
                pipelines: [pipeline],
                owner: OwnerID(rawValue: 0xAA),
                isBehind: host.isBehind
            )
        }
        if let journal {
            let configuration = limits.configuration
            surroundings.owner = "00000000000000aa"
            surroundings.join(
                journal,
                recovery: host.kafka,
                post: { [journalInbox] in journalInbox.messages.append($0) },
                remake: { row, made in row.remade(of: made, configuration, now: .now) }
            )
            surroundings.checkpointsSaved = { [journalInbox] in
                journalInbox.messages.append(.saved($0))
            }
            self.journal = surroundings.board.map { board in
                JournalWorker(
                    JournalWorker.Surroundings(
                        store: journal.store,
                        board: board,
                        incarnation: 1,
                        recovering: journal.partitionsInDoubt,
                        onRecovered: host.onRecovered,
                        wallClock: host.wallClock,
                        logger: logger
                    ),
                    books: journal.books
                )
            }
        }
        surroundings.news.onNews { [hasNews] in hasNews.isSet = true }
        let inboxes = (0..<limits.lanes).map { _ in Inbox() }
        self.inboxes = inboxes
        self.host = host
        lanes = inboxes.enumerated().map { index, inbox in
            let seed = limits.seed &+ UInt64(index)
            return LaneWorker(listener: inbox, surroundings: surroundings, seed: seed)
        }
        isBusy = lanes.map { _ in true }
        watcher = WatcherWorker(
            try WatcherWorker.Plan(surroundings, start: nil),
            surroundings,
            lanes: lanes.count,
            endsAtEndOfFile: false,
            usesEvents: limits.usesEvents,
            post: { lane, message in inboxes[lane].messages.append(message) }
        )
        host.kafka.connect(
            inboxes,
            to: journal,
            rows: journal.map { journal in
                RowMaker(
                    registry: journal.registry,
                    keepsBytes: limits.keepsBytes,
                    lastID: journal.lastID,
                    wallClock: host.wallClock
                )
            },
            post: { [journalInbox] in journalInbox.messages.append($0) }
        )
    }

    // MARK: Running

    private enum Actor { case watcher, lane(Int), kafka, journal }

    /// Lets one of those who have something to do do it; false if nobody has.
    func step(now: ContinuousClock.Instant, _ generator: inout SeededGenerator) -> Bool {
        var ready: [Actor] = []
        if !isDraining, hasNews.isSet || hasHints || isDue(watcher.nextDeadline, now) {
            ready.append(.watcher)
        }
        for (index, lane) in lanes.enumerated() where !lane.isDone {
            let hasMessages = !inboxes[index].messages.isEmpty
            if isBusy[index] || hasMessages || (lane.nextDeadline.map { $0 <= now } ?? false) {
                ready.append(.lane(index))
            }
        }
        if kafka.hasWork { ready.append(.kafka) }
        if let journal,
            !journalInbox.messages.isEmpty || journal.nextDeadline.map({ $0 <= now }) ?? false
        {
            ready.append(.journal)
        }
        guard let actor = ready.randomElement(using: &generator) else { return false }
        perform(actor, now: now, &generator)
        return true
    }

    private var hasHints: Bool {
        if let hasHints = host.hasHints { return hasHints() }
        var waiting = pollfd(fd: watcher.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) > 0
    }

    private func isDue(_ deadline: ContinuousClock.Instant?, _ now: ContinuousClock.Instant) -> Bool
    {
        deadline.map { $0 <= now } ?? true
    }

    private func perform(
        _ actor: Actor,
        now: ContinuousClock.Instant,
        _ generator: inout SeededGenerator
    ) {
        switch actor {
        case .watcher:
            hasNews.isSet = false
            watcher.advance(now: now)
        case .lane(let index):
            let messages = inboxes[index].messages
            inboxes[index].messages = []
            isBusy[index] = lanes[index].step(messages, now: now)
        case .kafka: kafka.step(&generator)
        case .journal:
            let messages = journalInbox.messages
            journalInbox.messages = []
            journal?.step(messages, now: now)
        }
    }

    var nextDeadline: ContinuousClock.Instant? {
        let watcher = isDraining ? nil : watcher.nextDeadline
        let others = [watcher, journal?.nextDeadline, kafka.nextDeadline]
        return (lanes.map { $0.isDone ? nil : $0.nextDeadline } + others).compactMap { $0 }.min()
    }

    /// Who would go on for ever.
    func restless(now: ContinuousClock.Instant) -> String {
        let lanes = lanes.enumerated().map { index, lane in
            "lane \(index): busy \(isBusy[index]), messages \(inboxes[index].messages.count), "
                + "machine \(lane.machine.nextDeadline.map { "\($0 - now)" } ?? "-"), "
                + "batches \(lane.accumulator.nextDeadline.map { "\($0 - now)" } ?? "-"), "
                + lane.sources.values.map { "\($0.id): \($0.tail)" }.joined(separator: "\n")
        }
        let watcher = watcher.nextDeadline.map { "\($0 - now)" } ?? "-"
        return lanes.joined(separator: "\n") + "\nwatcher \(watcher) news \(hasNews.isSet)"
            + " hints \(hasHints) kafka \(kafka.hasWork)"
    }

    // MARK: Ending

    func drain() {
        isDraining = true
        for inbox in inboxes { inbox.messages.append(.drain) }
    }

    func abort() {
        for inbox in inboxes { inbox.messages.append(.abort) }
    }

    var isDone: Bool { lanes.allSatisfy(\.isDone) }

    func end(now: ContinuousClock.Instant) {
        for lane in lanes { lane.end(now: now) }
        journal?.step(journalInbox.messages, now: now)
        journal?.end(now: now)
    }

    // MARK: What a test may see

    /// How far the reading of an inode has come, if it is being read.
    func reading(of inode: UInt64) -> (start: Int64, position: TailPosition)? {
        source(of: inode).map { ($0.firstOffset, $0.tail.position) }
    }

    /// By what an inode is known as long as some of its first line is sent and the rest is not.
    func headOfSentLine(of inode: UInt64) -> HeadFingerprint? {
        guard let source = source(of: inode), source.tail.position.offset == 0, !source.isUnsent
        else { return nil }
        return HeadFingerprint(hash: source.row.headHash, length: source.row.headLength)
    }

    private func source(of inode: UInt64) -> LaneSource? {
        lanes.flatMap(\.sources.values).filter { $0.key.inode == inode && !$0.tail.isRewritten }
            .max { $0.tail.position.offset < $1.tail.position.offset }
    }

    /// What the lanes have counted in this life.
    var ledger: Ledger {
        lanes.reduce(into: Ledger()) { sum, lane in sum.add(lane.currentReport().ledgers[0]) }
    }

    /// What the service would end with 73 for.
    var hasUnsavedCheckpoints: Bool {
        lanes.contains { $0.currentReport().hasUnsavedCheckpoints }
    }
    var unregisteredPaths: Set<String> { watcher.unregisteredPaths }

    var openFiles: Int { lanes.reduce(0) { $0 + $1.currentReport().openFiles } }
}

/// Hands what is logged to a history's trace.
private struct TraceLog: LogHandler {
    let onLog: @Sendable (String) -> Void
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let parts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map {
            "\($0.key)=\($0.value)"
        }
        onLog("  \(event.message) \(parts.joined(separator: " "))")
    }
}
