internal import KafkaProtocol

/// How partitions are recovered, each by a machine of its own, before anything else is sent there.
///
/// While one recovers, nothing of its partition is numbered. What is submitted waits behind.
extension ProducerStateMachine {
    struct RecoveryState {
        /// By the index of the partition.
        var partitions: [Int: Recovering] = [:]
        /// The cluster that the journal is of; nil where it does not tell.
        var clusterID: String?
        /// Why nothing may be sent: the cluster is another one.
        var refusal: String?
        /// Topics of which every partition is looked at, as soon as it is known how many there are.
        var wholeTopics: Set<String> = []
        var settings = RecoveryStateMachine.Settings()
        var wallClock: Int64 = 0
        var count = 0
        var lastOwnRow: Int64 = 0
    }

    /// The recovery of one partition.
    struct Recovering {
        /// A leader that is connected.
        struct Leader: Equatable {
            var broker: BrokerID
            var epoch: Int32
            var topicID: TopicID
        }

        let number: Int
        var machine: RecoveryStateMachine
        let rows: [Int64: RecoveryBatch]
        /// The batches are this process's own, and wait in the partition's queue meanwhile.
        var isOfOwnBatches = false
        /// The batches that can be sent and are not resolved, by their rows.
        var batches: [Int64: ProducerBatch] = [:]
        /// The leader that the machine knows of.
        var leader: Leader?
        /// Since when the cluster says that there is no such topic.
        var unknownSince: ContinuousClock.Instant?
    }

    // MARK: What is told

    /// Tells what a crash left, before anything is submitted.
    ///
    /// - Parameters:
    ///   - clusterID: the cluster that the batches were sent to; nothing is sent to another one.
    ///   - wholeTopics: topics of which partitions are looked at that `recoveries` do not name, too.
    ///   - wallClock: the time of day now, in milliseconds since 1970.
    package mutating func recover(
        _ recoveries: [PartitionRecovery],
        clusterID: String?,
        wholeTopics: Set<String> = [],
        settings: RecoveryStateMachine.Settings = .init(),
        wallClock: Int64,
        now: ContinuousClock.Instant
    ) {
        self.recovery.clusterID = clusterID
        self.recovery.settings = settings
        self.recovery.wallClock = wallClock
        self.recovery.wholeTopics = wholeTopics
        for topic in wholeTopics { self.noteUse(of: topic, now: now) }
        for recovery in recoveries { self.begin(recovery, now: now) }
    }

    mutating func begin(_ recovery: PartitionRecovery, now: ContinuousClock.Instant) {
        self.noteUse(of: recovery.id.topic, now: now)
        let index = self.partitionIndex(
            topic: recovery.id.topic,
            partition: recovery.id.partition
        )
        let machine = RecoveryStateMachine(
            rows: recovery.rows,
            acknowledged: recovery.acknowledged,
            settings: self.recovery.settings,
            wallClock: self.recovery.wallClock,
            seed: self.generator.next(),
            now: now
        )
        self.recovery.count += 1
        self.recovery.partitions[index] = Recovering(
            number: self.recovery.count,
            machine: machine,
            rows: Dictionary(recovery.rows.map { ($0.id, $0) }) { first, _ in first }
        )
    }

    /// Hands over a batch of a row's records, to be sent under the numbers of the row.
    package mutating func remade(
        _ batch: ProducerBatch,
        row id: Int64,
        now: ContinuousClock.Instant
    ) {
        guard let index = self.recoveringPartition(of: id),
            let recovering = self.recovery.partitions[index],
            let row = recovering.rows[id]
        else { return batch.release() }
        guard batch.recordCount == Int(row.recordCount) else {
            batch.release()
            return self.cannotRemake(row: id, now: now)
        }
        batch.recoveryRow = id
        batch.assign(row.identity, sequence: row.baseSequence)
        self.recovery.partitions[index]?.batches[id] = batch
        self.recovery.partitions[index]?.machine.made(row: id)
    }

    /// Tells that a row's records are not all there any more.
    package mutating func cannotRemake(row id: Int64, now: ContinuousClock.Instant) {
        guard let index = self.recoveringPartition(of: id) else { return }
        self.recovery.partitions[index]?.machine.cannotMake(row: id, now: now)
    }

    func recoveringPartition(of row: Int64) -> Int? {
        self.recovery.partitions.first { $0.value.rows[row] != nil }?.key
    }

    /// How a partition's recovery stands; nil for one that has none.
    package func recoveryStatus(of id: TopicPartition) -> RecoveryStatus? {
        self.partitionIndexes[id].flatMap { self.recovery.partitions[$0]?.machine.status }
    }

    /// Whether nothing of a partition may be numbered or sent.
    func isHeldBack(_ index: Int) -> Bool {
        self.recovery.partitions[index] != nil || self.recovery.refusal != nil
    }

