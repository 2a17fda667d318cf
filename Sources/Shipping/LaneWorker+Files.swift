internal import Checkpointing
internal import FileTailing
internal import Logging
internal import RecordProcessing

// MARK: - Coming and going

extension LaneWorker {
    func add(_ assignment: LaneAssignment, now: ContinuousClock.Instant) {
        let pipeline = surroundings.pipelines[assignment.pipeline]
        report.assignedFiles += 1
        let source = LaneSource(
            assignment,
            pipeline: pipeline,
            chunkLength: surroundings.chunkLength,
            owner: surroundings.owner
        )
        sources[assignment.id] = source
        if source.file != nil { noteOpen(source) }
        register(source)
        prepareRehearsal(of: source)
        machine.added(assignment.id)
        if let after = source.after { wait(source, for: after, now: now) }
    }

    private func register(_ source: LaneSource) {
        guard let registry = surroundings.registry else { return }
        registry.add(
            SourceRegistry.Entry(
                file: source.row.id,
                generations: [(0, source.row.generation)],
                zones: surroundings.board?.coverage(of: source.row)?.zones ?? [],
                version: surroundings.version(ofPipeline: source.pipelineIndex)
            ),
            of: source.id
        )
    }

    /// Lets a file wait until the one that had its name is read as far as it goes.
    private func wait(_ source: LaneSource, for id: Int, now: ContinuousClock.Instant) {
        guard let before = sources[id], !before.isStopped, !before.isReadUp else {
            source.after = nil
            return
        }
        successors[id, default: []].append(source.id)
        before.tail.changed(now: now)
        machine.changed(id)
    }

    func changed(_ id: Int, now: ContinuousClock.Instant) {
        guard let source = sources[id] else { return }
        source.tail.changed(now: now)
        source.noteGrowth(now: now)
        machine.changed(id)
        if source.isUnsent {
            source.renewHead(in: source.file ?? (try? openFile(of: source)))
        }
    }

    func rename(_ id: Int, to path: String, now: ContinuousClock.Instant) {
        guard let source = sources[id] else { return }
        if source.next != nil {
            source.next?.path = path
            source.next?.isLeaving = false
            return
        }
        source.rename(to: path)
        source.tail.renamed(now: now)
        checkpointMoved(source, now: now)
        machine.changed(id)
    }

    func detach(_ id: Int, to path: String?, now: ContinuousClock.Instant) {
        guard let source = sources[id] else { return }
        if source.next != nil {
            source.next?.isLeaving = true
            return
        }
        if !source.tail.isLeaving { count(.rotations, of: source) }
        if let path {
            source.rename(to: path)
            source.tail.moved(now: now)
        } else {
            source.tail.removed(now: now)
        }
        checkpointMoved(source, now: now)
        machine.changed(id)
    }

    /// Goes on reading a file whose bytes are under another inode now.
    func move(_ id: Int, to continuation: Continuation, now: ContinuousClock.Instant) {
        guard let source = sources[id] else { return }
        source.next = continuation
        // Its last bytes may be under the old inode alone.
        source.tail.changed(now: now)
        machine.changed(id)
        follow(source, now: now)
    }

    /// Goes over to the inode where the bytes of a file are now, if that has all that there is of
    /// it here; otherwise when it is read to its end here.
    func follow(_ source: LaneSource, now: ContinuousClock.Instant) {
        guard let next = source.next else { return }
        // What is not committed may have to be read again here.
        if isTransactional, source.isUncommitted { return }
        let place: MeetingPlace
        do {
            place = try meetingPlace(of: source, next)
        } catch {
            place = .different
        }
        switch place {
        case .different where source.file != nil && !source.tail.isCaughtUp: break
        case .different:
            source.next = nil
            surroundings.news.append(.refused(file: source.id, next))
            source.tail.moved(now: now)
        case .here(let leftover):
            if let leftover, let file = source.file {
                surroundings.news.append(.leftover(file: source.id, file, leftover))
            }
            goOver(source, to: next, end: next.end, now: now)
        case .end(let end): goOver(source, to: next, end: end, now: now)
        }
    }

