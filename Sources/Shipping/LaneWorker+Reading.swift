internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import Logging
internal import RecordProcessing

/// Why a line cannot be finished now.
enum Interruption: Equatable {
    case needsMemory
    case needsMetadata
    /// `on error stop`, or something that only a person can mend.
    case stopped(String)
}

/// What a chunk came to.
private struct ChunkOutcome {
    /// Bytes of the chunk that are dealt with.
    var consumed = 0
    /// Why the chunk ended before its bytes did.
    var interruption: Interruption?
    /// The rest of the bytes is for another turn, which may come at once.
    var endsEarly = false
}

extension LaneWorker {
    /// Lets a file do what it has to do, and reads at most one chunk of it.
    func takeTurn(_ id: Int, now: ContinuousClock.Instant) -> LaneStateMachine.TurnOutcome {
        guard let source = sources[id] else { preconditionFailure("file \(id) is not here") }
        if source.isStopped { return .ended }
        if let rehearsal = source.rehearsal { return rehearse(source, rehearsal, now: now) }
        if source.isReadToCut { replaceRest(of: source, from: source.tail.position.offset) }
        if source.after != nil || source.mustWait { return .caughtUp }
        if source.mustBeginGeneration { beginGeneration(of: source, now: now) }
        while let action = source.tail.nextAction(now: now) {
            switch action {
            case .open: open(source, now: now)
            case .read(_, let length, let end):
                let outcome = read(source, length: length, end: end, now: now)
                if let outcome { return outcome }
            case .rewritten(let cause):
                noteRewrite(source, cause)
            case .close: setFile(nil, of: source)
            case .finished(let abandoned):
                finish(source, abandoned: abandoned, now: now)
                return .ended
            }
        }
        if source.tail.isCaughtUp, source.next != nil {
            follow(source, now: now)
            return source.next == nil ? .more : .caughtUp
        }
        if source.tail.isCaughtUp, !source.tail.isRewritten {
            source.noteCaughtUp()
            releaseSuccessors(of: id)
        }
        // A decoder takes memory that a file which is read to its end has no use for.
        if source.file?.isCompressed == true, source.tail.isIdle, source.tail.close() != nil {
            setFile(nil, of: source)
        }
        return source.tail.nextDeadline.map { .wait(until: $0) } ?? .caughtUp
    }

    private func read(
        _ source: LaneSource,
        length: Int,
        end: ReadEnd,
        now: ContinuousClock.Instant
    ) -> LaneStateMachine.TurnOutcome? {
        guard let file = source.file else { preconditionFailure("a closed file was to be read") }
        let position = source.tail.position
        let window = buffer.window(of: length + position.guardBytes.count)
        let chunk: ChunkRead
        do {
            chunk = try file.read(at: position, into: window)
        } catch {
            logger.error(
                "a file cannot be read",
                metadata: [
                    "event": "file.unreadable", "file": "\(source.row.path)", "cause": "\(error)",
                ]
            )
            source.tail.readFailed(now: now)
            return nil
        }
        report.currentFile = source.row.path
        let isDamaged = noteDamage(of: source, file, chunk, end)
        let counted = chunk.reachedEnd && !isDamaged ? end : .open
        return take(chunk, of: window, source, end: counted, now: now)
    }

    private func take(
        _ chunk: ChunkRead,
        of window: UnsafeMutableRawBufferPointer,
        _ source: LaneSource,
        end: ReadEnd,
        now: ContinuousClock.Instant
    ) -> LaneStateMachine.TurnOutcome? {
        var outcome = ChunkOutcome()
        if chunk.guardHeld, chunk.bytesRead > 0 {
            outcome = process(chunk, of: window, source, end: end, now: now)
        }
        let result = chunk.result(consumed: outcome.consumed, of: window)
        if outcome.interruption == nil, !outcome.endsEarly {
            source.tail.read(result, now: now)
            countShrinking(of: source)
            return outcome.consumed > 0 ? .more : nil
        }
        source.tail.paused(
            at: TailPosition(
                offset: result.endOffsetOfLastWholeEvent,
                guardBytes: result.guardBytes
            ),
            size: result.sizeNow,
            now: now
        )
        switch outcome.interruption {
        case nil: return .more
        case .needsMemory: return .needsMemory
        case .needsMetadata: return .needsMetadata
        case .stopped(let reason):
            stop(source, because: reason, at: result.endOffsetOfLastWholeEvent)
            return .ended
        }
    }

    // MARK: Processing