    /// Stops everything if this is not the cluster of the journal: its numbers mean nothing here.
    mutating func checkCluster(_ clusterID: String?) {
        guard let expected = self.recovery.clusterID, !expected.isEmpty,
            let clusterID, clusterID != expected, self.recovery.refusal == nil
        else { return }
        let reason = """
            bootstrap.servers lead to cluster \(clusterID), and what was sent before went to cluster \
            \(expected): correct bootstrap.servers, or begin with another state directory
            """
        self.recovery.refusal = reason
        self.statistics.lastError = reason
        self.statistics.refusal = reason
        for index in self.recovery.partitions.keys.sorted() {
            self.actions.append(.recoveryStopped(self.partitions[index].id, reason: reason))
        }
    }

    // MARK: What is next

    mutating func nextRecoveryAction(now: ContinuousClock.Instant) -> Action? {
        guard !self.recovery.partitions.isEmpty, self.recovery.refusal == nil,
            self.phase == .running || self.phase == .draining
        else { return nil }
        for index in self.recovery.partitions.keys.sorted() {
            self.tellLeader(of: index, now: now)
            if let action = self.nextRecoveryAction(of: index, now: now) { return action }
        }
        return nil
    }

    /// Tells a partition's recovery of its leader: as long as it is not connected there is none.
    private mutating func tellLeader(of index: Int, now: ContinuousClock.Instant) {
        guard let known = self.recovery.partitions[index]?.leader else {
            guard let leader = self.connectedLeader(of: index) else { return }
            return self.tell(leader, of: index, now: now)
        }
        let leader = self.connectedLeader(of: index)
        guard leader != known else { return }
        if leader?.topicID != known.topicID { self.tell(nil, of: index, now: now) }
        self.tell(leader, of: index, now: now)
    }

    private mutating func tell(
        _ leader: Recovering.Leader?,
        of index: Int,
        now: ContinuousClock.Instant
    ) {
        self.recovery.partitions[index]?.leader = leader
        self.recovery.partitions[index]?.machine.leaderChanged(
            epoch: leader?.epoch,
            topicID: leader?.topicID ?? .zero,
            now: now
        )
    }

    private func connectedLeader(of index: Int) -> Recovering.Leader? {
        let partition = self.partitions[index]
        // Below zero nobody is known to lead: it is the number of a bootstrap server.
        guard partition.leader >= 0, self.brokers[partition.leader]?.link == .ready else {
            return nil
        }
        return Recovering.Leader(
            broker: partition.leader,
            epoch: partition.leaderEpoch,
            topicID: self.topicID(of: index)
        )
    }

    private mutating func nextRecoveryAction(
        of index: Int,
        now: ContinuousClock.Instant
    ) -> Action? {
        let id = self.partitions[index].id
        let broker = self.brokers[self.partitions[index].leader]
        let limit = self.configuration.maxInFlightRequests
        guard (broker?.mutedUntil ?? now) <= now, broker?.requestsInFlight ?? 0 < limit,
            let action = self.recovery.partitions[index]?.machine.nextAction(now: now)
        else { return nil }
        switch action {
        case .ask(let question, let number): return self.ask(question, number, of: index, now: now)
        case .send(let row): return self.send(row: row, of: index, now: now)
        case .resolved(let row, let outcome):
            return self.resolved(row: row, of: index, outcome, now: now)
        case .unsettled(let row): return .unsettled(row: row)
        case .unjournaled(let batch):
            let partitions = self.metadata.topics[id.topic]?.published?.partitions
            return .unjournaled(batch, of: id, partitionCount: Int32(partitions?.count ?? 0))
        case .stop(let reason):
            self.statistics.lastError = "\(id): \(reason)"
            return self.stopped(index, reason, now: now)
        case .done(let successor): return self.recovered(index, successor)
        }
    }

    private mutating func ask(
        _ question: RecoveryQuestion,
        _ number: RecoveryQuestionID,
        of index: Int,
        now: ContinuousClock.Instant
    ) -> Action? {
        guard let recovering = self.recovery.partitions[index], let leader = recovering.leader
        else {
            preconditionFailure("a recovery asks a leader that it was not told of")
        }
        let request = RecoveryRequest(
            id: self.partitions[index].id,
            topicID: leader.topicID,
            leaderEpoch: leader.epoch,
            question: question,
            number: number,
            recovery: recovering.number
        )
        return self.send(.recovery(request), to: leader.broker, now: now)
    }

