internal import PipelineLanguage

/// Where the columns of a CSV file stand.
struct CSVLayout: Sendable {
    var names: [[UInt8]]
    /// For each declared column, its cell.
    var cells: [Int]
}

/// How a line becomes fields.
extension RecordProcessor {
    /// Fills the slots; false for a line that is no record.
    func parse(_ event: Text, in file: inout FileContext) throws(EvaluationError) -> Bool {
        record.reset()
        switch program.plan.format {
        case .text:
            record.fill(0, .string(event))
        case .json: try parseJSON(event)
        case .csv(let format): return try parseCSV(event, format, in: &file)
        case .regex: try parseRegex(event)
        case .logfmt: try parseLogfmt(event)
        case .known(let format): try parseKnown(event, format)
        }
        return true
    }

    private func parseJSON(_ event: Text) throws(EvaluationError) {
        if let error = record.open(event, slot: slot) {
            throw EvaluationError("not JSON: \(error)", kind: .parse)
        }
        for slot in program.columnKinds.indices { try fillFromJSON(slot) }
        for slot in program.columnKinds.count..<record.slots.count {
            if let json = record.json(slot) { record.fill(slot, scalar(json), json: json) }
        }
    }

    private func slot(of member: JSONMember) -> Int? {
        slot(named: member.nameHasEscapes ? unescaped(member.name) : member.name)
    }

    private func slot(named name: Text) -> Int? {
        program.slotNames.firstIndex { equal($0, name) }
    }

    private func parseCSV(
        _ event: Text,
        _ format: CSVFormat,
        in file: inout FileContext
    ) throws(EvaluationError) -> Bool {
        csvCells.removeAll(keepingCapacity: true)
        let error = CSVRow.split(
            event,
            separator: format.separator,
            quote: format.quote,
            into: &csvCells
        )
        if let error { throw EvaluationError("not CSV: \(error)", kind: .parse) }
        if format.hasHeader, file.header == nil {
            let layout = try layout(csvCells)
            file.header = Array(event)
            file.layout = layout
            return false
        }
        if file.layout == nil { file.layout = try storedLayout(of: file, format) }
        guard let layout = file.layout else { return false }
        guard csvCells.count == layout.names.count else {
            throw EvaluationError(
                "the row has \(csvCells.count) columns, not \(layout.names.count)",
                kind: .parse
            )
        }
        for slot in program.columnKinds.indices {
            let cell = text(of: csvCells[layout.cells[slot]])
            try fill(slot, from: cell, emptyIsMissing: true)
        }
        if program.plan.isUntyped { addUntypedCells(layout) }
        return true
    }

    private func addUntypedCells(_ layout: CSVLayout) {
        for (index, name) in layout.names.enumerated() {
            let cell = text(of: csvCells[index])
            let value: Value = cell.isEmpty ? .null : .string(cell)
            append(scratch.copy(name), value, jsonText(of: value))
        }
    }

    private func storedLayout(
        of file: FileContext,
        _ format: CSVFormat
    ) throws(EvaluationError) -> CSVLayout {
        guard let header = file.header else {
            let names = program.columns.map { Array($0.name) }
            return CSVLayout(names: names, cells: Array(program.columns.indices))
        }
        var cells: [CSVCell] = []
        let bytes = scratch.copy(header)
        _ = CSVRow.split(bytes, separator: format.separator, quote: format.quote, into: &cells)
        return try layout(cells)
    }

    private func layout(_ cells: [CSVCell]) throws(EvaluationError) -> CSVLayout {
        let names = cells.map { Array(text(of: $0)) }
        var places: [Int] = []
        for column in program.columns {
            let name = Array(column.name)
            guard let place = names.firstIndex(of: name) else {
                var error = EvaluationError(
                    "header mismatch: the header row has no column \"\(column.label)\"",
                    kind: .parse
                )
                error.stopsFile = true
                throw error
            }
            places.append(place)
        }
        return CSVLayout(names: names, cells: places)
    }

    private func text(of cell: CSVCell) -> Text {
        guard cell.needsUnquoting else { return cell.text }
        let target = scratch.allocate(cell.text.count)
        let count = cell.unquote(into: target)
        return Text(rebasing: target[..<count])
    }

    private func parseRegex(_ event: Text) throws(EvaluationError) {
        guard let regex = program.lineRegex else { return }
        let matched: Bool
        do {
            matched = try matcher.match(regex, event)
        } catch {
            throw EvaluationError("the regular expression gave up: \(error)", kind: .parse)
        }
        guard matched else {
            throw EvaluationError("the line does not match the regular expression", kind: .parse)
        }
        for slot in program.columnKinds.indices {
            let range = matcher.group(program.groups[slot])
            let text = range.map { Text(rebasing: event[$0]) }
            try fill(slot, from: text, emptyIsMissing: false)
        }
    }

    // MARK: Pairs and lines of known formats

