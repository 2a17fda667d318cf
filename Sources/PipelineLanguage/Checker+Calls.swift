/// Calls: each is held against its row in the catalogue.
extension Checker {
    /// Functions of the language that this version cannot do, and why where there is a reason.
    static let plannedFunctions: [String: String?] = {
        let registry = "needs a schema registry, which this version does not speak yet"
        let names = [
            "msgpack", "time", "duration", "hex", "base64", "unbase64", "captures", "substring",
            "truncate", "format_time", "unix_ns", "trunc", "age", "sha256", "hmac", "redact",
            "keys", "values", "flatten", "parse_json", "parse_kv", "parse_url", "get",
            "glob_capture", "uuid5", "sample", "salted",
        ]
        var result: [String: String?] = ["avro": registry, "protobuf": registry]
        for name in names { result[name] = .some(nil) }
        return result
    }()

    mutating func checkCall(
        _ name: Name,
        _ arguments: [ArgumentSyntax],
        _ span: Span
    ) -> Expression {
        guard let function = Function(rawValue: name.text) else {
            for argument in arguments { _ = check(argument.value) }
            reportUnknownFunction(name)
            return poison(span)
        }
        let parameters = function.signature.parameters
        var values = [Expression?](repeating: nil, count: parameters.count)
        var isWhole = true
        for argument in arguments {
            let value = check(argument.value)
            if let position = position(of: argument, in: function, taken: values) {
                values[position] = fit(value, parameters[position], of: function)
            } else {
                isWhole = false
            }
        }
        guard isWhole, hasRequired(values, function, name) else { return poison(span) }
        let type = resultType(of: function, values)
        return Expression(kind: .call(function, values), type: type, span: span)
    }

    private mutating func reportUnknownFunction(_ name: Name) {
        if let reason = Self.plannedFunctions[name.text] {
            let message =
                reason.map { "`\(name.text)` \($0)" }
                ?? "this version does not have the function `\(name.text)` yet"
            report(.unknownFunction, message, at: name.span)
            return
        }
        report(
            .unknownFunction,
            "unknown function `\(name.text)`",
            at: name.span,
            help: SpellingHelp.suggestion(for: name.text, in: Function.allCases.map(\.rawValue))
        )
    }

    // MARK: Arguments

    private mutating func position(
        of argument: ArgumentSyntax,
        in function: Function,
        taken values: [Expression?]
    ) -> Int? {
        let parameters = function.signature.parameters
        guard let label = argument.label else {
            let free = parameters.indices.first { !parameters[$0].isLabelled && values[$0] == nil }
            if free == nil { reportExtra(argument.value, function, values) }
            return free
        }
        guard let position = parameters.firstIndex(where: { $0.name == label.text }) else {
            let names = parameters.map(\.name)
            report(
                .wrongArgument,
                "`\(function.rawValue)` has no argument `\(label.text)`",
                at: label.span,
                help: SpellingHelp.suggestion(for: label.text, in: names) ?? function.usage
            )
            return nil
        }
        guard values[position] == nil else {
            report(.repeated, "`\(label.text)` is given twice", at: label.span)
            return nil
        }
        return position
    }

    private mutating func reportExtra(
        _ value: ExpressionSyntax,
        _ function: Function,
        _ values: [Expression?]
    ) {
        let parameters = function.signature.parameters
        let labelled = parameters.indices.first { parameters[$0].isLabelled && values[$0] == nil }
        let text = source.text(in: value.span)
        report(
            .wrongArgument,
            labelled == nil
                ? "`\(function.rawValue)` takes fewer arguments" : "this argument needs its name",
            at: value.span,
            help: labelled.map { "write `\(parameters[$0].name): \(text)`" } ?? function.usage
        )
    }

    private mutating func hasRequired(
        _ values: [Expression?],
        _ function: Function,
        _ name: Name
    ) -> Bool {
        let parameters = function.signature.parameters
        let missing = parameters.indices.first { parameters[$0].isRequired && values[$0] == nil }
        guard let missing else { return true }
        report(
            .wrongArgument,
            "`\(name.text)` needs its argument `\(parameters[missing].name)`",
            at: name.span,
            help: function.usage
        )
        return false
    }

    /// The argument, or poison when it is of the wrong kind.
    private mutating func fit(
        _ value: Expression,
        _ parameter: FunctionSignature.Parameter,
        of function: Function
    ) -> Expression {
        if case .pattern = parameter.accepts { return fitPattern(value, of: function) }
        guard !parameter.accepts.admits(value.type) else { return value }
        var help: String?
        if case .string = parameter.accepts, value.type.isPlain, value.type.kind != .null {
            help = "convert it: `string(\(source.text(in: value.span)))`"
        }
        report(
            .wrongArgument,
            "`\(function.rawValue)` takes \(parameter.accepts.name)",
            at: value.span,
            label: "this is `\(value.type)`",
            help: help
        )
        return poison(value.span)
    }

    private mutating func fitPattern(_ value: Expression, of function: Function) -> Expression {
        guard case .literal(.string(let text)) = value.kind else {
            let message = "`\(function.rawValue)` takes a regular expression in quotes"
            report(.wrongArgument, message, at: value.span, help: "write `'…'`")
            return poison(value.span)
        }
        if function == .capture, RegexGroups(pattern: text).count == 0 {
            let help = "put `( )` around what to capture"
            report(.missingGroup, "this pattern has no group", at: value.span, help: help)
        }
        return value
    }

    // MARK: Results

    private func resultType(of function: Function, _ values: [Expression?]) -> ValueType {
        let type = function.signature.result
        guard function == .lower || function == .upper else { return type }
        guard let texts = values.first??.type.enumeration else { return type }
        var mapped: [String] = []
        for text in texts.map({ function == .lower ? $0.lowercased() : $0.uppercased() })
        where !mapped.contains(text) {
            mapped.append(text)
        }
        return ValueType(.enumeration(mapped))
    }
}

extension FunctionSignature.Parameter.Accepts {
    func admits(_ type: ValueType) -> Bool {
        guard !type.isAny else { return true }
        return switch (self, type.kind) {
        case (.any, _): true
        case (.string, .string), (.string, .enumeration), (.string, .bytes): true
        case (.int, .int), (.time, .time), (.object, .object), (.list, .list): true
        default: false
        }
    }

    var name: String {
        switch self {
        case .any: "a value"
        case .string: "a text"
        case .int: "an `int`"
        case .time: "a `time`"
        case .object: "an object"
        case .list: "a list"
        case .pattern: "a regular expression"
        }
    }
}