    /// Frames and processes what was read, and opens an account for what it owes.
    private func process(
        _ chunk: ChunkRead,
        of window: UnsafeMutableRawBufferPointer,
        _ source: LaneSource,
        end readEnd: ReadEnd,
        now: ContinuousClock.Instant
    ) -> ChunkOutcome {
        var id = source.frontier.begin()
        let maker = maker(of: source, at: max(chunk.offset, source.nextLine))
        let text = maker.text
        let bytes = text.text(
            of: chunk.bytes(of: window),
            at: chunk.offset,
            head: source.firstBytes,
            readEnd
        )
        let readTime = surroundings.wallClock()
        var turn = Turn(owner: source.owner(of: id), readTime: readTime, now: now)
        var outcome = ChunkOutcome()
        var framer = source.framer(for: maker)
        var isKnown = !source.known.isEmpty
        let skippedBefore = framer.skippedCount
        let lastLine = source.lastLine(before: max(chunk.offset, source.nextLine))
        framer.begin(chunkAt: chunk.offset)
        func end() -> Checkpoint {
            let consumed = text.sourceLength(of: framer.position)
            return Checkpoint(
                offset: chunk.offset + Int64(consumed),
                line: framer.line,
                framerState: framer.state.rawValue,
                guardBytes: chunk.guardBytes(before: consumed, of: window)
            )
        }
        while true {
            let before = framer
            guard let event = maker.nextEvent(&framer, in: bytes, atEnd: readEnd != .open) else {
                break
            }
            let place = text.sourceLength(of: event.range.lowerBound)
            let position = RecordPosition(
                line: event.line,
                offset: chunk.offset + Int64(place),
                readTime: turn.readTime
            )
            if position.offset > lastLine {
                // From here on another text makes the records.
                source.nextLine = position.offset
                outcome.endsEarly = true
                framer = before
                break
            }
            if let stop = source.knownStop, stop.offset == position.offset {
                outcome.interruption = .stopped(stop.reason)
                framer = before
                break
            }
            let content = UnsafeRawBufferPointer(rebasing: bytes[event.range])
            if isKnown, !source.known.mayBegin(with: content) {
                let consumed = text.sourceLength(of: before.position)
                noteReplaced(source, from: chunk.offset + Int64(consumed))
                outcome.endsEarly = true
                framer = before
                break
            }
            outcome.interruption = text.withValidText(of: content) { content, replaced in
                count(.replaced, Int64(replaced), of: source)
                return process(content, source, maker, at: position, &turn)
            }
            if let interruption = outcome.interruption {
                source.noteInterruption(content)
                if case .stopped(let reason) = interruption,
                    failInsideLine(source, at: position.offset, because: reason)
                {
                    outcome.interruption = .needsMetadata
                }
                framer = before
                break
            }
            if isKnown {
                source.known.removeFirst()
                isKnown = !source.known.isEmpty
            }
            if event.isCut { noteCut(source, at: position) }
            if transaction.errand != nil {
                // Only the line was to be finished.
                outcome.endsEarly = true
                break
            }
            guard turn.needsNewOwner else { continue }
            finish(id, of: source, end: end(), turn)
            id = source.frontier.begin()
            turn = Turn(owner: source.owner(of: id), readTime: readTime, now: now)
        }
        count(.linesSkipped, framer.skippedCount - skippedBefore, of: source)
        count(.replaced, Int64(text.replacedCount(in: framer.position)), of: source)
        source.framer = framer
        outcome.consumed = text.sourceLength(of: framer.position)
        finish(id, of: source, end: end(), turn)
        if outcome.consumed > 0 {
            source.passed(end(), now: now)
            // Before anything of it is sent.
            if source.isUnrecognizable, surroundings.registry != nil { save(source, now: now) }
            if readEnd == .quiet, surroundings.registry != nil { source.holdHere() }
        }
        advance(source, now: now)
        return outcome
    }

    /// Writes a file's checkpoint at once.
    private func save(_ source: LaneSource, now: ContinuousClock.Instant) {
        checkpointMoved(source, now: now)
        saveCheckpoints(now: now)
    }

    private func finish(
        _ id: AckFrontier.ChunkID,
        of source: LaneSource,
        end: Checkpoint,
        _ turn: Turn
    ) {
        changeFrontier(of: source) { $0.finish(id, end: end, owed: turn.owed, lines: turn.lines) }
    }

    /// Goes on with other lines than those that were sent from here.
    private func noteReplaced(_ source: LaneSource, from offset: Int64) {
        count(.truncations, of: source)
        logger.notice(
            "a file was rewritten behind the place where its reading goes on",
            metadata: [
                "event": "file.truncated", "file": "\(source.row.path)",
                "offset": "\(offset)",
            ]
        )
        replaceRest(of: source, from: offset)
    }

    private func noteCut(_ source: LaneSource, at position: RecordPosition) {
        count(.linesCut, of: source)
        let total = report.ledgers[source.pipelineIndex].files[.linesCut] ?? 0
        // The first, then ever fewer: the exact count stands in the books.
        guard total & (total - 1) == 0 else { return }
        logger.warning(
            "a line is longer than max_line and lost its end",
            metadata: [
                "event": "line.cut", "file": "\(source.row.path)", "line": "\(position.line)",
                "offset": "\(position.offset)", "count": "\(total)",
            ]
        )
    }

