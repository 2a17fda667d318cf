/// Resolves names, finds types and follows each way a record can take.
///
/// An expression that is wrong becomes `any`: nothing is said about what follows from it.
struct Checker {
    let source: SourceText
    let file: SyntaxFile
    let context: PipelineContext
    var diagnostics: [Diagnostic] = []
    /// What the lexer and the parser could not read.
    var unreadable: [Span] = []

    // What `parse` says.
    var format = Format.text
    var formatName = "text"
    var columns: [Column] = []
    var isOpen = false
    var isUntyped = false
    /// Whether a column may be a list or an object.
    var allowsStructure = false
    /// True when `parse` is missing or could not be read: all fields are taken on trust.
    var isParseUnknown = false

    // Names.
    var fieldNames: [String] = []
    var slots: [String: Int] = [:]
    var localNames: [String] = []
    var localSpans: [Span] = []
    var scopes: [[String: Int]] = [[:]]
    var undeclared: Set<String> = []

    // Where we are.
    var state = FlowState()
    var isInErrorPolicy = false
    /// True for what all pipelines inherit, which have no field in common.
    var isInDefaults = false
    /// Fields and `let`s made of data whose shape nobody declared.
    var uncheckedFields: Set<Int> = []
    var uncheckedLocals: Set<Int> = []

    init(source: SourceText, file: SyntaxFile, context: PipelineContext) {
        self.source = source
        self.file = file
        self.context = context
    }

    /// The plan, if the whole file could be made sense of.
    mutating func plan() -> Plan? {
        var input = checkFrom()
        checkParse()
        if case .known(.cri) = format, input?.multiline == nil {
            let pattern = Pattern(text: KnownFormat.splitLines, span: file.start)
            input?.multiline = .continuedBy(pattern)
        }
        let steps = checkSteps(file.steps)
        checkEnd()
        let policy = checkErrorPolicy()
        let tests = file.tests.map { checkTest($0) }
        guard let input, let policy, !hasErrors else { return nil }
        let plan = Plan(
            name: source.name,
            source: source,
            input: input,
            format: format,
            columns: columns,
            fieldNames: fieldNames,
            isOpen: isOpen,
            isUntyped: isUntyped,
            localNames: localNames,
            steps: steps,
            errorPolicy: policy,
            errorPolicySpan: file.errorPolicies.first?.span,
            tests: tests
        )
        diagnostics += UseAnalysis(plan: plan, localSpans: localSpans).warnings()
        return plan
    }

    private var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    mutating func report(
        _ code: DiagnosticCode,
        _ message: String,
        at span: Span,
        label: String? = nil,
        help: String? = nil
    ) {
        // Nothing can be said about a word that could not be read.
        guard !hasUnreadable(in: span) else { return }
        diagnostics.append(Diagnostic(code, message, at: span, label: label, help: help))
    }

    func hasUnreadable(in span: Span) -> Bool {
        unreadable.contains { $0.overlaps(span) }
    }

    /// The stand-in for an expression that is wrong.
    func poison(_ span: Span) -> Expression {
        Expression(kind: .literal(.null), type: .any, span: span)
    }

    // MARK: Names

    /// The slot of a field, made on first sight.
    mutating func slot(of name: String) -> Int {
        if let slot = slots[name] { return slot }
        slots[name] = fieldNames.count
        fieldNames.append(name)
        return fieldNames.count - 1
    }

    func local(_ name: String) -> Int? {
        for scope in scopes.reversed() {
            if let local = scope[name] { return local }
        }
        return nil
    }

    /// The type of a field here, or nil (and a diagnostic) when there is none.
    mutating func fieldType(_ name: Name) -> ValueType? {
        guard !isInErrorPolicy, !isInDefaults else {
            reportFieldOutsideRecord(name)
            return nil
        }
        switch slots[name.text].map({ state[$0] }) {
        case .present(let type): return type
        case .removed:
            report(.unknownField, "field `\(name.text)` was removed above", at: name.span)
            return nil
        case .absent, nil: break
        }
        guard !isParseUnknown else { return nil }
        guard isUntyped else {
            reportUnknownField(name)
            return nil
        }
        guard !state.isClosed else {
            report(.unknownField, "`keep` above leaves no field `\(name.text)`", at: name.span)
            return nil
        }
        let type: ValueType = isOpen ? .any.optional() : .string.optional()
        state[slot(of: name.text)] = .present(type)
        return type
    }

    private mutating func reportFieldOutsideRecord(_ name: Name) {
        report(
            .unknownField,
            "`\(isInErrorPolicy ? "on error" : "defaults")` cannot use `\(name.text)`",
            at: name.span,
            label: isInErrorPolicy
                ? "the record may have failed before it had fields" : "not every pipeline has it",
            help: isInErrorPolicy
                ? "use `@raw`, `@error.message` and the other `@` names"
                : "use `@pipeline`, `@host` and the other `@` names"
        )
    }

    private mutating func reportUnknownField(_ name: Name) {
        // A statement that could not be read might have made this field.
        guard file.broken.isDisjoint(with: ["set", "let", "rename", "include"]) else { return }
        let known = knownNames()
        var help = SpellingHelp.suggestion(for: name.text, in: known)
        if isOpen, help == nil {
            guard undeclared.insert(name.text).inserted else { return }
            help = "add \"\(name.text): string?\" to parse \(formatName)"
        }
        let place = "`parse \(formatName)`"
        report(
            .unknownField,
            "unknown field `\(name.text)`",
            at: name.span,
            label: isOpen ? "not declared in \(place)" : "no such column in \(place)",
            help: help
        )
    }

    private func knownNames() -> [String] {
        let fields = fieldNames.enumerated().filter { slot, _ in state[slot] != .absent }
        return fields.map(\.element) + scopes.flatMap(\.keys).sorted()
    }
}
