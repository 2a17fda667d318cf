/// `send` and `on error`: what Kafka gets.
extension Checker {
    mutating func checkSend(_ syntax: SendSyntax, keyword: Span, span: Span) -> Send? {
        var parts: [String: Expression] = [:]
        var seen: Set<String> = []
        for line in syntax.lines where isFirst(line.keyword, in: &seen) {
            parts[line.keyword.text] = checkLine(line)
        }
        let headers = withDefaults(checkHeaders(syntax.headers), at: keyword)
        checkCluster(syntax.cluster)
        // What could not be read may have been the topic.
        let isWhole = !syntax.isBroken && !hasUnreadable(in: span)
        for part in ["topic", "value"] where parts[part] == nil && isWhole {
            report(
                .incompleteSend,
                "this `send` has no \(part)",
                at: keyword,
                help: part == "topic" ? "add `topic = \"…\"`" : "add `value = json(*)`"
            )
        }
        if let key = parts["key"], parts["partition"] == nil { warnOfConstant(key) }
        guard let topic = parts["topic"], let value = parts["value"] else { return nil }
        return Send(
            cluster: syntax.cluster?.text,
            destination: destination(syntax.cluster),
            topic: topic,
            key: parts["key"],
            value: value,
            timestamp: parts["timestamp"],
            partition: parts["partition"],
            headers: headers,
            span: keyword
        )
    }

    mutating func checkCluster(_ name: Name?) {
        guard let name, let (message, help) = context.problem(ofCluster: name.text) else { return }
        report(.unknownCluster, message, at: name.span, help: help)
    }

    func destination(_ cluster: Name?) -> Destination {
        guard let name = cluster?.text, name != context.cluster else { return .own }
        return .other(name)
    }

    private mutating func checkLine(_ line: SendSyntax.Line) -> Expression {
        let value = check(line.value)
        switch line.keyword.text {
        case "topic": checkTopic(value)
        case "key": checkKey(value)
        case "timestamp":
            // What is no time at all has no fallback that helps.
            if requireKind(of: value, for: "timestamp", takes: "a `time`", { $0.kind == .time }) {
                require(value, for: "timestamp", help: "give a fallback: `… ?? @now`", orNull: true)
            }
        case "partition":
            let help = "give a fallback, or `?? null` to let the key decide"
            if requireKind(of: value, for: "partition", takes: "an `int`", { $0.kind == .int }) {
                require(value, for: "partition", help: help, orNull: true)
            }
        default: requirePlain(value, for: "value")
        }
        return value
    }

    private mutating func checkKey(_ key: Expression) {
        let help = "give a fallback: `… ?? \"none\"`, or `?? null` to send without a key"
        if requirePlain(key, for: "key") { require(key, for: "key", help: help, orNull: true) }
    }

    private mutating func warnOfConstant(_ key: Expression) {
        guard !isInErrorPolicy, key.isConstant, key.type.kind != .null else { return }
        report(
            .doubtful,
            "this key is always the same",
            at: key.span,
            label: "all records go to one partition",
            help: "to spread them leave out `key`, or make it of a field"
        )
    }

    /// Reports a value that may be missing where one is needed.
    private mutating func require(
        _ value: Expression,
        for part: String,
        help: String,
        orNull: Bool
    ) {
        guard value.type.isOptional, !(orNull && value.isNullOnPurpose) else { return }
        report(
            .possiblyMissing,
            "`\(part)` may have no value",
            at: value.span,
            label: "this is `\(value.type)`",
            help: help
        )
    }

    /// Whether a value is of the kind that is needed; reports it if not.
    private mutating func requireKind(
        of value: Expression,
        for part: String,
        takes what: String,
        _ isFit: (ValueType) -> Bool
    ) -> Bool {
        if isFit(value.type) || value.type.isAny || value.type.kind == .null { return true }
        report(
            .wrongArgument,
            "`\(part)` takes \(what)",
            at: value.span,
            label: "this is `\(value.type)`"
        )
        return false
    }

    /// Whether a value can be sent as it is; reports it if not.
    @discardableResult
    private mutating func requirePlain(_ value: Expression, for part: String) -> Bool {
        if value.type.isPlain { return true }
        let text = source.text(in: value.span)
        report(
            .wrongArgument,
            "`\(part)` takes text, a number or bytes",
            at: value.span,
            label: "this is `\(value.type)`",
            help: text.count <= 40 ? "encode it: `json(\(text))`" : "encode it with `json(…)`"
        )
        return false
    }

    mutating func checkHeaders(_ headers: [SettingSyntax]) -> [Send.Header] {
        var seen: Set<String> = []
        var result: [Send.Header] = []
        for header in headers {
            let value = check(header.value)
            requirePlain(value, for: "headers")
            guard isFirst(header.name, in: &seen) else { continue }
            checkHeaderName(header.name)
            let span = header.name.span.joined(to: value.span)
            result.append(Send.Header(name: header.name.text, value: value, span: span))
        }
        return result
    }

    /// The headers of a `send`, and those of the defaults that it does not set.
    private mutating func withDefaults(_ headers: [Send.Header], at span: Span) -> [Send.Header] {
        let set = Set(headers.map(\.name))
        let inherited = context.defaults.headerSyntax(at: Span(span.end, span.end)).filter {
            !set.contains($0.name.text)
        }
        return headers + inheriting { $0.checkHeaders(inherited) }
    }

