internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import KafkaProtocol
internal import RecordProcessing

/// A lane's part in a transaction: to come to a cut, to read on, and to go back to the last commit.
extension LaneWorker {
    var isTransactional: Bool { surroundings.transactions != nil }

    func begin(_ errand: LaneTransaction.Errand) {
        transaction.errand = errand
        machine.pause()
    }

    /// Reads on from a cut, or from the last commit.
    func goOn(isCommitted: Bool) {
        if isCommitted { noteCommit() }
        machine.resume()
    }

    /// Lets lines be finished that are sent in part, and nothing else be read.
    func prepareCut() {
        guard let errand = transaction.errand else { return }
        if case .rest = errand, !transaction.hasFailed {
            machine.pause(besides: Set(sources.values.lazy.filter(\.isInsideLine).map(\.id)))
        }
        accumulator.flush()
    }

    /// Tells that the errand is done, once it is.
    func completeErrand(now: ContinuousClock.Instant) {
        guard let errand = transaction.errand, outstandingRecords == 0,
            accumulator.openBatchCount == 0
        else { return }
        switch errand {
        case .rest(let round):
            guard !transaction.hasFailed, !sources.values.contains(where: \.isInsideLine) else {
                return
            }
            machine.pause()
            tellRest(round, now: now)
        case .rewind(let round):
            goBack(now: now)
            tellRest(round, now: now)
        }
    }

    private func tellRest(_ round: Int, now: ContinuousClock.Instant) {
        saveCheckpoints(now: now)
        transaction.errand = nil
        let hasSent = transaction.hasSent
        transaction.hasSent = false
        surroundings.transactions?.rested(round: round, hasSent: hasSent)
    }

    // MARK: What ends well

    private func noteCommit() {
        for source in sources.values {
            source.noteCommit()
            source.tail.settled(through: source.committed.checkpoint.offset)
            // Nothing else will tell a file that is over, or goes on elsewhere.
            if source.tail.isLeaving || source.endsAtEndOfFile || source.next != nil {
                machine.changed(source.id)
            }
        }
        _ = currentReport()
        transaction.books = LaneTransaction.Books(
            ledgers: report.ledgers,
            drops: report.drops,
            acknowledgedBytes: report.acknowledgedBytes
        )
    }

    // MARK: What does not

    /// The transaction that is open cannot be committed.
    ///
    /// - Parameter isKnown: whether the next one can, by what is known now.
    func failTransaction(because reason: String, isKnown: Bool) {
        guard let transactions = surroundings.transactions, !transaction.hasFailed else { return }
        transaction.hasFailed = true
        machine.pause()
        transactions.failed(because: reason, isKnown: isKnown)
    }

    /// Remembers records that Kafka refused for good, for the next time that they come.
    func noteRefusal(of batch: ProducerBatch, _ error: KafkaProducerError) {
        let isFinal = error.isVerdictOnRecords
        if isFinal {
            for index in 0..<batch.recordCount { noteRefusal(ofRecord: index, of: batch, error) }
        }
        failTransaction(because: "\(batch.topic)-\(batch.partition): \(error)", isKnown: isFinal)
    }

    private func noteRefusal(
        ofRecord index: Int,
        of batch: ProducerBatch,
        _ error: KafkaProducerError
    ) {
        let refusal = Refusal(
            owner: batch.run(ofRecord: index).owner,
            place: RecordPlace(position: batch.position(ofRecord: index)),
            topic: batch.topic,
            error: error,
            batchSize: batch.byteCount
        )
        let source = sources[LaneSource.parts(of: refusal.owner).source]
        source?.refused[refusal.place] = KnownRefusal(
            message: "\(error)",
            limit: refusal.shorterLimit
        )
    }

    /// A file cannot go on inside a line; whether the transaction fails for it.
    func failInsideLine(
        _ source: LaneSource,
        at offset: Int64,
        because reason: String
    ) -> Bool {
        guard isTransactional, source.isInsideLine else { return false }
        source.knownStop = (offset, reason)
        failTransaction(because: reason, isKnown: true)
        return true
    }

    /// Whether a topic that a line needs is not there yet, before anything of the line is sent.
    ///
    /// A line that waits in its middle would keep the transaction from its end.
    func mustWaitForTopics(of records: [StagedRecord], _ source: LaneSource) -> Bool {
        guard records.count > 1 || !source.neededTopics.isEmpty,
            source.sendsDone == 0, source.lettersDone == 0
        else { return false }
        var missing = records.filter { isMissing($0.topic) }.map(\.topicName)
        missing += source.neededTopics.filter { name in
            var name = name
            return name.withUTF8 { isMissing(UnsafeRawBufferPointer($0)) }
        }
        if !missing.isEmpty { surroundings.sink.requestMetadata(topics: missing) }
        return !missing.isEmpty
    }

    private func isMissing(_ topic: UnsafeRawBufferPointer) -> Bool {
        let readiness = accumulator.isReady(accumulator.topicIndex(topic))
        return if case .needsMetadata = readiness { true } else { false }
    }

    /// A topic turned out to be needed inside a line.
    func noteNeed(of topic: String, _ source: LaneSource) {
        guard isTransactional, source.isInsideLine else { return }
        source.neededTopics.insert(topic)
        failTransaction(because: "topic \"\(topic)\" is not there yet", isKnown: true)
    }

    private func goBack(now: ContinuousClock.Instant) {
        report.ledgers = zip(transaction.books.ledgers, report.ledgers).map { $0.keeping($1) }
        report.drops = transaction.books.drops
        report.acknowledgedBytes = transaction.books.acknowledgedBytes
        transaction.hasFailed = false
        transaction.hasSent = false
        for source in sources.values { goBack(source, now: now) }
        machine.memoryReturned()
        machine.metadataChanged()
    }

    private func goBack(_ source: LaneSource, now: ContinuousClock.Instant) {
        if source.isStopped, source.committed.isStopped { return }
        if source.isStopped {
            source.isStopped = false
            report.stoppedFiles -= 1
        }
        let place = source.committed
        source.goBack(pipeline: surroundings.pipelines[source.pipelineIndex])
        source.tail.rewind(to: place.position, now: now)
        if source.after == nil, let before = place.after, let predecessor = sources[before],
            !(predecessor.isStopped && predecessor.committed.isStopped), !predecessor.isReadUp
        {
            source.after = before
            successors[before, default: []].append(source.id)
        }
        moved.insert(source.id)
        machine.revive(source.id)
    }
}

extension KafkaProducerError {
    /// Whether Kafka has refused the records themselves, and not their transaction.
    fileprivate var isVerdictOnRecords: Bool {
        switch self {
        case .refused(let code, _, _):
            switch KafkaError(rawValue: code) {
            case .outOfOrderSequenceNumber, .duplicateSequenceNumber, .invalidProducerEpoch,
                .invalidTxnState, .invalidProducerIDMapping, .unknownProducerID, .producerFenced,
                .concurrentTransactions, .transactionAbortable,
                .transactionalIDAuthorizationFailed, .clusterAuthorizationFailed:
                return false
            default: return true
            }
        case .recordTooLarge, .invalidPartition: return true
        default: return false
        }
    }
}

extension Ledger {
    /// These books, with what was counted of files since.
    fileprivate func keeping(_ later: Ledger) -> Ledger {
        var books = self
        for (counter, count) in later.files where !counter.isOfLines {
            books.files[counter] = count
        }
        return books
    }
}

extension CommittedPlace {
    var position: TailPosition {
        TailPosition(offset: checkpoint.offset, guardBytes: checkpoint.guardBytes)
    }
}
