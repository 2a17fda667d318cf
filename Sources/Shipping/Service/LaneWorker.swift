internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import KafkaProtocol
internal import Logging
internal import RecordProcessing

/// The body of a lane's thread: it performs what `LaneStateMachine` decides.
///
/// Nothing here is shared with another thread; `Lane` is its face to them.
final class LaneWorker {
    // Safe: its thread alone has it, and nothing of it is handed out while it is being changed.

    let lane: Lane
    let surroundings: LaneSurroundings
    let logger: Logger
    let accumulator: RecordAccumulator
    @exclusivity(unchecked) var machine = LaneStateMachine()
    @exclusivity(unchecked) var sources: [Int: LaneSource] = [:]
    @exclusivity(unchecked) var processors: [RecordProcessor] = []
    @exclusivity(unchecked) var report = LaneReport()
    let buffer: ReadBuffer
    /// The headers of the record that is being appended, in memory that is used again.
    @exclusivity(unchecked) var headerSpans: [RecordHeaderSpan] = []
    /// Records handed to the producer that have not come back; a batch may come back in parts.
    @exclusivity(unchecked) var outstandingRecords = 0
    @exclusivity(unchecked) var refusals: [Refusal] = []
    /// Files whose checkpoint moved since it was last written.
    @exclusivity(unchecked) var moved: Set<Int> = []
    private var ending: Ending?

    private enum Ending { case draining, aborted }

    init(lane: Lane, surroundings: LaneSurroundings, number: Int) {
        self.lane = lane
        self.surroundings = surroundings
        self.logger = surroundings.logger
        accumulator = RecordAccumulator(
            configuration: surroundings.configuration,
            pool: surroundings.pool,
            onMemory: { [weak lane] in lane?.post(.memoryReturned) }
        )
        processors = surroundings.pipelines.map { RecordProcessor(program: $0.program) }
        report.ledgers = surroundings.pipelines.map { _ in Ledger() }
        report.drops = surroundings.pipelines.map { _ in [:] }
        buffer = ReadBuffer(capacity: TailStateMachine.Configuration().chunkLength)
    }

    func run() {
        surroundings.engine.addListener(lane)
        while !isDone {
            for message in lane.takeMessages() { receive(message) }
            let now = ContinuousClock.now
            let action = machine.nextAction(now: now)
            if let action { perform(action, now: now) }
            submitReadyBatches(now: now)
            if action == nil, !isDone { sleep() }
        }
        saveCheckpoints(now: .now)
        publish()
        surroundings.engine.removeListener(lane)
    }

    // MARK: The loop

    private var isDone: Bool {
        switch ending {
        case nil: false
        case .draining:
            outstandingRecords == 0 && accumulator.openBatchCount == 0 && refusals.isEmpty
        case .aborted: true
        }
    }

    private func sleep() {
        publish()
        var deadline = machine.nextDeadline
        if let batch = accumulator.nextDeadline {
            deadline = deadline.map { min($0, batch) } ?? batch
        }
        lane.sleep(until: deadline)
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
        surroundings.engine.submit(batches, for: lane)
    }

    private func publish() {
        report.recordsInFlight = outstandingRecords
        report.openBatches = accumulator.openBatchCount + refusals.count
        for (index, drops) in report.drops.enumerated() {
            let reasons = surroundings.pipelines[index].program.dropReasons
            for (reason, count) in drops { report.ledgers[index].dropped[reasons[reason]] = count }
        }
        lane.publish(report)
    }

    // MARK: Messages

    private func receive(_ message: LaneMessage) {
        switch message {
        case .add(let assignment): add(assignment)
        case .changed(let id):
            sources[id]?.tail.changed(now: .now)
            machine.changed(id)
        case .renamed(let id, let path): rename(id, to: path)
        case .detached(let id, let path): detach(id, to: path)
        case .release(let id): release(id)
        case .delivered(let deliveries): settle(deliveries)
        case .metadataChanged(let metadata): metadataChanged(metadata)
        case .memoryReturned:
            report.waitsForMemory = false
            machine.memoryReturned()
            retryRefusals()
        case .drain: beginDrain()
        case .abort: ending = .aborted
        }
    }

    private func add(_ assignment: LaneAssignment) {
        let pipeline = surroundings.pipelines[assignment.pipeline]
        report.assignedFiles += 1
        sources[assignment.id] = LaneSource(assignment, pipeline: pipeline)
        machine.added(assignment.id)
    }

    private func rename(_ id: Int, to path: String) {
        guard let source = sources[id] else { return }
        source.rename(to: path)
        source.isLeaving = false
        source.tail.renamed(now: .now)
        machine.changed(id)
    }

    private func detach(_ id: Int, to path: String?) {
        guard let source = sources[id] else { return }
        if let path { source.rename(to: path) }
        source.isLeaving = true
        source.tail.moved(now: .now)
        machine.changed(id)
    }

    private func release(_ id: Int) {
        guard sources.removeValue(forKey: id) != nil else { return }
        moved.remove(id)
        machine.removed(id)
        report.finishedFiles += 1
    }

    private func metadataChanged(_ metadata: TopicMetadata) {
        accumulator.update(metadata: metadata)
        machine.metadataChanged()
        retryRefusals()
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
        report.acknowledgedBytes += reached.offset - source.row.checkpoint.offset
        source.row.checkpoint = reached
        source.tail.settled(through: reached.offset)
        // Nothing else will tell a file that is over that its last record is settled.
        if source.isLeaving || source.endsAtEndOfFile { machine.changed(source.id) }
        moved.insert(source.id)
        machine.checkpointMoved(now: now)
    }

    private func saveCheckpoints(now: ContinuousClock.Instant) {
        let rows = moved.compactMap { sources[$0]?.rowToSave() } + finishedRows
        do {
            try surroundings.store.save(rows)
            moved.removeAll(keepingCapacity: true)
            finishedRows.removeAll()
            machine.checkpointsSaved()
        } catch {
            logger.error(
                "checkpoints cannot be written",
                metadata: [
                    "event": "checkpoint.failed", "cause": "\(error)",
                ]
            )
            machine.checkpointsFailed(now: now)
        }
    }

    /// The last rows of files that the lane has let go of.
    var finishedRows: [FileCheckpoint] = []
}
