internal import KafkaProtocol

/// What is known of batches that were sent and neither acknowledged nor refused for good.
///
/// A broker answers 45 to a batch that does not follow the last one it knows of. After lost answers
/// and a restart, which leaves it with the last batch only, these can be batches that it has. To
/// send them under other numbers would repeat them; so it is asked first what it has.
extension PartitionQueue {
    enum Proof: Equatable {
        case unneeded
        /// The leader is to be asked what it remembers, once nothing is in flight.
        case wanted
        case asked
        /// The batches that are held are in the log.
        case given
        /// The leader does not tell: each batch is tried in its turn.
        case unobtainable
    }

    enum Renewal: Equatable {
        /// The next epoch of the same producer id, whose sequences begin at 0 (KIP-98). The broker
        /// then refuses what is still on its way under the former one.
        case nextEpoch(absenceProven: Bool)
        /// Another producer id: this one is not known, or somebody else has it.
        case freshID
    }

    /// What a leader remembers of a producer id.
    struct Remembered: Equatable {
        var epoch: Int32
        var lastSequence: Int32
    }

    var isTroubled: Bool {
        self.renewal != nil || self.gap != nil || self.isUnresolved || !self.held.isEmpty
            || self.proof != .unneeded
    }

    /// Whether the batch at the head may be sent, as far as its numbers go.
    var headMayGo: Bool {
        guard self.renewal == nil, self.proof != .wanted, self.proof != .asked else { return false }
        guard let ordinal = self.queue.first?.ordinal else { return !self.isTroubled }
        return ordinal < (self.gap ?? .max)
    }

    /// Whether a batch has no number yet, or one behind a batch that is certainly not in the log.
    func isBeyondGap(_ batch: ProducerBatch) -> Bool {
        (batch.ordinal ?? .max) >= (self.gap ?? .max)
    }

    // MARK: What happens

    /// Takes a batch out that is certainly not in the log.
    mutating func leaveOut(_ batch: ProducerBatch) {
        guard let ordinal = batch.ordinal, let sequence = batch.sequence else { return }
        self.leaveOut(from: ordinal, to: ordinal + Int64(batch.recordCount), sequence)
    }

    /// Takes records out that are certainly not in the log, and whose numbers are these.
    mutating func leaveOut(from ordinal: Int64, to end: Int64, _ sequence: Int32) {
        guard end == self.nextOrdinal else {
            return self.gap = min(self.gap ?? .max, ordinal)
        }
        // Nothing was numbered behind them: the next batch takes their place.
        self.nextOrdinal = ordinal
        self.nextSequence = sequence
    }

    /// Has the leader asked what it remembers; until then nothing is sent.
    mutating func wantProof() {
        let held = self.held
        self.held = []
        for batch in held { self.requeue(batch) }
        self.proof = .wanted
    }

    /// The leader does not tell; what was asked about is tried in its turn.
    mutating func proofIsUnobtainable() {
        self.proof = .unobtainable
        self.unansweredProofs = 0
    }

    /// Decides about the oldest batch, which the broker says does not follow what it knows.
    mutating func isOutOfSequence(_ batch: ProducerBatch) {
        switch (batch.mayBePersisted, self.proof) {
        case (true, .unobtainable): self.held.append(batch)
        case (true, _), (_, .given):
            self.requeue(batch)
            self.wantProof()
        case (false, _):
            // No attempt got this one into the log, so none of those behind it either.
            self.requeue(batch)
            self.renewal = .nextEpoch(absenceProven: self.held.isEmpty)
        }
    }

    /// How long a leader remembers a producer id at least: Kafka's default is a day.
    private static let memory = Duration.seconds(3600)

