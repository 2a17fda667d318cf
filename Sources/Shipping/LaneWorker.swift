internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import KafkaProtocol
internal import Logging
internal import RecordProcessing

/// The work of a lane's thread: it performs what `LaneStateMachine` decides.
///
/// Nothing here is shared with another thread; `Lane` is its face to them. It reads no clock, so a
/// simulation can run it too.
final class LaneWorker {
    // Safe: its thread alone has it, and nothing of it is handed out while it is being changed.

    let listener: any LaneFace
    let surroundings: LaneSurroundings
    let logger: Logger
    let accumulator: RecordAccumulator
    @exclusivity(unchecked) var machine = LaneStateMachine()
    @exclusivity(unchecked) var sources: [Int: LaneSource] = [:]
    /// For each pipeline, its text of today at work.
    let makers: [PipelineMaker]
    /// Earlier texts at work, by their versions.
    var earlierMakers: [Int64: PipelineMaker] = [:]
    @exclusivity(unchecked) var report = LaneReport()
    let buffer: ReadBuffer
    /// The headers of the record that is being appended, in memory that is used again.
    @exclusivity(unchecked) var headerSpans: [RecordHeaderSpan] = []
    /// Records handed to the producer that have not come back; a batch may come back in parts.
    @exclusivity(unchecked) var outstandingRecords = 0
    @exclusivity(unchecked) var refusals: [Refusal] = []
    /// Whether the pool keeps a place in its queue for this lane.
    @exclusivity(unchecked) var isQueuedForMemory = false
    /// Files whose checkpoint moved since it was last written.
    @exclusivity(unchecked) var moved: Set<Int> = []
    /// The last rows of files that the lane has let go of.
    var finishedRows: [FileCheckpoint] = []
    /// What was counted since it was last written.
    @exclusivity(unchecked) var counts: [CounterName: Int64] = [:]
    /// Open files, in the order in which they were opened.
    var openFiles: [Int] = []
    /// For each file, those that wait until it is read.
    var successors: [Int: [Int]] = [:]
    /// Nil where records are sent without transactions.
    @exclusivity(unchecked) var transaction = LaneTransaction()
    private var ending: Ending?

    private enum Ending { case draining, aborted }

    /// - Parameter seed: what the partitions of records without a key are chosen by.
    init(
        listener: any LaneFace,
        surroundings: LaneSurroundings,
        seed: UInt64 = .random(in: .min ... .max)
    ) {
        self.listener = listener
        self.surroundings = surroundings
        self.logger = surroundings.logger
        accumulator = RecordAccumulator(
            configuration: surroundings.configuration,
            pool: surroundings.pool,
            seed: seed,
            onMemory: { [weak listener] in listener?.memoryReturned() }
        )
        makers = surroundings.pipelines.enumerated().map { index, pipeline in
            PipelineMaker(pipeline, version: surroundings.version(ofPipeline: index))
        }
        report.ledgers = surroundings.pipelines.map { _ in Ledger() }
        report.drops = surroundings.pipelines.map {
            Array(repeating: 0, count: $0.program.dropReasons.count)
        }
        transaction.books.ledgers = report.ledgers
        transaction.books.drops = report.drops
        // Until the first transaction begins.
        if surroundings.transactions != nil { machine.pause() }
        buffer = ReadBuffer(capacity: TailStateMachine.Configuration().chunkLength)
    }

    // MARK: The loop

    /// Takes messages and performs one action; false if there was nothing to do.
    func step(_ messages: [LaneMessage], now: ContinuousClock.Instant) -> Bool {
        for message in messages { receive(message, now: now) }
        let action = machine.nextAction(now: now)
        if let action { perform(action, now: now) }
        prepareCut()
        submitReadyBatches(now: now)
        completeErrand(now: now)
        if action == nil { leaveMemoryQueue() }
        return action != nil
    }

    /// Gives up the lane's place among those who wait for memory, if nobody needs it any more.
    ///
    /// A record may have found room in an open batch when it was tried again, or its file is over.
    /// Whoever waits behind would wait for ever.
    private func leaveMemoryQueue() {
        guard isQueuedForMemory, !machine.waitsForMemory, refusals.isEmpty else { return }
        isQueuedForMemory = false
        accumulator.stopWaiting()
    }

    /// When to call ``step(_:now:)`` without a message.
    var nextDeadline: ContinuousClock.Instant? {
        [machine.nextDeadline, accumulator.nextDeadline].compactMap { $0 }.min()
    }

    var isDone: Bool {
        switch ending {
        case nil: false
        case .draining:
            outstandingRecords == 0 && accumulator.openBatchCount == 0 && refusals.isEmpty
        case .aborted: true
        }
    }

