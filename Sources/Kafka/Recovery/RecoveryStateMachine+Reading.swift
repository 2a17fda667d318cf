internal import KafkaProtocol

/// What follows from the batches that are in the log.
extension RecoveryStateMachine {
    struct Reading: Sendable, Equatable {
        /// The offset that is read next, and the end of the log when reading began.
        var next: Int64
        var end: Int64
    }

    // MARK: Where to read

    /// Takes the log's beginning; reading begins there or behind what was acknowledged.
    mutating func found(start: Int64) {
        self.proceed()
        let from = self.unreadFrom ?? self.firstOffset
        if from < start { self.doubt(from..<start) }
        self.unreadFrom = max(from, start)
        self.state = .findingEnd
    }

    /// Where our batches may begin; with no offset of ours, what was deleted may have had them.
    private var firstOffset: Int64 {
        if self.readsAll { return 0 }
        let open = self.rows.indices.filter { self.isOpen($0) }
        let settled = open.compactMap { self.rows[$0].batch.settledOffset }.min()
        // It may have been settled without an offset.
        return settled.map { max(0, $0) } ?? self.acknowledged.map { $0.offset + 1 } ?? 0
    }

    /// Takes the log's end; all that is there now is to be read, as soon as all replicas have it.
    mutating func found(end: Int64, now: Instant) {
        self.proceed()
        let next = self.unreadFrom ?? 0
        guard next <= end else {
            // The log is shorter than what was acknowledged: whatever we look for may be anywhere.
            self.lost(next - end)
            self.readsAll = true
            self.unreadFrom = nil
            return self.state = .findingStart
        }
        self.state = .reading(Reading(next: next, end: end))
        if next == end { self.finishReading(now: now) }
    }

    // MARK: What is read

    mutating func read(_ fetched: FetchedBatches, _ reading: Reading, now: Instant) {
        var reading = reading
        for batch in fetched.batches where batch.lastOffset >= reading.next {
            if batch.baseOffset > reading.next { self.doubt(reading.next..<batch.baseOffset) }
            reading.next = batch.lastOffset + 1
            if let reason = self.take(batch) { return self.stop(reason) }
        }
        guard reading != self.currentReading else {
            // Not all replicas have the rest.
            return self.wait(now: now)
        }
        self.proceed()
        self.unreadFrom = reading.next
        self.state = .reading(reading)
        if reading.next >= reading.end { self.finishReading(now: now) }
    }

    private var currentReading: Reading? {
        if case .reading(let reading) = self.state { reading } else { nil }
    }

    /// Takes a batch from the log; returns why it cannot go on with it.
    private mutating func take(_ fetched: FetchedBatch) -> String? {
        guard self.isOurs(fetched) else { return nil }
        let identity = ProducerIdentity(id: fetched.producerID, epoch: fetched.epoch)
        for index in self.rows.indices where self.rows[index].batch.identity == identity {
            let batch = self.rows[index].batch
            let distance = RecordSequence.distance(
                from: batch.baseSequence,
                to: fetched.baseSequence
            )
            if distance == 0, batch.recordCount == fetched.recordCount {
                if self.isOpen(index) { self.isAppended(index, at: fetched.baseOffset) }
                return nil
            }
            guard distance >= batch.recordCount || distance <= -fetched.recordCount else {
                if self.isPiece(fetched, at: distance, of: index) { return self.found(fetched) }
                return Self.otherBoundaries(batch)
            }
        }
        return self.takeUnknown(fetched, identity)
    }

    /// Takes a batch that may be one that the journal has lost.
    private mutating func takeUnknown(
        _ fetched: FetchedBatch,
        _ identity: ProducerIdentity
    ) -> String? {
        guard self.isBeyondJournal(identity, sequence: fetched.baseSequence) else { return nil }
        return self.found(fetched)
    }

    /// Whether a batch is of whom the journal is of.
    private func isOurs(_ fetched: FetchedBatch) -> Bool {
        if self.producerIDs.contains(fetched.producerID) { return true }
        guard let original = self.settings.original else { return false }
        return fetched.positions.first?.value.hasPrefix(original + "/") ?? false
    }

    /// Whether a batch has some of the records of one that was split since the journal's last commit.
    private func isPiece(_ fetched: FetchedBatch, at distance: Int32, of index: Int) -> Bool {
        self.settings.findsUnjournaled && self.isOpen(index) && distance >= 0
            && distance + fetched.recordCount <= self.rows[index].batch.recordCount
    }

    /// Takes note of a batch that the journal has lost.
    private mutating func found(_ fetched: FetchedBatch) -> String? {
        guard fetched.baseOffset >= self.unjournaledEnd else { return nil }
        guard !fetched.positions.isEmpty else {
            return """
                the log has a batch of producer id \(fetched.producerID) at offset \(fetched.baseOffset) \
                that the journal has lost, and its records do not tell their positions. Go on with \
                at_least_once once, which sends them again
                """
        }
        self.unjournaledEnd = fetched.lastOffset + 1
        self.report.unjournaledBatches += 1
        self.report.unjournaledRecords += Int64(fetched.recordCount)
        self.actions.append(.unjournaled(fetched))
        return nil
    }

    // MARK: The end

    private mutating func finishReading(now: Instant) {
        self.mustRead = false
        let isDoubtful = !self.report.offsetsInDoubt.isEmpty
        for index in self.rows.indices where self.isOpen(index) {
            let batch = self.rows[index].batch
            switch self.rows[index].fate {
            case .remembered where isDoubtful:
                // Its number proves it, where the log cannot be read any more.
                self.isAppended(index, at: nil)
            default:
                let isProvenAbsent = self.rows[index].fate == .absent
                self.rows[index].fate = .absent
                if isDoubtful, !isProvenAbsent {
                    self.report.possibleRepeats += Int64(batch.recordCount)
                }
            }
        }
        self.goOn(now: now)
    }

    private mutating func doubt(_ offsets: Range<Int64>) {
        guard !self.report.offsetsInDoubt.contains(offsets) else { return }
        self.report.offsetsInDoubt.append(offsets)
    }
}
