package import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Whom a reader tells what it reads, on the reader's own thread.
///
/// Nothing further is read while a call lasts.
package protocol TopicReading: AnyObject, Sendable {
    func absent(_ topic: String)
    func found(_ partition: TopicPartition, start: Int64, end: Int64)
    func read(_ batches: ReadBatches)
    func skipped(_ partition: TopicPartition, from: Int64, to: Int64)
    /// All is read, or something is in the way; the last call.
    func finished(_ error: ReaderError?)
}

/// Reads topics on an event loop of its own, with a connection for each broker.
package final class TopicReader: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let core: ReaderCore
    private let isStopped = Mutex(false)

    package init(
        configuration: KafkaProducerConfiguration,
        scope: ReaderStateMachine.Scope,
        logger: Logger
    ) throws(KafkaProducerError) {
        let machine = try ReaderStateMachine(
            configuration: configuration,
            scope: scope,
            seed: .random(in: .min ... .max),
            now: .now
        )
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do throws(KafkaProducerError) {
            let security = try ConnectionSecurity(
                configuration: configuration,
                eventLoop: self.group.next(),
                logger: logger
            )
            self.core = ReaderCore(
                machine: machine,
                configuration: configuration,
                security: security,
                eventLoop: self.group.next(),
                logger: logger
            )
        } catch {
            self.group.shutdownGracefully { _ in }
            throw error
        }
    }

    /// Begins to read.
    package func start(for listener: any TopicReading) {
        self.group.next().execute { self.core.start(for: listener) }
    }

    /// Ends the thread; for callers on threads of their own.
    package func stop() {
        guard
            self.isStopped.withLock({ stopped in
                defer { stopped = true }
                return !stopped
            })
        else { return }
        self.group.next().execute { self.core.stop() }
        try? self.group.syncShutdownGracefully()
    }
}

/// The reader's machine, its connections and its timer.
///
/// Safe to share: every function runs on the event loop.
private final class ReaderCore: ConnectionOwner, @unchecked Sendable {
    private var machine: ReaderStateMachine
    private let configuration: KafkaProducerConfiguration
    private let security: ConnectionSecurity
    private let eventLoop: any EventLoop
    private let logger: Logger
    private var listener: (any TopicReading)?
    private var connections: [BrokerID: BrokerConnection] = [:]
    private var timer: (due: ContinuousClock.Instant, task: Scheduled<Void>)?
    private var isRunning = false

    init(
        machine: consuming ReaderStateMachine,
        configuration: KafkaProducerConfiguration,
        security: ConnectionSecurity,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.machine = machine
        self.configuration = configuration
        self.security = security
        self.eventLoop = eventLoop
        self.logger = logger
    }

    func start(for listener: any TopicReading) {
        self.eventLoop.preconditionInEventLoop()
        self.listener = listener
        self.run()
    }

    func stop() {
        self.eventLoop.preconditionInEventLoop()
        self.listener = nil
        self.timer?.task.cancel()
        let open = self.connections.values
        self.connections = [:]
        for connection in open { connection.close(reason: "the reader ends") }
    }

    // MARK: What connections tell

    func connected(
        _ id: BrokerID,
        _ connection: BrokerConnection,
        _ support: TransactionSupport?
    ) {
        guard self.connections[id] === connection else { return }
        self.logger.debug("broker connected", metadata: ["broker": "\(connection.address)"])
        self.machine.connected(id)
        self.run()
    }

    func answered(_ request: RequestID, _ answer: ProducerAnswer) {
        self.machine.received(answer, to: request, now: .now)
        self.run()
    }

    func closed(
        _ id: BrokerID,
        _ connection: BrokerConnection,
        reason: String,
        isRefusal: Bool
    ) {
        guard self.connections[id] === connection else { return }
        self.connections[id] = nil
        let address = "\(connection.address)"
        self.logger.debug("broker gone", metadata: ["broker": "\(address)", "reason": "\(reason)"])
        self.machine.connectionClosed(id, reason: reason, isRefusal: isRefusal, now: .now)
        self.run()
    }

    func wrote(_ bytes: Int, to id: BrokerID, now: ContinuousClock.Instant) {}

    func read(_ bytes: Int, from id: BrokerID, now: ContinuousClock.Instant) {}

    // MARK: The loop

    private func run() {
        // An action may call back; its news is taken by the loop that already runs.
        guard !self.isRunning, self.listener != nil else { return }
        self.isRunning = true
        while self.listener != nil, let action = self.machine.nextAction(now: .now) {
            self.perform(action)
        }
        self.isRunning = false
        self.setTimer()
    }

    private func perform(_ action: ReaderStateMachine.Action) {
        switch action {
        case .connect(let id, let address): self.connect(id, address)
        case .disconnect(let id, let reason): self.connections[id]?.close(reason: reason)
        case .send(let request, let id, let broker):
            self.connections[broker]?.send(request, id: id, now: .now)
        case .absent(let topic): self.listener?.absent(topic)
        case .found(let partition, let start, let end):
            self.listener?.found(partition, start: start, end: end)
        case .read(let batches): self.listener?.read(batches)
        case .skipped(let partition, let from, let to):
            self.listener?.skipped(partition, from: from, to: to)
        case .finished(let error):
            self.listener?.finished(error)
            self.stop()
        }
    }

    private func connect(_ id: BrokerID, _ address: BrokerAddress) {
        let connection = BrokerConnection(
            id: id,
            address: address,
            configuration: self.configuration,
            setupTimeout: self.configuration.connectionSetupTimeout,
            core: self,
            security: self.security,
            eventLoop: self.eventLoop
        )
        self.connections[id] = connection
        connection.connect()
    }

    private func setTimer() {
        guard self.listener != nil, let due = self.machine.nextDeadline(now: .now) else { return }
        if let timer = self.timer, timer.due <= due { return }
        self.timer?.task.cancel()
        let task = self.eventLoop.scheduleTask(in: TimeAmount(due - .now)) {
            self.timer = nil
            self.run()
        }
        self.timer = (due, task)
    }
}
