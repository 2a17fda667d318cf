internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import KafkaProtocol
internal import Logging
internal import RecordProcessing

extension LaneWorker {
    /// The text that makes the records of a line, at work.
    func maker(of source: LaneSource, at offset: Int64) -> PipelineMaker {
        guard let version = source.version(at: offset) else { return makers[source.pipelineIndex] }
        return maker(version: version) ?? makers[source.pipelineIndex]
    }

    /// Nil for a text that does not load any more.
    private func maker(version: Int64) -> PipelineMaker? {
        if let today = makers.first(where: { $0.version == version }) { return today }
        if let maker = earlierMakers[version] { return maker }
        guard let pipeline = surroundings.board?.pipeline(version: version) else { return nil }
        let maker = PipelineMaker(pipeline, version: version)
        earlierMakers[version] = maker
        return maker
    }

    /// Has a file read once without sending, if something of it was sent before the start.
    func prepareRehearsal(of source: LaneSource) {
        guard let board = surroundings.board else { return }
        guard let coverage = board.coverage(of: source.row) else {
            return awaitRecovery(of: source)
        }
        for zone in coverage.zones where maker(version: zone.pipelineVersion) == nil {
            let cause = "the pipeline's text that made what was sent of it does not load any more"
            board.unavailable(FileBytes(source.row), because: cause)
            return stop(source, because: cause, at: source.row.checkpoint.offset)
        }
        source.rehearsal = Rehearsal(
            source,
            coverage,
            context: source.context,
            maker: makers[source.pipelineIndex],
            readLength: surroundings.chunkLength
        )
    }

    /// Reads a chunk of what was sent before the start.
    func rehearse(
        _ source: LaneSource,
        _ rehearsal: Rehearsal,
        now: ContinuousClock.Instant
    ) -> LaneStateMachine.TurnOutcome {
        if source.tail.isRewritten { return isRewritten(rehearsal, of: source) }
        let window = buffer.window(of: rehearsal.readLength + TailPosition.guardLength)
        let length = rehearsal.readLength + rehearsal.position.guardBytes.count
        let target = UnsafeMutableRawBufferPointer(rebasing: window[..<length])
        let chunk: ChunkRead
        do throws(TailError) {
            if source.file == nil, rehearsal.opened == nil {
                rehearsal.opened = try openFile(of: source)
            }
            guard let file = source.file ?? rehearsal.opened else { return .more }
            chunk = try file.read(at: rehearsal.position, into: target)
        } catch {
            if error.isGone { return giveUp(rehearsal, of: source, "it is gone") }
            rehearsal.failedOpens += 1
            guard rehearsal.failedOpens < 20 else {
                return leave(rehearsal, of: source, because: "it cannot be read: \(error)")
            }
            return .wait(until: now + .milliseconds(500))
        }
        guard chunk.guardHeld else { return isRewritten(rehearsal, of: source) }
        return rehearse(source, rehearsal, chunk, of: target, now: now)
    }

    private func rehearse(
        _ source: LaneSource,
        _ rehearsal: Rehearsal,
        _ chunk: ChunkRead,
        of window: UnsafeMutableRawBufferPointer,
        now: ContinuousClock.Instant
    ) -> LaneStateMachine.TurnOutcome {
        let line = max(chunk.offset, rehearsal.nextLine)
        let version = rehearsal.coverage.pipelineVersion(at: line)
        guard let version, let maker = maker(version: version) else {
            return end(rehearsal, of: source)
        }
        let readEnd: ReadEnd = chunk.reachedEnd ? .final : .open
        let bytes = maker.text.text(
            of: chunk.bytes(of: window),
            at: chunk.offset,
            head: source.firstBytes,
            readEnd
        )
        let lastLine = rehearsal.lastLine(at: line)
        var framer = rehearsal.framer(for: maker)
        framer.begin(chunkAt: chunk.offset)
        var isDone = false
        while true {
            let before = framer
            guard let event = maker.nextEvent(&framer, in: bytes, atEnd: chunk.reachedEnd) else {
                break
            }
            let place = maker.text.sourceLength(of: event.range.lowerBound)
            let position = RecordPosition(
                line: event.line,
                offset: chunk.offset + Int64(place),
                readTime: surroundings.wallClock()
            )
            rehearsal.nextLine = position.offset
            isDone = position.offset > rehearsal.coverage.end.offset
            if position.offset > lastLine {
                framer = before
                break
            }
            let mismatches = rehearsal.coverage.passed(RecordPlace(offset: position.offset))
            if let mismatch = mismatches.first {
                return stop(rehearsal, of: source, at: mismatch)
            }
            let content = UnsafeRawBufferPointer(rebasing: bytes[event.range])
            rehearsal.lines.append(content)
            maker.text.withValidText(of: content) { content, _ in
                make(content, rehearsal, maker, at: position, headerOf: source)
            }
        }
        rehearsal.framer = framer
        let consumed = maker.text.sourceLength(of: framer.position)
        rehearsal.position = TailPosition(
            offset: chunk.offset + Int64(consumed),
            guardBytes: chunk.guardBytes(before: consumed, of: window)
        )
        let isStuck = consumed == 0 && rehearsal.nextLine <= line
        if isStuck { rehearsal.readLength = min(rehearsal.readLength * 2, longestRead(maker)) }
        if isDone { return end(rehearsal, of: source) }
        let isAtEnd = chunk.reachedEnd && rehearsal.nextLine <= lastLine
        return isAtEnd ? endEarly(rehearsal, of: source) : .more
    }

