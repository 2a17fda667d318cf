internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import KafkaProtocol
internal import Logging
internal import RecordProcessing

/// A record that Kafka refused for good, on its way to `on error`.
struct Refusal {
    let owner: UInt64
    let place: RecordPlace
    let topic: String
    let error: KafkaProducerError
    /// Bytes on the wire of the batch that was refused with it.
    let batchSize: Int
    /// How many of its dead letters an earlier try has appended.
    var lettersDone = 0

    /// What a dead letter may take when the broker has refused it for its size.
    ///
    /// Brokers do not say what they would take, so each try takes half.
    var shorterLimit: Int? {
        guard case .refused(KafkaError.messageTooLarge.rawValue, _, _) = error else { return nil }
        return batchSize / 2
    }
}

extension LaneWorker {
    /// Takes batches that came back.
    func settle(_ deliveries: [Delivery], now: ContinuousClock.Instant) {
        for delivery in deliveries {
            outstandingRecords -= delivery.batch.recordCount
            accumulator.settled(delivery.batch)
            switch delivery.result {
            case .acknowledged: settle(delivery.batch, now: now)
            case .failed(let error) where isTransactional: noteRefusal(of: delivery.batch, error)
            case .failed(let error): refuse(delivery.batch, error)
            }
        }
        retryRefusals(now: now)
    }

    private func settle(_ batch: ProducerBatch, now: ContinuousClock.Instant) {
        for run in batch.runs {
            let (id, chunk) = LaneSource.parts(of: run.owner)
            guard let source = sources[id] else { continue }
            report.ledgers[source.pipelineIndex].topics[batch.topic, default: 0] += Int64(run.count)
            settle(source, chunk, count: Int(run.count), now: now)
        }
    }

    private func settle(
        _ source: LaneSource,
        _ chunk: AckFrontier.ChunkID,
        count: Int,
        now: ContinuousClock.Instant
    ) {
        changeFrontier(of: source) { $0.settle(chunk, count: count) }
        advance(source, now: now)
    }

    /// Changes what a file owes, and the books with it.
    func changeFrontier(of source: LaneSource, _ change: (inout AckFrontier) -> Void) {
        let before = source.frontier.outstandingLines
        change(&source.frontier)
        let added = Int64(source.frontier.outstandingLines - before)
        report.ledgers[source.pipelineIndex].unacknowledged += added
    }

    private func refuse(_ batch: ProducerBatch, _ error: KafkaProducerError) {
        for index in 0..<batch.recordCount {
            refusals.append(
                Refusal(
                    owner: batch.run(ofRecord: index).owner,
                    place: RecordPlace(position: batch.position(ofRecord: index)),
                    topic: batch.topic,
                    error: error,
                    batchSize: batch.byteCount
                )
            )
        }
    }

    /// Hands refused records to `on error`, as far as memory and metadata allow.
    func retryRefusals(now: ContinuousClock.Instant) {
        var handled = 0
        while handled < refusals.count {
            var refusal = refusals[handled]
            let isDone = handle(&refusal, now: now)
            refusals[handled] = refusal
            guard isDone else { break }
            handled += 1
        }
        refusals.removeFirst(handled)
    }

    /// Whether the refusal is dealt with; if not, it is tried again later.
    private func handle(_ refusal: inout Refusal, now: ContinuousClock.Instant) -> Bool {
        let (id, chunk) = LaneSource.parts(of: refusal.owner)
        guard let source = sources[id] else { return true }
        let message = "\(refusal.error)"
        let offset = refusal.place.offset
        let maker = maker(of: source, at: offset)
        guard let event = readEvent(of: source, maker, at: offset) else {
            stop(source, because: "\(message), and its line is gone", at: offset)
            return true
        }
        // To count the lines before it would take another reading of the file.
        let position = RecordPosition(
            line: 0,
            offset: offset,
            readTime: surroundings.wallClock()
        )
        return event.withUnsafeBytes { bytes in
            let fate = maker.processor.fail(
                bytes,
                in: &source.context,
                at: position,
                kind: .kafka,
                message: message
            )
            // What is staged points into the event.
            return close(&refusal, source, maker, chunk, fate, at: position, now: now)
        }
    }

    /// What was refused was read once only, and not sent.
    private func takeBackSent(_ source: LaneSource) {
        report.ledgers[source.pipelineIndex].read -= 1
        report.ledgers[source.pipelineIndex].sent -= 1
    }

    private func close(
        _ refusal: inout Refusal,
        _ source: LaneSource,
        _ maker: PipelineMaker,
        _ chunk: AckFrontier.ChunkID,
        _ fate: Fate,
        at position: RecordPosition,
        now: ContinuousClock.Instant
    ) -> Bool {
        let staged = maker.processor.staged
        let offset = refusal.place.offset
        var limit: Int?
        switch fate {
        case .stopped(let failure):
            stop(source, because: failure.message, at: offset)
            return true
        case .deadLettered where staged.contains { $0.topicName == refusal.topic }:
            // A dead letter that is refused itself would come back for ever.
            limit = refusal.shorterLimit
            guard limit != nil else {
                stop(source, because: "its dead letter: \(refusal.error)", at: offset)
                return true
            }
        default: break
        }
        var turn = Turn(owner: refusal.owner, readTime: position.readTime, now: now)
        for record in staged.dropFirst(refusal.lettersDone) {
            let result = appendDeadLetter(
                record,
                source,
                at: refusal.place,
                isAnswer: true,
                limit: limit ?? .max,
                &turn
            )
            switch result {
            case .appended:
                refusal.lettersDone += 1
                changeFrontier(of: source) { $0.owe(chunk, count: 1) }
            case .waits: return false
            case .refused(let message):
                stop(source, because: "its dead letter: \(message)", at: offset)
                return true
            }
        }
        // A dead letter that was refused for its length stands in the books as one already.
        if limit == nil {
            takeBackSent(source)
            note(fate, source, maker, at: position)
        }
        settle(source, chunk, count: 1, now: now)
        return true
    }
}
