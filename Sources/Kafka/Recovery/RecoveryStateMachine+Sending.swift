internal import KafkaProtocol

/// What is sent, once it is known what is missing.
extension RecoveryStateMachine {
    /// Goes on with the oldest missing batch, or with what only some replicas may have.
    mutating func goOn(now: Instant) {
        if let index = self.rows.firstIndex(where: { $0.fate == .absent }) {
            self.goOn(withMissing: index, now: now)
        } else if let first = self.rows.first(where: { $0.fate == .remembered }) {
            let last = self.rows.lastIndex {
                $0.fate == .remembered && $0.batch.identity == first.batch.identity
            }
            if let last { self.makeDurable(last, now: now) }
        } else {
            self.finish()
        }
    }

    private mutating func goOn(withMissing index: Int, now: Instant) {
        let isUsable = self.isUsable(index)
        // What is stamped with an old time is forgotten soon after it was appended; and numbers
        // that are given up keep nothing out. A late request would then be appended once more.
        let isProtected = isUsable && self.isFresh(self.rows[index].batch.maxTimestamp, now: now)
        guard isProtected || self.evidenceFrom >= self.quietFrom else {
            return self.state = .waiting
        }
        guard !isUsable else { return self.state = .sending(index, isOut: false) }
        self.giveUp(index)
        self.goOn(now: now)
    }

    /// Whether a missing batch can be sent under its numbers, and in its place.
    private func isUsable(_ index: Int) -> Bool {
        let row = self.rows[index]
        guard !self.hasGivenUp, !row.isRefused, row.remake != .impossible else { return false }
        guard let head = self.memory[row.batch.producerID], head.lastSequence >= 0 else {
            return true
        }
        if head.epoch != Int32(row.batch.epoch) {
            return head.epoch < Int32(row.batch.epoch) && row.batch.baseSequence == 0
        }
        return RecordSequence.advance(head.lastSequence, by: 1) == row.batch.baseSequence
    }

    /// Gives the numbers of a missing batch up; those behind it would be out of sequence, or order.
    private mutating func giveUp(_ index: Int) {
        let id = self.rows[index].batch.producerID
        // The rows of an epoch that was used since may be gone.
        let epoch = max(self.newestEpoch(of: id), self.memory[id]?.epoch ?? -1)
        self.hasGivenUp = true
        self.successor = ProducerIdentity(id: id, epoch: Int16(clamping: epoch)).next
        self.isAbsent(index)
    }

    /// Has the leader acknowledge a batch that it remembers, or reads that all replicas have it.
    private mutating func makeDurable(_ index: Int, now: Instant) {
        let row = self.rows[index]
        let remembered = self.memory[row.batch.producerID]
        // One that is about to be forgotten would be appended once more.
        let isStable = self.isFresh(remembered?.lastTimestamp ?? .min, now: now)
        let isLast = remembered?.lastSequence == row.batch.lastSequence
        if isStable, isLast, !row.isRefused, row.remake != .impossible {
            self.state = .sending(index, isOut: false)
        } else {
            self.state = .findingStart
        }
    }

    // MARK: What became of it

    /// Tells what became of an attempt to send a batch.
    package mutating func sent(row id: Int64, _ outcome: RecoverySending, now: Instant) {
        switch self.state {
        case .sending(let index, isOut: true) where self.rows[index].batch.id == id:
            self.sent(index, outcome, now: now)
        case .trying(let index, isOut: true) where self.rows[index].batch.id == id:
            self.tried(index, outcome, now: now)
        default: return
        }
    }

    private mutating func sent(_ index: Int, _ outcome: RecoverySending, now: Instant) {
        // The topic became another one in the meantime.
        guard self.isOpen(index) else { return self.begin(now: now) }
        switch outcome {
        case .acknowledged(let baseOffset):
            self.proceed()
            self.acknowledged(index, at: baseOffset, now: now)
        case .failed:
            self.lastUnanswered = now
            self.retry(now: now)
        case .refused(let error): self.refused(index, error, now: now)
        }
    }

    private mutating func acknowledged(_ index: Int, at baseOffset: Int64, now: Instant) {
        let batch = self.rows[index].batch
        let wasAbsent = self.rows[index].fate == .absent
        self.memory[batch.producerID] = ProducersAnswer.Producer(
            producerID: batch.producerID,
            epoch: Int32(batch.epoch),
            lastSequence: batch.lastSequence,
            lastTimestamp: batch.maxTimestamp
        )
        self.rows[index].isSent = self.rows[index].isSent || wasAbsent
        self.rows[index].fate = .remembered
        let offset = baseOffset >= 0 ? baseOffset : nil
        let isAlone = !self.rows.indices.contains {
            $0 != index && self.rows[$0].fate == .remembered
        }
        if isAlone { self.isAppended(index, at: offset) }
        if self.hasMoved {
            // Whoever appended it may never have had those before it.
            self.mustRead = self.mustRead || !isAlone
            self.begin(now: now)
        } else if isAlone {
            self.goOn(now: now)
        } else {
            let sent = Sent(index: index, offset: offset, wasAbsent: wasAbsent)
            self.state = .confirming(sent)
        }
    }

    /// The leader that appended a batch is the one that remembered those before it: what lies before
    /// it in the log is on all replicas as well.
    mutating func confirmed(_ sent: Sent, now: Instant) {
        self.proceed()
        let identity = self.rows[sent.index].batch.identity
        for other in self.rows.indices where self.rows[other].fate == .remembered {
            guard sent.wasAbsent || self.rows[other].batch.identity == identity else { continue }
            if other != sent.index { self.isAppended(other, at: nil) }
        }
        // It comes last: by what was acknowledged it is known how far the journal goes.
        self.isAppended(sent.index, at: sent.offset)
        self.goOn(now: now)
    }

    private mutating func refused(_ index: Int, _ error: KafkaError, now: Instant) {
        if self.rows[index].fate == .remembered {
            // Sizes and contents are looked at before duplicates are.
            self.rows[index].isRefused = true
            self.mustRead = true
            return self.begin(now: now)
        }
        self.rows[index].refusals += 1
        let isAboutNumbers =
            error == .outOfOrderSequenceNumber || error == .invalidProducerEpoch
            || error == .unknownProducerID
        if isAboutNumbers, self.rows[index].refusals == 1 {
            // It is not as it was when the leader was asked.
            self.mustRead = true
            self.retry(now: now)
        } else {
            self.rows[index].isRefused = true
            if self.hasMoved { self.begin(now: now) } else { self.goOn(now: now) }
        }
    }
}
