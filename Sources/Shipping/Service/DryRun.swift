internal import FileTailing
internal import Glibc
internal import PipelineLanguage
internal import RecordProcessing

/// `forktail try`: what a file would become, without Kafka and without a trace.
package struct DryRun {
    package enum Format: String, CaseIterable, Sendable {
        case pretty, json
    }

    private static let longestInput = 1 << 30

    private let pipeline: LoadedPipeline
    private let format: Format
    private let limit: Int

    package init(pipeline: LoadedPipeline, format: Format, limit: Int?) {
        self.pipeline = pipeline
        self.format = format
        self.limit = limit ?? .max
    }

    /// Prints the outcomes on standard output and returns how many records failed.
    ///
    /// - Throws: `ServiceError`: 66 when the file cannot be read, 74 when the outcomes cannot be
    ///   written.
    package func run(file: String) throws -> Int {
        let input = try wholeInput(file)
        let failures = try input.bytes.withUnsafeBytes { try show($0, of: input, file) }
        guard let damage = input.damage else { return failures }
        writeToStandardError(
            "forktail: \(file.printable) is damaged: \(damage); what is before that was read\n"
        )
        return failures + 1
    }

    /// Prints what becomes of each event.
    private func show(
        _ raw: UnsafeRawBufferPointer,
        of input: WholeInput,
        _ file: String
    ) throws -> Int {
        let processor = RecordProcessor(program: pipeline.program)
        let name = file == "-" ? "stdin" : file
        var context = FileContext(path: name, inode: 0, modified: 0, header: nil)
        let text = ChunkText(pipeline)
        let end: ReadEnd = input.damage == nil ? .final : .open
        let bytes = text.text(of: raw, at: 0, head: Array(raw.prefix(4)), end)
        let events = pipeline.events(in: bytes, atEnd: end == .final) { processor.matchesLine($0) }
        var failures = 0
        var shown = 0
        for event in events where shown < limit {
            let position = RecordPosition(
                line: event.line,
                offset: Int64(text.sourceLength(of: event.range.lowerBound)),
                readTime: wallClockMilliseconds()
            )
            let content = UnsafeRawBufferPointer(rebasing: bytes[event.range])
            // What is staged points into the event.
            let (outcome, lines) = text.withValidText(of: content) { content, _ in
                let fate = processor.process(content, in: &context, at: position)
                let outcome = DryOutcome(fate, processor, pipeline, file: name, position)
                return (outcome, outcome.rendered(as: format))
            }
            failures += outcome.isFailure ? 1 : 0
            for line in lines {
                try writeToStandardOutput(line)
                shown += 1
            }
            if outcome.isStop { break }
        }
        return failures
    }

    private func wholeInput(_ file: String) throws -> WholeInput {
        let input: WholeInput?
        do {
            input = try WholeInput(
                self.input(file),
                name: file,
                decompresses: pipeline.decompresses,
                limit: Self.longestInput
            )
        } catch let error as TailError {
            throw NamedFile(file).unreadable(error.code)
        }
        guard let input else {
            throw ServiceError(.noInput, "\(file) has over 1 GiB in it; try a part of it")
        }
        return input
    }

    private func input(_ file: String) throws -> [UInt8] {
        let named = NamedFile(file == "-" ? "standard input" : file)
        if file != "-", try named.kind() == .folder {
            throw ServiceError(.noInput, "\(file) is a folder; `try` takes one file")
        }
        let descriptor = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw named.unreadable(errno) }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        guard let bytes = try readAll(descriptor, of: named, limit: Self.longestInput) else {
            throw ServiceError(.noInput, "\(file) is over 1 GiB; try a part of it")
        }
        return bytes
    }
}

/// One line's outcome, as `forktail try` prints it.
private struct DryOutcome {
    private let fate: Fate
    private let records: [StagedRecord]
    private let dropReasons: [String]
    private let file: String
    private let position: RecordPosition

    init(
        _ fate: Fate,
        _ processor: RecordProcessor,
        _ pipeline: LoadedPipeline,
        file: String,
        _ position: RecordPosition
    ) {
        self.fate = fate
        self.file = file
        self.position = position
        records = processor.staged
        dropReasons = pipeline.program.dropReasons
    }

