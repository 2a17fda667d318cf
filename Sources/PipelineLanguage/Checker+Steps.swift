/// Steps, and whether each way through them ends somewhere.
extension Checker {
    /// Checks a block: its `let`s are known in it only.
    mutating func checkSteps(_ steps: [StepSyntax]) -> [Step] {
        var result: [Step] = []
        var wasReachable = state.isReachable
        for step in steps {
            if wasReachable, !state.isReachable {
                let message = "this step is never reached"
                report(.unused, message, at: step.keyword, label: "every record has ended above")
            }
            wasReachable = state.isReachable
            guard let kind = checkStep(step) else { continue }
            result.append(Step(kind: kind, span: step.span))
        }
        return result
    }

    private mutating func checkBlock(_ steps: [StepSyntax]) -> [Step] {
        scopes.append([:])
        defer { scopes.removeLast() }
        return checkSteps(steps)
    }

    private mutating func checkStep(_ step: StepSyntax) -> Step.Kind? {
        if isInErrorPolicy, let word = step.wordForRecordsOnly {
            report(.syntax, "`\(word)` cannot stand in `on error`", at: step.keyword)
            return nil
        }
        switch step.kind {
        case .broken, .include:
            // It might have been a `send` or a `drop`.
            state.isSettled = true
            return nil
        case .let(let name, let value): return checkLet(name, value)
        case .set(let path, let value): return checkSet(path, value)
        case .remove(let paths): return checkRemove(paths)
        case .rename(let path, let target): return checkRename(path, to: target)
        case .keep(let paths): return checkKeep(paths)
        case .drop(let reason, let condition):
            let (checked, text) = checkEnd(reason, condition)
            return .drop(reason: text, condition: checked)
        case .reject(let reason, let condition):
            let (checked, text) = checkEnd(reason, condition)
            return .reject(reason: text, condition: checked)
        case .if(let branches, let otherwise): return checkIf(branches, otherwise)
        case .send(let send):
            let checked = checkSend(send, keyword: step.keyword, span: step.span)
            state.isSettled = true
            return checked.map { .send($0) }
        }
    }

    // MARK: let, set, remove

    private mutating func checkLet(_ name: Name, _ value: ExpressionSyntax) -> Step.Kind {
        let value = check(value)
        if local(name.text) != nil {
            report(.repeated, "`\(name.text)` already has a value", at: name.span)
        } else if !isInErrorPolicy, columns.contains(where: { $0.name == name.text }) {
            report(
                .repeated,
                "`\(name.text)` is a field already",
                at: name.span,
                help: "to change the field write `set \(name.text) = …`"
            )
        }
        let local = localNames.count
        localNames.append(name.text)
        localSpans.append(name.span)
        scopes[scopes.count - 1][name.text] = local
        state.locals[local] = value.type
        if isUnchecked(value) { uncheckedLocals.insert(local) }
        return .let(local: local, value)
    }

    private mutating func checkSet(_ path: PathSyntax, _ value: ExpressionSyntax) -> Step.Kind? {
        let value = check(value)
        let head = path.names[0]
        guard path.names.count == 1 else {
            guard let target = checkPath(path) else { return nil }
            state[target.slot] = .present(.object)
            return .set(target, value)
        }
        if local(head.text) != nil {
            let help = "a `let` does not change; give this another name"
            report(.repeated, "`\(head.text)` is not a field", at: head.span, help: help)
        }
        let slot = slot(of: head.text)
        state[slot] = .present(value.type)
        if isUnchecked(value) { uncheckedFields.insert(slot) } else { uncheckedFields.remove(slot) }
        return .set(FieldPath(slot: slot, members: [], span: path.span), value)
    }

    private mutating func checkRemove(_ paths: [PathSyntax]) -> Step.Kind {
        var checked: [FieldPath] = []
        for path in paths {
            guard let target = checkPath(path) else { continue }
            checked.append(target)
            state[target.slot] =
                target.members.isEmpty ? .removed : .present(objectType(target.slot))
        }
        return .remove(checked)
    }

    func objectType(_ slot: Int) -> ValueType {
        guard case .present(let type) = state[slot] else { return .object }
        return type.isObject ? ValueType.object.optional(type.isOptional) : type
    }

