internal import Checkpointing
internal import Kafka
internal import RecordProcessing

/// Lines of which something was sent before the last start.
extension LaneWorker {
    /// Runs the program over one event, and sends of its records what Kafka does not have.
    func processCovered(
        _ event: UnsafeRawBufferPointer,
        _ source: LaneSource,
        _ maker: PipelineMaker,
        at position: RecordPosition,
        _ turn: inout Turn
    ) -> Interruption? {
        guard let end = source.coverage?.end, position.offset <= end.offset else {
            return leaveCoverage(event, source, maker, at: position, &turn)
        }
        if let mismatch = source.coverage?.passed(RecordPlace(offset: position.offset)).first {
            return .stopped(mismatch.reason)
        }
        let owedBefore = turn.owed
        var fate = maker.processor.process(event, in: &source.context, at: position)
        if case .stopped(let failure) = fate {
            note(fate, source, maker, at: position)
            return .stopped(failure.message)
        }
        let staged = maker.processor.staged
        let isRefused = hasAnswer(source, at: .wholeLine(at: position.offset))
        while source.sendsDone < staged.count {
            let send = source.sendsDone
            let place = RecordPlace(offset: position.offset, send: Int32(truncatingIfNeeded: send))
            if !isKnown(staged[send], source, at: place, isAnswer: false) {
                // The line was given up here.
                if isRefused { break }
                switch appendInOrder(staged[send], of: fate, source, at: place, &turn) {
                case .appended: break
                case .waits(let interruption): return interruption
                case .refused(let message):
                    return refuse(event, source, maker, at: position, message, &turn)
                }
            }
            source.sendsDone += 1
        }
        let places = (0..<staged.count).map {
            RecordPlace(offset: position.offset, send: Int32($0))
        }
        let answered =
            places.filter { hasAnswer(source, at: $0) }
            + (isRefused ? [.wholeLine(at: position.offset)] : [])
        if !answered.isEmpty {
            switch answer(event, source, maker, at: position, answered, &turn) {
            case .success(let answered): fate = answered
            case .failure(let waiting): return waiting.interruption
            }
        }
        source.sendsDone = 0
        source.lettersDone = 0
        if turn.owed > owedBefore { turn.lines += 1 }
        note(fate, source, maker, at: position)
        return nil
    }

    /// Appends a record that Kafka does not have; one without a key to a partition that has nothing
    /// yet of what comes behind it in the file.
    private func appendInOrder(
        _ record: StagedRecord,
        of fate: Fate,
        _ source: LaneSource,
        at place: RecordPlace,
        _ turn: inout Turn
    ) -> Appended {
        let isKeyed = record.key != nil && !surroundings.configuration.partitionerIgnoresKeys
        guard record.partition == nil, !isKeyed,
            let last = source.coverage?.lastKeyless(of: record.topicName), !last.isEmpty
        else { return append(record, of: fate, source, at: place, &turn) }
        let topic = accumulator.topicIndex(record.topic)
        accumulator.pin(topic) { partition in last[partition].map { $0 < place } ?? true }
        defer { accumulator.unpin(topic) }
        return append(record, of: fate, source, at: place, &turn)
    }

    private struct Waiting: Error { let interruption: Interruption }

    /// Sends the dead letters of refused records that Kafka does not have.
    private func answer(
        _ event: UnsafeRawBufferPointer,
        _ source: LaneSource,
        _ maker: PipelineMaker,
        at position: RecordPosition,
        _ places: [RecordPlace],
        _ turn: inout Turn
    ) -> Result<Fate, Waiting> {
        let fate = maker.processor.fail(
            event,
            in: &source.context,
            at: position,
            kind: .kafka,
            message: Self.refusedBefore
        )
        let letters = places.flatMap { place in maker.processor.staged.map { (place, $0) } }
        while source.lettersDone < letters.count {
            let (place, letter) = letters[source.lettersDone]
            if !isKnown(letter, source, at: place, isAnswer: true) {
                switch append(letter, of: fate, source, at: place, isAnswer: true, &turn) {
                case .appended: break
                case .waits(let interruption): return .failure(Waiting(interruption: interruption))
                case .refused(let message):
                    let reason = "its dead letter was refused: \(message)"
                    return .failure(Waiting(interruption: .stopped(reason)))
                }
            }
            source.lettersDone += 1
        }
        return .success(fate)
    }

    private func hasAnswer(_ source: LaneSource, at place: RecordPlace) -> Bool {
        source.coverage?.hasAnswer(at: place) ?? false
    }

    /// Whether a record is in Kafka, or dealt with by its dead letter.
    private func isKnown(
        _ record: StagedRecord,
        _ source: LaneSource,
        at place: RecordPlace,
        isAnswer: Bool
    ) -> Bool {
        guard var coverage = source.coverage.take() else { return false }
        defer { source.coverage = coverage }
        if !isAnswer, coverage.hasAnswer(at: place) {
            source.beginRow()
            return true
        }
        guard case .delivered = verdict(record, at: place, isAnswer: isAnswer, in: &coverage) else {
            return false
        }
        source.beginRow()
        count(.passedOver, of: source)
        return true
    }

    /// Reading has come to what was never sent: from here on the file costs nothing extra.
    private func leaveCoverage(
        _ event: UnsafeRawBufferPointer,
        _ source: LaneSource,
        _ maker: PipelineMaker,
        at position: RecordPosition,
        _ turn: inout Turn
    ) -> Interruption? {
        if let end = source.coverage?.end, let mismatch = source.coverage?.passed(end).first {
            return .stopped(mismatch.reason)
        }
        source.coverage = nil
        return process(event, source, maker, at: position, &turn)
    }
}
