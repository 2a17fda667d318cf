import KafkaDevBroker
import KafkaProtocol
import NIOCore

@testable import Kafka

/// A producer, the lanes that write to it and a cluster, with a network between them that a seed
/// disturbs.
///
/// All are machines that take time as an argument, so an hour of theirs takes a moment, and the same
/// seed always comes to the same end.
final class Simulation {
    enum Event {
        case lane(Int)
        case connectionArrived(Int)
        case parcel(Int, SimulatedConnection.Direction)
        case connectionTimer(Int)
        case producerTimer, brokerTimer
        case fault
        /// A copy of a request reaches a node.
        case ghost(ByteBuffer, node: Int32)
        case startNode(Int32)
        case startCluster
        case createTopic(Int)
        case closeProducer
        /// A write of the journal ends, if its process lives.
        case journaled(incarnation: Int)
        case processDies
        case remade(row: Int64, incarnation: Int)
    }

    /// What many simulations came to.
    struct Count {
        var steps = 0
        var records = 0
        var acknowledged = 0
        var failed = 0
        /// Records that the log holds once more.
        var duplicates = 0
        var possibleDuplicates: Int64 = 0
        var batchesRetried: Int64 = 0
        var batchesSplit: Int64 = 0
        /// Writes of the journal.
        var writes = 0
        /// How often the producer's process died, and what was found in the log or sent again then.
        var deaths = 0
        var found: Int64 = 0
        var resent: Int64 = 0
        var faults: [NetworkFault: Int] = [:]
        var simulated = Duration.zero
        /// How long a record waited that nothing went wrong with any more.
        var longestWait = Duration.zero
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let seed: UInt64
    let scenario: Scenario
    var random: SeededGenerator
    var now: ContinuousClock.Instant
    let beginning: ContinuousClock.Instant
    var schedule = Schedule<Event>()
    var producer: ProducerStateMachine
    var pool: BufferPool
    var lanes: [SimulatedLane] = []
    var broker: BrokerStateMachine
    var journal = ByteBuffer()
    var batchJournal = SimulatedJournal()
    /// Counts the producer's processes.
    var incarnation = 0
    /// Partitions of which it is not known what a process that died left.
    var recovering: Set<TopicPartition> = []
    var isClusterUp = true
    var connections: [Int: SimulatedConnection] = [:]
    var current: [BrokerID: SimulatedConnection] = [:]
    var lastConnection = 0
    /// The partitions of the topics that the producer told of.
    var partitionCounts: [String: Int32] = [:]
    /// What was answered to a request for metadata, by its bytes; the oldest first.
    var metadataAnswers: [[UInt8]: [ByteBuffer]] = [:]
    /// How many answers with metadata are still to be old ones.
    var staleAnswers = 0
    /// What is still to happen to requests with records.
    var doublings = 0
    var damages = 0
    var corruptions = 0
    var nodeHeldUntil: [Int32: ContinuousClock.Instant] = [:]
    var createdTopics: Set<Int> = []
    var producerTimerDue: ContinuousClock.Instant?
    var brokerTimerDue: ContinuousClock.Instant?
    var isDraining = false
    var finishedAt: ContinuousClock.Instant?
    var count = Count()
    private(set) var failure: String?
    private let isTracing: Bool
    private(set) var trace: [String] = []

    init(seed: UInt64, _ shape: Scenario.Shape, isTracing: Bool = false) throws {
        self.seed = seed
        self.isTracing = isTracing
        self.random = SeededGenerator(seed: seed)
        self.scenario = Scenario(shape, using: &self.random)
        self.beginning = .now
        self.now = self.beginning
        self.producer = try ProducerStateMachine(
            configuration: self.scenario.configuration,
            seed: seed
        )
        self.producer.setClock(milliseconds: 1_700_000_000_000, now: self.now)
        self.pool = BufferPool(configuration: self.scenario.configuration)
        self.broker = BrokerStateMachine(configuration: self.scenario.broker)
        self.broker.setClock(milliseconds: 1_700_000_000_000, now: self.now)
        self.broker.keepJournal(now: self.now)
        for (number, records) in self.scenario.lanes.enumerated() {
            self.addLane(number, records: records)
        }
    }

    private func addLane(_ number: Int, records: Int) {
        let lane = SimulatedLane(
            number: number,
            records: records,
            configuration: self.scenario.configuration,
            pool: self.pool,
            seed: self.random.next(),
            begin: self.now
        )
        self.lanes.append(lane)
        self.schedule.add(.lane(number), at: self.now)
    }

    /// Runs until nothing is left to happen, and checks what came of it.
    func run() throws(Failure) {
        if !self.scenario.broker.createsTopics {
            for (number, topic) in self.scenario.topics.enumerated() {
                self.schedule.add(.createTopic(number), at: self.beginning + topic.createdAfter)
            }
        }
        self.schedule.add(.fault, at: self.beginning + self.scenario.faultInterval)
        self.planDeaths()
        while self.failure == nil, let (time, event) = self.schedule.popFirst() {
            self.now = max(self.now, time)
            self.count.steps += 1
            if self.count.steps > Self.stepLimit { self.fail("it comes to no end") }
            self.perform(event)
            self.settle()
        }
        if self.failure == nil { self.check() }
        if let failure { throw Failure(description: failure) }
    }

