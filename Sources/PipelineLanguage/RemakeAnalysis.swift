/// Finds what would not come out the same if a line were made into records once more.
///
/// After a crash the lines behind the checkpoint are made again, and what is in Kafka already is
/// told by topic, partition and place. So topic, key, partition, and whether there is a record at
/// all, may depend on the record, its position, the host and constants, and not on the time.
package struct RemakeAnalysis {
    private let plan: Plan
    private var diagnostics: [Diagnostic] = []
    /// Fields and `let`s that depend on the time, and the name that says so.
    private var fields: [Int: String] = [:]
    private var locals: [Int: String] = [:]

    private init(plan: Plan) {
        self.plan = plan
    }

    /// An error for each place where the time decides.
    package static func diagnostics(of plan: Plan) -> [Diagnostic] {
        var analysis = RemakeAnalysis(plan: plan)
        analysis.visit(plan.steps)
        switch plan.errorPolicy {
        case .stop, .skip: break
        case .deadLetter(let topic): analysis.refuse(topic, as: "a topic")
        case .steps(let steps): analysis.visit(steps)
        }
        return analysis.diagnostics
    }

    private mutating func visit(_ steps: [Step]) {
        for step in steps { visit(step) }
    }

    private mutating func visit(_ step: Step) {
        switch step.kind {
        case .let(let local, let value):
            refuseOpenMatches(in: value)
            locals[local] = cause(value)
        case .set(let path, let value):
            refuseOpenMatches(in: value)
            if let cause = cause(value) {
                fields[path.slot] = cause
            } else if path.members.isEmpty {
                fields[path.slot] = nil
            }
        case .remove(let paths):
            for path in paths where path.members.isEmpty { fields[path.slot] = nil }
        case .rename(let path, let target): move(path, to: target)
        case .keep(let paths):
            let slots = Set(paths.map(\.slot))
            fields = fields.filter { slots.contains($0.key) }
        case .drop(_, let condition), .reject(_, let condition):
            if let condition { refuse(condition, as: "a condition") }
        case .if(let branches, let otherwise): visit(branches, otherwise)
        case .send(let send):
            for value in send.expressions { refuseOpenMatches(in: value) }
            refuse(send.topic, as: "a topic")
            if let key = send.key { refuse(key, as: "a key") }
            if let partition = send.partition { refuse(partition, as: "a partition") }
        }
    }

    private mutating func move(_ path: FieldPath, to target: FieldPath) {
        let cause = fields[path.slot]
        if path.members.isEmpty { fields[path.slot] = nil }
        if cause != nil || target.members.isEmpty { fields[target.slot] = cause }
    }

    /// A field may depend on the time behind an `if` when it does behind one of its arms.
    private mutating func visit(_ branches: [Branch], _ otherwise: [Step]) {
        let before = fields
        var after: [Int: String] = [:]
        for branch in branches {
            refuse(branch.condition, as: "a condition")
            fields = before
            visit(branch.steps)
            after.merge(fields) { first, _ in first }
        }
        fields = before
        visit(otherwise)
        fields.merge(after) { first, _ in first }
    }

    /// A record that fits no arm of a `match` fails, so that the time must not choose among arms
    /// that leave something out.
    private mutating func refuseOpenMatches(in value: Expression) {
        if case .match(let match) = value.kind, match.otherwise == nil {
            let deciding = [match.subject].compactMap(\.self) + match.arms.flatMap(\.patterns)
            for expression in deciding { refuse(expression, as: "a `match` without `else`") }
        }
        for child in value.children { refuseOpenMatches(in: child) }
    }

    private mutating func refuse(_ value: Expression, as part: String) {
        guard let cause = cause(value) else { return }
        diagnostics.append(
            Diagnostic(
                .notRemakeable,
                "\(part) that depends on `\(cause)` does not come out the same when it is made again",
                at: value.span,
                label: "after a crash it could be sent twice or not at all",
                help: "use a time of the record, or run with `--delivery at_least_once`"
            )
        )
    }

    /// What of the time a value depends on.
    private func cause(_ value: Expression) -> String? {
        switch value.kind {
        case .meta(let meta): name(of: meta)
        case .field(let path): fields[path.slot]
        case .local(let local): locals[local]
        case .allFields(let excluded): causeOfFields(besides: excluded)
        case .call(.age, _): "age()"
        default: value.children.lazy.compactMap(cause).first
        }
    }

    private func name(of meta: Meta) -> String? {
        switch meta {
        case .now: "@now"
        case .modificationTime: "@mtime"
        default: nil
        }
    }

    private func causeOfFields(besides excluded: [FieldPath]) -> String? {
        let left = excluded.filter(\.members.isEmpty).map(\.slot)
        return fields.keys.sorted().first { !left.contains($0) }.flatMap { fields[$0] }
    }
}
