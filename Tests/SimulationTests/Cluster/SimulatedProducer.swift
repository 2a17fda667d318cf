import Checkpointing
import KafkaDevBroker
import KafkaProtocol
import NIOCore

@testable import Kafka
@testable import Shipping

/// What happens to a process's producer, beside what happens between it and the brokers.
enum ProducerEvent {
    /// A write of the journal has ended, if its process lives.
    case journaled([ProducerBatch], life: Int)
}

/// Kafka as it is: the real producer's machine and recovery, a network, and the embedded brokers.
///
/// The brokers live as long as a history, a producer as long as its process. One thread at a time
/// uses it.
final class SimulatedProducer: SimulatedCluster<ProducerEvent>, SimulatedDownstream,
    @unchecked Sendable
{
    private var life = 0
    private var isAlive = false
    /// Something was told that the producer has not looked at yet.
    private var hasNews = false
    private var listeners: [any DeliveryListener] = []
    private var rows: RowMaker?
    private var journaled: (any JournalKeeping)?
    private var post: ((JournalMessage) -> Void)?
    private var unjournaled: UnjournaledRows?
    private var log = SimulatedLog()
    private let onEvent: (String) -> Void
    private(set) var recovery = RecoverySum()

    /// What recoveries came to.
    struct RecoverySum {
        var partitions = 0
        var found: Int64 = 0
        var sent: Int64 = 0
        var absent: Int64 = 0

        static func + (one: Self, other: Self) -> Self {
            Self(
                partitions: one.partitions + other.partitions,
                found: one.found + other.found,
                sent: one.sent + other.sent,
                absent: one.absent + other.absent
            )
        }
    }

    init(
        partitions: Int32,
        seed: UInt64,
        firstTime: Int64,
        now: ContinuousClock.Instant,
        onEvent: @escaping (String) -> Void
    ) throws {
        self.onEvent = onEvent
        var random = SeededGenerator(seed: seed)
        let settings = Self.settings(partitions, firstTime, using: &random)
        try super.init(settings, random: random, producerSeed: seed, now: now)
        self.faultsEnd = now + .seconds(30 * 24 * 3600)
        self.schedule.add(.fault, at: now + settings.faultInterval)
    }

    private static func settings(
        _ partitions: Int32,
        _ firstTime: Int64,
        using random: inout SeededGenerator
    ) -> Settings {
        let nodes = Int32.random(in: 1...3, using: &random)
        var configuration = KafkaProducerConfiguration(
            bootstrapServers: (1...nodes).map { "node\($0):9092" }
        )
        configuration.isJournaled = true
        configuration.maxInFlightRequests = .random(in: 1...5, using: &random)
        configuration.requestTimeout = .seconds(Int.random(in: 1...8, using: &random))
        configuration.metadataMaxAge = .seconds(24 * 3600)
        var broker = BrokerStateMachine.Configuration(defaultPartitions: partitions)
        broker.nodes = (1...nodes).map { Node(id: $0, host: "node\($0)", port: 9092) }
        var faults = NetworkFault.allCases.filter { fault in
            switch fault {
            // What was appended and not answered would be gone, and its bytes may be as well.
            case .clusterKilled: false
            case .leaderMoved, .nodeStopped: nodes > 1
            default: true
            }
        }
        faults.shuffle(using: &random)
        faults.removeLast(.random(in: 0..<faults.count, using: &random))
        return Settings(
            configuration: configuration,
            broker: broker,
            tellsOfProducers: Int.random(in: 0..<3, using: &random) > 0,
            faults: faults,
            faultInterval: .milliseconds(Int.random(in: 40...2500, using: &random)),
            firstTime: firstTime
        )
    }

    // MARK: A life

    func connect(
        _ listeners: [any DeliveryListener],
        to journal: JournalSetup?,
        rows: RowMaker?,
        post: @escaping (JournalMessage) -> Void
    ) {
        self.life += 1
        self.isAlive = true
        self.listeners = listeners
        self.rows = rows
        self.journaled = journal?.store
        self.post = post
        self.unjournaled = journal?.unjournaled
        do {
            self.producer = try ProducerStateMachine(
                configuration: self.settings.configuration,
                seed: self.random.next()
            )
        } catch {
            return self.fail("\(error)")
        }
        self.producer.setClock(milliseconds: self.wallClock, now: self.now)
        var settings = RecoveryStateMachine.Settings()
        settings.findsUnjournaled = journal?.isBehind ?? false
        self.producer.recover(
            journal?.recoveries ?? [],
            clusterID: journal?.journal.session?.clusterID,
            settings: settings,
            wallClock: self.wallClock,
            now: self.now
        )
        self.hasNews = true
    }

    func cutOff(_ generator: inout SeededGenerator) {
        self.isAlive = false
        self.listeners = []
        self.post = nil
        // The next process opens the database that this one had.
        self.journaled = nil
        self.rows = nil
        self.unjournaled = nil
        self.clientDies()
    }

    var isPaused = false {
        didSet {
            self.staysDown = self.isPaused
            if self.isPaused {
                // Killed, it would forget what it has not answered, and its bytes may be gone.
                if self.isClusterUp { _ = self.stopCluster(inOrder: true) }
            } else if !self.isClusterUp {
                self.startCluster()
            }
        }
    }

    func endFaults() { self.faultsEnd = self.now }

    // MARK: Time

    func move(to now: ContinuousClock.Instant) { self.now = now }

    var hasWork: Bool {
        self.isAlive && self.hasNews || self.schedule.nextTime.map { $0 <= self.now } ?? false
    }

    var nextDeadline: ContinuousClock.Instant? { self.schedule.nextTime }

    func step(_ generator: inout SeededGenerator) {
        if let time = self.schedule.nextTime, time <= self.now {
            if let (_, event) = self.schedule.popFirst() { self.perform(event) }
            self.readLog()
        }
        self.settle()
    }

    override func settle() {
        guard self.isAlive else { return }
        self.hasNews = false
        super.settle()
        let count = self.producer.statistics.possibleDuplicates
        if count > 0 { self.fail("\(count) records may come twice") }
    }

    // MARK: What lanes and board tell

    func submit(_ batches: [ProducerBatch], for listener: any DeliveryListener) {
        for batch in batches {
            batch.listener = listener
            self.note("\(batch.name) has lines \(Self.lines(in: batch))")
        }
        self.producer.submit(batches, now: self.now)
        self.hasNews = true
    }

    func requestMetadata(topics: [String]) {
        self.producer.requestMetadata(topics: topics, now: self.now)
        self.hasNews = true
    }

    func remade(_ batch: ProducerBatch, row: Int64) {
        self.note("row \(row) is made again with lines \(Self.lines(in: batch))")
        self.producer.remade(batch, row: row, now: self.now)
        self.hasNews = true
    }

    func cannotRemake(row: Int64) {
        self.note("row \(row) cannot be made again")
        self.producer.cannotRemake(row: row, now: self.now)
        self.hasNews = true
    }

    private static func lines(in batch: ProducerBatch) -> String {
        SimulatedKafka.records(of: batch).map { record in
            String(decoding: (record.value ?? []).prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
        }.joined(separator: " ")
    }

    // MARK: What the producer wants

    override func performOther(_ action: ProducerStateMachine.Action) {
        switch action {
        case .deliver(let deliveries): for delivery in deliveries { self.deliver(delivery) }
        case .publish(let topic): for listener in self.listeners { listener.metadataChanged(topic) }
        case .journal(let batches): self.write(batches)
        case .identified(let identity, let clusterID):
            self.post?(.opened(identity, clusterID: clusterID))
        case .resolved(let row, let outcome):
            self.note("row \(row) is \(outcome)")
            self.post?(.resolved(row: row, outcome))
        case .recovered(let id, let report):
            self.note(id, report)
            self.post?(.recovered(id))
        case .recoveryWidened(let topic, let partitions):
            self.post?(.widened(topic: topic, partitions))
        case .unsettled(let row): self.post?(.unsettled(row: row))
        case .recoveryStopped(let id, let reason): self.fail("\(id): \(reason)")
        case .unjournaled(let batch, let id, let count): self.found(batch, of: id, count)
        case .connect, .disconnect, .send, .completed, .finished: break
        }
    }

    private func found(_ batch: FetchedBatch, of id: TopicPartition, _ partitionCount: Int32) {
        self.note("\(id) has \(batch), which is not in the journal")
        guard let rows = self.rows, let unjournaled = self.unjournaled else { return }
        let (row, _) = unjournaled.row(
            id: rows.takeID(),
            of: batch,
            id,
            partitionCount: partitionCount,
            wallClock: self.wallClock
        )
        self.post?(.found(row))
    }

    override func perform(_ own: ProducerEvent) {
        switch own {
        case .journaled(let batches, let life):
            guard life == self.life, self.isAlive else { return }
            self.producer.journaled(batches)
        }
    }

    private func write(_ batches: [ProducerBatch]) {
        guard let rows = self.rows else { return self.fail("there is no journal") }
        let life = self.life
        self.note("to be written down: \(batches.map(\.name).joined(separator: ", "))")
        self.post?(
            .close(batches.map(rows.close)) { [self] in
                self.add(.journaled(batches, life: life), at: self.now)
            }
        )
    }

    private func deliver(_ delivery: Delivery) {
        let batch = delivery.batch
        self.note("\(batch.name) is \(delivery.result)")
        if batch.journalID != 0 || batch.replaces != 0 {
            self.post?(.delivered([RowReceipt(delivery)]))
        }
        let listener = batch.listener
        batch.release()
        listener?.deliver([delivery])
    }

    private func note(_ id: TopicPartition, _ report: RecoveryReport) {
        self.note("\(id) is recovered: \(report)")
        self.recovery.partitions += 1
        self.recovery.found += report.foundRecords
        self.recovery.sent += report.sentRecords
        self.recovery.absent += report.absentRecords
        if report.possibleRepeats > 0 || report.lostRecords > 0 { self.fail("\(id): \(report)") }
    }

    /// No byte is sent that a crash would leave no trace of.
    override func check(_ request: ProducerRequest) {
        guard case .produce(let batches) = request else { return }
        let known = (try? self.journaled?.journal())?.batches ?? []
        for batch in batches where batch.recoveryRow == nil {
            let hasRow = known.contains { row in
                row.id == batch.journalID && row.baseSequence == batch.sequence
                    && row.producerID == batch.identity?.id && row.epoch == batch.identity?.epoch
                    && Int(row.recordCount) == batch.recordCount
            }
            if !hasRow { self.fail("\(batch.name) is sent and not written down") }
        }
    }

    override func note(_ what: @autoclosure () -> String) { self.onEvent("  " + what()) }

    // MARK: The log

    var entries: [SimulatedKafka.Entry] { self.log.entries }

    private func readLog() {
        do {
            try self.log.read(self.broker)
        } catch {
            self.fail("the log does not read: \(error)")
        }
    }
}

/// What the brokers' logs hold, in the order in which it came.
struct SimulatedLog {
    private(set) var entries: [SimulatedKafka.Entry] = []
    private var ends: [SimulatedKafka.Partition: Int64] = [:]

    /// Reads what is new; to be called whenever something may be.
    mutating func read(_ broker: BrokerStateMachine) throws {
        for (topic, count) in broker.topicPartitionCounts.sorted(by: { $0.key < $1.key }) {
            for number in 0..<Int32(count) {
                guard let log = broker.partitionLog(topic: topic, partition: number) else {
                    continue
                }
                try self.read(log, SimulatedKafka.Partition(topic: topic, number: number))
            }
        }
    }

    private mutating func read(
        _ log: PartitionLog,
        _ partition: SimulatedKafka.Partition
    ) throws {
        let end = self.ends[partition] ?? 0
        guard log.endOffset > end else { return }
        for batch in log.batches where batch.header.baseOffset >= end {
            self.entries += try batch.records().map { record in
                SimulatedKafka.Entry(
                    partition: partition,
                    record: record,
                    value: String(decoding: record.value ?? [], as: UTF8.self)
                )
            }
        }
        self.ends[partition] = log.endOffset
    }
}
