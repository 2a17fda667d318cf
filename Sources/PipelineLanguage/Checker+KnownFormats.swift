/// Formats that bring their own columns.
extension Checker {
    mutating func checkKnown(_ known: KnownFormat, _ parse: ParseSyntax) {
        format = .known(known)
        let span = parse.format.span
        for (slot, column) in known.columns.enumerated() {
            let time = column.time.map { TimeFormat(notation: $0, zone: nil, span: span) }
            columns.append(
                Column(name: column.name, type: column.type, time: time, slot: slot, span: span)
            )
        }
        if known == .syslog {
            checkSyslogArguments(parse)
        } else {
            refuse(parse.arguments, of: "parse \(known.rawValue)")
        }
        narrowColumns(parse)
    }

    /// The block gives columns other types.
    private mutating func narrowColumns(_ parse: ParseSyntax) {
        var seen: Set<String> = []
        for syntax in parse.columns ?? [] where isFirst(syntax.name, in: &seen) {
            guard let slot = columns.firstIndex(where: { $0.name == syntax.name.text }) else {
                reportUnknownColumn(syntax.name)
                continue
            }
            allowsStructure = columns[slot].type.isObject
            if let column = column(syntax, slot: slot) { columns[slot] = column }
        }
        allowsStructure = false
    }

    private mutating func reportUnknownColumn(_ name: Name) {
        let known = columns.map(\.name)
        report(
            .unknownField,
            "`parse \(formatName)` has no column `\(name.text)`",
            at: name.span,
            help: SpellingHelp.suggestion(for: name.text, in: known)
                ?? "it has \(known.joined(separator: ", ")); for others use `regex('…')`"
        )
    }

    // MARK: syslog

    /// `year:` and `zone:`, without which the times of RFC 3164 mean no moment.
    private mutating func checkSyslogArguments(_ parse: ParseSyntax) {
        var year: (number: Int64, span: Span)?
        var zone: (name: String, span: Span)?
        var seen: Set<String> = []
        for argument in parse.arguments where !argument.value.isBroken {
            let span = argument.value.span
            guard let label = argument.label else {
                let help = "write `syslog(year: 2026, zone: \"UTC\")`"
                report(.wrongArgument, "name this argument", at: span, help: help)
                continue
            }
            guard isFirst(label, in: &seen) else { continue }
            switch label.text {
            case "year": year = syslogYear(argument.value).map { ($0, span) }
            case "zone": zone = syslogZone(argument.value).map { ($0, span) }
            default: reportUnknownArgument(label)
            }
        }
        guard seen.contains("year") || seen.contains("zone") else { return }
        guard let year, let zone else {
            reportHalf(seen, at: year?.span ?? zone?.span)
            return
        }
        setSyslogTime(year.number, zone.name, parse.format.span)
    }

    private mutating func setSyslogTime(_ year: Int64, _ zone: String, _ span: Span) {
        guard let slot = columns.firstIndex(where: { $0.name == "time" }) else { return }
        columns[slot].type = .time.optional()
        columns[slot].time = TimeFormat(notation: .syslog(year: year), zone: zone, span: span)
    }

    private mutating func syslogYear(_ value: ExpressionSyntax) -> Int64? {
        if case .literal(.int(let year)) = value.kind, (1...9999).contains(year) { return year }
        report(.wrongArgument, "`year` takes a year, such as `2026`", at: value.span)
        return nil
    }

    private mutating func syslogZone(_ value: ExpressionSyntax) -> String? {
        if let text = value.text, !text.isEmpty { return text }
        let message = "`zone` takes the name of a zone, such as `\"Europe/Berlin\"`"
        report(.wrongArgument, message, at: value.span)
        return nil
    }

    private mutating func reportUnknownArgument(_ label: Name) {
        report(
            .wrongArgument,
            "`syslog` has no argument `\(label.text)`",
            at: label.span,
            help: SpellingHelp.suggestion(for: label.text, in: ["year", "zone"])
                ?? "it has year and zone"
        )
    }

    /// One of the two is not there; one that is wrong has been reported.
    private mutating func reportHalf(_ seen: Set<String>, at span: Span?) {
        guard let span, seen.count == 1 else { return }
        if seen.contains("year") {
            report(
                .noTimeZone,
                "the times of this syslog have no zone",
                at: span,
                label: "local or UTC? the lines do not say",
                help: "add `zone: \"UTC\"` (or a name such as \"Europe/Berlin\")"
            )
        } else {
            let help = "add `year: 2026`, or leave out the zone: `time` is then the text"
            report(.noTimeFormat, "the times of this syslog have no year", at: span, help: help)
        }
    }
}