    /// Takes what the leader remembers of this producer id; returns whether it has lost records.
    mutating func proven(by remembered: Remembered?, now: ContinuousClock.Instant) -> Bool {
        self.proof = .unneeded
        self.unansweredProofs = 0
        guard let identity, let head = self.queue.first, let first = head.ordinal,
            let sequence = head.sequence
        else { return false }
        guard let remembered else {
            guard sequence == 0, now - head.createdAt < Self.memory else {
                // It was known, and is forgotten: nothing tells what is in the log.
                self.renewal = .nextEpoch(absenceProven: false)
                return false
            }
            // Nothing has come of this identity yet. It keeps its numbers, for an attempt that is
            // still on its way may come before the next one.
            self.isAbsent()
            return false
        }
        guard remembered.epoch <= Int32(identity.epoch) else {
            self.renewal = .freshID
            return false
        }
        let isOlder = remembered.epoch < Int32(identity.epoch)
        if isOlder, sequence == 0 {
            self.isAbsent()
            return false
        }
        let distance = RecordSequence.distance(from: sequence, to: remembered.lastSequence)
        let last = first + Int64(distance)
        guard !isOlder, last >= first - 1 else {
            // Also the batch before the oldest is missing, so nothing behind it was taken.
            self.renewal = .nextEpoch(absenceProven: true)
            return true
        }
        self.hold(through: last)
        return false
    }

    /// Holds the batches that end at or before a record that is in the log; the others are not there.
    private mutating func hold(through last: Int64) {
        while let batch = self.queue.first, let ordinal = batch.ordinal,
            ordinal + Int64(batch.recordCount) - 1 <= last
        {
            batch.isProvenAppended = true
            self.held.append(self.queue.removeFirst())
        }
        self.isAbsent()
        if !self.held.isEmpty { self.proof = .given }
    }

    /// No attempt to send the batches in the queue got them into the log.
    private func isAbsent() {
        for batch in self.queue where batch.sequence != nil { batch.mayBePersisted = false }
    }

    /// Goes on where only waiting for what was in flight held it up.
    mutating func decide() {
        guard self.inFlight.isEmpty, self.renewal == nil else { return }
        guard self.proof != .wanted, self.proof != .asked else { return }
        // Batches with numbers that may still be sent will tell more.
        guard self.queue.first.map(self.isBeyondGap) ?? true else { return }
        if let last = self.held.last {
            guard self.proof == .given else {
                self.renewal = .nextEpoch(absenceProven: false)
                return
            }
            // The last batch is the one that any broker remembers: it is acknowledged again, and
            // by that all before it are known to be on all replicas.
            self.held.removeLast()
            self.requeue(last)
        } else if self.gap != nil || self.isUnresolved {
            self.renewal = .nextEpoch(absenceProven: true)
        } else {
            self.proof = .unneeded
        }
    }

    /// Notes an acknowledgement; returns the batches that it settles as well, oldest first.
    mutating func acknowledged(_ batch: ProducerBatch) -> [ProducerBatch] {
        self.isUnresolved = false
        let ordinal = batch.ordinal ?? 0
        let settled = self.held.filter { ($0.ordinal ?? 0) < ordinal }
        self.held.removeAll { ($0.ordinal ?? 0) < ordinal }
        if self.held.isEmpty, self.proof != .wanted, self.proof != .asked { self.proof = .unneeded }
        return settled
    }

    /// Begins anew under another identity; returns how many records may now come twice.
    ///
    /// Only while nothing is in flight, or a broker could append the same batch under both.
    mutating func adopt(_ identity: ProducerIdentity, absenceProven: Bool) -> Int64 {
        precondition(self.inFlight.isEmpty, "an identity was changed with batches in flight")
        let held = self.held
        self.held = []
        for batch in held { self.requeue(batch) }
        var duplicates: Int64 = 0
        for batch in self.queue where batch.ordinal != nil {
            if batch.mayBePersisted, !absenceProven { duplicates += Int64(batch.recordCount) }
            batch.forgetNumber()
        }
        self.identity = identity
        self.nextSequence = 0
        self.isLeaderProven = false
        self.renewal = nil
        self.proof = .unneeded
        self.gap = nil
        self.isUnresolved = false
        return duplicates
    }
}