    private static let stepLimit = 400_000
    /// How long a record may wait for its acknowledgement when nothing goes wrong any more, beside
    /// the requests that are still lost.
    private static let waitLimit = Duration.seconds(20)

    private func perform(_ event: Event) {
        switch event {
        case .lane(let number):
            self.lanes[number].timerDue = nil
            self.write(self.lanes[number])
        case .connectionArrived(let number): self.connectionArrived(number)
        case .parcel(let number, let direction): self.parcelDue(number, direction)
        case .connectionTimer(let number): self.connectionTimer(number)
        case .producerTimer: self.producerTimerDue = nil
        case .brokerTimer:
            self.brokerTimerDue = nil
            self.runBroker()
        case .fault: self.nextFault()
        case .ghost(let frame, let node): self.ghostArrived(frame, at: node)
        case .startNode(let node): self.startNode(node)
        case .startCluster: self.startCluster()
        case .createTopic(let number): self.createTopic(number)
        case .closeProducer: self.closeProducer()
        case .journaled(let incarnation):
            if incarnation == self.incarnation { self.journaled() }
        case .processDies: self.processDies()
        case .remade(let row, let incarnation): self.remade(row: row, incarnation: incarnation)
        }
    }

    /// Lets the producer do all it wants to do now.
    private func settle() {
        while self.failure == nil, let action = self.producer.nextAction(now: self.now) {
            self.perform(action)
        }
        for lane in self.lanes where lane.takeMemoryNews() {
            self.schedule.add(.lane(lane.number), at: self.now)
        }
        if let due = self.producer.nextDeadline(now: self.now),
            self.producerTimerDue.map({ due < $0 }) ?? true
        {
            self.producerTimerDue = due
            self.schedule.add(.producerTimer, at: due)
        }
        self.drainIfWritten()
        self.checkPossibleDuplicates()
    }

    private func perform(_ action: ProducerStateMachine.Action) {
        switch action {
        case .connect(let broker, let address): self.connect(broker, address)
        case .disconnect(let broker, let reason):
            guard let connection = self.current[broker] else {
                return self.producer.connectionClosed(broker, reason: reason, now: self.now)
            }
            self.closeClient(connection, reason: reason)
        case .send(let request, let id, let broker):
            guard let connection = self.current[broker] else {
                return self.fail("a request goes to broker \(broker), which is not connected")
            }
            self.checkSending(request)
            self.note("request \(id) to broker \(broker): \(self.name(of: request))")
            connection.machine.send(request, id: id, now: self.now)
            self.runClient(connection)
        case .deliver(let deliveries):
            for delivery in deliveries {
                self.batchJournal.settle(delivery)
                self.settle(delivery)
            }
        case .publish(let topic): self.publish(topic)
        case .journal(let batches): self.write(batches)
        case .identified: break
        case .resolved(let row, let outcome): self.resolved(row, outcome)
        case .recovered(let id, let report): self.recovered(id, report)
        case .unjournaled(let batch, let id): self.fail("\(id) has \(batch)")
        case .recoveryStopped(let id, let reason): self.fail("\(id): \(reason)")
        case .completed: self.fail("no transaction was asked for")
        case .finished:
            self.note("the producer has finished")
            self.finishedAt = self.now
        }
    }

    // MARK: The end

    /// Once all is written, the producer drains; the faults go on for a while.
    private func drainIfWritten() {
        guard !self.isDraining, self.recovering.isEmpty,
            self.lanes.allSatisfy(\.hasSubmittedAll)
        else { return }
        self.isDraining = true
        let wait = self.scenario.closesEarly ? Duration.zero : self.scenario.faultsLast
        self.schedule.add(.closeProducer, at: max(self.now, self.beginning + wait))
    }

    private func closeProducer() {
        guard self.isDraining else { return }
        self.note("the producer is to end")
        self.producer.close(draining: true)
    }

    var faultsEnd: ContinuousClock.Instant { self.beginning + self.scenario.faultsLast }

    /// Notes that something was settled which has waited since then.
    func noteWait(since begin: ContinuousClock.Instant, of what: @autoclosure () -> String) {
        let wait = self.now - max(begin, self.faultsEnd)
        guard wait > self.count.longestWait else { return }
        self.count.longestWait = wait
        // A recovery waits for late requests.
        let recovery = self.scenario.shape.dies ? Duration.seconds(60) : .zero
        let limit = Self.waitLimit + recovery + self.scenario.configuration.requestTimeout * 3
        if wait > limit { self.fail("\(what()) waited \(wait) after the last fault") }
    }

    // MARK: What is told

    func fail(_ what: String) {
        if self.failure == nil { self.failure = what }
    }

    func note(_ what: @autoclosure () -> String) {
        guard self.isTracing else { return }
        let milliseconds = Int64((self.now - self.beginning) / .milliseconds(1))
        self.trace.append("\(milliseconds) ms: \(what())")
    }

    /// A span of time out of a range of milliseconds.
    func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &self.random))
    }

    /// True once in so many times.
    func onceIn(_ times: Int) -> Bool {
        Int.random(in: 0..<times, using: &self.random) == 0
    }
}
