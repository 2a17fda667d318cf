/// The types of columns.
extension Checker {
    static let plainTypes: [String: ValueType] = [
        "string": .string, "int": .int, "decimal": .decimal, "float": .float, "bool": .bool,
        "duration": .duration, "bytes": .bytes, "object": .object,
    ]
    static let typeNames = [
        "string", "int", "decimal", "float", "bool", "time", "duration", "bytes", "object", "enum",
    ]

    mutating func checkType(_ syntax: TypeSyntax, time: inout TimeFormat?) -> ValueType {
        if let element = syntax.element.first {
            guard allowsStructure else { return refuseStructure(syntax) }
            let type = checkType(element, time: &time)
            return ValueType(.list(type), isOptional: syntax.isOptional)
        }
        let type = namedType(syntax, time: &time)
        return type.isAny ? type : type.optional(syntax.isOptional)
    }

    private mutating func namedType(
        _ syntax: TypeSyntax,
        time: inout TimeFormat?
    ) -> ValueType {
        switch syntax.name.text {
        case "enum": return checkEnumeration(syntax)
        case "time":
            time = checkTime(syntax)
            return .time
        case "secret":
            report(
                .unknownType,
                "a secret cannot be part of a record",
                at: syntax.name.span,
                label: "secrets stand in `forktail.conf` only",
                help: "declare it as `string?`, and leave it out: `json(* except …)`"
            )
            return .any
        default: return plainType(syntax)
        }
    }

    private mutating func plainType(_ syntax: TypeSyntax) -> ValueType {
        let name = syntax.name.text
        guard let type = Self.plainTypes[name] else {
            report(
                .unknownType,
                "unknown type `\(name)`",
                at: syntax.name.span,
                help: SpellingHelp.suggestion(for: name, in: Self.typeNames)
                    ?? "there are \(Self.typeNames.joined(separator: ", ")) and lists: `[string]`"
            )
            return .any
        }
        if let argument = syntax.arguments.first {
            report(.wrongArgument, "`\(name)` takes no arguments", at: argument.value.span)
        }
        return type.isObject && !allowsStructure ? refuseStructure(syntax) : type
    }

    private mutating func refuseStructure(_ syntax: TypeSyntax) -> ValueType {
        report(
            .unknownType,
            "a column of `parse \(formatName)` cannot be a list or an object",
            at: syntax.span,
            help: "declare it as `string`"
        )
        return .any
    }

    private mutating func checkEnumeration(_ syntax: TypeSyntax) -> ValueType {
        var values: [String] = []
        for argument in syntax.arguments where !argument.value.isBroken {
            guard let text = argument.value.text, argument.label == nil else {
                report(.wrongArgument, "`enum` takes texts in quotes", at: argument.value.span)
                continue
            }
            guard !values.contains(text) else {
                report(.repeated, "\"\(text)\" is in this enum twice", at: argument.value.span)
                continue
            }
            values.append(text)
        }
        guard values.isEmpty else { return ValueType(.enumeration(values)) }
        if syntax.arguments.isEmpty {
            let help = "write `enum(\"a\", \"b\")`"
            report(.wrongArgument, "this `enum` has no values", at: syntax.span, help: help)
        }
        return .any
    }

    // MARK: Times

    private mutating func checkTime(_ syntax: TypeSyntax) -> TimeFormat? {
        let zone = zoneArgument(syntax)
        guard let argument = syntax.arguments.first(where: { $0.label == nil }) else {
            report(
                .noTimeFormat,
                "this time has no format",
                at: syntax.span,
                help: "write `time(iso8601)`, `time(unix_ms)`, or strptime's letters: "
                    + "`time('%Y-%m-%d %H:%M:%S', zone: \"UTC\")`"
            )
            return nil
        }
        guard let notation = notation(argument.value) else { return nil }
        let format = TimeFormat(notation: notation, zone: zone, span: argument.value.span)
        if case .pattern(let pattern) = notation, zone == nil { checkZone(pattern, format.span) }
        return format
    }

    private mutating func zoneArgument(_ syntax: TypeSyntax) -> String? {
        var zone: String?
        var hasFormat = false
        for argument in syntax.arguments where !argument.value.isBroken {
            guard let label = argument.label else {
                if hasFormat {
                    let message = "`time` takes one format"
                    report(.wrongArgument, message, at: argument.value.span)
                }
                hasFormat = true
                continue
            }
            zone = checkZoneName(label, argument.value)
        }
        return zone
    }

    /// The name of a zone; something that is one to the checks behind it when it is wrong.
    private mutating func checkZoneName(_ label: Name, _ value: ExpressionSyntax) -> String {
        if label.text == "zone", let text = value.text, !text.isEmpty { return text }
        report(
            .wrongArgument,
            "`time` takes `zone: \"UTC\"` besides its format",
            at: label.text == "zone" ? value.span : label.span
        )
        return "UTC"
    }

    mutating func notation(_ value: ExpressionSyntax) -> TimeFormat.Notation? {
        if let pattern = value.text {
            checkLetters(pattern, value.span)
            return .pattern(pattern)
        }
        guard !value.isBroken else { return nil }
        if case .name(let name) = value.kind, let known = TimeFormat.Notation(name: name) {
            return known
        }
        let word = source.text(in: value.span)
        report(
            .noTimeFormat,
            "`\(word)` is not a time format",
            at: value.span,
            help: SpellingHelp.suggestion(for: word, in: TimeFormat.Notation.names.keys.sorted())
                ?? "write `iso8601`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or strptime's letters in quotes"
        )
        return nil
    }

    /// The letters that the reader of times knows.
    private static let letters = Set("aAbBhdeDFHIkljmMntpPRrsSTyYz%")

    private mutating func checkLetters(_ pattern: String, _ span: Span) {
        var rest = Substring(pattern)
        while let percent = rest.firstIndex(of: "%") {
            rest = rest[rest.index(after: percent)...]
            let isFraction = ["3f", "6f", "9f"].contains(String(rest.prefix(2)))
            guard isFraction || rest.first.map(Self.letters.contains) == true else {
                let letter = "%\(rest.prefix(1))"
                let help = "for fractions of a second write `%3f`, `%6f` or `%9f`"
                report(.noTimeFormat, "a time format has no `\(letter)`", at: span, help: help)
                return
            }
            rest = rest.dropFirst(isFraction ? 2 : 1)
        }
    }

    mutating func checkZone(_ pattern: String, _ span: Span) {
        let plain = pattern.split(separator: "%%", omittingEmptySubsequences: false)
        guard !plain.contains(where: { $0.contains("%z") || $0.contains("%s") }) else { return }
        report(
            .noTimeZone,
            "this time format has no zone",
            at: span,
            label: "local or UTC? the file does not say",
            help: "add `zone: \"UTC\"` (or a name such as \"Europe/Berlin\"), or `%z` to the format"
        )
    }
}