    private func goOver(
        _ source: LaneSource,
        to next: Continuation,
        end: TailPosition?,
        now: ContinuousClock.Instant
    ) {
        source.next = nil
        setFile(nil, of: source)
        let isShorter = end.map { $0.offset < source.tail.position.offset } ?? false
        source.move(to: next, end: end)
        if source.file != nil { noteOpen(source) }
        source.tail.continued(at: end, size: next.size, isOpen: next.file != nil, now: now)
        if next.isLeaving { source.tail.moved(now: now) }
        logger.info(
            "a file goes on under another inode",
            metadata: ["event": "file.continued", "file": "\(next.path)"]
        )
        checkpointMoved(source, now: now)
        if isShorter {
            // What comes at places behind the end is not what was read there before.
            replaceRest(of: source, from: source.tail.position.offset)
            // That waits for Kafka, and others need not.
            releaseSuccessors(of: source.id)
            // A crash must find the copy by as much of its beginning as it has.
            if surroundings.registry != nil { saveCheckpoints(now: now) }
        }
        machine.changed(source.id)
    }

    /// Lets what comes from a place on be other bytes than those that were read there.
    func replaceRest(of source: LaneSource, from offset: Int64) {
        source.replaceRest(from: offset, isJournaled: surroundings.registry != nil)
    }

    /// Says of what comes that it is not what was sent from there, in the commit that says that all of
    /// that is settled: the next start would pass it over.
    func beginGenerationIfReplaced(of source: LaneSource, now: ContinuousClock.Instant) {
        if source.isReplaced { beginGeneration(of: source, now: now) }
    }

    /// Goes on where nothing that was read stands any more.
    func beginGeneration(of source: LaneSource, now: ContinuousClock.Instant) {
        source.beginGeneration()
        source.renewHead(in: source.file)
        surroundings.registry?.begin(
            generation: source.row.generation,
            at: source.frontier.nextID.rawValue,
            of: source.id
        )
        // Durable before anything is read there.
        checkpointMoved(source, now: now)
        saveCheckpoints(now: now)
    }

    /// Where the bytes of a file meet those of the inode under which it shall go on.
    private enum MeetingPlace {
        /// At the place that reading has reached; what may yet be written here begins at `leftover`.
        case here(leftover: TailPosition?)
        /// The other inode ends before that place, with the same bytes.
        case end(TailPosition)
        case different
    }

    private func meetingPlace(
        of source: LaneSource,
        _ next: Continuation
    ) throws -> MeetingPlace {
        if source.tail.isRewritten { return .here(leftover: nil) }
        let position = source.tail.position
        let other = try next.file ?? openFile(next.path, next.key, pipeline: source.pipelineIndex)
        let isHere = try other.guardBytes(before: position.offset) == position.guardBytes
        guard let file = source.file else { return isHere ? .here(leftover: nil) : .different }
        let end = try file.endPosition()
        if isHere, try other.guardBytes(before: end.offset) == end.guardBytes {
            return .here(leftover: end)
        }
        if isHere, source.tail.isCaughtUp { return .here(leftover: end) }
        let otherEnd = try other.endPosition()
        let isShorter = otherEnd.offset < position.offset
        guard isShorter, try file.guardBytes(before: otherEnd.offset) == otherEnd.guardBytes else {
            return .different
        }
        return source.tail.isCaughtUp ? .end(otherEnd) : .different
    }

    /// Reads no further until it is known where the file's bytes are.
    func suspend(_ id: Int, now: ContinuousClock.Instant) {
        guard let source = sources[id], !source.tail.isRewritten else { return }
        if source.next != nil {
            // Not what is being read, but what would have been read after it.
            source.next = nil
            source.tail.moved(now: now)
            machine.changed(id)
            return
        }
        source.tail.rewritten()
        noteRewrite(source, .overwritten)
    }

