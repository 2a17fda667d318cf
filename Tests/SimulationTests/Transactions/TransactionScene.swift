import Checkpointing
import FileTailing
import Glibc
import Kafka
import Logging
import PipelineLanguage

@testable import Shipping

/// The real watcher, lanes and transactions on real files; Kafka, checkpoints and time are simulated.
///
///     let scene = try TransactionScene(.one)
///     scene.append("a.log", "1\n")
///     try scene.start()
///     scene.run { scene.values == ["1"] }
final class TransactionScene {
    /// Where a process may die.
    enum Moment: CaseIterable {
        case beforePending, afterPending
        /// The commit is asked for, and nobody has heard it.
        case beforeEnd
        /// Kafka has obeyed, and nobody was told.
        case afterEnd
        case beforeCommitted, afterCommitted
        /// Checkpoints are written for which nothing was sent.
        case beforeSaved
        case beforeDropped, afterDropped
        case beforeAbort, afterAbort
    }

    private final class Inbox: LaneFace, @unchecked Sendable {
        // Safe: one thread at a time runs a simulation.
        var messages: [LaneMessage] = []

        func deliver(_ deliveries: [Delivery]) { messages.append(.delivered(deliveries)) }
        func metadataChanged(_ topic: TopicMetadata) { messages.append(.metadataChanged(topic)) }
        func memoryReturned() { messages.append(.memoryReturned) }
        func recovered(_ file: Int) { messages.append(.recovered(file)) }
    }

    /// What the threads of a process leave for that of the transactions.
    private final class Desk: TransactionTelling, BatchSink, @unchecked Sendable {
        // Safe: one thread at a time runs a simulation.
        let kafka: SimulatedKafka
        var messages: [TransactionMessage] = []
        var questions: [TransactionOperation] = []
        var now: ContinuousClock.Instant
        var isChanged = false
        /// Nothing leaves a process that is dead.
        var isDead = false

        init(_ kafka: SimulatedKafka, now: ContinuousClock.Instant) {
            self.kafka = kafka
            self.now = now
        }

        func noteChange() {
            if !isChanged { messages.append(.changed(at: now)) }
            isChanged = true
        }

        func rested(round: Int, hasSent: Bool) {
            messages.append(.rested(round: round, hasSent: hasSent))
        }

        func failed(because reason: String, isKnown: Bool) {
            messages.append(.failed(because: reason, isKnown: isKnown))
        }

        func submit(_ batches: [ProducerBatch], for listener: any DeliveryListener) {
            if isDead { return }
            noteChange()
            kafka.submit(batches, for: listener)
        }

        func requestMetadata(topics: [String]) { kafka.requestMetadata(topics: topics) }
    }

    private final class Flag: @unchecked Sendable {
        // Safe: one thread at a time runs a simulation.
        var isSet = true
    }

    private final class Life {
        let desk: Desk
        let inboxes: [Inbox]
        let lanes: [LaneWorker]
        var isBusy: [Bool]
        var worker: TransactionWorker
        let surroundings: LaneSurroundings
        var watcher: WatcherWorker?
        let hasNews = Flag()
        var identity: ProducerIdentity?
        /// What Kafka has answered and nobody has heard.
        var answers: [(error: KafkaProducerError?, identity: ProducerIdentity?)] = []

        init(
            _ desk: Desk,
            _ inboxes: [Inbox],
            _ surroundings: LaneSurroundings,
            _ worker: TransactionWorker
        ) {
            self.desk = desk
            self.inboxes = inboxes
            self.surroundings = surroundings
            self.worker = worker
            lanes = inboxes.map { LaneWorker(listener: $0, surroundings: surroundings) }
            isBusy = inboxes.map { _ in true }
        }
    }

    let folder = Folder()
    let kafka = SimulatedKafka()
    let coordinator: SimulatedCoordinator
    let checkpoints = TransactionalCheckpoints()
    var configuration = KafkaProducerConfiguration(bootstrapServers: ["none:9092"])
    var chunkLength = 1024
    private let pipeline: LoadedPipeline
    private var generator: SeededGenerator
    private(set) var now = ContinuousClock.now
    private var life: Life?
    /// When the process is to die.
    private var deadline: Moment?
    private let wallClock: Int64 = 1_700_000_000_000

