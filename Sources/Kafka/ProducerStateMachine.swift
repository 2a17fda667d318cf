internal import KafkaProtocol
internal import NIOCore

/// Which batch goes to which broker, when, and what each answer means for it.
///
/// Told of batches, connections and answers, it hands out what to do next; it opens no socket and
/// reads no clock. The rules that keep records in order and single:
/// - A sent batch never changes: it keeps producer id, epoch and sequence in every further attempt.
/// - A partition has one batch in flight until the first acknowledgement on its leader, then five.
/// - While a batch is sent again, it is the only one of its partition in flight.
/// - A batch that the broker says is out of sequence, and of which an earlier attempt may have been
///   appended, keeps its numbers until it is known whether it is in the log: by what the leader
///   remembers (DescribeProducers), or else by trying those behind it.
/// - What is not in the log goes on under the next epoch, as does what was numbered behind a batch
///   that was refused. That begins only when nothing of the partition is in flight.
/// - Where batches are journaled, none is sent before it is written down with its numbers; see
///   `ProducerStateMachine+Journal.swift`.
/// - Where nobody can tell, records can be in the log twice:
///   ``ProducerStatistics/possibleDuplicates`` counts these.
package struct ProducerStateMachine {
    /// What the shell is to do.
    package enum Action: Sendable, Equatable {
        case connect(BrokerID, BrokerAddress)
        case disconnect(BrokerID, reason: String)
        case send(ProducerRequest, RequestID, to: BrokerID)
        case deliver([Delivery])
        /// Write batches down, and tell ``ProducerStateMachine/journaled(_:)``.
        case journal([ProducerBatch])
        /// Write down under which producer id batches are sent from now on, and in which cluster.
        case identified(ProducerIdentity, clusterID: String)
        /// It is known what became of a journaled batch.
        case resolved(row: Int64, RecoveryOutcome)
        /// A batch that was settled is looked for once more, and has to be made again.
        case unsettled(row: Int64)
        /// The log has a batch that the journal does not know.
        case unjournaled(FetchedBatch, of: TopicPartition, partitionCount: Int32)
        /// More partitions of a topic are looked at, now that it is known which there are.
        case recoveryWidened(topic: String, [TopicPartition])
        /// Nothing of a partition is in doubt any more.
        case recovered(TopicPartition, RecoveryReport)
        /// A partition cannot be recovered, and nothing is sent there; the text says what to do.
        case recoveryStopped(TopicPartition, reason: String)
        case publish(TopicMetadata)
        /// A call about a transaction has ended, with nil if well.
        case completed(TransactionCallID, KafkaProducerError?)
        /// Everything is delivered after ``ProducerStateMachine/close(draining:)``.
        case finished
    }

    enum Phase: Equatable {
        case running, draining, finished
        /// The cluster does not let this producer in.
        case stopped(KafkaProducerError)
    }

    /// A request without an answer.
    struct PendingRequest {
        var broker: BrokerID
        var request: ProducerRequest
        var sentAt: ContinuousClock.Instant
    }

    let configuration: KafkaProducerConfiguration
    var generator: SeededGenerator
    var phase = Phase.running
    var actions = CircularBuffer<Action>()
    var brokers: [BrokerID: Broker] = [:]
    var requests: [RequestID: PendingRequest] = [:]
    var lastRequestID: RequestID = 0
    var metadata: MetadataState
    var producerID: ProducerIDState
    var journal = JournalState()
    var recovery = RecoveryState()
    /// Nil as long as nobody has told the time of day.
    var clock: Clock?
    /// Nil without `transactional.id`.
    var transactions: TransactionStateMachine?
    /// The coordinator that is to be connected to.
    var wantedCoordinator: BrokerID?
    var partitions: [PartitionQueue] = []
    var partitionIndexes: [TopicPartition: Int] = [:]
    /// Partitions with batches of which it has to be found out, or decided, how they go on.
    var troubled: Set<Int> = []
    package internal(set) var statistics = ProducerStatistics()
    package internal(set) var metrics = ProducerMetrics()

    package init(
        configuration: KafkaProducerConfiguration,
        seed: UInt64
    ) throws(KafkaProducerError) {
        try configuration.validate()
        self.configuration = configuration
        self.generator = SeededGenerator(seed: seed)
        let backoff = Backoff(
            base: configuration.retryBackoff,
            limit: configuration.retryBackoffMax
        )
        self.metadata = MetadataState(backoff: backoff)
        self.producerID = ProducerIDState(backoff: backoff)
        self.transactions = Self.makeTransactions(configuration, seed: seed)
        for (number, server) in configuration.bootstrapServers.enumerated() {
            let id = BrokerID(-1 - number)
            self.brokers[id] = self.makeBroker(try BrokerAddress(parsing: server))
        }
    }

    /// Takes sealed batches over, to be sent in this order within each partition.
    package mutating func submit(_ batches: [ProducerBatch], now: ContinuousClock.Instant) {
        for batch in batches {
            self.statistics.batchesQueued += 1
            switch self.phase {
            case .running:
                guard self.admit(batch) else { continue }
                self.noteUse(of: batch.topic, now: now)
                let index = self.partitionIndex(topic: batch.topic, partition: batch.partition)
                self.partitions[index].queue.append(batch)
                self.journal.gatheredBytes += batch.byteCount
                self.list(index, mayGather: true)
            case .stopped(let error): self.deliver(batch, .failed(error))
            case .draining, .finished: self.deliver(batch, .failed(.closed))
            }
        }
    }

    /// Ends the producer: after all batches are acknowledged, or at once with those failed that are not.
    package mutating func close(draining: Bool) {
        if case .finished = self.phase { return }
        self.phase = .draining
        if draining {
            self.transactions?.close()
        } else {
            self.transactions?.stop(.closed)
            self.failAll(.closed)
        }
    }

    /// Drops what waits, and what is in flight if so wished: that may be in the log nevertheless.
    package mutating func purge(inFlight: Bool) {
        for index in self.partitions.indices {
            let partition = self.partitions[index]
            let sent = inFlight ? partition.inFlight : []
            for batch in sent { batch.mayBePersisted = true }
            if inFlight { self.partitions[index].inFlight = [] }
            self.partitions[index].held = []
            self.partitions[index].queue.removeAll()
            for batch in partition.held + sent + Array(partition.queue) {
                self.fail(batch, of: index, .purged)
            }
        }
    }

    /// The next thing to do; to be asked until it is nil.
    package mutating func nextAction(now: ContinuousClock.Instant) -> Action? {
        self.metrics.now = now
        self.expireBatches(now: now)
        self.settleTransactions()
        if let action = self.actions.popFirst() { return action }
        if self.phase == .finished { return nil }
        if let action = self.finishIfDrained() { return action }
        self.settleDoubts(now: now)
        self.rebootstrapIfOverdue(now: now)
        self.closeIdleConnections(now: now)
        return self.actions.popFirst() ?? self.nextRequest(now: now)
            ?? self.nextConnection(now: now)
            ?? self.actions.popFirst()
    }

    /// The next question or batch for a broker, or batches for the journal.
    private mutating func nextRequest(now: ContinuousClock.Instant) -> Action? {
        if let action = self.nextMetadataRequest(now: now) { return action }
        if let action = self.nextProducerIDRequest(now: now) { return action }
        if let action = self.nextTransactionRequest(now: now) { return action }
        if let action = self.nextProofRequest(now: now) { return action }
        if let action = self.nextRecoveryAction(now: now) { return action }
        if let action = self.nextJournalAction(now: now) { return action }
        if let action = self.nextProduceRequest(now: now) { return action }
        return self.nextLimitRequest(now: now)
    }

    /// When to ask again although nothing was told.
    package func nextDeadline(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard self.phase != .finished else { return nil }
        var earliest: ContinuousClock.Instant?
        func consider(_ instant: ContinuousClock.Instant?) {
            guard let instant, instant > now else { return }
            earliest = min(earliest ?? instant, instant)
        }
        consider(self.metadataDeadline)
        consider(self.rebootstrapDeadline)
        consider(self.producerID.notBefore)
        consider(self.journalDeadline)
        consider(self.transactions?.notBefore)
        for broker in self.brokers.values {
            consider(broker.mutedUntil)
            if case .idle = broker.link { consider(broker.notBefore) }
            if case .ready = broker.link {
                consider(broker.usedAt.map { $0 + self.configuration.connectionsMaxIdle })
            }
        }
        self.considerRecoveries(now: now, consider)
        for partition in self.partitions {
            consider(partition.notBefore)
            consider(self.expiry(of: partition))
        }
        return earliest
    }

    /// Whether every batch that was submitted has been delivered or failed.
    package var isDrained: Bool {
        self.partitions.allSatisfy(\.isEmpty)
    }

    private mutating func finishIfDrained() -> Action? {
        guard self.phase == .draining, self.isDrained else { return nil }
        guard !(self.transactions?.isEnding ?? false) else { return nil }
        self.phase = .finished
        for id in self.brokers.keys.sorted() {
            self.disconnect(id, reason: "the producer is closed")
        }
        self.actions.append(.finished)
        return self.actions.popFirst()
    }

    mutating func deliver(_ batch: ProducerBatch, _ result: Delivery.Result) {
        self.statistics.batchesQueued -= 1
        self.withdraw(batch)
        switch result {
        case .acknowledged:
            self.statistics.recordsAcknowledged += Int64(batch.recordCount)
            self.statistics.bytesAcknowledged += Int64(batch.byteCount)
        case .failed(let error):
            self.statistics.recordsFailed += Int64(batch.recordCount)
            self.metrics.failed(batch)
            self.noteFailure(error)
            if !error.isAboutRecords {
                self.statistics.lastError = "\(batch.topic)-\(batch.partition): \(error)"
            }
        }
        let delivery = Delivery(batch: batch, result: result)
        // One answer settles many batches: they travel to their lanes together.
        if case .deliver(var deliveries)? = self.actions.last {
            self.actions.removeLast()
            deliveries.append(delivery)
            self.actions.append(.deliver(deliveries))
        } else {
            self.actions.append(.deliver([delivery]))
        }
    }

    mutating func stop(_ error: KafkaProducerError) {
        // A producer that is being closed ends all the same.
        if self.phase != .draining { self.phase = .stopped(error) }
        self.transactions?.stop(error)
        self.failAll(error)
    }

    private mutating func failAll(_ error: KafkaProducerError) {
        for index in self.partitions.indices {
            // Those in flight too: an answer that still comes finds nothing to settle.
            let partition = self.partitions[index]
            let batches = partition.held + partition.inFlight + Array(partition.queue)
            for batch in partition.inFlight { batch.mayBePersisted = true }
            self.partitions[index].held = []
            self.partitions[index].inFlight = []
            self.partitions[index].queue.removeAll()
            for batch in batches { self.deliver(batch, .failed(error)) }
        }
    }

    private func expiry(of partition: PartitionQueue) -> ContinuousClock.Instant? {
        guard let timeout = self.configuration.deliveryTimeout else { return nil }
        let oldest = partition.held.first ?? partition.queue.first
        return oldest.map { $0.createdAt + timeout }
    }

    private mutating func expireBatches(now: ContinuousClock.Instant) {
        guard self.configuration.deliveryTimeout != nil else { return }
        for index in self.partitions.indices {
            while let expiry = self.expiry(of: self.partitions[index]), expiry <= now {
                let batch =
                    self.partitions[index].held.isEmpty
                    ? self.partitions[index].queue.removeFirst()
                    : self.partitions[index].held.removeFirst()
                self.fail(batch, of: index, .deliveryTimedOut, mayStillArrive: true)
            }
        }
    }

    /// Fails a batch; a sequence that it had is a gap that no later batch can pass.
    ///
    /// No other records get its numbers where a copy of the batch may still reach the log: the
    /// broker would take them for that batch, and acknowledge what it does not have.
    mutating func fail(
        _ batch: ProducerBatch,
        of index: Int,
        _ error: KafkaProducerError,
        mayStillArrive: Bool = false
    ) {
        if batch.isProvenAppended {
            return self.deliver(batch, .acknowledged(baseOffset: -1, timestamp: -1))
        }
        if batch.sequence != nil {
            if batch.mayBePersisted || mayStillArrive && batch.wasSent {
                batch.mayBePersisted = true
                self.partitions[index].isUnresolved = true
            } else {
                self.partitions[index].leaveOut(batch)
            }
            self.troubled.insert(index)
        }
        self.deliver(batch, .failed(error))
    }
}
