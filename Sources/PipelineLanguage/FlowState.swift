/// What is known about the fields and names at one point of the steps.
struct FlowState {
    enum Field: Equatable {
        /// Never there on this way.
        case absent
        case removed
        case present(ValueType)
    }

    /// By slot; slots behind the end are absent.
    var fields: [Field] = []
    /// The types of the `let`s, by index, narrowed by conditions.
    var locals: [Int: ValueType] = [:]
    /// False behind `drop` without `if`, and where no value is left for a field.
    var isReachable = true
    /// True behind a `keep`: there is no field besides those that are known.
    var isClosed = false
    /// True when each record that comes here has been sent.
    var isSettled = false

    subscript(slot: Int) -> Field {
        get { slot < fields.count ? fields[slot] : .absent }
        set {
            while fields.count <= slot { fields.append(.absent) }
            fields[slot] = newValue
        }
    }

    /// What is known where two ways meet.
    func merged(with other: FlowState) -> FlowState {
        guard isReachable else { return other }
        guard other.isReachable else { return self }
        var result = self
        for slot in 0..<max(fields.count, other.fields.count) {
            result[slot] = Self.merge(self[slot], other[slot])
        }
        for (local, type) in other.locals {
            result.locals[local] = result.locals[local]?.united(with: type) ?? type
        }
        result.isClosed = isClosed && other.isClosed
        result.isSettled = isSettled && other.isSettled
        return result
    }

    private static func merge(_ left: Field, _ right: Field) -> Field {
        switch (left, right) {
        case (.present(let a), .present(let b)): .present(a.united(with: b))
        case (.present(let type), _), (_, .present(let type)): .present(type.optional())
        case (.removed, .removed): .removed
        default: .absent
        }
    }
}

// MARK: - Conditions

extension FlowState {
    /// What is known once a condition has turned out true, or false.
    func narrowed(by condition: Expression, is truth: Bool) -> FlowState {
        switch condition.kind {
        case .unary(.not, let inner):
            return narrowed(by: inner, is: !truth)
        case .binary(.and, let left, let right):
            return narrowed(by: left, right, bothAre: truth, when: truth)
        case .binary(.or, let left, let right):
            return narrowed(by: left, right, bothAre: truth, when: !truth)
        case .binary(.equal, let left, let right):
            return narrowed(left, to: [right], isEqual: truth)
        case .binary(.notEqual, let left, let right):
            return narrowed(left, to: [right], isEqual: !truth)
        case .binary(.isIn, let left, let right):
            return narrowed(left, toElementsOf: right, isEqual: truth)
        case .binary(.isNotIn, let left, let right):
            return narrowed(left, toElementsOf: right, isEqual: !truth)
        case .regexMatch(let subject, _, _):
            return update(subject) { $0.optional(false) }
        default: return self
        }
    }

    /// Both conditions hold (or fail) together, or at least one of them does.
    private func narrowed(
        by left: Expression,
        _ right: Expression,
        bothAre truth: Bool,
        when together: Bool
    ) -> FlowState {
        guard !together else {
            return narrowed(by: left, is: truth).narrowed(by: right, is: truth)
        }
        let first = narrowed(by: left, is: truth)
        let second = narrowed(by: left, is: !truth).narrowed(by: right, is: truth)
        return first.merged(with: second)
    }

    private func narrowed(
        _ subject: Expression,
        toElementsOf list: Expression,
        isEqual: Bool
    ) -> FlowState {
        guard case .list(let elements) = list.kind else { return self }
        return narrowed(subject, to: elements, isEqual: isEqual)
    }

    private func narrowed(
        _ subject: Expression,
        to values: [Expression],
        isEqual: Bool
    ) -> FlowState {
        var texts: [String] = []
        var hasNull = false
        for value in values {
            switch value.kind {
            case .literal(.string(let text)): texts.append(text)
            case .literal(.null): hasNull = true
            case .literal: break
            default: return self
            }
        }
        return update(subject) { type in
            isEqual
                ? type.restricted(to: texts, orNull: hasNull)
                : type.without(texts, orNull: hasNull)
        }
    }

    /// Changes the type of a field or a `let`; the way ends where no value is left.
    private func update(
        _ subject: Expression,
        _ change: (ValueType) -> ValueType?
    ) -> FlowState {
        var result = self
        switch subject.kind {
        case .field(let path) where path.members.isEmpty:
            guard case .present(let type) = self[path.slot] else { return self }
            guard let changed = change(type) else { return result.ended }
            result[path.slot] = .present(changed)
        case .local(let local):
            guard let type = locals[local] else { return self }
            guard let changed = change(type) else { return result.ended }
            result.locals[local] = changed
        default: break
        }
        return result
    }

    private var ended: FlowState {
        var result = self
        result.isReachable = false
        return result
    }
}

extension ValueType {
    fileprivate func restricted(to texts: [String], orNull: Bool) -> ValueType? {
        let staysOptional = isOptional && orNull
        guard let values = enumeration else {
            let isOnlyNull = texts.isEmpty && orNull && isOptional
            return isOnlyNull ? .null : optional(staysOptional)
        }
        let left = values.filter(texts.contains)
        guard left.isEmpty else { return ValueType(.enumeration(left), isOptional: staysOptional) }
        return staysOptional ? .null : nil
    }

    fileprivate func without(_ texts: [String], orNull: Bool) -> ValueType? {
        guard kind != .null else { return orNull ? nil : self }
        let staysOptional = isOptional && !orNull
        guard let values = enumeration else { return optional(staysOptional) }
        let left = values.filter { !texts.contains($0) }
        guard left.isEmpty else { return ValueType(.enumeration(left), isOptional: staysOptional) }
        return staysOptional ? .null : nil
    }
}
