/// Texts: bytes that should be UTF-8; places and lengths count characters.
extension RecordProcessor {
    func trimmed(_ text: Text) -> Text {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = text.firstIndex(where: { !isSpace($0) }),
            let last = text.lastIndex(where: { !isSpace($0) })
        else { return Text(rebasing: text[..<0]) }
        return Text(rebasing: text[first...last])
    }

    func split(_ text: Text, _ separator: Text, _ most: Int?) throws(EvaluationError) -> Value {
        guard !separator.isEmpty else { throw EvaluationError("split(): the separator is empty") }
        var parts: [Value] = []
        var start = 0
        while parts.count + 1 < most ?? .max,
            let end = firstIndex(of: separator, in: text, from: start)
        {
            parts.append(.string(Text(rebasing: text[start..<end])))
            start = end + separator.count
        }
        parts.append(.string(Text(rebasing: text[start...])))
        return .list(parts)
    }

    func join(_ value: Value, _ separator: Text) throws(EvaluationError) -> Value {
        var bytes: [UInt8] = []
        for (index, element) in try list(from: value).enumerated() {
            if index > 0 { bytes.append(contentsOf: separator) }
            bytes.append(contentsOf: try text(of: element))
            try limit(bytes.count, "join")
        }
        return .string(scratch.copy(bytes))
    }

    /// Refuses a result that outgrows what a line may become.
    func limit(_ count: Int, _ function: String) throws(EvaluationError) {
        guard count > Self.resultLimit else { return }
        throw EvaluationError("\(function)(): the result is longer than 16 MiB")
    }

    // MARK: Patterns

    func capture(_ text: Text, _ prepared: PreparedCall) throws(EvaluationError) -> Value {
        guard case .regex(let regex) = prepared, try matches(regex, text) else {
            throw EvaluationError("capture(): the pattern does not match \"\(shown(text))\"")
        }
        guard let range = matcher.group(1) else {
            throw EvaluationError("capture(): the group took no part in \"\(shown(text))\"")
        }
        return .string(Text(rebasing: text[range]))
    }

    func captures(_ text: Text, _ prepared: PreparedCall) throws(EvaluationError) -> Value {
        guard case .regex(let regex) = prepared, try matches(regex, text) else {
            throw EvaluationError("captures(): the pattern does not match \"\(shown(text))\"")
        }
        var builder = ObjectBuilder()
        for group in regex.namedGroups {
            guard let range = matcher.group(group.number) else { continue }
            builder.set(scratch.copy(group.name), to: .string(Text(rebasing: text[range])))
        }
        return .object(builder.object)
    }

    func replace(
        _ text: Text,
        _ prepared: PreparedCall,
        with template: Text
    ) throws(EvaluationError) -> Value {
        guard case .regex(let regex) = prepared else { return .string(text) }
        var bytes: [UInt8] = []
        var start = 0
        while start <= text.count, try matches(regex, text, from: start),
            let match = matcher.group(0)
        {
            bytes.append(contentsOf: text[start..<max(start, match.lowerBound)])
            append(template, of: text, to: &bytes)
            try limit(bytes.count, "replace")
            start = max(start, match.upperBound)
            guard match.isEmpty else { continue }
            // An empty match moves on by one character, or it would never end.
            let next = min(nextCharacter(in: text, behind: start), text.count)
            bytes.append(contentsOf: text[start..<next])
            if start == text.count { return .string(scratch.copy(bytes)) }
            start = next
        }
        bytes.append(contentsOf: text[start...])
        return .string(scratch.copy(bytes))
    }

    private func nextCharacter(in text: Text, behind place: Int) -> Int {
        var next = place + 1
        while next < text.count, text[next] & 0xC0 == 0x80 { next += 1 }
        return next
    }

    private func append(_ template: Text, of text: Text, to bytes: inout [UInt8]) {
        var place = 0
        while place < template.count {
            let byte = template[place]
            let next = place + 1 < template.count ? template[place + 1] : 0
            guard byte == UInt8(ascii: "$"), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next)
            else {
                bytes.append(byte)
                place += 1
                continue
            }
            if let range = matcher.group(Int(next - UInt8(ascii: "0"))) {
                bytes.append(contentsOf: text[range])
            }
            place += 2
        }
    }

    // MARK: Places

    /// The characters from one place up to another; both may count from the end.
    func substring(_ text: String, _ from: Int?, _ to: Int?) -> Value {
        func index(_ place: Int) -> String.Index {
            let isFromEnd = place < 0
            return text.index(
                isFromEnd ? text.endIndex : text.startIndex,
                offsetBy: place,
                limitedBy: isFromEnd ? text.startIndex : text.endIndex
            ) ?? (isFromEnd ? text.startIndex : text.endIndex)
        }
        let start = index(from ?? 0)
        let end = to.map(index) ?? text.endIndex
        return .string(scratch.copy(String(text[start..<max(start, end)])))
    }

    /// The beginning of at most so many bytes, up to the end of a character.
    func truncated(_ text: Text, to limit: Int) -> Text {
        guard text.count > limit else { return text }
        // A character may have several code points, so what follows the limit decides as well.
        var end = min(text.count, limit + 256)
        while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
        let string = String(decoding: text[..<end], as: UTF8.self)
        var count = 0
        for character in string {
            let length = character.utf8.count
            if count + length > limit { break }
            count += length
        }
        // Bytes that are no UTF-8 are longer once they are repaired, so they count as such.
        return scratch.copy(Array(string.utf8.prefix(count)))
    }

    func length(_ value: Value) throws(EvaluationError) -> Int {
        switch plain(value) {
        case .list(let elements): elements.count
        case .object(let object): object.members.count
        case let other: String(decoding: try text(of: other), as: UTF8.self).count
        }
    }
}
