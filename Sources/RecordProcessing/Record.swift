/// The fields of one record while its steps run.
struct Record {
    struct Field {
        var value = Value.missing
        /// The JSON text of the field, as long as nothing has written to it.
        var json: Text?
        /// The text that a time or a duration was read from, likewise: they are sent as written.
        var source: Text?
        var isRemoved = false
    }

    /// A member of a JSON input, in the order of the input.
    struct Member {
        /// Without its quotes, escapes and all.
        var name: Text
        /// Exactly as it stands in the input.
        var value: Text
        /// The slot that the program knows it by.
        var slot: Int?
    }

    var slots: [Field] = []
    var members: [Member] = []
    /// Whether `members` says what is in the record, and in which order.
    var isOpen = false

    mutating func reset() {
        for index in slots.indices { slots[index] = Field() }
        members.removeAll(keepingCapacity: true)
        isOpen = false
    }
}

extension RecordProcessor {
    func set(_ path: CompiledPath, to value: Value) throws(EvaluationError) {
        if path.members.isEmpty {
            record.slots[path.slot] = Record.Field(value: value)
            return
        }
        var object = try object(in: path.slot) ?? ObjectValue()
        try set(path.members[...], in: &object, to: value)
        record.slots[path.slot] = Record.Field(value: .object(object))
    }

    private func set(
        _ names: ArraySlice<Text>,
        in object: inout ObjectValue,
        to value: Value
    ) throws(EvaluationError) {
        guard let name = names.first else { return }
        if names.count == 1 {
            object.set(name, to: value)
            return
        }
        let inner = object.value(of: name)
        var nested = inner.hasNoValue ? ObjectValue() : try self.object(from: inner)
        try set(names.dropFirst(), in: &nested, to: value)
        object.set(name, to: .object(nested))
    }

    /// Moves a field, with the text it came as; what has no value leaves none behind either.
    func rename(_ path: CompiledPath, to target: CompiledPath) throws(EvaluationError) {
        if path.members.isEmpty, target.members.isEmpty {
            record.slots[target.slot] = record.slots[path.slot]
            record.slots[path.slot] = Record.Field(isRemoved: true)
            return
        }
        let value = try member(path.members, of: record.slots[path.slot].value)
        try remove(path)
        if value.hasNoValue { try remove(target) } else { try set(target, to: value) }
    }

    /// Removes all fields but some.
    func keep(_ kept: CompiledKeep) throws(EvaluationError) {
        for slot in record.slots.indices where !kept.isKept[slot] {
            record.slots[slot] = Record.Field(isRemoved: true)
        }
        record.members.removeAll { member in
            guard let slot = member.slot else { return true }
            return !kept.isKept[slot]
        }
        for part in kept.parts {
            guard let object = try object(in: part.slot) else { continue }
            var rest = ObjectValue()
            for path in part.members {
                let value = try member(path, of: .object(object))
                if case .missing = value { continue }
                try set(path[...], in: &rest, to: value)
            }
            record.slots[part.slot] = Record.Field(value: .object(rest))
        }
    }

    func remove(_ path: CompiledPath) throws(EvaluationError) {
        if path.members.isEmpty {
            record.slots[path.slot] = Record.Field(isRemoved: true)
            return
        }
        guard var object = try object(in: path.slot) else { return }
        guard remove(path.members[...], from: &object) else { return }
        record.slots[path.slot] = Record.Field(value: .object(object))
    }

    /// Whether there was something to remove.
    func remove(_ names: ArraySlice<Text>, from object: inout ObjectValue) -> Bool {
        guard let name = names.first else { return false }
        let inner = object.value(of: name)
        if names.count == 1 {
            object.remove(name)
            if case .missing = inner { return false }
            return true
        }
        guard !inner.hasNoValue, var nested = try? self.object(from: inner) else { return false }
        guard remove(names.dropFirst(), from: &nested) else { return false }
        object.set(name, to: .object(nested))
        return true
    }

    private func object(in slot: Int) throws(EvaluationError) -> ObjectValue? {
        let value = record.slots[slot].value
        return value.hasNoValue ? nil : try object(from: value)
    }

    /// An object's members, parsed if they still are JSON.
    func object(from value: Value) throws(EvaluationError) -> ObjectValue {
        switch value {
        case .object(let object): return object
        case .json(let text):
            var members: [JSONMember] = []
            if let error = JSONScanner.scanObject(text, members: &members) {
                throw EvaluationError("not an object: \(error)")
            }
            var builder = ObjectBuilder()
            for member in members {
                let name = member.nameHasEscapes ? unescaped(member.name) : member.name
                builder.set(name, to: .json(member.value))
            }
            return builder.object
        default: throw EvaluationError("\(value.kindName) is not an object")
        }
    }

    // MARK: All fields

    /// `*`: the fields in the order of the input, then those that were set.
    func allFields(except paths: [CompiledPath]) throws(EvaluationError) -> ObjectValue {
        var object = ObjectValue()
        if record.isOpen {
            for (index, member) in record.members.enumerated() {
                guard let slot = member.slot else {
                    append(.json(member.value), named: unescaped(member.name), to: &object)
                    continue
                }
                // Of a name that stands twice, the last counts.
                let isLast = !record.members[(index + 1)...].contains { $0.slot == slot }
                if isLast { append(field: slot, to: &object) }
            }
        }
        for slot in record.slots.indices where !(record.isOpen && isMember(slot)) {
            append(field: slot, to: &object)
        }
        for path in paths {
            let names = [program.slotNames[path.slot]] + path.members
            _ = remove(names[...], from: &object)
        }
        return object
    }

    private func isMember(_ slot: Int) -> Bool {
        record.members.contains { $0.slot == slot }
    }

    private func append(field slot: Int, to object: inout ObjectValue) {
        let field = record.slots[slot]
        if let json = field.json {
            append(.json(json), named: program.slotNames[slot], to: &object)
        } else if let source = field.source {
            append(.string(source), named: program.slotNames[slot], to: &object)
        } else if !field.isRemoved {
            append(field.value, named: program.slotNames[slot], to: &object)
        }
    }

    private func append(_ value: Value, named name: Text, to object: inout ObjectValue) {
        if case .missing = value { return }
        object.members.append(ObjectValue.Member(name: name, value: value))
    }

    func unescaped(_ name: Text) -> Text {
        guard name.contains(UInt8(ascii: "\\")) else { return name }
        var bytes: [UInt8] = []
        JSONScanner.unescape(name, into: &bytes)
        return scratch.copy(bytes)
    }
}