    private func longestRead(_ maker: PipelineMaker) -> Int {
        max(surroundings.chunkLength, maker.pipeline.longestEvent + 4096)
    }

    // MARK: Ending

    /// All records that were sent of what there is of the file were made again.
    ///
    /// The rest is gone: its writer's bytes were lost with the host, or it is a copy that was made
    /// before the last of them were written.
    private func endEarly(
        _ rehearsal: Rehearsal,
        of source: LaneSource
    ) -> LaneStateMachine.TurnOutcome {
        let place = RecordPlace(offset: rehearsal.position.offset)
        guard place < rehearsal.coverage.end, !rehearsal.coverage.isOpen else {
            return end(rehearsal, of: source)
        }
        if let mismatch = rehearsal.coverage.passed(place).first {
            return stop(rehearsal, of: source, at: mismatch)
        }
        source.isCut(at: place.offset)
        surroundings.board?.gathered(rehearsal.file, upTo: place)
        return waitForRecovery(of: source)
    }

    /// All records that were sent of the file were made again.
    private func end(
        _ rehearsal: Rehearsal,
        of source: LaneSource
    ) -> LaneStateMachine.TurnOutcome {
        if let mismatch = rehearsal.coverage.passed(rehearsal.coverage.end).first {
            return stop(rehearsal, of: source, at: mismatch)
        }
        surroundings.board?.gathered(rehearsal.file)
        surroundings.board?.completed(rehearsal.coverage.completed, of: rehearsal.file)
        return waitForRecovery(of: source)
    }

    /// Nothing is known of what the file has, and it may be there again later.
    private func leave(
        _ rehearsal: Rehearsal,
        of source: LaneSource,
        because cause: String
    ) -> LaneStateMachine.TurnOutcome {
        guard rehearsal.coverage.isOpen else { return giveUp(rehearsal, of: source, cause) }
        // What was sent of it would be sent again.
        stop(source, because: cause, at: rehearsal.position.offset)
        return .ended
    }

    private func isRewritten(
        _ rehearsal: Rehearsal,
        of source: LaneSource
    ) -> LaneStateMachine.TurnOutcome {
        source.isCut(at: rehearsal.position.offset)
        return giveUp(rehearsal, of: source, "it was rewritten")
    }

    private func giveUp(
        _ rehearsal: Rehearsal,
        of source: LaneSource,
        _ cause: String
    ) -> LaneStateMachine.TurnOutcome {
        surroundings.board?.unavailable(rehearsal.file, because: cause)
        return waitForRecovery(of: source)
    }

    private func waitForRecovery(of source: LaneSource) -> LaneStateMachine.TurnOutcome {
        source.known = source.rehearsal?.lines ?? KnownLines()
        source.rehearsal = nil
        awaitRecovery(of: source)
        return source.isWaitingForRecovery ? .caughtUp : .more
    }

    /// Lets a file's reading begin as soon as it is known what of it is in Kafka.
    private func awaitRecovery(of source: LaneSource) {
        guard let board = surroundings.board else { return }
        let id = source.id
        let step = board.nextStep(for: FileBytes(source.row)) { [listener] in
            listener.recovered(id)
        }
        source.isWaitingForRecovery = step == .wait
        switch step {
        case .wait: break
        case .rehearse: prepareRehearsal(of: source)
        case .read: beginReading(source)
        }
    }

    func recovered(_ id: Int) {
        guard let source = sources[id], source.isWaitingForRecovery else { return }
        awaitRecovery(of: source)
        machine.changed(id)
    }

    private func beginReading(_ source: LaneSource) {
        let coverage = surroundings.board?.coverage(of: source.row)
        source.take(coverage)
        surroundings.registry?.setZones(coverage?.zones ?? [], of: source.id)
    }

