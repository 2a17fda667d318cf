/// `parse`: how a line becomes fields.
extension Checker {
    static let plannedFormats = ["avro", "protobuf"]

    mutating func checkParse() {
        guard let parse = file.parse.first else {
            isParseUnknown = true
            guard !file.broken.contains("parse") else { return }
            report(
                .missingPart,
                "this pipeline has no `parse`",
                at: file.from.first?.span ?? file.start,
                help: "say what a line is: `parse json`, `parse csv(header: true)`, `parse text` …"
            )
            return
        }
        reportRepeated("parse", file.parse.dropFirst().map(\.span))
        formatName = parse.format.text
        checkFormat(parse)
        for column in columns { state[slot(of: column.name)] = .present(column.type) }
    }

    private mutating func checkFormat(_ parse: ParseSyntax) {
        switch parse.format.text {
        case "json": checkJSON(parse)
        case "csv": checkCSV(parse)
        case "regex": checkRegex(parse)
        case "text": checkText(parse)
        case "logfmt": checkLogfmt(parse)
        default:
            guard let known = KnownFormat(rawValue: parse.format.text) else {
                reportUnknownFormat(parse.format)
                return
            }
            checkKnown(known, parse)
        }
    }

    private mutating func reportUnknownFormat(_ name: Name) {
        isParseUnknown = true
        guard !Self.plannedFormats.contains(name.text) else {
            report(
                .unknownFormat,
                "this version cannot parse `\(name.text)` yet",
                at: name.span,
                help: "perhaps `regex('…')` does"
            )
            return
        }
        report(
            .unknownFormat,
            "unknown format `\(name.text)`",
            at: name.span,
            help: SpellingHelp.suggestion(for: name.text, in: Parser.formats)
                ?? "there are \(Parser.formats.joined(separator: ", "))"
        )
    }

    private mutating func checkJSON(_ parse: ParseSyntax) {
        format = .json
        isOpen = true
        allowsStructure = true
        refuse(parse.arguments, of: "parse json")
        readColumns(parse)
    }

    private mutating func checkText(_ parse: ParseSyntax) {
        format = .text
        refuse(parse.arguments, of: "parse text")
        let declared = parse.columns ?? []
        columns = declared.prefix(1).compactMap { column($0, slot: 0) }
        if let column = columns.first, column.type != .string {
            let message = "the column of `parse text` is the line: a `string`"
            report(.unknownType, message, at: column.span)
        }
        for extra in declared.dropFirst() {
            report(.repeated, "`parse text` has one column", at: extra.name.span)
        }
        guard declared.isEmpty else { return }
        let span = parse.format.span
        columns = [Column(name: "message", type: .string, time: nil, slot: 0, span: span)]
    }

    private mutating func checkLogfmt(_ parse: ParseSyntax) {
        format = .logfmt
        isOpen = true
        refuse(parse.arguments, of: "parse logfmt")
        readColumns(parse)
    }

    mutating func refuse(_ arguments: [ArgumentSyntax], of format: String) {
        guard let first = arguments.first else { return }
        report(.wrongArgument, "`\(format)` takes no arguments", at: first.value.span)
    }

    // MARK: CSV

    private mutating func checkCSV(_ parse: ParseSyntax) {
        var csv = CSVFormat()
        var seen: Set<String> = []
        for argument in parse.arguments where !argument.value.isBroken {
            guard let label = argument.label else {
                let help = "write `csv(header: true)`"
                report(.wrongArgument, "name this argument", at: argument.value.span, help: help)
                continue
            }
            guard isFirst(label, in: &seen) else { continue }
            check(label, argument.value, into: &csv)
        }
        format = .csv(csv)
        readColumns(parse)
        guard parse.columns == nil, !csv.hasHeader else { return }
        report(
            .wrongArgument,
            "without a header row the columns need names",
            at: parse.format.span,
            help: "list them in `{ … }`, or write `csv(header: true)`"
        )
    }

