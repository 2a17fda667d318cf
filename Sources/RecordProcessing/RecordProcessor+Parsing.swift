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
            record.slots[0].value = .string(event)
        case .json: try parseJSON(event)
        case .csv(let format): return try parseCSV(event, format, in: &file)
        case .regex: try parseRegex(event)
        case .logfmt: try parseLogfmt(event)
        case .known(let format): try parseKnown(event, format)
        }
        return true
    }

    private func parseJSON(_ event: Text) throws(EvaluationError) {
        jsonMembers.removeAll(keepingCapacity: true)
        if let error = JSONScanner.scanObject(event, members: &jsonMembers) {
            throw EvaluationError("not JSON: \(error)", kind: .parse)
        }
        record.isOpen = true
        for member in jsonMembers {
            let name = member.nameHasEscapes ? unescaped(member.name) : member.name
            let slot = program.slotNames.firstIndex { equal($0, name) }
            record.members.append(Record.Member(name: member.name, value: member.value, slot: slot))
            if let slot {
                record.slots[slot] = Record.Field(value: .json(member.value), json: member.value)
            }
        }
        for (slot, column) in program.columns.enumerated() {
            record.slots[slot].value = try convert(json: record.slots[slot].json, column)
        }
        for slot in program.columns.count..<record.slots.count {
            if let json = record.slots[slot].json { record.slots[slot].value = scalar(json) }
        }
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
        for (slot, column) in program.columns.enumerated() {
            let cell = text(of: csvCells[layout.cells[slot]])
            try fill(slot, column, from: cell, emptyIsMissing: true)
        }
        if program.plan.isUntyped { addUntypedCells(layout) }
        return true
    }

    private func addUntypedCells(_ layout: CSVLayout) {
        record.isOpen = true
        for (index, name) in layout.names.enumerated() {
            let cell = text(of: csvCells[index])
            let value: Value = cell.isEmpty ? .null : .string(cell)
            let name = scratch.copy(name)
            let slot = program.slotNames.firstIndex { equal($0, name) }
            if let slot { record.slots[slot].value = value }
            record.members.append(
                Record.Member(name: quotedContent(name), value: jsonText(of: value), slot: slot)
            )
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
        for (slot, column) in program.columns.enumerated() {
            let range = matcher.group(program.groups[slot])
            let text = range.map { Text(rebasing: event[$0]) }
            try fill(slot, column, from: text, emptyIsMissing: false)
        }
    }

    // MARK: Pairs and lines of known formats

    private func parseLogfmt(_ event: Text) throws(EvaluationError) {
        logfmtPairs.removeAll(keepingCapacity: true)
        if let error = LogfmtLine.split(event, into: &logfmtPairs) {
            throw EvaluationError("not logfmt: \(error)", kind: .parse)
        }
        record.isOpen = true
        for pair in logfmtPairs {
            let slot = program.slotNames.firstIndex { equal($0, pair.key) }
            let value = value(of: pair)
            // What is undeclared is written out only here; a column writes itself.
            let json = slot == nil ? jsonText(of: value) : pair.key
            let name = quotedContent(pair.key)
            record.members.append(Record.Member(name: name, value: json, slot: slot))
            if let slot { record.slots[slot].value = value }
        }
        for (slot, column) in program.columns.enumerated() { try fill(slot, column) }
    }

    /// A key that stands alone is a flag.
    private func value(of pair: LogfmtPair) -> Value {
        guard let text = pair.value else { return .bool(true) }
        return .string(pair.hasEscapes ? unescaped(text) : text)
    }

    /// Gives a column of a logfmt line its type.
    private func fill(_ slot: Int, _ column: CompiledColumn) throws(EvaluationError) {
        switch record.slots[slot].value {
        case .missing:
            record.slots[slot].value = try convert(json: nil, column)
        case .string(let text): try fill(slot, column, from: text, emptyIsMissing: true)
        default: try fill(slot, column, from: trueText, emptyIsMissing: true)
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
        for (slot, column) in program.columns.enumerated() {
            try fill(slot, column, from: lineFields[slot], emptyIsMissing: false)
        }
    }

    private func split(_ event: Text, _ format: KnownFormat) -> String? {
        switch format {
        case .nginxCombined, .apacheCombined, .apacheCommon:
            AccessLogLine(format).parse(event, into: &lineFields)
        case .syslog: syslogLine.parse(event, into: &lineFields, scratch)
        case .cri:
            CRILine.parse(
                event,
                maxLine: program.plan.input.maxLine,
                into: &lineFields,
                scratch
            )
        }
    }

    private func fill(
        _ slot: Int,
        _ column: CompiledColumn,
        from text: Text?,
        emptyIsMissing: Bool
    ) throws(EvaluationError) {
        let value = try convert(text: text, column, emptyIsMissing: emptyIsMissing)
        record.slots[slot].value = value
        switch value {
        case .time, .duration: record.slots[slot].source = text
        default: break
        }
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