    private func stop(
        _ rehearsal: Rehearsal,
        of source: LaneSource,
        at mismatch: FileCoverage.Mismatch
    ) -> LaneStateMachine.TurnOutcome {
        let cause = "its records come out otherwise than before the crash"
        surroundings.board?.unavailable(rehearsal.file, because: cause)
        stop(source, at: mismatch)
        return .ended
    }

    func stop(_ source: LaneSource, at mismatch: FileCoverage.Mismatch) {
        stop(source, because: mismatch.reason, at: mismatch.stretch.from.offset)
    }

    // MARK: Records

    /// Makes a line's records, and leaves those at the board that are owed.
    private func make(
        _ event: UnsafeRawBufferPointer,
        _ rehearsal: Rehearsal,
        _ maker: PipelineMaker,
        at position: RecordPosition,
        headerOf source: LaneSource
    ) {
        let fate = maker.processor.process(event, in: &rehearsal.context, at: position)
        if case .stopped = fate { return }
        var answered: [RecordPlace] = []
        for (number, record) in maker.processor.staged.enumerated() {
            let place = RecordPlace(offset: position.offset, send: Int32(number))
            if rehearsal.coverage.hasAnswer(at: place) {
                answered.append(place)
                rehearsal.coverage.answered(topic: record.topicName, place: place) { count in
                    partition(of: record, count)
                }
            } else {
                make(record, rehearsal, at: place, isAnswer: false, position, source)
            }
        }
        let wholeLine = RecordPlace.wholeLine(at: position.offset)
        if rehearsal.coverage.hasAnswer(at: wholeLine) { answered.append(wholeLine) }
        for place in answered {
            _ = maker.processor.fail(
                event,
                in: &rehearsal.context,
                at: position,
                kind: .kafka,
                message: Self.refusedBefore
            )
            for letter in maker.processor.staged {
                make(letter, rehearsal, at: place, isAnswer: true, position, source)
            }
        }
    }

    /// Why a dead letter is sent again whose cause is not known any more.
    static var refusedBefore: String { "Kafka refused it before the last start" }

    private func make(
        _ record: StagedRecord,
        _ rehearsal: Rehearsal,
        at place: RecordPlace,
        isAnswer: Bool,
        _ position: RecordPosition,
        _ source: LaneSource
    ) {
        let verdict = verdict(record, at: place, isAnswer: isAnswer, in: &rehearsal.coverage)
        guard case .owed(let row) = verdict, let board = surroundings.board else { return }
        let time = record.timestamp ?? board.creationTime(of: row) ?? position.readTime
        let header = source.positionHeader.map { Array($0.prefix) } ?? []
        board.add(
            MadeRecord(record, timestamp: time, at: place, isAnswer: isAnswer, prefix: header),
            of: rehearsal.file,
            to: row
        )
    }

    /// What is known of a record that is made again.
    func verdict(
        _ record: StagedRecord,
        at place: RecordPlace,
        isAnswer: Bool,
        in coverage: inout FileCoverage
    ) -> FileCoverage.Verdict {
        coverage.verdict(topic: record.topicName, place: place, isAnswer: isAnswer) { count in
            partition(of: record, count)
        }
    }

    /// Where a record goes if its topic has so many partitions; nil for one that any may have.
    private func partition(of record: StagedRecord, _ count: Int32) -> Int32? {
        if let partition = record.partition { return partition }
        guard let key = record.key, !surroundings.configuration.partitionerIgnoresKeys else {
            return nil
        }
        return JavaPartitioner.partition(key: key, count: count)
    }
}

extension MadeRecord {
    fileprivate init(
        _ record: StagedRecord,
        timestamp: Int64,
        at place: RecordPlace,
        isAnswer: Bool,
        prefix: [UInt8]
    ) {
        self.init(
            key: record.key.map { Array($0) },
            value: record.value.map { Array($0) },
            headers: record.headers.map { (Array($0.name), $0.value.map { Array($0) }) },
            timestamp: timestamp,
            place: place,
            prefix: prefix,
            isAnswer: isAnswer
        )
    }
}

extension FileCoverage.Mismatch {
    /// What was found, and what to do.
    var reason: String {
        guard !stretch.isCounted else {
            return "Kafka has \(stretch.count) records of it in \(topic)-\(partition), from byte"
                + " \(stretch.from.offset) on, which were sent before the crash and are not in the"
                + " journal, and now \(found) of them come out: the file or the pipeline has"
                + " changed; put that back, or start once with --delivery at_least_once, which"
                + " sends again what is beyond the checkpoint"
        }
        return "\(stretch.count) records of it were sent to \(topic)-\(partition) before the crash,"
            + " from byte \(stretch.from.offset) to \(stretch.through.offset), and now they come out as \(found):"
            + " the file or what the pipeline depends on has changed; put that back, or start once"
            + " with --delivery at_least_once, which sends again what is beyond the checkpoint"
    }
}
