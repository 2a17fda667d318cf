import KafkaDevBroker
import KafkaProtocol
import NIOCore

@testable import Kafka

/// What happens to lanes and their producer, beside what happens between it and the brokers.
enum LaneEvent {
    case lane(Int)
    case createTopic(Int)
    case closeProducer
    /// A write of the journal ends, if its process lives.
    case journaled(incarnation: Int)
    case processDies
    case remade(row: Int64, incarnation: Int)
}

/// A producer, the lanes that write to it and a cluster, with a network between them that a seed
/// disturbs.
final class Simulation: SimulatedCluster<LaneEvent> {
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
    let scenario: ProducerScenario
    var pool: BufferPool
    var lanes: [SimulatedLane] = []
    var batchJournal = SimulatedRows()
    /// Counts the producer's processes.
    var incarnation = 0
    /// Partitions of which it is not known what a process that died left.
    var recovering: Set<TopicPartition> = []
    /// The partitions of the topics that the producer told of.
    var partitionCounts: [String: Int32] = [:]
    var createdTopics: Set<Int> = []
    var isDraining = false
    var finishedAt: ContinuousClock.Instant?
    var count = Count()
    private let isTracing: Bool
    private(set) var trace: [String] = []

    init(seed: UInt64, _ shape: ProducerScenario.Shape, isTracing: Bool = false) throws {
        self.seed = seed
        self.isTracing = isTracing
        var random = SeededGenerator(seed: seed)
        self.scenario = ProducerScenario(shape, using: &random)
        self.pool = BufferPool(configuration: self.scenario.configuration)
        try super.init(self.scenario.settings, random: random, producerSeed: seed, now: .now)
        self.faultsEnd = self.beginning + self.scenario.faultsLast
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
        self.add(.lane(number), at: self.now)
    }

    /// Runs until nothing is left to happen, and checks what came of it.
    func run() throws(Failure) {
        if !self.scenario.broker.createsTopics {
            for (number, topic) in self.scenario.topics.enumerated() {
                self.add(.createTopic(number), at: self.beginning + topic.createdAfter)
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

    override func perform(_ own: LaneEvent) {
        switch own {
        case .lane(let number):
            self.lanes[number].timerDue = nil
            self.write(self.lanes[number])
        case .createTopic(let number): self.createTopic(number)
        case .closeProducer: self.closeProducer()
        case .journaled(let incarnation):
            if incarnation == self.incarnation { self.journaled() }
        case .processDies: self.processDies()
        case .remade(let row, let incarnation): self.remade(row: row, incarnation: incarnation)
        }
    }

    override func settle() {
        super.settle()
        for lane in self.lanes where lane.takeMemoryNews() {
            self.add(.lane(lane.number), at: self.now)
        }
        self.drainIfWritten()
        self.checkPossibleDuplicates()
    }

    override func performOther(_ action: ProducerStateMachine.Action) {
        switch action {
        case .connect, .disconnect, .send: break
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
        case .unsettled(let row): self.fail("row \(row) is looked for once more")
        case .recoveryWidened(let topic, _): self.fail("\(topic) is looked at as a whole")
        case .unjournaled(let batch, let id, _): self.fail("\(id) has \(batch)")
        case .recoveryStopped(let id, let reason): self.fail("\(id): \(reason)")
        case .completed: self.fail("no transaction was asked for")
        case .finished:
            self.note("the producer has finished")
            self.finishedAt = self.now
        }
    }

    override func check(_ request: ProducerRequest) { self.checkSending(request) }

    override func clusterStarted() {
        for number in self.scenario.topics.indices where self.createdTopics.contains(number) {
            self.createTopic(number)
        }
    }

    private func createTopic(_ number: Int) {
        self.createdTopics.insert(number)
        let topic = self.scenario.topics[number]
        guard self.isClusterUp, self.broker.topicPartitionCounts[topic.name] == nil else { return }
        self.note("\(topic.name) is made")
        self.broker.createTopic(topic.name, partitions: topic.partitions, configs: topic.configs)
        self.runBroker()
    }

    // MARK: The end

    /// Once all is written, the producer drains; the faults go on for a while.
    private func drainIfWritten() {
        guard !self.isDraining, self.recovering.isEmpty,
            self.lanes.allSatisfy(\.hasSubmittedAll)
        else { return }
        self.isDraining = true
        let wait = self.scenario.closesEarly ? Duration.zero : self.scenario.faultsLast
        self.add(.closeProducer, at: max(self.now, self.beginning + wait))
    }

    private func closeProducer() {
        guard self.isDraining else { return }
        self.note("the producer is to end")
        self.producer.close(draining: true)
    }

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

    override func note(_ what: @autoclosure () -> String) {
        guard self.isTracing else { return }
        let milliseconds = Int64((self.now - self.beginning) / .milliseconds(1))
        self.trace.append("\(milliseconds) ms: \(what())")
    }
}
