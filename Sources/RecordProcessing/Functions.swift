import PipelineLanguage

extension RecordProcessor {
    func call(
        _ function: Function,
        _ arguments: [Node?],
        _ regex: Regex?
    ) throws(EvaluationError) -> Value {
        let call = Call(processor: self, function: function, arguments: arguments)
        switch function {
        case .json: return .bytes(jsonText(of: try call.any(0)))
        case .text: return .bytes(try call.text(0))
        case .string: return .string(try call.text(0))
        case .int: return try int(try call.value(0))
        case .decimal: return try decimal(try call.value(0))
        case .float: return try float(try call.value(0))
        case .bool: return try bool(try call.value(0))
        case .lower: return .string(scratch.copy(try call.string(0).lowercased()))
        case .upper: return .string(scratch.copy(try call.string(0).uppercased()))
        case .trim: return .string(trimmed(try call.text(0)))
        case .split: return try split(try call.text(0), try call.text(1), try call.optionalInt(2))
        case .join: return try join(try call.value(0), try call.text(1))
        case .capture: return try capture(try call.text(0), regex)
        case .replace: return try replace(try call.text(0), regex, with: try call.text(2))
        case .startsWith: return .bool(try call.text(0).starts(with: try call.text(1)))
        case .endsWith:
            return .bool(try call.text(0).reversed().starts(with: try call.text(1).reversed()))
        case .contains: return .bool(firstIndex(of: try call.text(1), in: try call.text(0)) != nil)
        case .len: return .int(Int64(try length(try call.value(0))))
        case .mask:
            return try mask(try call.text(0), try call.optionalInt(1), try call.optionalInt(2))
        case .maskIP: return try maskIP(try call.text(0))
        case .merge: return try merge(try call.value(0), try call.value(1))
        case .unix: return .int(try call.time(0).flooredDivision(by: 1_000_000_000))
        case .unixMilliseconds: return .int(try call.time(0).flooredDivision(by: 1_000_000))
        case .basename: return .string(basename(try call.text(0)))
        case .dirname: return .string(dirname(try call.text(0)))
        case .hash: return .int(Int64(murmur2(try call.text(0))))
        }
    }

    /// One call, with its arguments evaluated as they are asked for.
    private struct Call {
        let processor: RecordProcessor
        let function: Function
        let arguments: [Node?]

        func any(_ index: Int) throws(EvaluationError) -> Value {
            guard index < arguments.count, let node = arguments[index] else { return .missing }
            return try processor.evaluate(node)
        }

        func value(_ index: Int) throws(EvaluationError) -> Value {
            let value = try any(index)
            if value.hasNoValue {
                throw EvaluationError("\(function.rawValue)(): there is no value")
            }
            return value
        }

        func text(_ index: Int) throws(EvaluationError) -> Text {
            try processor.text(of: try value(index))
        }

        func string(_ index: Int) throws(EvaluationError) -> String {
            String(decoding: try text(index), as: UTF8.self)
        }

        func optionalInt(_ index: Int) throws(EvaluationError) -> Int? {
            let value = processor.plain(try any(index))
            if value.hasNoValue { return nil }
            guard case .int(let number) = value, number >= 0, number <= Int32.max else {
                throw EvaluationError("\(function.rawValue)(): a whole number from 0 on is wanted")
            }
            return Int(number)
        }

        func time(_ index: Int) throws(EvaluationError) -> Int64 {
            guard case .time(let nanoseconds) = try value(index) else {
                throw EvaluationError("\(function.rawValue)(): that is not a time")
            }
            return nanoseconds
        }
    }

    // MARK: Converting

    private func int(_ value: Value) throws(EvaluationError) -> Value {
        switch plain(value) {
        case .int(let number): return .int(number)
        case .float(let number):
            if let whole = Int64(exactly: number.rounded(.towardZero)) { return .int(whole) }
        case .bool(let flag): return .int(flag ? 1 : 0)
        case .string(let text), .bytes(let text), .decimal(let text):
            if let number = parseInt(text) { return .int(number) }
        default: break
        }
        throw EvaluationError("\"\(shown(try text(of: value)))\" is not an int")
    }

    private func decimal(_ value: Value) throws(EvaluationError) -> Value {
        let text = try text(of: plain(value))
        if let digits = decimalDigits(text) { return .decimal(digits) }
        throw EvaluationError("\"\(shown(text))\" is not a decimal")
    }

    private func float(_ value: Value) throws(EvaluationError) -> Value {
        if let number = double(value) { return .float(number) }
        let text = try text(of: plain(value))
        if let number = parseDouble(text) { return .float(number) }
        throw EvaluationError("\"\(shown(text))\" is not a float")
    }

    private func bool(_ value: Value) throws(EvaluationError) -> Value {
        if case .bool(let flag) = plain(value) { return .bool(flag) }
        let text = try text(of: plain(value))
        if let flag = parseBool(text) { return .bool(flag) }
        throw EvaluationError("\"\(shown(text))\" is not true or false")
    }

