import PipelineLanguage

extension RecordProcessor {
    func evaluate(_ node: Node) throws(EvaluationError) -> Value {
        switch node {
        case .constant(let constant): return constant.value
        case .field(let slot, let members):
            let value = record.value(slot)
            return members.isEmpty ? value : try member(members, of: value)
        case .local(let index): return locals[index]
        case .allFields(let paths): return .object(try allFields(except: paths))
        case .allFieldsText(let paths): return .bytes(try allFieldsText(except: paths))
        case .meta(let meta): return given[meta] ?? self.meta(meta)
        case .member(let base, let name): return try member([name], of: try evaluate(base))
        case .index(let base, let index):
            return try element(try evaluate(index), of: try evaluate(base))
        case .except(let base, let paths):
            var object = try object(from: try evaluate(base))
            for path in paths { _ = remove(path[...], from: &object) }
            return .object(object)
        case .negate(let operand): return try negated(try evaluate(operand))
        case .not(let operand): return .bool(try !isTrue(try evaluate(operand)))
        case .binary(let sign, let left, let right): return try binary(sign, left, right)
        case .coalesce(let value, let fallback): return try coalesce(value, fallback)
        case .matches(let text, let regex, let negated):
            let text = try required(try evaluate(text), "=~")
            return .bool(try matches(regex, try self.text(of: text)) != negated)
        case .call(let function, let arguments, let prepared):
            return try call(function, arguments, prepared)
        case .list(let elements):
            var values: [Value] = []
            for element in elements { values.append(try evaluate(element)) }
            return .list(values)
        case .object(let members):
            var object = ObjectValue()
            for member in members { object.set(member.name, to: try evaluate(member.value)) }
            return .object(object)
        case .interpolation(let parts): return .string(try joined(parts))
        case .match(let subject, let arms, let otherwise):
            return try match(subject, arms, otherwise)
        case .reached(let point, let result):
            reached[point] = true
            return try evaluate(result)
        }
    }

    // MARK: Parts

    func member(_ names: [Text], of value: Value) throws(EvaluationError) -> Value {
        var value = value
        for name in names {
            if value.hasNoValue { return .missing }
            value = try object(from: value).value(of: name)
            if case .json(let text) = value { value = scalar(text) }
        }
        return value
    }

    private func element(_ index: Value, of value: Value) throws(EvaluationError) -> Value {
        if case .string(let name) = plain(index) { return try member([name], of: value) }
        guard case .int(let number) = plain(index) else {
            throw EvaluationError("\(index.kindName) is not an index")
        }
        let elements = try list(from: value)
        let place = number < 0 ? number + Int64(elements.count) : number
        guard place >= 0, place < elements.count else {
            throw EvaluationError("there is no element \(number) in a list of \(elements.count)")
        }
        return elements[Int(place)]
    }

    func list(from value: Value) throws(EvaluationError) -> [Value] {
        switch value {
        case .list(let elements): return elements
        case .json(let text):
            var spans: [Text] = []
            if let error = JSONScanner.scanArray(text, elements: &spans) {
                throw EvaluationError("not a list: \(error)")
            }
            return spans.map(scalar)
        default: throw EvaluationError("\(value.kindName) is not a list")
        }
    }

    private func coalesce(_ value: Node, _ fallback: Node) throws(EvaluationError) -> Value {
        do throws(EvaluationError) {
            let value = try evaluate(value)
            if !value.hasNoValue { return value }
        } catch {
            // `??` stands for "no value" and "could not be computed" alike.
        }
        return try evaluate(fallback)
    }

    private func joined(_ parts: [Node]) throws(EvaluationError) -> Text {
        var bytes: [UInt8] = []
        for part in parts {
            bytes.append(contentsOf: try text(of: try required(try evaluate(part), "${…}")))
        }
        return scratch.copy(bytes)
    }

    private func match(
        _ subject: Node?,
        _ arms: [(patterns: [Node], result: Node)],
        _ otherwise: Node?
    ) throws(EvaluationError) -> Value {
        var subjectValue: Value?
        if let subject { subjectValue = try evaluate(subject) }
        for arm in arms {
            for pattern in arm.patterns {
                let candidate = try evaluate(pattern)
                let fits: Bool
                if let subjectValue {
                    fits = isEqual(subjectValue, candidate)
                } else {
                    fits = try isTrue(candidate)
                }
                if fits { return try evaluate(arm.result) }
            }
        }
        if let otherwise { return try evaluate(otherwise) }
        throw EvaluationError("no arm of `match` fits")
    }

    // MARK: Outside the record

    func meta(_ meta: Meta) -> Value {
        switch meta {
        case .host: .string(program.host)
        // Copied: the record is read when the file's name may have changed.
        case .path: .string(scratch.copy(path))
        case .file: .string(scratch.copy(fileName))
        case .line: .int(position.line)
        case .offset: .int(position.offset)
        case .raw: .bytes(raw)
        case .now: .time(position.readTime.multipliedReportingOverflow(by: 1_000_000).partialValue)
        case .pipeline: .string(scratch.copy(program.name))
        case .inode: .int(Int64(bitPattern: inode))
        case .modificationTime: .time(modified)
        case .environment: .missing
        case .errorKind: failure.map { .string(scratch.copy($0.kind.rawValue)) } ?? .missing
        case .errorMessage: failure.map { .string(scratch.copy($0.message)) } ?? .missing
        case .errorLine: .int(position.line)
        }
    }

    /// The text of something that ends up in a text: `topic`, `key`, `${…}`.
    func text(of meta: Value) throws(EvaluationError) -> Text {
        switch meta {
        case .string(let text), .bytes(let text), .decimal(let text): return text
        case .int(let number): return scratch.copy("\(number)")
        case .bool(let flag): return scratch.copy(flag ? "true" : "false")
        case .float(let number): return scratch.copy("\(number)")
        case .time(let nanoseconds): return scratch.copy(formatISO8601(nanoseconds))
        case .duration(let nanoseconds): return scratch.copy(DurationText.text(nanoseconds))
        case .json(let json):
            if json.first == UInt8(ascii: "\"") { return stringContent(json) }
            return json
        case .list, .object: return jsonText(of: meta)
        case .missing, .null: throw EvaluationError("there is no value where one is needed")
        }
    }

    func jsonText(of value: Value) -> Text {
        writer.reset()
        writer.write(value)
        return scratch.copy(writer.text)
    }

    func quotedContent(_ name: Text) -> Text {
        writer.reset()
        writer.write(quoted: name)
        return scratch.copy(Text(rebasing: writer.text[1..<(writer.count - 1)]))
    }

    func required(_ value: Value, _ place: String) throws(EvaluationError) -> Value {
        if value.hasNoValue { throw EvaluationError("there is no value for `\(place)`") }
        return value
    }

    func isTrue(_ value: Value) throws(EvaluationError) -> Bool {
        switch value {
        case .bool(let flag): return flag
        case .json(let text): if case .bool(let flag) = scalar(text) { return flag }
        default: break
        }
        throw EvaluationError("\(value.kindName) is not a condition")
    }

    func matches(
        _ regex: Regex,
        _ text: Text,
        from start: Int = 0
    ) throws(EvaluationError) -> Bool {
        do {
            return try matcher.match(regex, text, from: start)
        } catch {
            throw EvaluationError("the regular expression gave up: \(error)")
        }
    }
}