    /// The file's bytes are gone with what was not read of them.
    func lose(_ id: Int) {
        guard let source = sources[id] else { return }
        source.tail.lost()
        releaseSuccessors(of: id)
        machine.changed(id)
    }

    func noteRewrite(_ source: LaneSource, _ cause: RewriteCause) {
        surroundings.news.append(.rewritten(file: source.id, source.key, source.file))
        setFile(nil, of: source)
        count(.truncations, of: source)
        logger.notice(
            "a file was rewritten; what is there now is read from its start",
            metadata: [
                "event": "file.truncated", "file": "\(source.row.path)",
                "cause": "\(cause.rawValue)", "offset": "\(source.tail.position.offset)",
            ]
        )
    }

    /// Lets go of a file that is read, settled and over.
    func finish(_ source: LaneSource, abandoned: Int64, now: ContinuousClock.Instant) {
        logger.info(
            "a file is finished",
            metadata: [
                "event": "file.finished", "file": "\(source.row.path)",
                "offset": "\(source.row.checkpoint.offset)", "abandoned_bytes": "\(abandoned)",
            ]
        )
        report.finishedFiles += 1
        count(source.tail.abandonedCounter, abandoned, of: source)
        source.row.state = .finished
        finishedRows.append(source.rowToSave())
        setFile(nil, of: source)
        sources[source.id] = nil
        surroundings.registry?.remove(source.id)
        moved.remove(source.id)
        machine.checkpointMoved(now: now)
        releaseSuccessors(of: source.id)
        surroundings.news.append(.ended(file: source.id, source.row))
    }

    /// Reads no further in a file: a person has to mend what stands here.
    func stop(_ source: LaneSource, because reason: String, at offset: Int64) {
        guard !source.isStopped else { return }
        source.isStopped = true
        report.stoppedFiles += 1
        releaseSuccessors(of: source.id)
        let pipeline = surroundings.pipelines[source.pipelineIndex]
        logger.error(
            "a file is stopped at a record that failed",
            metadata: [
                "event": "pipeline.stopped", "pipeline": "\(pipeline.name)",
                "file": "\(source.row.path)", "offset": "\(offset)", "cause": "\(reason)",
            ]
        )
    }

    /// Counts what was cut off a file's end before it was read.
    func countShrinking(of source: LaneSource) {
        let bytes = source.tail.takeShrunkBytes()
        guard bytes > 0 else { return }
        count(.truncations, of: source)
        count(.abandonedByTruncation, bytes, of: source)
    }

    /// Says what a compressed file is found to lack; whether it ends in the middle.
    func noteDamage(
        of source: LaneSource,
        _ file: TailedFile,
        _ chunk: ChunkRead,
        _ end: ReadEnd
    ) -> Bool {
        guard chunk.reachedEnd, let damage = file.damage else { return false }
        // It may be that its writer is not done.
        if damage.mayGoOn, end != .final { return true }
        guard !source.isKnownDamaged else { return true }
        source.isKnownDamaged = true
        count(.damaged, of: source)
        logger.error(
            "a compressed file is damaged; what is before the damage was read",
            metadata: [
                "event": "file.damaged", "file": "\(source.row.path)", "cause": "\(damage.reason)",
            ]
        )
        return true
    }

    /// Lets files go on that waited until this one is read.
    func releaseSuccessors(of id: Int) {
        for successor in successors.removeValue(forKey: id) ?? [] {
            sources[successor]?.after = nil
            machine.changed(successor)
        }
    }

    func count(_ counter: FileCounter, _ amount: Int64 = 1, of source: LaneSource) {
        count(counter, amount, pipeline: source.pipelineIndex)
    }

