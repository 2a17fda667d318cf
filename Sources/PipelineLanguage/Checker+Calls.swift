/// Calls: each is held against its row in the catalogue.
extension Checker {
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
            guard let position = position(of: argument, in: function, taken: values) else {
                _ = check(argument.value)
                isWhole = false
                continue
            }
            values[position] = checkArgument(argument.value, parameters[position], of: function)
        }
        guard isWhole, hasRequired(values, function, name) else { return poison(span) }
        checkLiterals(function, values)
        let type = resultType(of: function, values)
        return Expression(kind: .call(function, values), type: type, span: span)
    }

    private mutating func reportUnknownFunction(_ name: Name) {
        if let reason = Function.reserved[name.text] {
            report(.unknownFunction, "`\(name.text)` \(reason)", at: name.span)
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
    private mutating func checkArgument(
        _ syntax: ExpressionSyntax,
        _ parameter: FunctionSignature.Parameter,
        of function: Function
    ) -> Expression {
        switch parameter.accepts {
        case .timeFormat: checkTimeFormat(syntax)
        case .zone: checkZoneName(syntax)
        case .secret: checkSecret(syntax)
        case .choice(let words): checkChoice(syntax, words, of: function)
        case .pattern: fitPattern(check(syntax), of: function)
        default: fit(check(syntax), parameter, of: function)
        }
    }

    private mutating func fit(
        _ value: Expression,
        _ parameter: FunctionSignature.Parameter,
        of function: Function
    ) -> Expression {
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
        let groups = RegexGroups(pattern: text)
        if function == .capture, groups.count == 0 {
            let help = "put `( )` around what to capture"
            report(.missingGroup, "this pattern has no group", at: value.span, help: help)
        }
        if function == .captures, groups.names.isEmpty {
            let help = "put `(?<name> )` around what to capture"
            report(.missingGroup, "this pattern has no named group", at: value.span, help: help)
        }
        return value
    }

    /// A notation's name or a pattern, as a literal text.
    private mutating func checkTimeFormat(_ syntax: ExpressionSyntax) -> Expression {
        guard notation(syntax) != nil else { return poison(syntax.span) }
        let text = syntax.text ?? source.text(in: syntax.span)
        return Expression(kind: .literal(.string(text)), type: .string, span: syntax.span)
    }

    private mutating func checkZoneName(_ syntax: ExpressionSyntax) -> Expression {
        guard let text = syntax.text, !text.isEmpty else {
            if !syntax.isBroken {
                let help = "write `zone: \"UTC\"`, or a name such as \"Europe/Berlin\""
                let message = "a zone is a name in quotes"
                report(.wrongArgument, message, at: syntax.span, help: help)
            }
            return poison(syntax.span)
        }
        return Expression(kind: .literal(.string(text)), type: .string, span: syntax.span)
    }

    private mutating func checkSecret(_ syntax: ExpressionSyntax) -> Expression {
        guard !syntax.isBroken else { return poison(syntax.span) }
        let name = syntax.text ?? source.text(in: syntax.span)
        guard context.secrets.contains(name) else {
            report(
                .wrongArgument,
                "there is no secret `\(name)`",
                at: syntax.span,
                help: SpellingHelp.suggestion(for: name, in: context.secrets.sorted())
                    ?? "name it in forktail.conf: `secrets { \(name) = secret.file(\"…\") }`"
            )
            return poison(syntax.span)
        }
        return Expression(kind: .literal(.string(name)), type: .string, span: syntax.span)
    }

    private mutating func checkChoice(
        _ syntax: ExpressionSyntax,
        _ words: [String],
        of function: Function
    ) -> Expression {
        guard !syntax.isBroken else { return poison(syntax.span) }
        guard let text = syntax.text, words.contains(text) else {
            report(
                .wrongArgument,
                "`\(function.rawValue)` takes \(Self.alternatives(words))",
                at: syntax.span,
                help: syntax.text.flatMap { SpellingHelp.nearest(to: $0, in: words) }
                    .map { "did you mean \"\($0)\"?" }
            )
            return poison(syntax.span)
        }
        return Expression(kind: .literal(.string(text)), type: .string, span: syntax.span)
    }

    // MARK: Values that are known

    /// What can be said of literals before a line is read.
    private mutating func checkLiterals(_ function: Function, _ values: [Expression?]) {
        switch function {
        case .time:
            guard let format = values[1], values[2] == nil, let text = format.literalText,
                TimeFormat.Notation(name: text) == nil
            else { return }
            checkZone(text, format.span)
        case .sample:
            refuse(values[0], unless: "a share from 0 to 1, such as 0.1") { $0 >= 0 && $0 <= 1 }
        case .salted:
            refuse(values[1], unless: "a number of keys, from 1 on") { $0 >= 1 }
        case .truncate, .substring, .split, .mask: refuseNegative(function, values)
        case .trunc:
            guard let step = values[1], case .literal(.duration(.zero)) = step.kind else { return }
            report(.wrongArgument, "a step of nothing goes nowhere", at: step.span)
        case .globCapture: checkGlobCapture(values[0])
        default: return
        }
    }

    private mutating func refuseNegative(_ function: Function, _ values: [Expression?]) {
        // A place in a text may count from its end.
        guard function != .substring else { return }
        for value in values {
            refuse(value, unless: "a whole number, from 0 on") { $0 >= 0 }
        }
    }

    private mutating func refuse(
        _ value: Expression?,
        unless wanted: String,
        _ fits: (Double) -> Bool
    ) {
        guard let value, let number = value.literalNumber, !fits(number) else { return }
        report(.wrongArgument, "this is not \(wanted)", at: value.span)
    }

    private mutating func checkGlobCapture(_ value: Expression?) {
        guard let value, let number = value.literalNumber else { return }
        let stars = file.from.flatMap(\.globs).map { GlobStars.count(in: $0.text) }.max()
        guard let stars, number < 1 || number > Double(stars) else { return }
        report(
            .wrongArgument,
            "the globs of `from` have no such `*`",
            at: value.span,
            label: stars == 0 ? "they have none" : "there are 1 to \(stars)"
        )
    }

    // MARK: Results

    private func resultType(of function: Function, _ values: [Expression?]) -> ValueType {
        let type = function.signature.result
        if function == .captures, let pattern = values[1]?.literalText {
            let names = RegexGroups(pattern: pattern).names
            let members = names.map { ($0, ValueType.string.optional()) }
            return ValueType(.object(Dictionary(members) { first, _ in first }))
        }
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
        case (.duration, .duration): true
        case (.number, _): type.isNumber
        default: false
        }
    }

    var name: String {
        switch self {
        case .any: "a value"
        case .string: "a text"
        case .int: "an `int`"
        case .number: "a number"
        case .time: "a `time`"
        case .duration: "a `duration`"
        case .object: "an object"
        case .list: "a list"
        case .pattern: "a regular expression"
        case .timeFormat: "a time format"
        case .zone: "a time zone"
        case .secret: "the name of a secret"
        case .choice(let words): Checker.alternatives(words)
        }
    }
}

extension Expression {
    /// The text of a literal.
    package var literalText: String? {
        if case .literal(.string(let text)) = kind { text } else { nil }
    }

    /// The number of a literal, also with a sign in front.
    fileprivate var literalNumber: Double? {
        switch kind {
        case .literal(.int(let number)): Double(number)
        case .literal(.decimal(let digits)): Double(digits)
        case .unary(.negate, let inner): inner.literalNumber.map { -$0 }
        default: nil
        }
    }
}
