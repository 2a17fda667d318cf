package import Logging
internal import NIOCore
internal import NIOPosix

/// Asks a cluster what it thinks of topics, on an event loop of its own.
package enum ClusterInquiry {
    /// Asks and waits for the answers; for callers on threads of their own.
    ///
    /// - Throws: `ReaderError` when no broker answers, or one refuses; `KafkaProducerError` for a
    ///   configuration that contradicts itself.
    package static func ask(
        _ configuration: KafkaProducerConfiguration,
        topics: [String],
        transactionalID: String?,
        patience: Duration,
        logger: Logger
    ) throws -> ClusterStanding {
        let machine = try InquiryStateMachine(
            configuration: configuration,
            topics: topics,
            transactionalID: transactionalID,
            patience: patience,
            seed: .random(in: .min ... .max),
            now: .now
        )
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        let eventLoop = group.next()
        let core = InquiryCore(
            machine: machine,
            configuration: configuration,
            security: try ConnectionSecurity(
                configuration: configuration,
                eventLoop: eventLoop,
                logger: logger
            ),
            eventLoop: eventLoop,
            logger: logger
        )
        return try eventLoop.flatSubmit { core.start() }.wait()
    }
}

/// The machine, its connection and its timer.
///
/// Safe to share: every function runs on the event loop.
private final class InquiryCore: ConnectionOwner, @unchecked Sendable {
    private var machine: InquiryStateMachine
    private let configuration: KafkaProducerConfiguration
    private let security: ConnectionSecurity
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let outcome: EventLoopPromise<ClusterStanding>
    private var connection: BrokerConnection?
    private var timer: Scheduled<Void>?
    private var isRunning = false

    init(
        machine: consuming InquiryStateMachine,
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
        self.outcome = eventLoop.makePromise()
    }

    func start() -> EventLoopFuture<ClusterStanding> {
        self.run()
        return self.outcome.futureResult
    }

    // MARK: What the connection tells

    func connected(
        _ id: BrokerID,
        _ connection: BrokerConnection,
        _ support: TransactionSupport?
    ) {
        guard self.connection === connection else { return }
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
        guard self.connection === connection else { return }
        self.connection = nil
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
        guard !self.isRunning else { return }
        self.isRunning = true
        while let action = self.machine.nextAction(now: .now) { self.perform(action) }
        self.isRunning = false
        self.setTimer()
    }

    private func perform(_ action: InquiryStateMachine.Action) {
        switch action {
        case .connect(let id, let address): self.connect(id, address)
        case .send(let request, let id, _): self.connection?.send(request, id: id, now: .now)
        case .finished(let result):
            let open = self.connection
            self.connection = nil
            open?.close(reason: "all is asked")
            self.outcome.completeWith(result.mapError { $0 })
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
        self.connection = connection
        connection.connect()
    }

    private func setTimer() {
        self.timer?.cancel()
        self.timer = self.machine.nextDeadline(now: .now).map { due in
            self.eventLoop.scheduleTask(in: TimeAmount(due - .now)) { self.run() }
        }
    }
}