    /// Runs the program over one event; a reason comes back when it must be tried again.
    func process(
        _ event: UnsafeRawBufferPointer,
        _ source: LaneSource,
        _ maker: PipelineMaker,
        at position: RecordPosition,
        _ turn: inout Turn
    ) -> Interruption? {
        if source.coverage != nil {
            return processCovered(event, source, maker, at: position, &turn)
        }
        let fate = maker.processor.process(event, in: &source.context, at: position)
        if case .stopped(let failure) = fate {
            note(fate, source, maker, at: position)
            return .stopped(failure.message)
        }
        if isTransactional, mustWaitForTopics(of: maker.processor.staged, source) {
            return .needsMetadata
        }
        switch send(maker.processor.staged, of: fate, source, position.offset, &turn) {
        case nil: break
        case .waits(let interruption): return interruption
        case .refused(let message):
            return refuse(event, source, maker, at: position, message, &turn)
        }
        if fate.makesRecords { turn.lines += 1 }
        note(fate, source, maker, at: position)
        if case .sent = fate { watchColumns(source, maker) }
        return nil
    }

    private func watchColumns(_ source: LaneSource, _ maker: PipelineMaker) {
        let names = maker.processor.watchColumns()
        if names.isEmpty { return }
        logger.warning(
            "none of many records has had these fields; are their names right?",
            metadata: [
                "event": "field.never_seen", "pipeline": "\(maker.pipeline.name)",
                "fields": "\(names.joined(separator: ", "))", "file": "\(source.row.path)",
                "records": "\(RecordProcessor.columnWatchLength)",
            ]
        )
    }

    /// Hands a line to `on error` of which a record cannot be sent.
    func refuse(
        _ event: UnsafeRawBufferPointer,
        _ source: LaneSource,
        _ maker: PipelineMaker,
        at position: RecordPosition,
        _ message: String,
        _ turn: inout Turn
    ) -> Interruption? {
        let place = RecordPlace(offset: position.offset, send: Int32(source.sendsDone))
        let fate = maker.processor.fail(
            event,
            in: &source.context,
            at: position,
            kind: .kafka,
            message: message
        )
        if case .stopped(let failure) = fate {
            note(fate, source, maker, at: position)
            return .stopped(failure.message)
        }
        let answer = RecordPlace.wholeLine(at: position.offset)
        let letters = maker.processor.staged
        if let reason = sendDeadLetter(letters, of: fate, source, answer, &turn) { return reason }
        source.endLine()
        surroundings.registry?.addHole(at: place, of: source.id)
        turn.needsNewOwner = surroundings.registry != nil
        // Nor can readers of the log count on from the one before.
        source.beginRow()
        if fate.makesRecords { turn.lines += 1 }
        note(fate, source, maker, at: position)
        return nil
    }

    /// Appends the records of one line, from the first that an earlier turn has not appended.
    private func send(
        _ staged: [StagedRecord],
        of fate: Fate,
        _ source: LaneSource,
        _ offset: Int64,
        _ turn: inout Turn
    ) -> SendObstacle? {
        while source.sendsDone < staged.count {
            let place = RecordPlace(
                offset: offset,
                send: Int32(truncatingIfNeeded: source.sendsDone)
            )
            if source.passesOver(place, fate) { continue }
            switch append(staged[source.sendsDone], of: fate, source, at: place, &turn) {
            case .appended: source.sendsDone += 1
            case .waits(let interruption): return .waits(interruption)
            case .refused(let message): return .refused(message)
            }
        }
        if let refusal = source.refusal(ofLineAt: offset, fate) { return .refused(refusal.message) }
        source.endLine()
        return nil
    }

    /// Appends a record's dead letters; one being refused as well stops the pipeline.
    func sendDeadLetter(
        _ staged: [StagedRecord],
        of fate: Fate,
        _ source: LaneSource,
        _ place: RecordPlace,
        _ turn: inout Turn
    ) -> Interruption? {
        while source.lettersDone < staged.count {
            let letter = staged[source.lettersDone]
            switch append(letter, of: fate, source, at: place, isAnswer: true, &turn) {
            case .appended: source.lettersDone += 1
            case .waits(let interruption): return interruption
            case .refused(let message): return .stopped("its dead letter was refused: \(message)")
            }
        }
        return nil
    }
}

/// What stands in the way of a line's records.
enum SendObstacle {
    case waits(Interruption)
    case refused(String)
}

extension RecordPlace {
    /// The place of the answer to a line of which a record could not be sent, and nothing else was.
    static func wholeLine(at offset: Int64) -> RecordPlace {
        RecordPlace(offset: offset, send: sendLimit - 1)
    }
}

extension Fate {
    /// Whether Kafka has to acknowledge something of the line.
    var makesRecords: Bool {
        switch self {
        case .sent(let count): count > 0
        case .deadLettered: true
        case .dropped, .consumed, .skipped, .stopped: false
        }
    }
}