    /// - Parameter sends: blocks of the pipeline that each make a record of every line.
    init(
        _ version: TransactionVersion = .one,
        sends: String = TransactionScene.send("@raw"),
        onError: String = "stop",
        seed: UInt64 = 1
    ) throws {
        coordinator = SimulatedCoordinator(kafka, version)
        generator = SeededGenerator(seed: seed)
        let text = """
            from "*.log*" {
              rotate_wait = 1s
            }
            parse text
            \(sends)
            on error \(onError)
            """
        let source = SourceText(path: folder.file("it.pipeline"), text: text)
        let (plan, diagnostics) = PipelineCompiler.compile(source)
        guard let plan else { throw Scenario.Problem(description: "\(diagnostics)") }
        pipeline = try LoadedPipeline(plan: plan)
        configuration.batchSize = 512
        configuration.bufferMemory = 8 * 1024
        kafka.partitionCount = 3
    }

    static func send(_ value: String, topic: String = "t") -> String {
        "send {\n  topic = \"\(topic)\"\n  key = @raw\n  value = \(value)\n}\n"
    }

    func append(_ name: String, _ text: String) { folder.put(name, Array(text.utf8), O_APPEND) }

    func rename(_ name: String, to other: String) {
        Glibc.rename(folder.file(name), folder.file(other))
    }

    /// Lets each line be read by itself, so that what Kafka refuses takes no others along.
    func sendOneByOne() {
        chunkLength = 3
        configuration.linger = .zero
    }

    /// What a consumer that reads committed sees.
    var values: [String] { coordinator.values }
}

// MARK: - Lives

extension TransactionScene {
    /// Starts a process.
    ///
    /// - Parameter moment: where it dies for the first time that it comes there.
    func start(dyingAt moment: Moment? = nil) throws {
        precondition(life == nil, "it is running already")
        deadline = moment
        let desk = Desk(kafka, now: now)
        checkpoints.isDeadAt = { [unowned self] in dies(at: $0) }
        let gathered = GatheredCheckpoints(checkpoints) { desk.noteChange() }
        let inboxes = [Inbox(), Inbox()]
        let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        var surroundings = LaneSurroundings(
            pipelines: [pipeline],
            configuration: configuration,
            sink: desk,
            pool: BufferPool(configuration: configuration),
            store: gathered,
            disk: LinuxDisk(),
            openFileLimit: 100,
            chunkLength: chunkLength,
            wallClock: { [wallClock] in wallClock },
            logger: logger
        )
        surroundings.transactions = desk
        let worker = TransactionWorker(
            TransactionWorker.Surroundings(
                transactionalID: "t",
                checkpoints: gathered,
                ask: { desk.questions.append($0) },
                tell: { message in for inbox in inboxes { inbox.messages.append(message) } },
                beginCut: { desk.isChanged = false },
                logger: logger
            ),
            TransactionCycle(
                interval: .milliseconds(500),
                timeout: .seconds(60),
                lanes: inboxes.count,
                pending: try checkpoints.pending().first
            )
        )
        kafka.connect(inboxes)
        let life = Life(desk, inboxes, surroundings, worker)
        surroundings.news.onNews { [hasNews = life.hasNews] in hasNews.isSet = true }
        self.life = life
    }

    func kill() {
        life?.desk.isDead = true
        life = nil
        kafka.cutOff(&generator)
        coordinator.noteRecords()
    }

    /// Lets the process work until something holds, it dies or so much time has passed.
    @discardableResult
    func run(for time: Duration = .seconds(30), until condition: () -> Bool = { false }) -> Bool {
        let end = now + time
        while life != nil, now < end, !condition() {
            let isBusy = step()
            if life?.desk.isDead == true {
                kill()
                break
            }
            now = isBusy ? now + .microseconds(1) : max(now, min(nextDeadline ?? end, end))
        }
        return condition()
    }

    /// Whether the process is dead from now on.
    private func dies(at moment: Moment) -> Bool {
        guard let life else { return true }
        if moment == deadline { life.desk.isDead = true }
        return life.desk.isDead
    }

