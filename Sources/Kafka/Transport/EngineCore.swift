internal import Logging
internal import NIOCore
internal import NIOPosix

/// What lives on the producer's event loop: the machine, its connections and its timer.
///
/// Safe to share: every function runs on the event loop, which each entry point checks.
final class EngineCore: ConnectionOwner, @unchecked Sendable {
    private var machine: ProducerStateMachine
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let security: ConnectionSecurity
    private let journal: (any BatchJournal)?
    // Weak, for the engine owns this.
    private weak var engine: ProducerEngine?
    private var connections: [BrokerID: BrokerConnection] = [:]
    private var timer: (due: ContinuousClock.Instant, task: Scheduled<Void>)?
    /// Calls about transactions that have no result.
    private var calls: [TransactionCallID: TransactionTicket] = [:]
    private var closing: [CheckedContinuation<Void, Never>] = []
    private var hasFinished = false
    private var isRunning = false
    private var lastLoggedError: String?
    private var metricsShownAt: ContinuousClock.Instant?
    private var metricsTimer: Scheduled<Void>?

    init(
        machine: consuming ProducerStateMachine,
        security: ConnectionSecurity,
        journal: (any BatchJournal)?,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.machine = machine
        self.security = security
        self.journal = journal
        self.eventLoop = eventLoop
        self.logger = logger
    }

    func start(engine: ProducerEngine) {
        self.eventLoop.preconditionInEventLoop()
        guard self.engine == nil, !self.hasFinished else { return }
        self.engine = engine
        self.wake()
    }

    /// Takes what a crash left, before it is started.
    func recover(
        _ recoveries: [PartitionRecovery],
        clusterID: String?,
        wholeTopics: Set<String>,
        settings: RecoveryStateMachine.Settings,
        wallClock: Int64
    ) {
        self.eventLoop.preconditionInEventLoop()
        self.machine.recover(
            recoveries,
            clusterID: clusterID,
            wholeTopics: wholeTopics,
            settings: settings,
            wallClock: wallClock,
            now: .now
        )
    }

    /// Takes what lanes have posted and does what follows from it.
    func wake() {
        self.eventLoop.preconditionInEventLoop()
        guard let engine = self.engine else { return }
        let now = ContinuousClock.now
        let (batches, topics, purge, calls, journaled, remade) = engine.takeInbox()
        if let journaled, !self.hasFinished { self.machine.journaled(journaled) }
        for remake in remade { self.take(remake, now: now) }
        if !topics.isEmpty { self.machine.requestMetadata(topics: topics, now: now) }
        if !batches.isEmpty { self.machine.submit(batches, now: now) }
        if let purge { self.machine.purge(inFlight: purge == .all) }
        for call in calls { self.take(call) }
        self.run(now: now)
    }

    func finished(engine: ProducerEngine, draining: Bool) async {
        await withCheckedContinuation { continuation in
            self.eventLoop.execute {
                guard !self.hasFinished else { return continuation.resume() }
                self.engine = engine
                self.closing.append(continuation)
                self.wake()
                self.machine.close(draining: draining)
                self.run(now: .now)
            }
        }
    }

    /// Fails everything that is not acknowledged.
    func abandon(engine: ProducerEngine) {
        self.eventLoop.preconditionInEventLoop()
        guard !self.hasFinished else { return }
        self.engine = engine
        self.wake()
        self.machine.close(draining: false)
        self.run(now: .now)
    }

    // MARK: What connections tell

    func connected(
        _ id: BrokerID,
        _ connection: BrokerConnection,
        _ support: TransactionSupport?
    ) {
        guard self.connections[id] === connection else { return }
        self.logger.info("broker connected", metadata: ["broker": "\(connection.address)"])
        let now = ContinuousClock.now
        self.machine.connected(id, support, now: now)
        self.run(now: now)
    }

    func answered(_ request: RequestID, _ answer: ProducerAnswer) {
        let now = ContinuousClock.now
        self.machine.received(answer, to: request, now: now)
        self.run(now: now)
    }

    func closed(
        _ id: BrokerID,
        _ connection: BrokerConnection,
        reason: String,
        isRefusal: Bool
    ) {
        guard self.connections[id] === connection else { return }
        self.connections[id] = nil
        let now = ContinuousClock.now
        self.machine.connectionClosed(id, reason: reason, isRefusal: isRefusal, now: now)
        self.run(now: now)
    }

    func wrote(_ bytes: Int, to id: BrokerID, now: ContinuousClock.Instant) {
        self.machine.wrote(bytes, to: id, now: now)
    }

    func read(_ bytes: Int, from id: BrokerID, now: ContinuousClock.Instant) {
        self.machine.read(bytes, from: id, now: now)
    }

    // MARK: The loop

    private func run(now: ContinuousClock.Instant) {
        // An action may call back; its news is taken by the loop that already runs.
        guard !self.isRunning else { return }
        self.isRunning = true
        while let action = self.machine.nextAction(now: now) { self.perform(action, now: now) }
        self.isRunning = false
        self.engine?.note(self.machine.statistics)
        self.noteMetrics(now: now)
        self.logError()
        self.setTimer(self.machine.nextDeadline(now: now))
    }

