import RecordProcessing

/// Guesses how the lines of a sample become fields, from its first lines.
struct FormatGuess {
    /// Lines to look at.
    private static let lineLimit = 2_000

    private let sample: [UInt8]
    /// The first lines that are not empty, without their line ends.
    private let lines: [String]
    private let trial: DraftTrial

    init(sample: [UInt8], trial: DraftTrial) {
        self.sample = sample
        self.trial = trial
        lines = sample.prefix(4 << 20).split(separator: UInt8(ascii: "\n"))
            .lazy.filter { !$0.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }
            .prefix(Self.lineLimit)
            .map { String(decoding: $0.last == 0x0D ? $0.dropLast() : $0, as: UTF8.self) }
    }

    /// Completes a draft with a format and the names of its columns.
    func guess(_ draft: PipelineDraft) -> PipelineDraft {
        json(draft) ?? known(draft) ?? log(draft) ?? csv(draft) ?? text(draft)
    }

    private func share(_ pattern: String) -> Double {
        let pattern = KnownPattern(pattern)
        return Double(lines.count { pattern.matches($0) }) / Double(max(1, lines.count))
    }

    private func json(_ draft: PipelineDraft) -> PipelineDraft? {
        guard share(#"^\s*\{.*\}\s*$"#) > 0.9 else { return nil }
        var draft = draft
        draft.format = "json"
        draft.columns = nil
        return draft
    }

    private func text(_ draft: PipelineDraft) -> PipelineDraft {
        var draft = draft
        draft.format = "text"
        draft.columns = [.init(name: "message", type: "string")]
        draft.value = "message"
        return draft
    }

    // MARK: Formats that the language knows

    /// What a format's lines look like, so that none is taken for one that happens to fit.
    private static let knownFormats: [(looks: String, formats: [String])] = [
        (#"^\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) [FP] "#, ["cri"]),
        (
            #"^\S+ \S+ .*?\[\d\d/[A-Z][a-z]{2}/\d{4}:[^\]]+\] ""#,
            ["nginx_combined", "apache_combined", "apache_common"]
        ),
        (#"^(?:<\d{1,3}>|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )"#, ["syslog"]),
        (#"^[\w.\-]+=(?:"[^"]*"|\S*)(?: +[\w.\-]+=(?:"[^"]*"|\S*))+ *$"#, ["logfmt"]),
    ]

    private func known(_ draft: PipelineDraft) -> PipelineDraft? {
        for (looks, formats) in Self.knownFormats where share(looks) > 0.9 {
            let candidates = formats.compactMap { format -> (PipelineDraft, failed: Int)? in
                var draft = draft
                draft.format = format
                guard let program = trial.program(draft) else { return nil }
                let outcome = trial.run(program, columns: [], limit: 4 << 20)
                guard outcome.sent > 9 * outcome.failed else { return nil }
                return (draft, outcome.failed)
            }
            if let best = candidates.min(by: { $0.failed < $1.failed }) { return best.0 }
        }
        return nil
    }

    // MARK: Log lines

    private static let levels =
        "(?i:trace|debug|info|notice|warn|warning|error|err|crit|critical|fatal|severe|alert|emerg)"

    /// What may follow the time, one after another; each is taken if all lines have it.
    private static let parts: [(pattern: String, names: [String])] = [
        (#" +\[(?<level>LEVELS)\]"#, ["level"]),
        (#" +(?<level>LEVELS)\b:?"#, ["level"]),
        (
            #" +(?<host>[\w.\-]+) (?<program>[^\s:\[]+)(?:\[(?<pid>\d+)\])?:"#,
            ["host", "program", "pid"]
        ),
        (#" +\[(?<thread>[^\]]*)\]"#, ["thread"]),
        (#" +(?<logger>[A-Za-z_][\w.$\-]*):"#, ["logger"]),
        (#" +(?<logger>[A-Za-z_][\w.$\-]*) +-"#, ["logger"]),
    ]

    private func log(_ draft: PipelineDraft) -> PipelineDraft? {
        for shape in TimeShape.all {
            for (open, close) in [("", ""), (#"\["#, #"\]"#)] {
                let start = "^\(open)\(shape.pattern)\(close) "
                guard let first = lines.first, KnownPattern(start).matches(first),
                    share(start) > 0.2
                else { continue }
                return log(draft, shape, start, "^\(open)(?<time>\(shape.pattern))\(close)")
            }
        }
        return nil
    }

    private func log(
        _ draft: PipelineDraft,
        _ shape: TimeShape,
        _ start: String,
        _ head: String
    ) -> PipelineDraft {
        let isStart = KnownPattern(start)
        let starts = lines.filter { isStart.matches($0) }
        var pattern = head
        var names = ["time"]
        var parts = Self.parts
        while let index = parts.firstIndex(where: { part in
            let candidate = KnownPattern(pattern + Self.written(part.pattern))
            return starts.allSatisfy { candidate.matches($0) }
        }) {
            // Another level than those of the list must not keep a line from being read.
            pattern += parts[index].pattern.replacing("LEVELS", with: "[A-Za-z]+")
            names += parts[index].names
            let taken = parts[index].names
            parts = parts[(index + 1)...].filter { !taken.contains($0.names[0]) }
        }
        var draft = draft
        let isMultiline = starts.count < lines.count
        if isMultiline { draft.settings.append("multiline = starts_with('\(start)')") }
        draft.format = "regex('\(isMultiline ? "(?s)" : "")\(pattern) *(?<message>.*)$')"
        draft.columns = (names + ["message"]).map { .init(name: $0, type: "string") }
        draft.columns?[0].type = shape.type ?? "string"
        if shape.isZoneGuessed {
            draft.columns?[0].remark = "the sample does not say its zone: UTC is a guess"
        }
        return draft
    }

    private static func written(_ pattern: String) -> String {
        pattern.replacing("LEVELS", with: levels)
    }

    // MARK: CSV

    private func csv(_ draft: PipelineDraft) -> PipelineDraft? {
        let found = [",", ";", "\t", "|"].compactMap { separator -> (String, rows: [[String]])? in
            let rows = CSVSample.rows(of: sample.prefix(4 << 20), separator: separator)
            guard rows.count > 1, let first = rows.first, first.count > 1 else { return nil }
            let fitting = rows.count { $0.count == first.count }
            return fitting * 100 >= rows.count * 98 ? (separator, rows) : nil
        }
        guard let (separator, rows) = found.max(by: { $0.rows[0].count < $1.rows[0].count }),
            let first = rows.first
        else { return nil }
        let hasHeader = CSVSample.hasHeader(rows)
        var draft = draft
        var arguments = ["header: \(hasHeader)"]
        if separator != "," { arguments.append("separator: \(quotedLiteral(separator))") }
        draft.format = "csv(\(arguments.joined(separator: ", ")))"
        let names = hasHeader ? first : (1...first.count).map { "column\($0)" }
        var seen: Set<String> = []
        draft.columns = names.filter { isWritable($0) && seen.insert($0).inserted }.map {
            .init(name: $0, type: "string?")
        }
        return draft
    }
}

/// Rows of a text, as far as that can be said before its format is known.
enum CSVSample {
    static let rowLimit = 2_000

    static func rows(of bytes: ArraySlice<UInt8>, separator: String) -> [[String]] {
        let separator = separator.utf8.first ?? 0x2C
        var rows: [[String]] = []
        var row: [String] = []
        var cell: [UInt8] = []
        var isQuoted = false
        func endCell() {
            row.append(String(decoding: cell, as: UTF8.self))
            cell.removeAll(keepingCapacity: true)
        }
        func endRow() {
            if cell.last == 0x0D { cell.removeLast() }
            if !row.isEmpty || !cell.isEmpty {
                endCell()
                rows.append(row)
            }
            row = []
        }
        for byte in bytes {
            if rows.count == rowLimit { return rows }
            switch byte {
            case UInt8(ascii: "\""): isQuoted.toggle()
            case separator where !isQuoted: endCell()
            case UInt8(ascii: "\n") where !isQuoted: endRow()
            default: cell.append(byte)
            }
        }
        endRow()
        return rows
    }

    /// Whether the first row names the columns: no value in it, and none of it further down.
    static func hasHeader(_ rows: [[String]]) -> Bool {
        guard let first = rows.first, Set(first).count == first.count else { return false }
        let value = KnownPattern(#"^$|^[+-]?[\d.,:/ TZ+\-]+$"#)
        guard !first.contains(where: value.matches) else { return false }
        let isName = KnownPattern(#"^[A-Za-z_][\w .\-/()]{0,60}$"#)
        guard first.allSatisfy(isName.matches) else { return false }
        return first.indices.allSatisfy { index in
            !rows.dropFirst().contains { $0.indices.contains(index) && $0[index] == first[index] }
        }
    }
}