    private mutating func check(
        _ label: Name,
        _ value: ExpressionSyntax,
        into csv: inout CSVFormat
    ) {
        switch label.text {
        case "header":
            guard case .literal(.bool(let flag)) = value.kind else {
                report(.wrongArgument, "`header` takes `true` or `false`", at: value.span)
                return
            }
            csv.hasHeader = flag
        case "separator":
            csv.separator = separator(value) ?? csv.separator
        case "quote":
            csv.quote = value.text == "" ? nil : separator(value)
        default:
            let known = ["header", "separator", "quote"]
            report(
                .wrongArgument,
                "`csv` has no argument `\(label.text)`",
                at: label.span,
                help: SpellingHelp.suggestion(for: label.text, in: known)
                    ?? "it has header, separator and quote"
            )
        }
    }

    private mutating func separator(_ value: ExpressionSyntax) -> UInt8? {
        let bytes = Array((value.text ?? "").utf8)
        if bytes.count == 1, bytes[0] < 0x80, bytes[0] != 0x0A, bytes[0] != 0x0D { return bytes[0] }
        report(.wrongArgument, "this takes one ASCII character in quotes", at: value.span)
        return nil
    }

    // MARK: Regular expressions

    private mutating func checkRegex(_ parse: ParseSyntax) {
        guard let argument = parse.arguments.first, let text = argument.value.text else {
            isParseUnknown = true
            let isBroken = parse.arguments.first?.value.isBroken ?? false
            guard !isBroken else { return }
            let help = "write `regex('^(?<name>…)$')`"
            let span = parse.arguments.first?.value.span ?? parse.format.span
            report(.wrongArgument, "`regex` takes a pattern in quotes", at: span, help: help)
            return
        }
        refuse(Array(parse.arguments.dropFirst()), of: "parse regex")
        let pattern = Pattern(text: text, span: argument.value.span)
        format = .regex(pattern)
        let groups = RegexGroups(pattern: text)
        guard parse.columns != nil else {
            readGroups(groups, at: pattern.span)
            return
        }
        readColumns(parse)
        for column in columns where !groups.names.contains(column.name) {
            reportMissingGroup(column, groups)
        }
    }

    private mutating func readGroups(_ groups: RegexGroups, at span: Span) {
        for (slot, name) in groups.names.enumerated() {
            let type = ValueType.string.optional()
            columns.append(Column(name: name, type: type, time: nil, slot: slot, span: span))
        }
        guard groups.names.isEmpty else { return }
        report(
            .missingGroup,
            "this pattern has no named group",
            at: span,
            help: "write `(?<name>…)`"
        )
    }

    private mutating func reportMissingGroup(_ column: Column, _ groups: RegexGroups) {
        report(
            .missingGroup,
            "the pattern has no group `\(column.name)`",
            at: column.span,
            help: SpellingHelp.suggestion(for: column.name, in: groups.names)
                ?? "name the group: `(?<\(column.name)>…)`"
        )
    }

    // MARK: Columns

    private mutating func readColumns(_ parse: ParseSyntax) {
        guard let declared = parse.columns else {
            isUntyped = true
            report(
                .untyped,
                "the fields of this `parse \(formatName)` are not checked",
                at: parse.format.span,
                help: "declare what you use: `parse \(formatName) { name: type }`"
            )
            return
        }
        var seen: Set<String> = []
        for syntax in declared where isFirst(syntax.name, in: &seen) {
            if let column = column(syntax, slot: columns.count) { columns.append(column) }
        }
    }

    mutating func column(_ syntax: ColumnSyntax, slot: Int) -> Column? {
        var time: TimeFormat?
        let type = syntax.type.map { checkType($0, time: &time) } ?? .any
        return Column(
            name: syntax.name.text,
            type: type,
            time: time,
            slot: slot,
            span: syntax.name.span
        )
    }
}
