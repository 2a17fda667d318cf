internal import Checkpointing
internal import FileTailing
internal import KafkaProtocol
internal import PipelineLanguage
internal import RecordProcessing

/// The records that a pipeline makes of a file up to its checkpoint, made again.
struct FileRecords {
    private static let chunkLength = 1 << 20

    let pipeline: LoadedPipeline
    let row: FileCheckpoint
    /// Partitions of each topic; of another topic nothing can be said.
    let partitionCounts: [String: Int32]

    /// Why the file cannot be read again; nil if it can.
    func obstacle() -> String? {
        do {
            _ = try open()
            return nil
        } catch let error as ServiceError {
            return error.description
        } catch {
            return "\(error)"
        }
    }

    private func open() throws -> TailedFile {
        let file: TailedFile
        let isSame: Bool
        do throws(TailError) {
            file = try TailedFile(
                opening: row.path,
                on: LinuxDisk(),
                expecting: FileKey(row),
                decompresses: pipeline.decompresses
            )
            let head = HeadFingerprint(hash: row.headHash, length: row.headLength)
            let before = try file.guardBytes(before: row.checkpoint.offset)
            isSame =
                try head.holds(for: file.evidence().head)
                && before == row.checkpoint.guardBytes
        } catch {
            throw NamedFile(row.path).unreadable(error.code)
        }
        guard isSame else {
            throw ServiceError(.noInput, "\(row.path) was rewritten since its checkpoint")
        }
        return file
    }

    /// Calls `body` with each record, in the order of the file.
    ///
    /// - Throws: `ServiceError` (66) when the file cannot be read.
    func visit(_ body: (FileAudit.Expected) -> Void) throws {
        let file = try open()
        let text = ChunkText(pipeline)
        let processor = RecordProcessor(program: pipeline.program)
        var context = FileContext(path: row.firstPath, inode: row.inode, modified: 0, header: nil)
        var framer = pipeline.makeFramer()
        let buffer = ReadBuffer(capacity: Self.chunkLength)
        var offset: Int64 = 0
        var length = Self.chunkLength
        var isFinal = false
        while offset < row.checkpoint.offset {
            let window = buffer.window(of: length)
            let chunk: ChunkRead
            do throws(TailError) {
                let position = TailPosition(offset: offset, guardBytes: [])
                chunk = try file.read(at: position, into: window)
            } catch {
                throw NamedFile(row.path).unreadable(error.code)
            }
            let bytes = text.text(
                of: chunk.bytes(of: window),
                at: offset,
                head: (try? file.head(4)) ?? [],
                isFinal ? .final : .open
            )
            framer.begin(chunkAt: offset)
            while let event = nextEvent(&framer, in: bytes, isFinal, processor) {
                let place = offset + Int64(text.sourceLength(of: event.range.lowerBound))
                guard place < row.checkpoint.offset else { return }
                let content = UnsafeRawBufferPointer(rebasing: bytes[event.range])
                let position = RecordPosition(line: event.line, offset: place, readTime: 0)
                text.withValidText(of: content) { content, _ in
                    _ = processor.process(content, in: &context, at: position)
                    self.tell(processor.staged, at: place, body)
                }
            }
            let consumed = text.sourceLength(of: framer.position)
            offset += Int64(consumed)
            guard consumed == 0 else { continue }
            if isFinal { return }
            // An event longer than the chunk, or the last one, which nothing follows.
            if chunk.reachedEnd { isFinal = true } else { length *= 2 }
        }
    }

    private func nextEvent(
        _ framer: inout LineFramer,
        in bytes: UnsafeRawBufferPointer,
        _ isFinal: Bool,
        _ processor: RecordProcessor
    ) -> FramedEvent? {
        guard case .multiline = framer.framing else {
            return framer.next(in: bytes, atEnd: isFinal)
        }
        return framer.next(in: bytes, atEnd: isFinal) { processor.matchesLine($0) }
    }

    private func tell(
        _ staged: [StagedRecord],
        at offset: Int64,
        _ body: (FileAudit.Expected) -> Void
    ) {
        for (send, record) in staged.enumerated() {
            let topic = record.topicName
            body(
                FileAudit.Expected(
                    position: LinePosition(offset: offset, send: Int64(send)),
                    topic: topic,
                    hasKey: record.key != nil,
                    partition: partition(of: record, topic)
                )
            )
        }
    }

    private func partition(of record: StagedRecord, _ topic: String) -> Int32? {
        if let partition = record.partition { return partition }
        guard let key = record.key, let count = partitionCounts[topic] else { return nil }
        return JavaPartitioner.partition(key: key, count: count)
    }
}