    private func count(_ counter: FileCounter, _ amount: Int64 = 1, pipeline: Int) {
        guard amount != 0 else { return }
        let name = surroundings.pipelines[pipeline].name
        counts[CounterName(counter.rawValue, of: name), default: 0] += amount
        report.ledgers[pipeline].files[counter, default: 0] += amount
    }
}

// MARK: - Open files

extension LaneWorker {
    func open(_ source: LaneSource, now: ContinuousClock.Instant) {
        do {
            let file = try openFile(of: source)
            source.tail.opened(now: now)
            setFile(file, of: source)
        } catch {
            logger.warning(
                "a file cannot be opened",
                metadata: [
                    "event": "file.unreadable", "file": "\(source.row.path)", "cause": "\(error)",
                ]
            )
            source.tail.openFailed(isGone: error.isGone, now: now)
        }
    }

    func openFile(of source: LaneSource) throws(TailError) -> TailedFile {
        try openFile(source.row.path, source.key, pipeline: source.pipelineIndex)
    }

    private func openFile(
        _ path: String,
        _ key: FileKey,
        pipeline: Int
    ) throws(TailError) -> TailedFile {
        do {
            return try TailedFile(
                opening: path,
                on: surroundings.disk,
                expecting: key,
                decompresses: surroundings.pipelines[pipeline].decompresses
            )
        } catch {
            guard error.isDescriptorLimit else { throw error }
            count(.descriptorsExhausted, pipeline: pipeline)
            guard closeOldest() else { throw error }
            return try openFile(path, key, pipeline: pipeline)
        }
    }

    func setFile(_ file: TailedFile?, of source: LaneSource) {
        source.file = file
        if file != nil {
            noteOpen(source)
        } else {
            openFiles.removeAll { $0 == source.id }
        }
    }

    func noteOpen(_ source: LaneSource) {
        openFiles.removeAll { $0 == source.id }
        openFiles.append(source.id)
        while openFiles.count > surroundings.openFileLimit {
            guard closeOldest(besides: source.id) else { return }
        }
    }

    /// Closes the file that has been open longest; it is opened again for its next read.
    private func closeOldest(besides id: Int? = nil) -> Bool {
        let others = openFiles.lazy.filter { $0 != id }.compactMap { self.sources[$0] }
        let closable = others.filter {
            // What is not committed may have to be read again when the name is gone.
            $0.next == nil && $0.tail.isClosable && !(self.isTransactional && $0.isUncommitted)
        }
        // Its deletion may not have been told yet, and no name leads to what it holds.
        let source =
            closable.first { $0.tail.isIdle && $0.hasName } ?? closable.first(where: \.hasName)
        guard let source, source.tail.close() != nil
        else { return false }
        setFile(nil, of: source)
        return true
    }

    /// One event of a file, read again.
    ///
    /// `nil` when its bytes are not there any more.
    func readEvent(
        of source: LaneSource,
        _ maker: PipelineMaker,
        at offset: Int64
    ) -> [UInt8]? {
        guard let file = source.file ?? (try? openFile(of: source)) else { return nil }
        let pipeline = maker.pipeline
        let length = pipeline.longestEvent + 2
        let window = buffer.window(of: length)
        let place = TailPosition(offset: offset, guardBytes: [])
        guard let chunk = try? file.read(at: place, into: window) else { return nil }
        var framer = pipeline.makeFramer(state: .event)
        framer.begin(chunkAt: offset)
        let text = maker.text
        let end: ReadEnd = chunk.reachedEnd ? .final : .open
        let head = (try? file.head(4)) ?? []
        let bytes = text.text(of: chunk.bytes(of: window), at: offset, head: head, end)
        guard let event = maker.nextEvent(&framer, in: bytes, atEnd: chunk.reachedEnd) else {
            return nil
        }
        let content = UnsafeRawBufferPointer(rebasing: bytes[event.range])
        return text.withValidText(of: content) { content, _ in Array(content) }
    }
}