    // MARK: Texts

    private func trimmed(_ text: Text) -> Text {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = text.firstIndex(where: { !isSpace($0) }),
            let last = text.lastIndex(where: { !isSpace($0) })
        else { return Text(rebasing: text[..<0]) }
        return Text(rebasing: text[first...last])
    }

    private func split(_ text: Text, _ separator: Text, _ most: Int?) throws(EvaluationError)
        -> Value
    {
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

    private func join(_ value: Value, _ separator: Text) throws(EvaluationError) -> Value {
        var bytes: [UInt8] = []
        for (index, element) in try list(from: value).enumerated() {
            if index > 0 { bytes.append(contentsOf: separator) }
            bytes.append(contentsOf: try text(of: element))
        }
        return .string(scratch.copy(bytes))
    }

    private func capture(_ text: Text, _ regex: Regex?) throws(EvaluationError) -> Value {
        guard let regex, try matches(regex, text) else {
            throw EvaluationError("capture(): the pattern does not match")
        }
        guard let range = matcher.group(1) ?? matcher.group(0) else {
            throw EvaluationError("capture(): the group took no part in the match")
        }
        return .string(Text(rebasing: text[range]))
    }

    private func replace(
        _ text: Text,
        _ regex: Regex?,
        with template: Text
    ) throws(EvaluationError) -> Value {
        guard let regex else { return .string(text) }
        var bytes: [UInt8] = []
        var rest = text
        while try matches(regex, rest), let match = matcher.group(0) {
            bytes.append(contentsOf: rest[..<match.lowerBound])
            append(template, of: rest, to: &bytes)
            // An empty match moves on by one byte, or it would never end.
            let end = match.isEmpty ? min(match.upperBound + 1, rest.count) : match.upperBound
            bytes.append(contentsOf: rest[match.upperBound..<end])
            rest = Text(rebasing: rest[end...])
            if rest.isEmpty { break }
        }
        bytes.append(contentsOf: rest)
        return .string(scratch.copy(bytes))
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

    private func length(_ value: Value) throws(EvaluationError) -> Int {
        switch plain(value) {
        case .list(let elements): elements.count
        case .object(let object): object.members.count
        case let other: String(decoding: try text(of: other), as: UTF8.self).count
        }
    }

    // MARK: Privacy

    private func mask(_ text: Text, _ last: Int?, _ first: Int?) throws(EvaluationError) -> Value {
        let characters = Array(String(decoding: text, as: UTF8.self))
        let head = first ?? 0
        let tail = last ?? 0
        // A text that would be shown whole is hidden whole.
        let isShort = head + tail >= characters.count
        let masked = characters.enumerated().map { index, character in
            !isShort && (index < head || index >= characters.count - tail) ? character : "*"
        }
        return .string(scratch.copy(String(masked)))
    }

    private func maskIP(_ text: Text) throws(EvaluationError) -> Value {
        let address = String(decoding: text, as: UTF8.self)
        let parts = address.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 4, parts.allSatisfy({ UInt8($0) != nil }) {
            return .string(scratch.copy(parts[..<3].joined(separator: ".") + ".0"))
        }
        guard let colon = address.lastIndex(of: ":"), isIPv6(address) else {
            throw EvaluationError("mask_ip(): \"\(shown(text))\" is not an address")
        }
        return .string(scratch.copy(String(address[...colon]) + "0"))
    }

    private func isIPv6(_ address: String) -> Bool {
        let parts = address.split(separator: ":", omittingEmptySubsequences: false)
        return (3...8).contains(parts.count)
            && parts.allSatisfy { $0.count <= 4 && $0.allSatisfy(\.isHexDigit) }
    }

    // MARK: Objects and paths

    private func merge(_ first: Value, _ second: Value) throws(EvaluationError) -> Value {
        var object = try object(from: first)
        for member in try self.object(from: second).members {
            object.set(member.name, to: member.value)
        }
        return .object(object)
    }

    private func basename(_ path: Text) -> Text {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return Text(rebasing: path[(slash + 1)...])
    }

    private func dirname(_ path: Text) -> Text {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return scratch.copy(".") }
        return Text(rebasing: path[..<max(1, slash)])
    }
}

/// The hash by which Kafka's Java client chooses a partition (`Utils.murmur2`).
func murmur2(_ bytes: Text) -> Int32 {
    let factor: UInt32 = 0x5bd1_e995
    var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
    var place = 0
    while bytes.count - place >= 4 {
        var word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        word = word &* factor
        word ^= word >> 24
        hash = hash &* factor ^ word &* factor
        place += 4
    }
    let rest = bytes.count - place
    if rest == 3 { hash ^= UInt32(bytes[place + 2]) << 16 }
    if rest >= 2 { hash ^= UInt32(bytes[place + 1]) << 8 }
    if rest >= 1 { hash = (hash ^ UInt32(bytes[place])) &* factor }
    hash ^= hash >> 13
    hash = hash &* factor
    return Int32(bitPattern: hash ^ hash >> 15)
}
