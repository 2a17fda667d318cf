internal import Checkpointing
internal import FileTailing
internal import Logging
internal import RecordProcessing

extension LaneWorker {
    /// Begins a new generation of a file whose old bytes are gone.
    func restart(_ source: LaneSource, _ cause: RestartCause, abandoned: Int64) {
        logger.warning(
            "a file is read again from its start",
            metadata: [
                "event": "file.truncated", "file": "\(source.row.path)", "cause": "\(cause)",
                "abandoned_bytes": "\(abandoned)",
            ]
        )
        source.restart()
        report.abandonedBytes += abandoned
        moved.insert(source.id)
        machine.checkpointMoved(now: .now)
    }

    /// Lets go of a file that is read, settled and over.
    func finish(_ source: LaneSource, abandoned: Int64) {
        logger.info(
            "a file is finished",
            metadata: [
                "event": "file.finished", "file": "\(source.row.path)",
                "offset": "\(source.row.checkpoint.offset)", "abandoned_bytes": "\(abandoned)",
            ]
        )
        report.abandonedBytes += abandoned
        report.finishedFiles += 1
        source.row.state = .finished
        finishedRows.append(source.rowToSave())
        surroundings.endedFiles.append(EndedFile(pipeline: source.pipelineIndex, row: source.row))
        source.file = nil
        sources[source.id] = nil
        moved.remove(source.id)
        machine.checkpointMoved(now: .now)
    }

    /// Reads no further in a file: a person has to mend what stands here.
    func stop(_ source: LaneSource, because reason: String, at offset: Int64) {
        guard !source.isStopped else { return }
        source.isStopped = true
        report.stoppedFiles += 1
        let pipeline = surroundings.pipelines[source.pipelineIndex]
        logger.error(
            "a file is stopped at a record that failed",
            metadata: [
                "event": "pipeline.stopped", "pipeline": "\(pipeline.name)",
                "file": "\(source.row.path)", "offset": "\(offset)", "cause": "\(reason)",
            ]
        )
    }

    /// One event of a file, read again.
    ///
    /// `nil` when its bytes are not there any more.
    func readEvent(of source: LaneSource, at offset: Int64) -> [UInt8]? {
        let file = source.file ?? (try? TailedFile(opening: source.row.path, expecting: source.key))
        let pipeline = surroundings.pipelines[source.pipelineIndex]
        let length = pipeline.longestEvent + 2
        let window = buffer.window(of: length)
        let place = TailPosition(offset: offset, guardBytes: [])
        guard let file, let chunk = try? file.read(at: place, into: window) else { return nil }
        var framer = pipeline.makeFramer(state: .event)
        framer.begin(chunkAt: offset)
        let bytes = chunk.bytes(of: window)
        guard let event = nextEvent(&framer, in: bytes, atEnd: chunk.reachedEnd, source)
        else { return nil }
        return Array(bytes[event.range])
    }
}
