package import PipelineLanguage
package import RecordProcessing

/// A pipeline guessed from a sample of what it will read.
///
/// Its test is what the pipeline makes of the first rows, so that it passes when it is written.
package struct SamplePipeline: Sendable {
    /// Cuts a text into the events of a plan; `matches` is for multi-line framing.
    package typealias Frame = (Plan, Text, _ matches: (Text) -> Bool) ->
        [PipelineTestRunner.Event]

    package let text: String
    /// How lines become fields, as written: `csv(header: true)`.
    package let format: String
    /// Events of the sample that become records.
    package let parsed: Int
    /// Events of the sample that do not.
    package let failed: Int
    /// Why the first of those does not, and its line.
    package let firstFailure: (message: String, line: Int64)?

    private static let rowLimit = 3

    /// - Parameter path: where the sample lies, for `from`.
    /// - Parameter sample: its content as UTF-8.
    /// - Returns: nil for a sample without a line.
    package init?(name: String, path: String, sample: [UInt8], frame: @escaping Frame) {
        let trial = DraftTrial(bytes: sample, frame: frame)
        let guess = FormatGuess(sample: sample, trial: trial)
        var draft = guess.guess(PipelineDraft(name: name, path: path, format: "text"))
        let hasOtherBytes = String(validating: sample, as: UTF8.self) == nil
        if hasOtherBytes { draft.settings.append("invalid_utf8 = replace") }
        Self.addTypes(to: &draft, trial)
        guard let (program, outcome) = Self.settle(&draft, trial),
            outcome.sent + outcome.failed > 0
        else { return nil }
        Self.addKey(to: &draft, program.plan)
        Self.addTest(to: &draft, trial)
        text = Self.laidOut(draft)
        format = draft.format
        parsed = outcome.sent
        failed = outcome.failed
        firstFailure = outcome.firstFailure
    }

    /// The text as `forktail fmt` leaves it.
    private static func laidOut(_ draft: PipelineDraft) -> String {
        let source = SourceText(path: draft.name, text: draft.text)
        guard case .formatted(let bytes) = PipelineFormatter.format(source) else {
            return draft.text
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Types

    private static let columnLimit = 60

    private static func addTypes(to draft: inout PipelineDraft, _ trial: DraftTrial) {
        // Their fields have names in the sample.
        let isOpen = draft.format == "json" || draft.format == "logfmt"
        guard isOpen || draft.columns != nil, draft.format != "text",
            let program = trial.program(draft)
        else { return }
        let known = KnownShapes()
        var guesses = (draft.columns ?? []).map { ColumnGuess(name: $0.name) }
        var places: [String: Int] = [:]
        for (index, guess) in guesses.enumerated() { places[guess.name] = index }
        var events = 0
        trial.fields(program) { fields in
            var values: [String?] = Array(repeating: nil, count: guesses.count)
            for field in fields {
                if places[field.name] == nil, isOpen, guesses.count < columnLimit,
                    isWritable(field.name)
                {
                    places[field.name] = guesses.count
                    var guess = ColumnGuess(name: field.name)
                    for _ in 0..<events { guess.add(nil, known) }
                    guesses.append(guess)
                    values.append(nil)
                }
                if let place = places[field.name] { values[place] = field.json }
            }
            for (place, value) in values.enumerated() { guesses[place].add(value, known) }
            events += 1
        }
        let old = draft.columns
        draft.columns = guesses.compactMap { guess in
            // The time of a log line is known already.
            if let column = old?.first(where: { $0.name == guess.name }), column.type != "string",
                column.type != "string?"
            {
                return column
            }
            return guess.type(quoting: draft.format == "json").map { type in
                PipelineDraft.Column(name: guess.name, type: type.type, remark: type.remark)
            }
        }
    }

    /// Takes back what was guessed of columns with values that do not fit.
    private static func settle(
        _ draft: inout PipelineDraft,
        _ trial: DraftTrial
    ) -> (Program, DraftTrial.Outcome)? {
        for _ in 0...(draft.columns?.count ?? 0) {
            guard let program = trial.program(draft) else { return nil }
            let outcome = trial.run(program, columns: draft.columns?.map(\.name) ?? [])
            guard let worst = outcome.failuresByColumn.max(by: { $0.value < $1.value })?.key,
                let index = draft.columns?.firstIndex(where: { $0.name == worst }),
                draft.columns?[index].type != "string?"
            else { return (program, outcome) }
            draft.columns?[index] = .init(name: worst, type: "string?")
        }
        return nil
    }

    // MARK: Key and time

    private static let timeNames = ["timestamp", "@timestamp", "time", "ts", "datetime"]
    private static let keyNames = [
        "id", "key", "uuid", "remote_addr", "client", "host", "hostname", "user",
    ]

    private static func addKey(to draft: inout PipelineDraft, _ plan: Plan) {
        let columns = plan.columns.filter { !$0.type.isOptional && isWritable($0.name) }
        let times = columns.filter { $0.type.kind == .time }.map(\.name)
        draft.timestamp = timeNames.first { times.contains($0) } ?? times.first
        guard draft.format != "text" else { return }
        let candidates = columns.filter { column in
            switch column.type.kind {
            case .string, .int, .enumeration: true
            default: false
            }
        }
        let first = candidates.first { column in
            let name = column.name.lowercased()
            return name == "id" || name == "key" || name == "uuid" || name.hasSuffix("_id")
                || column.name.hasSuffix("Id") || column.name.hasSuffix("ID")
        }
        let name =
            first?.name
            ?? keyNames.first { name in candidates.contains { $0.name == name } }
        let hasHost = plan.columns.contains { $0.name == "host" && $0.type.isOptional }
        draft.key = name.map(writtenName) ?? (hasHost ? "host ?? null" : nil)
    }

    // MARK: The test

    private static func addTest(to draft: inout PipelineDraft, _ trial: DraftTrial) {
        for count in stride(from: rowLimit, through: 1, by: -1) {
            var candidate = draft
            guard let program = trial.program(draft),
                let input = firstRows(count, of: program, trial)
            else { continue }
            let file = draft.path.split(separator: "/").last.map(String.init) ?? draft.path
            let rows = count == 1 ? "first row" : "first \(count) rows"
            candidate.test = ("the \(rows) of \(file.onOneLine)", input, [])
            guard let tested = trial.program(candidate), let test = tested.plan.tests.first else {
                continue
            }
            let frame: PipelineTestRunner.Frame = { trial.frame(tested.plan, $0, $1) }
            candidate.test?.expectations = PipelineTestRunner(program: tested)
                .expectations(of: test, frame: frame)
            guard let whole = trial.program(candidate) else { continue }
            let results = PipelineTestRunner(program: whole).run { text, matches in
                trial.frame(whole.plan, text, matches)
            }
            guard results.allSatisfy({ $0.passed }) else { continue }
            draft = candidate
            return
        }
    }

    /// The header row and so many rows as they stand in the sample; nil if there are not so many
    /// that a pipeline file can hold.
    private static func firstRows(
        _ count: Int,
        of program: Program,
        _ trial: DraftTrial
    ) -> String? {
        var rows: [String] = []
        let wanted = count + (draftHasHeader(program.plan) ? 1 : 0)
        let processor = RecordProcessor(program: program)
        trial.bytes.withUnsafeBytes { bytes in
            let start = Text(rebasing: bytes[..<min(bytes.count, 1 << 20)])
            for event in trial.frame(program.plan, start, processor.matchesLine) {
                guard rows.count < wanted else { break }
                if let row = String(validating: start[event.range], as: UTF8.self) {
                    rows.append(row)
                }
            }
        }
        return rows.count == wanted ? rows.joined(separator: "\n") : nil
    }

    private static func draftHasHeader(_ plan: Plan) -> Bool {
        if case .csv(let format) = plan.format { format.hasHeader } else { false }
    }
}
