internal import KafkaProtocol

/// What can be done where nothing may be read: each batch is tried in its turn.
///
/// One that is acknowledged is in the log, and with it all before it of its producer id. One that is
/// out of sequence is an older one, or missing: the next may tell.
extension RecoveryStateMachine {
    mutating func beginTrying(now: Instant) {
        for index in self.rows.indices where self.isOpen(index) { self.rows[index].fate = .unknown }
        guard !self.settings.findsUnjournaled else {
            return self.stop(
                """
                the principal may not read the topic, and the journal may have lost what was sent \
                last: nobody can tell how far Kafka has it. Grant READ on the topic, or start once \
                with --delivery at_least_once, which sends again what is beyond the checkpoint
                """
            )
        }
        guard self.rows.allSatisfy({ self.isRemembered($0, now: now) }) else {
            return self.stop(
                """
                the principal may not read the topic, and a batch in doubt is so old that brokers \
                may have forgotten it: to send it again could repeat it. Grant READ on the topic
                """
            )
        }
        self.tryNext(after: -1, now: now)
    }

    private func isRemembered(_ row: Row, now: Instant) -> Bool {
        guard row.fate == .unknown else { return true }
        let expiry = Int64(self.settings.expiry / .milliseconds(1))
        return row.batch.age > self.wallClock(at: now) - expiry
    }

    /// Goes on with the next batch of which nothing is known; those left at the end are undecided.
    mutating func tryNext(after index: Int, now: Instant) {
        let next = self.rows.indices.first {
            $0 > index && self.isOpen($0) && self.rows[$0].remake != .impossible
        }
        if let next { return self.state = .trying(next, isOut: false) }
        let undecided = self.rows.indices.filter { self.isOpen($0) }
        guard undecided.isEmpty || self.settings.repeatsUndecided else {
            return self.stop(
                """
                it cannot be told whether \(undecided.count) batches are in the log: the principal \
                may not read the topic. Grant READ on the topic, or choose at_least_once, which \
                sends them again
                """
            )
        }
        for index in undecided {
            self.report.possibleRepeats += Int64(self.rows[index].batch.recordCount)
            self.isAbsent(index)
        }
        self.finish()
    }

    mutating func tried(_ index: Int, _ outcome: RecoverySending, now: Instant) {
        switch outcome {
        case .acknowledged(let baseOffset):
            self.proceed()
            self.tookThrough(index, at: baseOffset)
            self.tryNext(after: index, now: now)
        case .failed: self.retry(now: now)
        case .refused(.invalidProducerEpoch), .refused(.producerFenced):
            let batch = self.rows[index].batch
            guard Int32(batch.epoch) == self.newestEpoch(of: batch.producerID) else {
                return self.tryNext(after: index, now: now)
            }
            self.stop(
                """
                producer id \(batch.producerID) was used under a later epoch, which this journal \
                does not know: another copy of this state directory was in use. Go on with the copy \
                that was used last, or with an empty state directory
                """
            )
        case .refused(.outOfOrderSequenceNumber):
            self.rows[index].fate = .undecided
            self.tryNext(after: index, now: now)
        case .refused: self.tryNext(after: index, now: now)
        }
    }

    /// A batch is in the log, and with it those before it that the leader must have known.
    private mutating func tookThrough(_ index: Int, at baseOffset: Int64) {
        let batch = self.rows[index].batch
        let isKnown = self.knownIDs.contains(batch.producerID)
        for earlier in 0..<index where self.rows[earlier].batch.identity == batch.identity {
            guard self.isOpen(earlier), isKnown || self.rows[earlier].fate == .undecided else {
                continue
            }
            self.isAppended(earlier, at: nil)
        }
        self.isAppended(index, at: baseOffset >= 0 ? baseOffset : nil)
    }
}
