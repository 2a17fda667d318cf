internal import KafkaProtocol

/// What follows from what the leader remembers of the producer ids.
extension RecoveryStateMachine {
    private enum Judgement {
        case fate(Fate)
        /// Only the log can tell.
        case unclear
        case contradiction(String)
    }

    /// Settles what was acknowledged, though its row does not say so yet.
    mutating func resolveAcknowledged() {
        guard let acknowledged, acknowledged.sequence >= 0 else { return }
        for index in self.rows.indices where self.rows[index].fate == .unknown {
            let batch = self.rows[index].batch
            let distance = RecordSequence.distance(
                from: batch.lastSequence,
                to: acknowledged.sequence
            )
            guard batch.identity == acknowledged.identity, batch.topicID == acknowledged.topicID,
                distance >= 0
            else { continue }
            self.isAppended(index, at: nil)
        }
    }

    /// Leaves out what was for another topic of the same name: it never was in this one.
    mutating func leaveOut(otherThan topicID: TopicID) {
        func isOther(_ id: TopicID) -> Bool { id != topicID && id != .zero && topicID != .zero }
        if let acknowledged, isOther(acknowledged.topicID) { self.acknowledged = nil }
        for index in self.rows.indices where isOther(self.rows[index].batch.topicID) {
            guard self.isOpen(index) else {
                // It was lost with its topic.
                self.rows[index].fate = .resolved
                continue
            }
            // What comes behind it goes behind it.
            self.hasGivenUp = true
            self.isAbsent(index)
        }
    }

    /// Decides about each batch by what the leader remembers.
    mutating func judge(now: Instant) {
        self.proceed()
        if let reason = self.fencing { return self.stop(reason) }
        self.noteLosses()
        self.mustRead = self.mustRead || self.isJournalBehind
        for index in self.rows.indices where self.isOpen(index) {
            switch self.judgement(of: self.rows[index].batch, now: now) {
            case .fate(let fate): self.rows[index].fate = fate
            case .unclear: self.mustRead = true
            case .contradiction(let reason): return self.stop(reason)
            }
        }
        if self.mustRead {
            self.state = .findingStart
        } else {
            self.goOn(now: now)
        }
    }

    private func judgement(of batch: RecoveryBatch, now: Instant) -> Judgement {
        guard let remembered = self.memory[batch.producerID] else {
            // It would be remembered, had it been appended, unless it is old enough to be forgotten.
            let isForgotten = self.knownIDs.contains(batch.producerID)
            return isForgotten || !self.areFresh(batchesOf: batch.producerID, now: now)
                ? .unclear : .fate(.absent)
        }
        let epoch = Int32(batch.epoch)
        guard remembered.epoch == epoch, remembered.lastSequence >= 0 else {
            return remembered.epoch < epoch ? .fate(.absent) : .unclear
        }
        let distance = RecordSequence.distance(
            from: batch.baseSequence,
            to: remembered.lastSequence
        )
        if distance < 0 { return .fate(.absent) }
        if distance >= batch.recordCount - 1 { return .fate(.remembered) }
        // It may have been split since the journal's last commit.
        if self.settings.findsUnjournaled { return .unclear }
        return .contradiction(Self.otherBoundaries(batch))
    }

    static func otherBoundaries(_ batch: RecoveryBatch) -> String {
        """
        a batch of producer id \(batch.producerID) ends inside the journal's batch of sequence \
        \(batch.baseSequence): another copy of this state directory was in use. Go on with the copy \
        that was used last, or with an empty state directory
        """
    }

    /// Whether a broker still remembers whatever of these batches was appended.
    private func areFresh(batchesOf producerID: Int64, now: Instant) -> Bool {
        let open = self.rows.indices.filter { self.isOpen($0) }.map { self.rows[$0].batch }
        let oldest = open.filter { $0.producerID == producerID }.map(\.age).min()
        return self.isFresh(oldest ?? .min, now: now)
    }

    /// Whether no broker has forgotten what is stamped with this time.
    func isFresh(_ milliseconds: Int64, now: Instant) -> Bool {
        let memory = Int64(self.settings.memory / .milliseconds(1))
        return milliseconds >= self.wallClock(at: now) - memory
    }

    /// What is to be said where somebody else has raised the epoch.
    private var fencing: String? {
        // The original may have gone on under later epochs.
        if self.settings.original != nil { return nil }
        for id in self.lastIDs {
            guard let remembered = self.memory[id],
                remembered.epoch > self.newestEpoch(of: id)
            else { continue }
            return """
                producer id \(id) was used under epoch \(remembered.epoch), which this journal does \
                not know: another copy of this state directory was in use. Go on with the copy that \
                was used last, or with an empty state directory
                """
        }
        return nil
    }