    var isFailure: Bool {
        switch fate {
        case .deadLettered, .skipped, .stopped: true
        case .sent, .dropped, .consumed: false
        }
    }

    var isStop: Bool {
        if case .stopped = fate { true } else { false }
    }

    func rendered(as format: DryRun.Format) -> [String] {
        switch fate {
        case .consumed: []
        case .sent: records.map { format == .json ? json("sent", $0, nil) : pretty($0, nil) }
        case .deadLettered(let failure):
            records.map {
                format == .json ? json("dead_letter", $0, failure) : pretty($0, failure)
            }
        case .dropped(let reason):
            [ending("dropped", "reason", dropReasons[reason], format)]
        case .skipped(let failure): [ending("skipped", "error", failure.message, format)]
        case .stopped(let failure): [ending("stopped", "error", failure.message, format)]
        }
    }

    // MARK: JSON

    private var place: String {
        "\"file\":\(LogLine.quoted(file)),\"line\":\(position.line),\"offset\":\(position.offset)"
    }

    private func json(_ fate: String, _ record: StagedRecord, _ failure: RecordFailure?) -> String {
        var fields = ["\"fate\":\"\(fate)\"", "\"topic\":\(LogLine.quoted(record.topicName))"]
        if let failure { fields.append("\"error\":\(LogLine.quoted(failure.message))") }
        fields += member("key", record.key)
        if let timestamp = record.timestamp { fields.append("\"timestamp\":\(timestamp)") }
        if let partition = record.partition { fields.append("\"partition\":\(partition)") }
        if !record.headers.isEmpty {
            let pairs = record.headers.map { header in
                "[\(LogLine.quoted(text(header.name))),"
                    + "\(header.value.map { LogLine.quoted(text($0)) } ?? "null")]"
            }
            fields.append("\"headers\":[\(pairs.joined(separator: ","))]")
        }
        fields += member("value", record.value)
        return "{" + (fields + [place]).joined(separator: ",") + "}\n"
    }

    private func member(_ name: String, _ bytes: UnsafeRawBufferPointer?) -> [String] {
        guard let bytes else { return ["\"\(name)\":null"] }
        guard let valid = String(validating: bytes, as: UTF8.self) else {
            return ["\"\(name)_base64\":\"\(base64(bytes))\""]
        }
        return ["\"\(name)\":\(LogLine.quoted(valid))"]
    }

    private func ending(
        _ fate: String,
        _ name: String,
        _ text: String,
        _ format: DryRun.Format
    ) -> String {
        switch format {
        case .pretty: "\(fate)  \(file.printable):\(position.line)  \(text.printable)\n\n"
        case .json: "{\"fate\":\"\(fate)\",\"\(name)\":\(LogLine.quoted(text)),\(place)}\n"
        }
    }

    // MARK: For people

    private func pretty(_ record: StagedRecord, _ failure: RecordFailure?) -> String {
        var lines = ["\(record.topicName)  \(file):\(position.line)".printable]
        if let failure { lines[0] += "  dead letter: \(failure.message.printable)" }
        lines.append("  key    \(record.key.map { text($0).printable } ?? "(none)")")
        if let timestamp = record.timestamp { lines.append("  time   \(timestamp)") }
        for header in record.headers {
            let value = header.value.map { text($0).printable } ?? "null"
            lines.append("  header \(text(header.name).printable) = \(value)")
        }
        lines.append("  value  \(record.value.map(text) ?? "(tombstone)")")
        return lines.joined(separator: "\n") + "\n\n"
    }

    private func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

/// RFC 4648 base64, for keys and values that are not text.
func base64(_ bytes: UnsafeRawBufferPointer) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var out: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = (0..<3).map { start + $0 < bytes.count ? UInt32(bytes[start + $0]) : 0 }
        let bits = group[0] << 16 | group[1] << 8 | group[2]
        for shift in [18, 12, 6, 0] { out.append(alphabet[Int(bits >> UInt32(shift) & 63)]) }
        let missing = max(0, start + 3 - bytes.count)
        for place in 0..<missing { out[out.count - 1 - place] = UInt8(ascii: "=") }
    }
    return String(decoding: out, as: UTF8.self)
}
