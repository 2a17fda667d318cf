internal import PipelineLanguage
internal import RecordProcessing

/// One line's outcome, as `forktail try` prints it.
struct DryOutcome {
    private let fate: Fate
    private let records: [StagedRecord]
    private let dropReasons: [String]
    private let place: DryPlace

    init(_ fate: Fate, _ processor: RecordProcessor, at place: DryPlace) {
        self.fate = fate
        self.place = place
        records = processor.staged
        dropReasons = processor.program.dropReasons
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
        case .sent: records.map { rendered($0, "sent", nil, format) }
        case .deadLettered(let failure):
            records.map { rendered($0, "dead_letter", failure, format) }
        case .dropped(let reason):
            [ending("dropped", "reason", dropReasons[reason], format)]
        case .skipped(let failure): [ending("skipped", "error", failure.message, format)]
        case .stopped(let failure): [ending("stopped", "error", failure.message, format)]
        }
    }

    private func rendered(
        _ record: StagedRecord,
        _ fate: String,
        _ failure: RecordFailure?,
        _ format: DryRun.Format
    ) -> String {
        switch format {
        case .pretty: pretty(record, failure)
        case .json: json(fate, record, failure)
        case .kcat: kcat(record)
        }
    }

    // MARK: JSON

    private func json(_ fate: String, _ record: StagedRecord, _ failure: RecordFailure?) -> String {
        var fields = ["\"fate\":\"\(fate)\"", "\"topic\":\(quotedAsJSON(record.topicName))"]
        if let cluster = record.cluster {
            fields.insert("\"cluster\":\(quotedAsJSON(text(cluster)))", at: 1)
        }
        if let failure { fields.append("\"error\":\(quotedAsJSON(failure.message))") }
        fields += member("key", record.key)
        if let timestamp = record.timestamp { fields.append("\"timestamp\":\(timestamp)") }
        if let partition = record.partition { fields.append("\"partition\":\(partition)") }
        if !record.headers.isEmpty {
            let pairs = record.headers.map { header in
                "[\(quotedAsJSON(text(header.name))),"
                    + "\(header.value.map { quotedAsJSON(text($0)) } ?? "null")]"
            }
            fields.append("\"headers\":[\(pairs.joined(separator: ","))]")
        }
        fields += member("value", record.value)
        return "{" + (fields + [place.json]).joined(separator: ",") + "}\n"
    }

    private func member(_ name: String, _ bytes: UnsafeRawBufferPointer?) -> [String] {
        guard let bytes else { return ["\"\(name)\":null"] }
        guard let valid = String(validating: bytes, as: UTF8.self) else {
            return ["\"\(name)_base64\":\"\(base64(bytes))\""]
        }
        return ["\"\(name)\":\(quotedAsJSON(valid))"]
    }

    private func ending(
        _ fate: String,
        _ name: String,
        _ text: String,
        _ format: DryRun.Format
    ) -> String {
        switch format {
        case .pretty: "\(fate)  \(place.shown)  \(text.printable)\n\n"
        case .json: "{\"fate\":\"\(fate)\",\"\(name)\":\(quotedAsJSON(text)),\(place.json)}\n"
        case .kcat: ""
        }
    }

    /// The members that `kcat -J` has, as far as they are known before Kafka has the record.
    private func kcat(_ record: StagedRecord) -> String {
        var fields = ["\"topic\":\(quotedAsJSON(record.topicName))"]
        if let partition = record.partition { fields.append("\"partition\":\(partition)") }
        if let timestamp = record.timestamp {
            fields += ["\"tstype\":\"create\"", "\"ts\":\(timestamp)"]
        }
        if !record.headers.isEmpty {
            let texts = record.headers.flatMap { header in
                let value = header.value.map { quotedAsJSON(text($0)) } ?? "null"
                return [quotedAsJSON(text(header.name)), value]
            }
            fields.append("\"headers\":[\(texts.joined(separator: ","))]")
        }
        fields += member("key", record.key) + member("payload", record.value)
        return "{\(fields.joined(separator: ","))}\n"
    }

    // MARK: For people

    private func pretty(_ record: StagedRecord, _ failure: RecordFailure?) -> String {
        var lines = ["\(record.topicName.printable)  \(place.shown)"]
        if let cluster = record.cluster { lines[0] += "  to \(text(cluster))" }
        if let failure { lines[0] += "  dead letter: \(failure.message.printable)" }
        lines.append("  key    \(record.key.map { text($0).printable } ?? "(none)")")
        if let timestamp = record.timestamp { lines.append("  time   \(timestamp)") }
        for header in record.headers {
            let value = header.value.map { text($0).printable } ?? "null"
            lines.append("  header \(text(header.name).printable) = \(value)")
        }
        lines.append("  value  \(record.value.map { text($0).printable } ?? "(tombstone)")")
        return lines.joined(separator: "\n") + "\n\n"
    }

    private func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

/// Where an event stands, and how it looks there.
struct DryPlace {
    let file: String
    let position: RecordPosition

    var shown: String { "\(file.printable):\(position.line)" }

    var json: String {
        "\"file\":\(quotedAsJSON(file)),\"line\":\(position.line),\"offset\":\(position.offset)"
    }

    func raw(_ event: UnsafeRawBufferPointer, as format: DryRun.Format) -> String {
        guard format == .json else {
            return "raw  \(shown)\n  \(String(decoding: event, as: UTF8.self).printable)\n\n"
        }
        let value = String(validating: event, as: UTF8.self).map {
            "\"value\":\(quotedAsJSON($0))"
        }
        return "{\"stage\":\"raw\",\(value ?? "\"value_base64\":\"\(base64(event))\""),\(json)}\n"
    }

    func parsed(_ fields: [ParsedEvent.Field], as format: DryRun.Format) -> String {
        guard format == .json else {
            let width = fields.map(\.name.printable.count).max() ?? 0
            let lines = fields.map { field in
                let name = field.name.printable
                let space = String(repeating: " ", count: width - name.count)
                return "  \(name)\(space) = \(field.json.printable)\n"
            }
            return "parsed  \(shown)\n\(lines.joined())\n"
        }
        let members = fields.map { "\(quotedAsJSON($0.name)):\($0.json)" }
        return "{\"stage\":\"parsed\",\"fields\":{\(members.joined(separator: ","))},\(json)}\n"
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