    /// Resolves a path that begins with a field of the record.
    mutating func checkPath(_ path: PathSyntax) -> FieldPath? {
        let head = path.names[0]
        if !isInErrorPolicy, local(head.text) != nil, slots[head.text] == nil {
            report(.unknownField, "`\(head.text)` is a `let`, not a field", at: head.span)
            return nil
        }
        guard let type = fieldType(head) else { return nil }
        let isStructured = type.isObject || type.isAny
        guard path.names.count == 1 || isStructured else {
            let message = "`\(head.text)` is `\(type)`: it has no members"
            report(.wrongArgument, message, at: path.span)
            return nil
        }
        let members = path.names.dropFirst().map(\.text)
        return FieldPath(slot: slot(of: head.text), members: members, span: path.span)
    }

    // MARK: drop, reject, if

    private mutating func checkEnd(
        _ reason: Name?,
        _ condition: ExpressionSyntax?
    ) -> (Expression?, String) {
        guard let condition else {
            state.isReachable = false
            return (nil, reason?.text ?? "dropped")
        }
        let checked = checkCondition(condition)
        state = state.narrowed(by: checked, is: false)
        // The text does not depend on how the condition is laid out: it is the name of a counter.
        return (checked, reason?.text ?? ExpressionWriter().text(condition))
    }

    mutating func checkCondition(_ syntax: ExpressionSyntax) -> Expression {
        let condition = check(syntax)
        let isFit = condition.type.kind == .bool || condition.type.isAny
        guard !isFit else { return condition }
        report(
            .notACondition,
            "a condition is true or false",
            at: condition.span,
            label: "this is `\(condition.type)`",
            help: "compare it with something: `… == …`"
        )
        return poison(condition.span)
    }

    private mutating func checkIf(
        _ branches: [BranchSyntax],
        _ otherwise: [StepSyntax]?
    ) -> Step.Kind {
        var checked: [Branch] = []
        var ends: [FlowState] = []
        for branch in branches {
            let condition = checkCondition(branch.condition)
            let before = state
            state = before.narrowed(by: condition, is: true)
            let steps = checkBlock(branch.steps)
            checked.append(Branch(condition: condition, steps: steps, span: branch.span))
            ends.append(state)
            state = before.narrowed(by: condition, is: false)
        }
        let rest = otherwise.map { checkBlock($0) } ?? []
        ends.append(state)
        state = ends.dropFirst().reduce(ends[0]) { $0.merged(with: $1) }
        return .if(checked, otherwise: rest)
    }

    // MARK: Ends

    /// Finds records that reach the end of the file without having ended anywhere.
    mutating func checkEnd() {
        guard state.isReachable, !state.isSettled, !mayHaveLostSteps else { return }
        let culprit = file.steps.last { $0.endsSomeRecords }
        let span = culprit?.keyword ?? file.parse.first?.span ?? file.start
        report(
            .openEnd,
            "some records reach the end of this pipeline without `send`, `drop` or `reject`",
            at: span,
            label: "they would disappear silently",
            help: remedy(for: culprit)
        )
    }

    /// True when a statement could not be read that might have ended the rest of the records.
    private var mayHaveLostSteps: Bool {
        !file.broken.isSubset(of: ["from", "parse", "on", "test"])
    }

    private func remedy(for culprit: StepSyntax?) -> String {
        guard let culprit, case .if(_, let otherwise) = culprit.kind else {
            return "add a `send`"
        }
        let ends = "`send`, `drop \"reason\"` or `reject \"reason\"`"
        return otherwise == nil
            ? "add an `else` that ends with \(ends)" : "end the last branch with \(ends)"
    }
}

extension StepSyntax {
    /// The word of a step that works on the fields of a record.
    fileprivate var wordForRecordsOnly: String? {
        switch kind {
        case .set: "set"
        case .remove: "remove"
        case .rename: "rename"
        case .keep: "keep"
        case .reject: "reject"
        default: nil
        }
    }

    /// True for an `if` with a `send`, `drop` or `reject` somewhere inside.
    fileprivate var endsSomeRecords: Bool {
        guard case .if(let branches, let otherwise) = kind else { return false }
        let steps = branches.flatMap(\.steps) + (otherwise ?? [])
        return steps.contains { $0.isEnd || $0.endsSomeRecords }
    }

    private var isEnd: Bool {
        switch kind {
        case .send, .drop, .reject: true
        default: false
        }
    }
}