    private func parseLogfmt(_ event: Text) throws(EvaluationError) {
        logfmtPairs.removeAll(keepingCapacity: true)
        if let error = LogfmtLine.split(event, into: &logfmtPairs) {
            throw EvaluationError("not logfmt: \(error)", kind: .parse)
        }
        for pair in logfmtPairs {
            let value = value(of: pair)
            append(pair.key, value, jsonText(of: value))
        }
        for slot in program.columnKinds.indices { try fillFromLogfmt(slot) }
    }

    /// Adds a member to a record whose input is no JSON.
    private func append(_ name: Text, _ value: Value, _ json: @autoclosure () -> Text) {
        let slot = slot(named: name)
        let quoted = quotedContent(name)
        record.append(
            JSONMember(
                name: quoted,
                nameHasEscapes: quoted.contains(UInt8(ascii: "\\")),
                // A field writes itself.
                value: slot == nil ? json() : name,
                slot: slot
            )
        )
        if let slot { record.fill(slot, value) }
    }

    /// A key that stands alone is a flag.
    private func value(of pair: LogfmtPair) -> Value {
        guard let text = pair.value else { return .bool(true) }
        return .string(pair.hasEscapes ? unescaped(text) : text)
    }

    /// Gives a column of a logfmt line its type.
    private func fillFromLogfmt(_ slot: Int) throws(EvaluationError) {
        switch record.value(slot) {
        case .missing: record.fill(slot, try convert(json: nil, program.columns[slot]))
        case .string(let text): try fill(slot, from: text, emptyIsMissing: true)
        default: try fill(slot, from: trueText, emptyIsMissing: true)
        }
    }

    private var trueText: Text {
        let text: StaticString = "true"
        return Text(start: text.utf8Start, count: 4)
    }

    private func parseKnown(_ event: Text, _ format: KnownFormat) throws(EvaluationError) {
        lineFields.reset(count: program.columns.count)
        if let error = split(event, format) {
            throw EvaluationError("\(format.problem): \(error)", kind: .parse)
        }
        for slot in program.columnKinds.indices {
            try fill(slot, from: lineFields[slot], emptyIsMissing: false)
        }
    }

    private func split(_ event: Text, _ format: KnownFormat) -> String? {
        switch format {
        case .nginxCombined, .apacheCombined, .apacheCommon:
            AccessLogLine(format).parse(event, into: &lineFields)
        case .syslog: program.syslogLine.parse(event, into: &lineFields, writer, scratch)
        case .cri:
            CRILine.parse(
                event,
                maxLine: program.plan.input.maxLine,
                into: &lineFields,
                scratch
            )
        }
    }

    // MARK: Columns

    /// Gives a column its value from its text.
    private func fill(
        _ slot: Int,
        from text: Text?,
        emptyIsMissing: Bool
    ) throws(EvaluationError) {
        if let text, !text.isEmpty {
            switch program.columnKinds[slot] {
            case .string: return record.fill(slot, .string(text))
            case .int:
                if let number = parseInt(text) {
                    let isCanonical = isCanonicalInt(text)
                    return record.fill(slot, .int(number), json: isCanonical ? text : nil)
                }
            case .decimal:
                if isDecimal(text) { return record.fill(slot, .decimal(text)) }
            case .time:
                if let time = times[slot].time(of: text) {
                    return record.fill(slot, .time(time), source: text)
                }
            case .other: break
            }
        }
        let column = program.columns[slot]
        let value = try convert(text: text, column, emptyIsMissing: emptyIsMissing)
        switch value {
        case .time(let time):
            if let text { times[slot].remember(text, time) }
            record.fill(slot, value, source: text)
        case .duration: record.fill(slot, value, source: text)
        default: record.fill(slot, value)
        }
    }

    /// Gives a column its value from the member of its name.
    private func fillFromJSON(_ slot: Int) throws(EvaluationError) {
        if let json = record.json(slot), let first = json.first {
            switch program.columnKinds[slot] {
            case .string where first == UInt8(ascii: "\""):
                return record.fill(slot, .string(stringContent(json)), json: json)
            case .int where first != UInt8(ascii: "\""):
                if let number = parseInt(json) {
                    return record.fill(slot, .int(number), json: json)
                }
            case .time:
                if let time = times[slot].time(of: json) {
                    return record.fill(slot, .time(time), json: json)
                }
            default: break
            }
        }
        let value = try convert(json: record.json(slot), program.columns[slot])
        if case .time(let time) = value, let json = record.json(slot) {
            times[slot].remember(json, time)
        }
        record.fill(slot, value, json: record.json(slot))
    }
}

extension KnownFormat {
    /// How a message begins about a line that does not fit.
    fileprivate var problem: String {
        switch self {
        case .nginxCombined: "not a combined log line"
        case .apacheCombined, .apacheCommon: "not an Apache log line"
        case .syslog: "not syslog"
        case .cri: "not CRI"
        }
    }
}
