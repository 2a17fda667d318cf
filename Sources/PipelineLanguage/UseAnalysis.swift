/// Finds what is computed and reaches no record, by walking the steps from their end.
struct UseAnalysis {
    let plan: Plan
    let localSpans: [Span]

    /// What the steps behind a point still use.
    private struct Uses {
        var fields: Set<Int> = []
        var locals: Set<Int> = []
        /// True when `*` is used behind this point.
        var hasAllFields = false

        mutating func restrict(to slots: Set<Int>) {
            fields = hasAllFields ? slots : fields.intersection(slots)
            hasAllFields = false
        }

        func union(_ other: Uses) -> Uses {
            Uses(
                fields: fields.union(other.fields),
                locals: locals.union(other.locals),
                hasAllFields: hasAllFields || other.hasAllFields
            )
        }
    }

    func warnings() -> [Diagnostic] {
        var warnings: [Diagnostic] = []
        _ = uses(before: plan.steps, behind: Uses(), &warnings)
        if case .steps(let steps) = plan.errorPolicy {
            _ = uses(before: steps, behind: Uses(), &warnings)
        }
        return warnings
    }

    private func uses(
        before steps: [Step],
        behind: Uses,
        _ warnings: inout [Diagnostic]
    ) -> Uses {
        var uses = behind
        for step in steps.reversed() {
            visit(step, &uses, &warnings)
        }
        return uses
    }

    private func visit(_ step: Step, _ uses: inout Uses, _ warnings: inout [Diagnostic]) {
        switch step.kind {
        case .let(let local, let value):
            if !uses.locals.contains(local) { warnings.append(unusedLocal(local)) }
            add(value, to: &uses)
        case .set(let path, let value):
            visitSet(path, &uses, &warnings)
            add(value, to: &uses)
        case .remove(let paths):
            for path in paths where path.members.isEmpty { uses.fields.remove(path.slot) }
        case .rename(let path, let target):
            visitSet(target, &uses, &warnings)
            uses.fields.insert(path.slot)
        case .keep(let paths): uses.restrict(to: Set(paths.map(\.slot)))
        case .drop(_, let condition), .reject(_, let condition):
            if condition == nil { uses = Uses() }
            if let condition { add(condition, to: &uses) }
        case .if(let branches, let otherwise):
            visitIf(branches, otherwise, &uses, &warnings)
        case .send(let send):
            for expression in send.expressions { add(expression, to: &uses) }
        }
    }

    private func visitSet(
        _ path: FieldPath,
        _ uses: inout Uses,
        _ warnings: inout [Diagnostic]
    ) {
        if !uses.hasAllFields, !uses.fields.contains(path.slot) {
            let name = plan.fieldNames[path.slot]
            let message = "`\(name)` is set, but no `send` behind this uses it"
            warnings.append(Diagnostic(.unused, message, at: path.span))
        }
        if path.members.isEmpty { uses.fields.remove(path.slot) }
    }

    private func visitIf(
        _ branches: [Branch],
        _ otherwise: [Step],
        _ uses: inout Uses,
        _ warnings: inout [Diagnostic]
    ) {
        let behind = uses
        uses = self.uses(before: otherwise, behind: behind, &warnings)
        for branch in branches.reversed() {
            uses = uses.union(self.uses(before: branch.steps, behind: behind, &warnings))
            add(branch.condition, to: &uses)
        }
    }

    private func unusedLocal(_ local: Int) -> Diagnostic {
        let message = "`\(plan.localNames[local])` is never used"
        return Diagnostic(.unused, message, at: localSpans[local], help: "remove this `let`")
    }

    private func add(_ expression: Expression, to uses: inout Uses) {
        switch expression.kind {
        case .field(let path): uses.fields.insert(path.slot)
        case .local(let local): uses.locals.insert(local)
        case .allFields: uses.hasAllFields = true
        default: for child in expression.children { add(child, to: &uses) }
        }
    }
}

extension Send {
    /// All expressions of the record, headers last.
    package var expressions: [Expression] {
        [topic, key, value, timestamp, partition].compactMap(\.self) + headers.map(\.value)
    }
}
