/// Objects: merged, flattened, read out of texts.
extension RecordProcessor {
    func merge(_ first: ObjectValue, _ second: ObjectValue) throws(EvaluationError) -> Value {
        var builder = ObjectBuilder(first)
        for member in second.members { builder.set(member.name, to: member.value) }
        return .object(builder.object)
    }

    func keys(_ object: ObjectValue) -> Value {
        .list(members(of: object).map { .string($0.name) })
    }

    func values(_ object: ObjectValue) -> Value {
        .list(members(of: object).map { plainScalar($0.value) })
    }

    private func members(of object: ObjectValue) -> [ObjectValue.Member] {
        object.members.filter { if case .missing = $0.value { false } else { true } }
    }

    // MARK: flatten

    func flatten(_ object: ObjectValue, _ separator: Text?) throws(EvaluationError) -> Value {
        var flattening = Flattening(separator: separator.map(Array.init) ?? [UInt8(ascii: ".")])
        try flatten(object, &flattening)
        return .object(flattening.builder.object)
    }

    /// The state of one `flatten`.
    private struct Flattening {
        let separator: [UInt8]
        var builder = ObjectBuilder()
        /// The names on the way to the current object, each with a separator behind it.
        var prefix: [UInt8] = []
        var length = 0
    }

    private func flatten(
        _ object: ObjectValue,
        _ flattening: inout Flattening
    ) throws(EvaluationError) {
        for member in members(of: object) {
            let outer = flattening.prefix.count
            defer { flattening.prefix.removeSubrange(outer...) }
            flattening.prefix.append(contentsOf: member.name)
            if let inner = try innerObject(member.value), !inner.members.isEmpty {
                flattening.prefix.append(contentsOf: flattening.separator)
                try flatten(inner, &flattening)
            } else {
                flattening.length += flattening.prefix.count
                try limit(flattening.length, "flatten")
                flattening.builder.set(scratch.copy(flattening.prefix), to: member.value)
            }
        }
    }

    private func innerObject(_ value: Value) throws(EvaluationError) -> ObjectValue? {
        switch value {
        case .object(let object): object
        case .json(let text) where text.first == UInt8(ascii: "{"): try object(from: value)
        default: nil
        }
    }

    // MARK: get

    func get(_ path: Text, in value: Value) throws(EvaluationError) -> Value {
        var value = value
        for part in try parts(of: path) {
            value = try step(part, into: value)
            if value.hasNoValue { return .missing }
        }
        return value
    }

    private enum PathPart {
        case name(Text)
        case place(Int64)
    }

    /// The parts of a path such as `items[0].name`.
    private func parts(of path: Text) throws(EvaluationError) -> [PathPart] {
        var parts: [PathPart] = []
        for piece in path.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            let name = piece.prefix { $0 != UInt8(ascii: "[") }
            if !name.isEmpty { parts.append(.name(Text(rebasing: name))) }
            var rest = piece[name.endIndex...]
            guard !piece.isEmpty else { throw notAPath(path) }
            while !rest.isEmpty {
                guard rest.first == UInt8(ascii: "["),
                    let end = rest.firstIndex(of: UInt8(ascii: "]")),
                    let place = parseInt(Text(rebasing: rest[(rest.startIndex + 1)..<end]))
                else { throw notAPath(path) }
                parts.append(.place(place))
                rest = rest[(end + 1)...]
            }
        }
        return parts
    }

    private func notAPath(_ path: Text) -> EvaluationError {
        EvaluationError("get(): \"\(shown(path))\" is not a path")
    }

    private func step(_ part: PathPart, into value: Value) throws(EvaluationError) -> Value {
        switch (part, value) {
        case (.name(let name), .object(let object)): return plainScalar(object.value(of: name))
        case (.name(let name), .json(let text)) where text.first == UInt8(ascii: "{"):
            return plainScalar(try object(from: value).value(of: name))
        case (.place(let place), .list(let elements)): return element(place, of: elements)
        case (.place(let place), .json(let text)) where text.first == UInt8(ascii: "["):
            return element(place, of: try list(from: value))
        default: return .missing
        }
    }

    private func plainScalar(_ value: Value) -> Value {
        guard case .json(let text) = value else { return value }
        return scalar(text)
    }

    private func element(_ number: Int64, of elements: [Value]) -> Value {
        let place = number < 0 ? number + Int64(elements.count) : number
        return elements.indices.contains(Int(place)) ? elements[Int(place)] : .missing
    }

    // MARK: Texts with members

    func parsedJSON(_ text: Text) throws(EvaluationError) -> Value {
        let json = trimmed(text)
        if let problem = JSONScanner.problem(inValue: json) {
            throw EvaluationError("parse_json(): \"\(shown(text))\" is not JSON: \(problem)")
        }
        return scalar(json)
    }

    /// Pairs such as `user=ada agent="curl 8"`, wherever they stand in the text.
    func parsedPairs(_ text: Text) -> ObjectValue {
        var builder = ObjectBuilder()
        var place = 0
        while let pair = KeyValueText.nextPair(in: text, from: &place) {
            let value =
                pair.hasEscapes ? scratch.copy(KeyValueText.unescaped(pair.value)) : pair.value
            builder.set(pair.name, to: .string(value))
        }
        return builder.object
    }

    func parsedURL(_ text: Text) throws(EvaluationError) -> Value {
        let url: URLText
        do {
            url = try URLText(text)
        } catch {
            throw EvaluationError("parse_url(): \"\(shown(text))\" is not a URL: \(error)")
        }
        var object = ObjectValue()
        func add(_ name: StaticString, _ part: Text?) {
            guard let part else { return }
            object.set(
                Text(start: name.utf8Start, count: name.utf8CodeUnitCount),
                to: .string(part)
            )
        }
        add("scheme", url.scheme)
        add("user", url.user)
        add("host", url.host)
        if let port = url.port { object.set(scratch.copy("port"), to: .int(Int64(port))) }
        add("path", url.path)
        add("query", url.query)
        add("fragment", url.fragment)
        object.set(scratch.copy("params"), to: .object(parameters(of: url.query)))
        return .object(object)
    }

    private func parameters(of query: Text?) -> ObjectValue {
        var builder = ObjectBuilder()
        for part in query?.split(separator: UInt8(ascii: "&")) ?? [] {
            let name = part.prefix { $0 != UInt8(ascii: "=") }
            let value = part[name.endIndex...].dropFirst()
            builder.set(decoded(name), to: .string(decoded(value)))
        }
        return builder.object
    }

    private func decoded(_ part: Slice<Text>) -> Text {
        let isPlain = !part.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }
        if isPlain { return Text(rebasing: part) }
        // Decoded bytes need not be UTF-8.
        return scratch.copy(String(decoding: URLText.decoded(part), as: UTF8.self))
    }
}
