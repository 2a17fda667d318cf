/// The fields of one record while its steps run; belongs to one processor.
final class Record {
    // Safe: one thread has it, and nothing of it is handed out while it is being changed.

    struct Field {
        var value = Value.missing
        /// The JSON text of the field, as long as nothing has written to it.
        var json: Text?
        /// The text that a time or a duration was read from, likewise: they are sent as written.
        var source: Text?
        var isRemoved = false
    }

    /// Never moved, and not counted each time that one is written.
    private let fields: UnsafeMutableBufferPointer<Field>
    /// Whether a field may hold what must be released: a list, or what a statement has written.
    @exclusivity(unchecked) private var holdsCounted = false
    /// By slot, whether `members` has it.
    private let isMember: UnsafeMutableBufferPointer<Bool>
    /// In the order of the input.
    @exclusivity(unchecked) private(set) var members: [JSONMember] = []
    /// Whether `members` says what is in the record, and in which order.
    @exclusivity(unchecked) private var isOpen = false
    /// The JSON text of all fields, if the input is one and nothing has written to the record.
    @exclusivity(unchecked) private(set) var whole: Text?
    /// Whether `members` has a slot more than once: then the last counts.
    @exclusivity(unchecked) private var hasRepeats = false

    init(slotCount: Int) {
        fields = .allocate(capacity: slotCount)
        fields.initialize(repeating: Field())
        isMember = .allocate(capacity: slotCount)
        isMember.initialize(repeating: false)
    }

    deinit {
        fields.deinitialize().deallocate()
        isMember.deallocate()
    }

    var slots: Range<Int> { fields.indices }

    subscript(slot: Int) -> Field { place(of: slot).pointee }

    // By themselves, for a field as a whole is counted.
    @inline(__always) func value(_ slot: Int) -> Value { place(of: slot).pointee.value }

    @inline(__always) func json(_ slot: Int) -> Text? { place(of: slot).pointee.json }

    @inline(__always) func source(_ slot: Int) -> Text? { place(of: slot).pointee.source }

    @inline(__always)
    private func place(of slot: Int) -> UnsafeMutablePointer<Field> {
        // The pointers' own checks are not there in a release.
        precondition(slots.contains(slot))
        return fields.baseAddress.unsafelyUnwrapped + slot
    }

    // MARK: Parsing

    func reset() {
        if holdsCounted {
            fields.deinitialize()
            holdsCounted = false
        }
        for slot in slots { fields.initializeElement(at: slot, to: Field()) }
        whole = nil
        guard isOpen else { return }
        for slot in slots { isMember[slot] = false }
        members.removeAll(keepingCapacity: true)
        isOpen = false
        hasRepeats = false
    }

    /// Gives a slot what stands in the input.
    ///
    /// - Parameter json: the same as it would be written.
    /// - Parameter source: what it is written as.
    @inline(__always)
    func fill(_ slot: Int, _ value: Value, json: Text? = nil, source: Text? = nil) {
        switch value {
        case .list, .object: holdsCounted = true
        default: break
        }
        // What is there holds nothing counted as long as a line is parsed: it need not be released.
        place(of: slot).initialize(to: Field(value: value, json: json, source: source))
    }

    func append(_ member: JSONMember) {
        isOpen = true
        members.append(member)
        if let slot = member.slot { note(slot) }
    }

    private func note(_ slot: Int) {
        if isMember[slot] { hasRepeats = true }
        isMember[slot] = true
    }

    /// Takes the members of a JSON object, with the slots that have their names; what is wrong with
    /// it comes back in words.
    func open(_ event: Text, slot: (JSONMember) -> Int?) -> String? {
        if let problem = JSONScanner.scanObject(event, members: &members) {
            members.removeAll(keepingCapacity: true)
            return problem
        }
        isOpen = true
        // Of the brackets, and of as many commas as members, but one.
        var compactLength = members.isEmpty ? 2 : 1
        var hasEscapes = false
        for index in members.indices {
            let member = members[index]
            compactLength += member.name.count + member.value.count + 4
            if member.nameHasEscapes { hasEscapes = true }
            guard let slot = slot(member) else { continue }
            members[index].slot = slot
            note(slot)
            fill(slot, .json(member.value), json: member.value)
        }
        if compactLength == event.count, !hasEscapes, !hasRepeats { whole = event }
        return nil
    }

    // MARK: Writing

    /// Gives a slot what a statement says.
    func write(_ slot: Int, _ field: Field) {
        place(of: slot).pointee = field
        holdsCounted = true
        whole = nil
    }

    func removeMembers(where isRemoved: (JSONMember) -> Bool) {
        whole = nil
        members.removeAll { member in
            guard isRemoved(member) else { return false }
            if let slot = member.slot { isMember[slot] = false }
            return true
        }
    }