    private mutating func send(
        row: Int64,
        of index: Int,
        now: ContinuousClock.Instant
    ) -> Action? {
        guard let recovering = self.recovery.partitions[index], let leader = recovering.leader,
            let batch = recovering.batches[row]
        else { preconditionFailure("a recovery sends a batch that it was not told of") }
        batch.attempts += 1
        batch.wasSent = true
        batch.topicID = leader.topicID
        self.brokers[leader.broker]?.requestsInFlight += 1
        self.noteSending([batch], now: now)
        return self.send(.produce([batch]), to: leader.broker, now: now)
    }

    /// Goes on with what waits, under other numbers than were in doubt.
    private mutating func recovered(_ index: Int, _ successor: ProducerIdentity?) -> Action? {
        guard let recovering = self.recovery.partitions.removeValue(forKey: index) else {
            return nil
        }
        if recovering.isOfOwnBatches {
            self.verified(index, successor, recovering.machine.report)
            return self.actions.popFirst()
        }
        for batch in recovering.batches.values { batch.release() }
        self.partitions[index].begin(under: successor)
        self.list(index)
        return .recovered(self.partitions[index].id, recovering.machine.report)
    }

    private mutating func resolved(
        row: Int64,
        of index: Int,
        _ outcome: RecoveryOutcome,
        now: ContinuousClock.Instant
    ) -> Action? {
        let batch = self.recovery.partitions[index]?.batches.removeValue(forKey: row)
        guard self.recovery.partitions[index]?.isOfOwnBatches ?? false else {
            batch?.release()
            return .resolved(row: row, outcome)
        }
        if let batch { self.resolved(batch, of: index, outcome) }
        return self.actions.popFirst() ?? self.nextRecoveryAction(of: index, now: now)
    }

    private mutating func stopped(
        _ index: Int,
        _ reason: String,
        now: ContinuousClock.Instant
    ) -> Action? {
        let isOfOwnBatches = self.recovery.partitions[index]?.isOfOwnBatches ?? false
        guard isOfOwnBatches, !self.configuration.isJournaled else {
            return .recoveryStopped(self.partitions[index].id, reason: reason)
        }
        // Without a journal no more was promised than that it is counted.
        self.recovery.partitions[index] = nil
        self.partitions[index].lastAcknowledged = nil
        for batch in self.partitions[index].queue { batch.recoveryRow = nil }
        self.settleDoubts(now: now)
        return self.actions.popFirst()
    }

    // MARK: What is answered

    mutating func received(
        _ answer: RecoveryAnswer,
        to request: RecoveryRequest,
        now: ContinuousClock.Instant
    ) {
        guard let index = self.partitionIndexes[request.id],
            self.recovery.partitions[index]?.number == request.recovery
        else { return }
        if case .failed(let error?) = answer, ProduceErrorDisposition(error).refreshesMetadata {
            self.refresh(request.id.topic)
        }
        self.recovery.partitions[index]?.machine.received(answer, to: request.number, now: now)
    }

    /// Takes what became of an attempt to send a row's batch; nil stands for no answer.
    mutating func received(
        _ answer: ProduceAnswer.Partition?,
        for batch: ProducerBatch,
        row: Int64,
        now: ContinuousClock.Instant
    ) {
        guard let index = self.recoveringPartition(of: row) else { return }
        let outcome = self.outcome(of: answer, of: index)
        self.recovery.partitions[index]?.machine.sent(row: row, outcome, now: now)
    }

    private mutating func outcome(
        of answer: ProduceAnswer.Partition?,
        of index: Int
    ) -> RecoverySending {
        guard let answer else { return .failed(nil) }
        let disposition = ProduceErrorDisposition(answer.error)
        if disposition.action != .acknowledge {
            self.statistics.lastError = "\(self.partitions[index].id): \(answer.error)"
        }
        if disposition.refreshesMetadata { self.findLeader(of: index, answer.currentLeader) }
        switch disposition.action {
        case .acknowledge:
            self.statistics.lastError = nil
            return .acknowledged(baseOffset: answer.baseOffset)
        case .retry, .retryFewTimes, .retrySlowly, .renegotiate: return .failed(answer.error)
        default: return .refused(answer.error)
        }
    }

    // MARK: When

    /// The leaders that recoveries wait for.
    var recoveryLeaders: [BrokerID] {
        guard self.recovery.refusal == nil else { return [] }
        return self.recovery.partitions.keys.map { self.partitions[$0].leader }.sorted()
    }

    func considerRecoveries(
        now: ContinuousClock.Instant,
        _ consider: (ContinuousClock.Instant?) -> Void
    ) {
        for recovering in self.recovery.partitions.values {
            consider(recovering.machine.nextDeadline(now: now))
        }
    }
}

extension PartitionQueue {
    /// Begins with another identity, or with one that is still to be given.
    mutating func begin(under identity: ProducerIdentity?) {
        precondition(self.inFlight.isEmpty, "an identity was changed with batches in flight")
        self.identity = identity
        self.nextSequence = 0
        self.isLeaderProven = false
    }
}
