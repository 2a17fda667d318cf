import KafkaDevBroker
import KafkaProtocol
import NIOCore

@testable import Kafka

/// A producer's machine and a cluster, with a network between them that a seed disturbs.
///
/// All are machines that take time as an argument, so an hour of theirs takes a moment, and the same
/// seed always comes to the same end. Who submits batches, and what becomes of them, is another's
/// matter: that of the class that inherits this, whose own events are `Own`.
class SimulatedCluster<Own> {
    enum Event {
        case own(Own)
        case connectionArrived(Int)
        case parcel(Int, SimulatedConnection.Direction)
        case connectionTimer(Int)
        case producerTimer, brokerTimer
        case fault
        /// A copy of a request reaches a node.
        case ghost(ByteBuffer, node: Int32, clusterLife: Int)
        case startNode(Int32)
        case startCluster
    }

    struct Settings {
        var configuration: KafkaProducerConfiguration
        var broker: BrokerStateMachine.Configuration
        /// Whether the brokers answer DescribeProducers, as those since 2.8 do.
        var tellsOfProducers = true
        var faults: [NetworkFault] = []
        var faultInterval = Duration.seconds(1)
        /// When it all begins, in milliseconds since 1970.
        var firstTime: Int64 = 1_700_000_000_000
    }

    let settings: Settings
    var random: SeededGenerator
    var now: ContinuousClock.Instant
    let beginning: ContinuousClock.Instant
    /// From when on nothing goes wrong any more.
    var faultsEnd: ContinuousClock.Instant
    var schedule = Schedule<Event>()
    var producer: ProducerStateMachine
    var broker: BrokerStateMachine
    /// What the brokers have on their disks.
    var journal = ByteBuffer()
    var isClusterUp = true
    var clusterLife = 0
    /// The cluster does not start again by itself.
    var staysDown = false
    var connections: [Int: SimulatedConnection] = [:]
    var current: [BrokerID: SimulatedConnection] = [:]
    var lastConnection = 0
    /// What was answered to a request for metadata, by its bytes; the oldest first.
    var metadataAnswers: [[UInt8]: [ByteBuffer]] = [:]
    /// How many answers with metadata are still to be old ones.
    var staleAnswers = 0
    /// What is still to happen to requests with records.
    var doublings = 0
    var damages = 0
    var corruptions = 0
    var nodeHeldUntil: [Int32: ContinuousClock.Instant] = [:]
    var faultCounts: [NetworkFault: Int] = [:]
    private var producerTimerDue: ContinuousClock.Instant?
    var brokerTimerDue: ContinuousClock.Instant?
    private(set) var failure: String?

    init(
        _ settings: Settings,
        random: SeededGenerator,
        producerSeed: UInt64,
        now: ContinuousClock.Instant
    ) throws {
        self.settings = settings
        self.random = random
        self.now = now
        self.beginning = now
        self.faultsEnd = now
        self.producer = try ProducerStateMachine(
            configuration: settings.configuration,
            seed: producerSeed
        )
        self.producer.setClock(milliseconds: settings.firstTime, now: now)
        self.broker = BrokerStateMachine(configuration: settings.broker)
        self.broker.setClock(milliseconds: settings.firstTime, now: now)
        self.broker.keepJournal(now: now)
    }

    // MARK: What others decide

    func perform(_ own: Own) {}

    /// Does what the producer wants of others than the network.
    func performOther(_ action: ProducerStateMachine.Action) {}

    /// Looks at what is sent, before it is.
    func check(_ request: ProducerRequest) {}

    /// The brokers have read their disks.
    func clusterStarted() {}

    func note(_ what: @autoclosure () -> String) {}

    func fail(_ what: String) {
        if self.failure == nil { self.failure = what }
    }

    // MARK: Running

    func add(_ own: Own, at time: ContinuousClock.Instant) {
        self.schedule.add(.own(own), at: time)
    }

    func perform(_ event: Event) {
        switch event {
        case .own(let own): self.perform(own)
        case .connectionArrived(let number): self.connectionArrived(number)
        case .parcel(let number, let direction): self.parcelDue(number, direction)
        case .connectionTimer(let number): self.connectionTimer(number)
        case .producerTimer: self.producerTimerDue = nil
        case .brokerTimer:
            self.brokerTimerDue = nil
            self.runBroker()
        case .fault: self.nextFault()
        case .ghost(let frame, let node, let life):
            // A broker that went took what had reached its sockets along.
            if life == self.clusterLife { self.ghostArrived(frame, at: node) }
        case .startNode(let node): self.startNode(node)
        case .startCluster: self.startCluster()
        }
    }

    /// Lets the producer do all it wants to do now.
    func settle() {
        while self.failure == nil, let action = self.producer.nextAction(now: self.now) {
            self.perform(action)
        }
        if let due = self.producer.nextDeadline(now: self.now),
            self.producerTimerDue.map({ due < $0 }) ?? true
        {
            self.producerTimerDue = due
            self.schedule.add(.producerTimer, at: due)
        }
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
            self.check(request)
            self.note("request \(id) to broker \(broker): \(ProducerBatch.names(in: request))")
            connection.machine.send(request, id: id, now: self.now)
            self.runClient(connection)
        default: self.performOther(action)
        }
    }

    /// Milliseconds since 1970.
    var wallClock: Int64 {
        self.settings.firstTime + Int64((self.now - self.beginning) / .milliseconds(1))
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

extension ProducerBatch {
    var name: String {
        let first = position(ofRecord: 0)
        let last = position(ofRecord: recordCount - 1)
        let sequence = sequence.map { " seq \($0)" } ?? ""
        return "\(topic)-\(partition) \(run(ofRecord: 0).owner):\(first)…\(last)\(sequence)"
    }

    static func names(in request: ProducerRequest) -> String {
        guard case .produce(let batches) = request else { return "\(request)" }
        return batches.map(\.name).joined(separator: ", ")
    }

    static func names(in answer: ProducerAnswer) -> String {
        guard case .produce(let answer) = answer else { return "\(answer)" }
        return answer.partitions.map { "\($0.topic)-\($0.partition) \($0.error)" }
            .joined(separator: ", ")
    }
}