    // MARK: Reading

    /// Calls for each field, in the order of the input and then those that were set; a slot may be
    /// without a value.
    func forEachField(
        unknown: (JSONMember) -> Void,
        known: (_ slot: Int, JSONMember?) -> Void
    ) {
        for (index, member) in members.enumerated() {
            guard let slot = member.slot else {
                unknown(member)
                continue
            }
            if hasRepeats, members[(index + 1)...].contains(where: { $0.slot == slot }) { continue }
            known(slot, member)
        }
        for slot in slots where !isMember[slot] { known(slot, nil) }
    }
}

extension RecordProcessor {
    func set(_ path: CompiledPath, to value: Value) throws(EvaluationError) {
        if path.members.isEmpty {
            record.write(path.slot, Record.Field(value: value))
            return
        }
        var object = try object(in: path.slot) ?? ObjectValue()
        try set(path.members[...], in: &object, to: value)
        record.write(path.slot, Record.Field(value: .object(object)))
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
            record.write(target.slot, record[path.slot])
            record.write(path.slot, Record.Field(isRemoved: true))
            return
        }
        let value = try member(path.members, of: record.value(path.slot))
        try remove(path)
        if value.hasNoValue { try remove(target) } else { try set(target, to: value) }
    }

    /// Removes all fields but some.
    func keep(_ kept: CompiledKeep) throws(EvaluationError) {
        for slot in record.slots where !kept.isKept[slot] {
            record.write(slot, Record.Field(isRemoved: true))
        }
        record.removeMembers { member in
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
            record.write(part.slot, Record.Field(value: .object(rest)))
        }
    }

    func remove(_ path: CompiledPath) throws(EvaluationError) {
        if path.members.isEmpty {
            record.write(path.slot, Record.Field(isRemoved: true))
            return
        }
        guard var object = try object(in: path.slot) else { return }
        guard remove(path.members[...], from: &object) else { return }
        record.write(path.slot, Record.Field(value: .object(object)))
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
        let value = record.value(slot)
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
        record.forEachField(
            unknown: { object.append(name(of: $0), .json($0.value)) },
            known: { slot, _ in
                let field = record[slot]
                let value = field.json.map(Value.json) ?? field.source.map(Value.string)
                object.append(program.slotNames[slot], value ?? field.value)
            }
        )
        for path in paths {
            let names = [program.slotNames[path.slot]] + path.members
            _ = remove(names[...], from: &object)
        }
        return object
    }

    /// The same as JSON; what nothing has written to is copied as it stands in the input.
    func allFieldsText(except paths: [CompiledPath]) throws(EvaluationError) -> Text {
        if paths.isEmpty, let whole = record.whole { return whole }
        // No key path: it would be made for each record.
        guard paths.allSatisfy({ $0.members.isEmpty }) else {
            return jsonText(of: .object(try allFields(except: paths)))
        }
        writer.reset()
        writer.write(UInt8(ascii: "{"))
        record.forEachField(
            unknown: writeMember,
            known: { slot, member in
                if !paths.contains(where: { $0.slot == slot }) { writeField(slot, member) }
            }
        )
        // Each member has left a comma behind.
        if writer.count > 1 { writer.removeLast() }
        writer.write(UInt8(ascii: "}"))
        return scratch.copy(writer.text)
    }

    private func writeMember(_ member: JSONMember) {
        if !member.nameHasEscapes, let compact = member.compact {
            writer.write(raw: compact)
        } else {
            writer.write(quoted: name(of: member))
            writer.write(UInt8(ascii: ":"))
            writer.write(raw: member.value)
        }
        writer.write(UInt8(ascii: ","))
    }

    private func writeField(_ slot: Int, _ member: JSONMember?) {
        if let json = record.json(slot) {
            if let member, member.value.baseAddress == json.baseAddress {
                return writeMember(member)
            }
            writer.write(label: program.slotLabels[slot])
            writer.write(raw: json)
        } else if let source = record.source(slot) {
            writer.write(label: program.slotLabels[slot])
            writer.write(quoted: source)
        } else {
            switch record.value(slot) {
            case .missing: return
            case .string(let text):
                writer.write(label: program.slotLabels[slot])
                writer.write(quoted: text)
            case let value:
                writer.write(label: program.slotLabels[slot])
                writer.write(value)
            }
        }
        writer.write(UInt8(ascii: ","))
    }

    private func name(of member: JSONMember) -> Text {
        member.nameHasEscapes ? unescaped(member.name) : member.name
    }

    func unescaped(_ name: Text) -> Text {
        if place(of: UInt8(ascii: "\\"), in: name) == name.count { return name }
        var bytes: [UInt8] = []
        JSONScanner.unescape(name, into: &bytes)
        return scratch.copy(bytes)
    }
}