    /// The producer ids that were used last, of which the journal knows every epoch.
    ///
    /// Of an id that others have followed only the rows tell, and those of its last epoch may be gone
    /// while earlier ones wait for a file.
    private var lastIDs: Set<Int64> {
        let inFlight = self.rows.map(\.batch).filter { $0.settledOffset == nil }
        var ids = Set(inFlight.map(\.producerID))
        if let acknowledged { ids.insert(acknowledged.producerID) }
        return ids
    }

    func newestEpoch(of producerID: Int64) -> Int32 {
        var epochs = self.rows.map(\.batch).filter { $0.producerID == producerID }.map(\.epoch)
        if let acknowledged, acknowledged.producerID == producerID {
            epochs.append(acknowledged.epoch)
        }
        return epochs.max().map(Int32.init) ?? -1
    }

    /// Takes note of records that were acknowledged and are gone.
    private mutating func noteLosses() {
        guard let acknowledged, acknowledged.sequence >= 0,
            let remembered = self.memory[acknowledged.producerID]
        else { return }
        let epoch = Int32(acknowledged.epoch)
        let distance =
            remembered.epoch == epoch && remembered.lastSequence >= 0
            ? RecordSequence.distance(from: remembered.lastSequence, to: acknowledged.sequence) : 0
        guard distance > 0 || remembered.epoch < epoch else { return }
        self.lost(max(1, Int64(distance)))
    }

    /// The broker lost what it had acknowledged: batches that were settled are looked for as well.
    mutating func lost(_ count: Int64) {
        guard self.report.lostRecords == 0 else { return }
        self.report.lostRecords = count
        self.mustRead = true
        self.unreadFrom = nil
        for index in self.rows.indices where self.rows[index].fate == .settled {
            self.rows[index].fate = .unknown
            self.actions.append(.unsettled(row: self.rows[index].batch.id))
        }
    }

    /// Whether the leader remembers more than the journal knows.
    private var isJournalBehind: Bool {
        if self.settings.original != nil, self.unreadFrom == nil { return true }
        return self.producerIDs.contains { id in
            guard let remembered = self.memory[id], remembered.lastSequence >= 0 else {
                return self.settings.findsUnjournaled && self.unreadFrom == nil
            }
            return self.isBeyondJournal(
                ProducerIdentity(id: id, epoch: Int16(clamping: remembered.epoch)),
                sequence: remembered.lastSequence
            )
        }
    }

    /// Whether a sequence of one of our identities lies behind all that the journal knows.
    func isBeyondJournal(_ identity: ProducerIdentity, sequence: Int32) -> Bool {
        var known = self.rows.map(\.batch).filter { $0.identity == identity }.map(\.lastSequence)
        if let acknowledged, acknowledged.identity == identity {
            // Of an identity of which nothing was written down, everything is news.
            if acknowledged.sequence < 0 { return known.isEmpty || self.isLater(sequence, known) }
            known.append(acknowledged.sequence)
        }
        if known.isEmpty { return self.settings.original != nil }
        return !self.isFollowed(identity) && self.isLater(sequence, known)
    }

    /// Whether another identity was used later, by a journal that is whole as far as is known.
    ///
    /// Whatever came of the former was written down before: a batch of it without a row is one that
    /// was acknowledged, and that the checkpoints have passed.
    private func isFollowed(_ identity: ProducerIdentity) -> Bool {
        guard !self.settings.findsUnjournaled, let acknowledged else { return false }
        return acknowledged.producerID != identity.id || acknowledged.epoch > identity.epoch
    }

    private func isLater(_ sequence: Int32, _ known: [Int32]) -> Bool {
        known.allSatisfy { RecordSequence.distance(from: $0, to: sequence) > 0 }
    }

    // MARK: Outcomes

    mutating func isAppended(_ index: Int, at baseOffset: Int64?) {
        let batch = self.rows[index].batch
        self.rows[index].fate = .resolved
        self.knownIDs.insert(batch.producerID)
        if self.rows[index].isSent {
            self.report.sentBatches += 1
            self.report.sentRecords += Int64(batch.recordCount)
        } else {
            self.report.foundBatches += 1
            self.report.foundRecords += Int64(batch.recordCount)
        }
        self.actions.append(.resolved(row: batch.id, .appended(baseOffset: baseOffset)))
    }

    mutating func isAbsent(_ index: Int) {
        let batch = self.rows[index].batch
        self.rows[index].fate = .resolved
        self.report.absentBatches += 1
        self.report.absentRecords += Int64(batch.recordCount)
        self.actions.append(.resolved(row: batch.id, .absent))
    }
}