    var isAlive: Bool { life != nil }

    var isIdle: Bool { life.map { $0.worker.cycle.isIdle && !$0.desk.isChanged } ?? false }

    var failure: TransactionFailure? { life?.worker.failure }

    var ledger: Ledger {
        life?.lanes.reduce(into: Ledger()) { $0.add($1.currentReport().ledgers[0]) } ?? Ledger()
    }

    private enum Actor { case watcher, lane(Int), kafka, worker, coordinator, answer }

    private func step() -> Bool {
        guard let life, let actor = ready(life).randomElement(using: &generator) else {
            return false
        }
        life.desk.now = now
        switch actor {
        case .watcher:
            life.hasNews.isSet = false
            life.watcher?.advance(now: now)
        case .lane(let index):
            let messages = life.inboxes[index].messages
            life.inboxes[index].messages = []
            life.isBusy[index] = life.lanes[index].step(messages, now: now)
        case .kafka:
            kafka.step(&generator)
            coordinator.noteRecords()
        case .worker:
            let messages = life.desk.messages
            life.desk.messages = []
            life.worker.step(messages, now: now)
            beginWatching(life)
        case .coordinator: obey(life.desk.questions.removeFirst(), life)
        case .answer:
            let answer = life.answers.removeFirst()
            life.desk.messages.append(.answered(answer.error, answer.identity))
        }
        return true
    }

    private func obey(_ operation: TransactionOperation, _ life: Life) {
        let (before, after) = Self.moments(of: operation)
        if let before, dies(at: before) { return }
        let answer = coordinator.obey(operation, as: life.identity)
        if operation != .restart || answer.error == nil { life.identity = answer.identity }
        if let after, dies(at: after) { return }
        life.answers.append(answer)
    }

    private static func moments(of operation: TransactionOperation) -> (Moment?, Moment?) {
        switch operation {
        case .commit, .resume: (.beforeEnd, .afterEnd)
        case .abort: (.beforeAbort, .afterAbort)
        case .initialize, .restart, .begin: (nil, nil)
        }
    }

    private func beginWatching(_ life: Life) {
        guard life.watcher == nil, life.worker.cycle.isResolved else { return }
        guard let plan = try? WatcherWorker.Plan(life.surroundings, start: nil) else { return }
        let inboxes = life.inboxes
        life.watcher = WatcherWorker(
            plan,
            life.surroundings,
            lanes: inboxes.count,
            endsAtEndOfFile: false,
            usesEvents: false,
            post: { lane, message in inboxes[lane].messages.append(message) }
        )
    }

    private func ready(_ life: Life) -> [Actor] {
        var ready: [Actor] = []
        if let watcher = life.watcher, life.hasNews.isSet || isDue(watcher.nextDeadline) {
            ready.append(.watcher)
        }
        for (index, lane) in life.lanes.enumerated() {
            let isDue = lane.nextDeadline.map { $0 <= now } ?? false
            if life.isBusy[index] || !life.inboxes[index].messages.isEmpty || isDue {
                ready.append(.lane(index))
            }
        }
        if kafka.hasWork { ready.append(.kafka) }
        let isFirst = !life.worker.cycle.hasBegun && life.identity == nil
        let isWorkerDue = life.worker.cycle.nextDeadline.map { $0 <= now } ?? false
        if !life.desk.messages.isEmpty || isWorkerDue
            || isFirst && life.desk.questions.isEmpty && life.answers.isEmpty
        {
            ready.append(.worker)
        }
        if !life.desk.questions.isEmpty { ready.append(.coordinator) }
        if !life.answers.isEmpty { ready.append(.answer) }
        return ready
    }

    private func isDue(_ deadline: ContinuousClock.Instant?) -> Bool {
        deadline.map { $0 <= now } ?? true
    }

    private var nextDeadline: ContinuousClock.Instant? {
        guard let life else { return nil }
        let others = [life.watcher?.nextDeadline, life.worker.cycle.nextDeadline]
        return (life.lanes.map(\.nextDeadline) + others).compactMap { $0 }.min()
    }
}