    /// Writes the last checkpoints.
    func end(now: ContinuousClock.Instant) {
        if surroundings.registry != nil {
            for source in sources.values {
                if source.isReadToCut { replaceRest(of: source, from: source.tail.position.offset) }
                beginGenerationIfReplaced(of: source, now: now)
            }
        }
        saveCheckpoints(now: now)
    }

    func currentReport() -> LaneReport {
        report.recordsInFlight = outstandingRecords
        report.openBatches = accumulator.openBatchCount + refusals.count
        report.openFiles = openFiles.count
        for (index, drops) in report.drops.enumerated() {
            let reasons = surroundings.pipelines[index].program.dropReasons
            for (reason, count) in zip(reasons, drops) where count > 0 {
                report.ledgers[index].dropped[reason] = count
            }
        }
        return report
    }

    private func perform(_ action: LaneStateMachine.Action, now: ContinuousClock.Instant) {
        switch action {
        case .turn(let id): machine.turnEnded(id, takeTurn(id, now: now))
        case .saveCheckpoints: saveCheckpoints(now: now)
        }
    }

    private func submitReadyBatches(now: ContinuousClock.Instant) {
        var batches: [ProducerBatch] = []
        while let batch = accumulator.nextReady(now: now) { batches.append(batch) }
        guard !batches.isEmpty else { return }
        for batch in batches { outstandingRecords += batch.recordCount }
        transaction.hasSent = true
        surroundings.sink.submit(batches, for: listener)
    }

    // MARK: Messages

    private func receive(_ message: LaneMessage, now: ContinuousClock.Instant) {
        switch message {
        case .add(let assignment): add(assignment, now: now)
        case .changed(let id):
            changed(id, now: now)
        case .renamed(let id, let path): rename(id, to: path, now: now)
        case .detached(let id, let path): detach(id, to: path, now: now)
        case .continued(let id, let continuation): move(id, to: continuation, now: now)
        case .rewritten(let id): suspend(id, now: now)
        case .lost(let id): lose(id)
        case .recovered(let id): recovered(id)
        case .delivered(let deliveries): settle(deliveries, now: now)
        case .metadataChanged(let metadata): metadataChanged(metadata, now: now)
        case .memoryReturned:
            report.waitsForMemory = false
            machine.memoryReturned()
            retryRefusals(now: now)
        case .describe(let box): box.append(fileReports(now: now))
        case .rest(let round): begin(.rest(round: round))
        case .rewind(let round): begin(.rewind(round: round))
        case .goOn(let isCommitted): goOn(isCommitted: isCommitted)
        case .drain: beginDrain()
        case .abort: ending = .aborted
        }
    }

    private func metadataChanged(_ metadata: TopicMetadata, now: ContinuousClock.Instant) {
        accumulator.update(metadata: metadata)
        machine.metadataChanged()
        retryRefusals(now: now)
    }

    private func beginDrain() {
        if ending == nil { ending = .draining }
        machine.pause()
        accumulator.flush()
    }

    // MARK: Checkpoints

    /// Moves a file's checkpoint as far as its frontier allows.
    func advance(_ source: LaneSource, now: ContinuousClock.Instant) {
        guard let reached = source.frontier.advance() else { return }
        report.acknowledgedBytes += source.bytesOnDisk(through: reached)
        source.settle(through: reached)
        surroundings.registry?.passed(reached.offset, of: source.id)
        // In a transaction nothing is settled before it is committed.
        if !isTransactional { source.tail.settled(through: reached.offset) }
        // Nothing else will tell a file that is over that its last record is settled.
        if source.tail.isLeaving || source.endsAtEndOfFile { machine.changed(source.id) }
        checkpointMoved(source, now: now)
        if surroundings.registry != nil { beginGenerationIfReplaced(of: source, now: now) }
    }

    func checkpointMoved(_ source: LaneSource, now: ContinuousClock.Instant) {
        moved.insert(source.id)
        machine.checkpointMoved(now: now)
    }

    func saveCheckpoints(now: ContinuousClock.Instant) {
        // Finished ones first: one of them may have been taken up again since.
        let rows = finishedRows + moved.compactMap { sources[$0]?.rowToSave() }
        let saved = rows.filter { $0.id != FileCheckpoint.unregisteredID }
        do {
            try surroundings.store.save(saved, adding: counts)
            surroundings.checkpointsSaved(saved)
            for source in moved.compactMap({ sources[$0] }) where source.noteSaved() {
                machine.changed(source.id)
            }
            moved.removeAll(keepingCapacity: true)
            finishedRows.removeAll()
            counts.removeAll()
            report.hasUnsavedCheckpoints = false
            machine.checkpointsSaved()
        } catch {
            logger.error(
                "checkpoints cannot be written",
                metadata: [
                    "event": "checkpoint.failed", "cause": "\(error)",
                ]
            )
            report.hasUnsavedCheckpoints = true
            machine.checkpointsFailed(now: now)
        }
    }
}