    /// Checks something of the defaults: what is wrong with it is said where it stands.
    private mutating func inheriting<Result>(_ check: (inout Checker) -> Result) -> Result {
        let reported = diagnostics.count
        defer { diagnostics.removeSubrange(reported...) }
        return check(&self)
    }

    private mutating func noteInheritedPolicy() {
        guard let policy = context.defaults.errorPolicy else { return }
        let line = policy.prefix { $0 != "\n" }
        report(
            .inherited,
            "`\(line)` is inherited",
            at: file.parse.first?.span ?? file.start,
            label: context.defaults.place.map { "from \($0)" },
            help: "a pipeline with an `on error` of its own does not inherit it"
        )
    }

    private mutating func checkHeaderName(_ name: Name) {
        let isPrintable = name.text.unicodeScalars.allSatisfy {
            $0.value >= 0x20 && $0.value != 0x7F
        }
        guard name.text.isEmpty || !isPrintable || name.text.utf8.count > 249 else { return }
        report(.badHeader, "a header name has 1 to 249 printable characters", at: name.span)
    }

    // MARK: Topics

    private mutating func checkTopic(_ topic: Expression) {
        if requireKind(of: topic, for: "topic", takes: "a text", { $0.isText }) {
            require(topic, for: "topic", help: "give a fallback: `… ?? \"other\"`", orNull: false)
        }
        if let problem = TopicNames(topic).problem {
            let help = "letters, digits, `.`, `_` and `-` make a topic name, 249 at most"
            report(.badTopic, problem, at: topic.span, help: help)
        } else if isUnchecked(topic) {
            report(
                .uncheckedTopic,
                "this topic name is made of unchecked data",
                at: topic.span,
                label: "there may be no end of topics",
                help: "declare the field, best as an `enum`"
            )
        }
    }

    /// True for a value made of something whose type nobody declared.
    func isUnchecked(_ value: Expression) -> Bool {
        switch value.kind {
        case .field(let path): !path.members.isEmpty || isUnchecked(path.slot)
        case .local(let local): uncheckedLocals.contains(local)
        case .meta(let meta): meta == .raw
        case .call(.parseJSON, _), .call(.parseKV, _), .call(.parseURL, _), .call(.get, _): true
        default: value.children.contains { isUnchecked($0) }
        }
    }

    private func isUnchecked(_ slot: Int) -> Bool {
        guard !uncheckedFields.contains(slot) else { return true }
        return isUntyped && !columns.contains { $0.slot == slot }
    }

    // MARK: on error

    mutating func checkErrorPolicy() -> ErrorPolicy? {
        reportRepeated("on error", file.errorPolicies.dropFirst().map(\.span))
        guard let policy = file.errorPolicies.first else { return inheritedPolicy() }
        return checkErrorPolicy(policy)
    }

    mutating func checkErrorPolicy(_ policy: ErrorPolicySyntax) -> ErrorPolicy {
        isInErrorPolicy = true
        defer { isInErrorPolicy = false }
        scopes = [[:]]
        switch policy.kind {
        case .stop: return .stop
        case .skip: return .skip
        case .deadLetter(let topic):
            let checked = check(topic)
            checkTopic(checked)
            return .deadLetter(checked)
        case .steps(let steps): return checkErrorSteps(steps, at: policy.span)
        }
    }

    private mutating func checkErrorSteps(_ steps: [StepSyntax], at span: Span) -> ErrorPolicy {
        state = FlowState()
        let checked = checkSteps(steps)
        if state.isReachable, !state.isSettled {
            report(
                .openEnd,
                "some failed records reach the end of `on error` without `send` or `drop`",
                at: span,
                label: "they would disappear silently",
                help: "add a `send`"
            )
        }
        return .steps(checked)
    }

    private mutating func inheritedPolicy() -> ErrorPolicy? {
        let end = Span(source.pieces[0].span.end, source.pieces[0].span.end)
        if let policy = context.defaults.errorPolicySyntax(at: end) {
            noteInheritedPolicy()
            return inheriting { $0.checkErrorPolicy(policy) }
        }
        guard !file.broken.contains("on") else { return nil }
        report(
            .noErrorPolicy,
            "this pipeline does not say what happens to a record that fails",
            at: file.parse.first?.span ?? file.start,
            label: "not every line will fit",
            help: "add `on error dead_letter \"TOPIC\"`, or `on error stop`, or `on error skip`"
        )
        return nil
    }
}

extension Expression {
    /// True when no record and no place in a file makes a difference.
    fileprivate var isConstant: Bool {
        switch kind {
        case .literal: true
        case .field, .local, .allFields: false
        case .meta(.pipeline), .meta(.environment): true
        case .meta: false
        default: children.allSatisfy(\.isConstant)
        }
    }

    /// True when the author wrote that there may be no value: `null`, or `… ?? null`.
    var isNullOnPurpose: Bool {
        switch kind {
        case .literal(.null): true
        case .coalesce(_, let fallback): !fallback.type.isOptional || fallback.isNullOnPurpose
        default: false
        }
    }
}
