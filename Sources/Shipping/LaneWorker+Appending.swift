internal import Checkpointing
internal import Kafka
internal import KafkaProtocol
internal import Logging
internal import RecordProcessing

/// What the lines of one chunk have in common.
struct Turn {
    let owner: UInt64
    /// Milliseconds since 1970: the timestamp of records that have none of their own.
    let readTime: Int64
    let now: ContinuousClock.Instant
    /// Records appended so far.
    var owed = 0
    /// Lines that they were made of.
    var lines = 0
    /// A record was left out: what comes next is no run with what came before.
    var needsNewOwner = false
}

/// What became of a record on its way into a batch.
enum Appended {
    case appended
    case waits(Interruption)
    /// It can never be sent; the text says why.
    case refused(String)
}

extension LaneWorker {
    /// Copies a record of a line that ended so into the open batch of its partition.
    func append(
        _ record: StagedRecord,
        of fate: Fate,
        _ source: LaneSource,
        at place: RecordPlace,
        isAnswer: Bool = false,
        _ turn: inout Turn
    ) -> Appended {
        guard case .deadLettered = fate else { return append(record, source, at: place, &turn) }
        return appendDeadLetter(record, source, at: place, isAnswer: isAnswer, &turn)
    }

    /// Copies a dead letter; one that is longer than the limit loses the end of its value.
    ///
    /// A line that is too long for Kafka is too long as a dead letter as well, and nobody could mend
    /// that: the position in the headers leads to the whole of it.
    func appendDeadLetter(
        _ record: StagedRecord,
        _ source: LaneSource,
        at place: RecordPlace,
        isAnswer: Bool,
        limit: Int = .max,
        _ turn: inout Turn
    ) -> Appended {
        let topic = accumulator.topicIndex(record.topic)
        let known = source.refused.isEmpty ? nil : source.refused[place]
        if let known, known.limit == nil { return .refused(known.message) }
        let limit = min(
            known?.limit ?? limit,
            surroundings.configuration.maxRequestSize,
            accumulator.sizeLimit(of: topic)
        )
        let header = source.positionHeader
        guard let value = record.value, batchSize(of: record, header) > limit else {
            return append(record, source, at: place, isAnswer: isAnswer, &turn)
        }
        let name: StaticString = "dlq.cut"
        return Array("\(value.count)".utf8).withUnsafeBytes { length in
            var cut = record
            // Safe: the name lives as long as the program, the length until this returns.
            cut.headers.append(
                .init(
                    name: UnsafeRawBufferPointer(start: name.utf8Start, count: 7),
                    value: length
                )
            )
            let excess = max(0, batchSize(of: cut, header) - limit)
            guard excess <= value.count else {
                return .refused("its key and headers alone are over \(limit) bytes")
            }
            cut.value = UnsafeRawBufferPointer(rebasing: value.dropLast(excess))
            return append(cut, source, at: place, isAnswer: isAnswer, &turn)
        }
    }

    /// Bytes that a record takes at most in a batch of its own.
    private func batchSize(of record: StagedRecord, _ header: PositionHeader?) -> Int {
        takeHeaderSpans(of: record)
        return headerSpans.withUnsafeBufferPointer { headers in
            RecordBatchHeader.size + (header?.sizeLimit ?? 0)
                + RecordBatchBuilder.upperBound(
                    key: record.key,
                    value: record.value,
                    headers: headers
                )
        }
    }

    private func takeHeaderSpans(of record: StagedRecord) {
        headerSpans.removeAll(keepingCapacity: true)
        for header in record.headers {
            headerSpans.append(RecordHeaderSpan(name: header.name, value: header.value))
        }
    }

    private func append(
        _ record: StagedRecord,
        _ source: LaneSource,
        at place: RecordPlace,
        isAnswer: Bool = false,
        _ turn: inout Turn
    ) -> Appended {
        let topic = accumulator.topicIndex(record.topic)
        switch accumulator.isReady(topic) {
        case .ready: break
        case .needsMetadata:
            surroundings.sink.requestMetadata(topics: [record.topicName])
            noteNeed(of: record.topicName, source)
            return .waits(.needsMetadata)
        case .failed(let error): return .refused("topic \"\(record.topicName)\": \(error)")
        }
        takeHeaderSpans(of: record)
        let result = headerSpans.withUnsafeBufferPointer { headers in
            accumulator.append(
                topic: topic,
                partition: record.partition,
                key: record.key,
                value: record.value,
                headers: headers,
                timestamp: record.timestamp ?? turn.readTime,
                origin: RecordOrigin(
                    owner: turn.owner,
                    position: place.position,
                    isAnswer: isAnswer,
                    header: source.positionHeader
                ),
                now: turn.now
            )
        }
        switch result {
        case .appended:
            turn.owed += 1
            return .appended
        case .bufferFull:
            report.waitsForMemory = true
            isQueuedForMemory = true
            return .waits(.needsMemory)
        case .tooLarge(let size, let limit):
            return .refused("\(KafkaProducerError.recordTooLarge(size: size, limit: limit))")
        case .invalidPartition:
            return .refused(
                "topic \"\(record.topicName)\" has no partition \(record.partition ?? -1)"
            )
        }
    }

    /// Enters a line's end into the books, and into the log if it failed.
    func note(
        _ fate: Fate,
        _ source: LaneSource,
        _ maker: PipelineMaker,
        at position: RecordPosition
    ) {
        let pipeline = source.pipelineIndex
        switch fate {
        case .sent:
            report.ledgers[pipeline].read += 1
            report.ledgers[pipeline].sent += 1
        case .dropped(let reason):
            report.ledgers[pipeline].read += 1
            noteDrop(reason, pipeline, maker)
        case .consumed: break
        case .deadLettered(let failure): failed(.deadLettered, failure, source, at: position)
        case .skipped(let failure): failed(.skipped, failure, source, at: position)
        case .stopped(let failure): failed(.stopped, failure, source, at: position)
        }
    }

    private func noteDrop(_ reason: Int, _ pipeline: Int, _ maker: PipelineMaker) {
        guard maker !== makers[pipeline] else { return report.drops[pipeline][reason] += 1 }
        // An earlier text may have had other reasons.
        let name = maker.pipeline.program.dropReasons[reason]
        if let known = makers[pipeline].pipeline.program.dropReasons.firstIndex(of: name) {
            report.drops[pipeline][known] += 1
        } else {
            report.ledgers[pipeline].dropped[name, default: 0] += 1
        }
    }

    private func failed(
        _ fate: Ledger.Failure.Fate,
        _ failure: RecordFailure,
        _ source: LaneSource,
        at position: RecordPosition
    ) {
        let entry = Ledger.Failure(
            kind: "\(failure.kind)",
            fate: fate,
            summary: failure.summary
        )
        report.ledgers[source.pipelineIndex].read += 1
        let count = report.ledgers[source.pipelineIndex].failures[entry, default: 0] + 1
        report.ledgers[source.pipelineIndex].failures[entry] = count
        // The first of a kind, then ever fewer: the exact count stands in the books.
        guard count & (count - 1) == 0 else { return }
        var metadata: Logger.Metadata = [
            "event": "record.failed",
            "pipeline": "\(surroundings.pipelines[source.pipelineIndex].name)",
            "file": "\(source.row.path)", "offset": "\(position.offset)",
            "kind": "\(failure.kind)", "cause": "\(failure.summary)",
            "fate": "\(fate.rawValue)", "count": "\(count)",
        ]
        if position.line > 0 { metadata["line"] = "\(position.line)" }
        logger.warning("a record failed", metadata: metadata)
    }
}
