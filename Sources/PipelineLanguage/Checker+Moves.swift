/// `rename` and `keep`: fields that move, and fields that stay.
extension Checker {
    mutating func checkRename(_ path: PathSyntax, to target: PathSyntax) -> Step.Kind? {
        guard let source = checkPath(path), let type = type(at: source) else { return nil }
        leave(source)
        guard target.names.count > 1 else { return checkNewName(target, of: source, type) }
        guard let moved = checkPath(target) else { return nil }
        state[moved.slot] = .present(.object)
        return .rename(source, to: moved)
    }

    private mutating func checkNewName(
        _ target: PathSyntax,
        of source: FieldPath,
        _ type: ValueType
    ) -> Step.Kind? {
        let name = target.names[0]
        if local(name.text) != nil {
            let help = "give the field another name"
            report(.repeated, "`\(name.text)` is a `let` already", at: name.span, help: help)
            return nil
        }
        let slot = slot(of: name.text)
        if slot == source.slot, source.members.isEmpty {
            report(.repeated, "`\(name.text)` is its name already", at: name.span)
            return nil
        }
        if case .present = state[slot], slot != source.slot {
            let help = "take it out first: `remove \(name.text)`"
            report(.repeated, "`\(name.text)` is a field already", at: name.span, help: help)
            return nil
        }
        state[slot] = .present(type)
        if source.members.isEmpty, !uncheckedFields.contains(source.slot) {
            uncheckedFields.remove(slot)
        } else {
            uncheckedFields.insert(slot)
        }
        return .rename(source, to: FieldPath(slot: slot, members: [], span: target.span))
    }

    private func type(at path: FieldPath) -> ValueType? {
        guard case .present(let type) = state[path.slot] else { return .any.optional() }
        return path.members.isEmpty ? type : .any.optional()
    }

    /// Takes a field out of what is known.
    private mutating func leave(_ path: FieldPath) {
        state[path.slot] = path.members.isEmpty ? .removed : .present(objectType(path.slot))
    }

    mutating func checkKeep(_ paths: [PathSyntax]) -> Step.Kind {
        let kept = paths.compactMap { checkPath($0) }
        let slots = Set(kept.map(\.slot))
        for slot in fieldNames.indices where !slots.contains(slot) {
            if case .present = state[slot] { state[slot] = .removed }
        }
        for slot in slots where !kept.contains(where: { $0.slot == slot && $0.members.isEmpty }) {
            state[slot] = .present(objectType(slot))
        }
        state.isClosed = true
        return .keep(kept)
    }
}