    private func perform(_ action: ProducerStateMachine.Action, now: ContinuousClock.Instant) {
        switch action {
        case .connect(let id, let address): self.connect(id, address)
        case .disconnect(let id, let reason): self.disconnect(id, reason: reason)
        case .send(let request, let id, let broker):
            self.connections[broker]?.send(request, id: id, now: now)
        case .deliver(let deliveries):
            self.journal?.delivered(deliveries)
            self.engine?.deliver(deliveries)
        case .journal(let batches): self.write(batches)
        case .identified(let identity, let clusterID):
            self.journal?.opened(identity, clusterID: clusterID)
        case .resolved(let row, let outcome): self.journal?.resolved(row: row, outcome)
        case .unsettled(let row): self.journal?.unsettled(row: row)
        case .unjournaled(let batch, let partition, let count):
            self.journal?.unjournaled(batch, of: partition, partitionCount: count)
        case .recoveryWidened(let topic, let partitions):
            self.journal?.recoveryWidened(topic: topic, partitions)
        case .recovered(let partition, let report): self.journal?.recovered(partition, report)
        case .recoveryStopped(let partition, let reason):
            self.journal?.recoveryStopped(partition, reason: reason)
        case .publish(let metadata): self.engine?.publish(metadata)
        case .completed(let call, let error):
            let identity = self.machine.transactions?.identity
            self.calls.removeValue(forKey: call)?.end(
                TransactionResult(error: error, identity: identity)
            )
        case .finished: self.finish()
        }
    }

    private func write(_ batches: [ProducerBatch]) {
        self.journal?.write(batches) { [weak engine] in engine?.journaled($0) }
    }

    private func take(_ remake: ProducerEngine.Remake, now: ContinuousClock.Instant) {
        switch remake {
        case .made(let batch, let row): self.machine.remade(batch, row: row, now: now)
        case .impossible(let row): self.machine.cannotRemake(row: row, now: now)
        }
    }

    private func take(_ call: TransactionCall) {
        switch call {
        case .begin(let operation, let ticket):
            self.calls[ticket.id] = ticket
            self.machine.call(operation, ticket.id)
        case .sendOffsets(let offsets, let ticket):
            self.calls[ticket.id] = ticket
            self.machine.sendOffsets(offsets, ticket.id)
        case .abandon(let id):
            self.calls[id] = nil
            self.machine.abandon(id)
        }
    }

    private func connect(_ id: BrokerID, _ address: BrokerAddress) {
        guard let configuration = self.engine?.configuration else { return }
        let connection = BrokerConnection(
            id: id,
            address: address,
            configuration: configuration,
            setupTimeout: self.machine.connectionSetupTimeout(of: id),
            core: self,
            security: self.security,
            eventLoop: self.eventLoop
        )
        self.connections[id] = connection
        connection.connect()
    }

    private func disconnect(_ id: BrokerID, reason: String) {
        guard let connection = self.connections[id] else {
            return self.machine.connectionClosed(id, reason: reason, now: .now)
        }
        connection.close(reason: reason)
    }

    private func finish() {
        self.hasFinished = true
        self.timer?.task.cancel()
        for connection in self.connections.values { connection.close(reason: "closed") }
        self.engine?.note(self.machine.statistics)
        self.metricsTimer?.cancel()
        self.engine?.note(self.machine.metrics)
        for ticket in self.calls.values { ticket.end(.closed) }
        self.calls = [:]
        for continuation in self.closing { continuation.resume() }
        self.closing = []
    }

    /// Shows the metrics, or sees to it that they are shown within a second.
    ///
    /// What was shown is copied when it next changes: once a second is seldom enough.
    private func noteMetrics(now: ContinuousClock.Instant) {
        guard !self.hasFinished, self.metricsTimer == nil else { return }
        let due = self.metricsShownAt.map { $0 + .seconds(1) } ?? now
        guard due > now else { return self.showMetrics(now: now) }
        self.metricsTimer = self.eventLoop.scheduleTask(in: TimeAmount(due - now)) {
            self.metricsTimer = nil
            self.showMetrics(now: .now)
        }
    }

    private func showMetrics(now: ContinuousClock.Instant) {
        self.metricsShownAt = now
        self.engine?.note(self.machine.metrics)
    }

    private func logError() {
        let error = self.machine.statistics.lastError
        guard error != self.lastLoggedError else { return }
        self.lastLoggedError = error
        if let error {
            self.logger.warning("Kafka is in trouble", metadata: ["reason": "\(error)"])
        } else {
            self.logger.notice("Kafka is well again")
        }
    }

    private func setTimer(_ deadline: ContinuousClock.Instant?) {
        guard let deadline, !self.hasFinished else { return }
        if let timer = self.timer, timer.due <= deadline { return }
        self.timer?.task.cancel()
        let task = self.eventLoop.scheduleTask(in: TimeAmount(deadline - .now)) {
            self.timer = nil
            self.wake()
        }
        self.timer = (deadline, task)
    }
}

extension TimeAmount {
    /// The same span and a nanosecond, so that a deadline has passed when its timer fires.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !nanoseconds.overflow else {
            self = .hours(24)
            return
        }
        self = .nanoseconds(max(0, nanoseconds.partialValue &+ attoseconds / 1_000_000_000 &+ 1))
    }
}
