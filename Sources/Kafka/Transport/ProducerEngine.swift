package import Logging
package import NIOCore
internal import NIOPosix
internal import Synchronization

/// The producer's machine on an event loop of its own, with a connection for each broker.
package final class ProducerEngine: Sendable {
    private struct Inbox: Sendable {
        var batches: [ProducerBatch] = []
        var topics: [String] = []
        var calls: [TransactionCall] = []
        var purge: Purge?
        var journaled: [ProducerBatch]?
        var remade: [Remake] = []
        var isScheduled = false
        var isClosed = false
    }

    /// What is to be dropped.
    enum Purge: Sendable {
        case unsent, all
    }

    /// Whether a journaled batch could be made again.
    enum Remake: Sendable {
        case made(ProducerBatch, row: Int64)
        case impossible(row: Int64)
    }

    /// Scrapers come less often, and gauges older than that are of no use to them.
    private static let publishingInterval = Duration.seconds(5)

    package let configuration: KafkaProducerConfiguration
    package let eventLoop: any EventLoop
    private let pool: BufferPool
    private let group: MultiThreadedEventLoopGroup
    private let inbox = Mutex(Inbox())
    private let listeners = Mutex<[any DeliveryListener]>([])
    private let latestStatistics = Mutex(ProducerStatistics())
    private let callTimes = Mutex(CallTimes())
    private let lastCallID = Atomic<TransactionCallID>(0)
    private let latestMetrics = Mutex(ProducerMetrics())
    private let core: EngineCore

    /// - Parameter journal: where batches are written down before they are sent; nil for nowhere.
    package init(
        configuration: KafkaProducerConfiguration,
        pool: BufferPool,
        journal: (any BatchJournal)? = nil,
        logger: Logger
    ) throws(KafkaProducerError) {
        var configuration = configuration
        configuration.isJournaled = journal != nil
        var machine = try ProducerStateMachine(
            configuration: configuration,
            seed: .random(in: .min ... .max)
        )
        machine.setClock(milliseconds: timeOfDayMilliseconds(), now: .now)
        self.configuration = configuration
        self.pool = pool
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.eventLoop = self.group.next()
        let security: ConnectionSecurity
        do throws(KafkaProducerError) {
            security = try ConnectionSecurity(
                configuration: configuration,
                eventLoop: self.eventLoop,
                logger: logger
            )
        } catch {
            self.group.shutdownGracefully { _ in }
            throw error
        }
        self.core = EngineCore(
            machine: machine,
            security: security,
            journal: journal,
            eventLoop: self.eventLoop,
            logger: logger
        )
    }

    /// Lets a listener know of every topic whose metadata changes.
    package func addListener(_ listener: any DeliveryListener) {
        self.listeners.withLock { $0.append(listener) }
    }

    /// Ends that; what it submitted is still delivered to it.
    package func removeListener(_ listener: any DeliveryListener) {
        self.listeners.withLock { $0.removeAll { $0 === listener } }
    }

    /// Tells what a crash left, before ``start()``; `wallClock` is the time of day in milliseconds
    /// since 1970.
    ///
    /// The journal is told what becomes of each row. Until its partition is recovered nothing else
    /// is sent there.
    package func recover(
        _ recoveries: [PartitionRecovery],
        clusterID: String?,
        wholeTopics: Set<String> = [],
        settings: RecoveryStateMachine.Settings = .init(),
        wallClock: Int64
    ) {
        self.eventLoop.execute {
            self.core.recover(
                recoveries,
                clusterID: clusterID,
                wholeTopics: wholeTopics,
                settings: settings,
                wallClock: wallClock
            )
        }
    }

    /// Hands over a row's batch that was made again, from any thread.
    package func remade(_ batch: ProducerBatch, row: Int64) {
        _ = self.post { $0.remade.append(.made(batch, row: row)) }
    }

    /// Tells that a row's records are not all there any more.
    package func cannotRemake(row: Int64) {
        _ = self.post { $0.remade.append(.impossible(row: row)) }
    }

    /// Begins to connect.
    package func start() {
        self.eventLoop.execute { self.core.start(engine: self) }
    }

    /// Hands sealed batches over, from any thread; what becomes of them is told to `listener`.
    package func submit(_ batches: [ProducerBatch], for listener: any DeliveryListener) {
        guard !self.offer(batches, for: listener) else { return }
        self.deliver(batches.map { Delivery(batch: $0, result: .failed(.closed)) })
    }

    /// The same without a call back: false if the producer is closed, and nothing was taken.
    func offer(_ batches: [ProducerBatch], for listener: any DeliveryListener) -> Bool {
        guard !batches.isEmpty else { return true }
        for batch in batches { batch.listener = listener }
        return self.post { $0.batches.append(contentsOf: batches) }
    }

    /// Asks for topics' partitions; listeners get them, again if they are known already.
    package func requestMetadata(topics: [String]) {
        _ = self.post { $0.topics.append(contentsOf: topics) }
    }

    /// Drops what was submitted before, see ``ProducerStateMachine/purge(inFlight:)``.
    func purge(inFlight: Bool) {
        _ = self.post { $0.purge = inFlight || $0.purge == .all ? .all : .unsent }
    }

    /// Asks something of the transactions; false if the producer is closed, and nothing was taken.
    func post(_ call: TransactionCall) -> Bool {
        self.post { $0.calls.append(call) }
    }

    /// Asks something of the transactions, from any thread; `then` is told on the event loop what it
    /// came to.
    package func transact(
        _ operation: TransactionOperation,
        then: @escaping @Sendable (TransactionResult) -> Void
    ) {
        let start = ContinuousClock.now
        let ticket = TransactionTicket(id: self.makeCallID()) { result in
            self.note(ContinuousClock.now - start, in: .transaction(operation))
            then(result)
        }
        if !self.post(.begin(operation, ticket)) { ticket.end(.closed) }
    }

    /// Tells, from any thread, that batches are durable.
    func journaled(_ batches: [ProducerBatch]) {
        _ = self.post { $0.journaled = batches }
    }

    /// A number for a call, given out once.
    func makeCallID() -> TransactionCallID {
        self.lastCallID.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Notes how long the application waited.
    func note(_ time: Duration, in call: CallTimes.Call) {
        self.callTimes.withLock { $0.add(time, to: call) }
    }

    /// Calls back on the event loop at a time, unless the producer is closed by then.
    func schedule(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) {
        self.inbox.withLock { inbox in
            guard !inbox.isClosed else { return }
            self.eventLoop.scheduleTask(in: TimeAmount(time - .now), work)
        }
    }

    /// How the producer is doing.
    package var statistics: ProducerStatistics {
        var statistics = self.latestStatistics.withLock { $0 }
        statistics.availableBytes = self.pool.availableBytes
        return statistics
    }

    /// What was measured, up to a second ago, under Kafka's names.
    package func metrics(now: ContinuousClock.Instant) -> KafkaProducerMetrics {
        let statistics = self.latestStatistics.withLock { $0 }
        let gauges = ProducerGauges(
            requestsInFlight: statistics.requestsInFlight,
            connectionCount: statistics.connectedBrokers,
            buffer: self.pool.usage,
            callTimes: self.callTimes.withLock { $0 }
        )
        let metrics = self.latestMetrics.withLock { $0 }
        return KafkaProducerMetrics(
            clientID: self.configuration.clientID,
            values: metrics.values(gauges, now: now)
        )
    }

    /// Publishes the metrics every few seconds, until the thread ends.
    func publishMetrics(by publisher: MetricsPublisher) {
        self.inbox.withLock { inbox in
            guard !inbox.isClosed else { return }
            let interval = TimeAmount(Self.publishingInterval)
            self.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
                publisher.publish(self.metrics(now: .now))
            }
        }
    }

    /// Waits until everything submitted is acknowledged, or fails it at once, and ends the thread.
    ///
    /// A drain waits for as long as the brokers take: to give up on it, close again without.
    package func close(drain: Bool) async {
        guard !self.inbox.withLock({ $0.isClosed }) else { return }
        await self.core.finished(engine: self, draining: drain)
        guard self.becomeClosed() else { return }
        try? await self.group.shutdownGracefully()
    }

    /// Fails what is not acknowledged and ends the thread; for callers on threads of their own.
    package func stop() {
        guard self.becomeClosed() else { return }
        // The loop does this before it ends, for it takes orders in turn.
        self.eventLoop.execute { self.core.abandon(engine: self) }
        try? self.group.syncShutdownGracefully()
    }

    /// Whether this call closed it, and not an earlier one.
    private func becomeClosed() -> Bool {
        self.inbox.withLock { inbox in
            defer { inbox.isClosed = true }
            return !inbox.isClosed
        }
    }

    /// Whether the change was taken: not once the producer is closed.
    private func post(_ change: (inout Inbox) -> Void) -> Bool {
        self.inbox.withLock { inbox in
            guard !inbox.isClosed else { return false }
            change(&inbox)
            guard !inbox.isScheduled else { return true }
            inbox.isScheduled = true
            // Within the lock, so that the loop is not shut down in between.
            self.eventLoop.execute { self.core.wake() }
            return true
        }
    }

    func takeInbox() -> (
        batches: [ProducerBatch], topics: [String], purge: Purge?, calls: [TransactionCall],
        journaled: [ProducerBatch]?, remade: [Remake]
    ) {
        self.inbox.withLock { inbox in
            defer {
                inbox.batches = []
                inbox.topics = []
                inbox.purge = nil
                inbox.calls = []
                inbox.journaled = nil
                inbox.remade = []
                inbox.isScheduled = false
            }
            return (
                inbox.batches, inbox.topics, inbox.purge, inbox.calls, inbox.journaled, inbox.remade
            )
        }
    }

    func note(_ metrics: ProducerMetrics) {
        self.latestMetrics.withLock { $0 = metrics }
    }

    func note(_ statistics: ProducerStatistics) {
        self.latestStatistics.withLock { $0 = statistics }
    }

    func publish(_ metadata: TopicMetadata) {
        for listener in self.listeners.withLock({ $0 }) { listener.metadataChanged(metadata) }
    }

    /// Gives each listener its own, and then the buffers back to their pool.
    func deliver(_ deliveries: [Delivery]) {
        var rest = deliveries[...]
        while let listener = rest.first?.batch.listener {
            let own = rest.filter { $0.batch.listener === listener }
            rest.removeAll { $0.batch.listener === listener }
            // Memory is back before the lane hears of it, and tries again.
            for delivery in own { delivery.batch.release() }
            listener.deliver(Array(own))
        }
    }
}
