/// Writes an outcome as the `expect` that it would pass, in the formatter's manner.
///
/// What the language cannot write out is left out: bytes that are no text, numbers with an exponent
/// or of more digits than an int has.
struct ExpectationWriter {
    private static let lineWidth = 96
    private static let nestingLimit = 32

    let processor: RecordProcessor

    /// The lines of the `expect`, without the indentation of the block that it stands in.
    func text(of outcome: TestOutcome) -> String {
        switch outcome {
        case .record(let record): text(of: record)
        case .dropped(let reason): "expect drop \(literal(reason))"
        case .deadLetter(_, let failure): "expect dead_letter \(literal(failure.message))"
        case .skipped, .stopped: "expect nothing"
        }
    }

    private func text(of record: StagedRecord) -> String {
        var lines: [(word: String, sign: String, text: String)] = [
            ("topic", "=", literal(record.topicName))
        ]
        if let key = record.key.flatMap(literal) { lines.append(("key", "=", key)) }
        if let timestamp = record.timestamp { lines.append(("timestamp", "=", "\(timestamp)")) }
        if let partition = record.partition { lines.append(("partition", "=", "\(partition)")) }
        let value = value(record.value)
        let width = (lines.map(\.word.count) + [value == nil ? 0 : 5]).max() ?? 0
        var text = "expect \(target(of: record)){\n"
        for line in lines { text += "  \(padded(line.word, width)) \(line.sign) \(line.text)\n" }
        text += headers(record.headers)
        if let value {
            // `value has` names no sign, and stands by itself.
            let start = value.isWhole ? "  \(padded("value", width)) = " : "  value has "
            text += start + value.text(startingAt: start.count) + "\n"
        }
        return text + "}"
    }

    private func target(of record: StagedRecord) -> String {
        guard let cluster = record.cluster else { return "" }
        let name = String(decoding: cluster, as: UTF8.self)
        return "to \(isDashed(name) ? name : literal(name)) "
    }

    private func headers(_ headers: [StagedRecord.Header]) -> String {
        let lines = headers.compactMap { header -> (name: String, value: String)? in
            let name = String(decoding: header.name, as: UTF8.self)
            guard isDashed(name), let value = header.value.flatMap(literal) else { return nil }
            return (name, value)
        }
        guard !lines.isEmpty else { return "" }
        let width = lines.map(\.name.count).max() ?? 0
        let text = lines.map { "    \(padded($0.name, width)) = \($0.value)\n" }.joined()
        return "  headers {\n\(text)  }\n"
    }

    // MARK: Values

    private struct WrittenValue {
        var members: [(name: String, text: String)]?
        var text: String
        /// False when some members could not be written.
        var isWhole = true

        func text(startingAt column: Int) -> String {
            let isShort = column + text.count <= ExpectationWriter.lineWidth
            guard let members, !isShort else { return text }
            let width = (members.map(\.name.count).max() ?? 0) + 1
            let lines = members.map { "    \(padded($0.name + ":", width)) \($0.text)\n" }
            return "{\n\(lines.joined())  }"
        }
    }

    private func value(_ bytes: Text?) -> WrittenValue? {
        guard let bytes else { return WrittenValue(text: "null") }
        if bytes.first == UInt8(ascii: "{"), let object = try? processor.object(from: .json(bytes))
        {
            return value(object)
        }
        if bytes.first == UInt8(ascii: "["), let text = literal(.json(bytes), depth: 0) {
            return WrittenValue(text: text)
        }
        return literal(bytes).map { WrittenValue(text: $0) }
    }

    private func value(_ object: ObjectValue) -> WrittenValue? {
        let members = object.members.compactMap { member -> (name: String, text: String)? in
            guard let text = literal(member.value, depth: 1) else { return nil }
            return memberName(member.name).map { ($0, text) }
        }
        let isWhole = members.count == object.members.count
        if members.isEmpty, !isWhole { return nil }
        return WrittenValue(members: members, text: joined(members), isWhole: isWhole)
    }

    private func joined(_ members: [(name: String, text: String)]) -> String {
        guard !members.isEmpty else { return "{ }" }
        return "{ \(members.map { "\($0.name): \($0.text)" }.joined(separator: ", ")) }"
    }

    private func literal(_ value: Value, depth: Int) -> String? {
        guard depth < Self.nestingLimit else { return nil }
        switch processor.plain(value) {
        case .missing, .null: return "null"
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let number): return number == .min ? nil : "\(number)"
        case .decimal(let digits): return number(String(decoding: digits, as: UTF8.self))
        case .string(let text), .bytes(let text): return literal(text)
        case .list(let elements):
            let texts = elements.compactMap { literal($0, depth: depth + 1) }
            guard texts.count == elements.count else { return nil }
            return "[\(texts.joined(separator: ", "))]"
        case .object(let object):
            let members = object.members.compactMap { member -> (name: String, text: String)? in
                guard let text = literal(member.value, depth: depth + 1) else { return nil }
                return memberName(member.name).map { ($0, text) }
            }
            return members.count == object.members.count ? joined(members) : nil
        case .float, .time, .duration, .json: return nil
        }
    }

    /// Digits, with a point at most.
    private func number(_ digits: String) -> String? {
        let isPlain = digits.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "-")
        }
        return isPlain && digits.contains(".") ? digits : nil
    }

    private func memberName(_ name: Text) -> String? {
        guard let name = String(validating: name, as: UTF8.self) else { return nil }
        return isPlainName(name) ? name : literal(name)
    }

    private func literal(_ bytes: Text) -> String? {
        String(validating: bytes, as: UTF8.self).map { literal($0) }
    }

    private func literal(_ text: String) -> String { quotedLiteral(text) }

    private func isDashed(_ name: String) -> Bool {
        name.split(omittingEmptySubsequences: false) { $0 == "-" || $0 == "." }
            .allSatisfy { isPlainName(String($0)) }
    }
}

/// A text as `"…"` of the language.
package func quotedLiteral(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": out += "\\\""
        case "\\": out += "\\\\"
        case "{" where out.hasSuffix("$"): out = out.dropLast() + "\\${"
        case "\n": out += "\\n"
        case "\r": out += "\\r"
        case "\t": out += "\\t"
        case _ where isInvisible(scalar): out += "\\u{\(String(scalar.value, radix: 16))}"
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out + "\""
}

/// Whether a character is better not seen in a source text: it controls the terminal or turns the
/// text around.
private func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
    default: false
    }
}

/// Whether a name needs no quotes around it.
package func isPlainName(_ name: String) -> Bool {
    guard let first = name.utf8.first, isLetter(first), !reservedWords.contains(name) else {
        return false
    }
    return name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
}

private func isLetter(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "_")
}

private let reservedWords: Set<String> = [
    "true", "false", "null", "and", "or", "not", "in", "except", "match", "else", "if",
]

private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
