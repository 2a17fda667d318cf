extension RecordProcessor {
    /// A column's value from its text; `nil` is a group or cell that is not there.
    func convert(
        text: Text?,
        _ column: CompiledColumn,
        emptyIsMissing: Bool
    ) throws(EvaluationError) -> Value {
        guard let text else { return try none(column) }
        if text.isEmpty, emptyIsMissing, column.isOptional || !column.conversion.isText {
            return try none(column)
        }
        switch column.conversion {
        case .string, .any: return .string(text)
        case .int:
            guard let number = parseInt(text) else { throw mismatch(column, text, "an int") }
            return .int(number)
        case .decimal:
            guard let digits = decimalDigits(text) else {
                throw mismatch(column, text, "a decimal")
            }
            return .decimal(digits)
        case .float:
            guard let number = parseDouble(text) else { throw mismatch(column, text, "a float") }
            return .float(number)
        case .bool:
            guard let flag = parseBool(text) else { throw mismatch(column, text, "a bool") }
            return .bool(flag)
        case .time(let reader):
            guard let time = reader.parse(text) else {
                throw mismatch(column, text, "a time as \(reader.label)")
            }
            return .time(time)
        case .duration:
            guard let nanoseconds = DurationText.parse(text) else {
                throw mismatch(column, text, "a duration")
            }
            return .duration(nanoseconds)
        case .bytes: return .bytes(text)
        case .enumeration(let values, let list):
            if values.contains(where: { equal($0, text) }) { return .string(text) }
            throw EvaluationError(
                "\(column.label): \"\(shown(text))\" is not one of \(list)",
                kind: .parse
            )
        case .object, .list: return .json(text)
        }
    }

    /// A column's value from a JSON member; `nil` when there is no such member.
    func convert(json: Text?, _ column: CompiledColumn) throws(EvaluationError) -> Value {
        guard let json, let first = json.first else { return try none(column, isThere: false) }
        if first == UInt8(ascii: "n") { return try none(column) }
        switch column.conversion {
        case .any: return scalar(json)
        case .object:
            guard first == UInt8(ascii: "{") else { throw mismatch(column, json, "an object") }
            return .json(json)
        case .list(let element):
            guard first == UInt8(ascii: "[") else { throw mismatch(column, json, "a list") }
            return try list(json, of: element)
        case .bool:
            guard first == UInt8(ascii: "t") || first == UInt8(ascii: "f") else {
                throw mismatch(column, json, "a bool")
            }
            return .bool(first == UInt8(ascii: "t"))
        case .string, .bytes, .enumeration:
            guard first == UInt8(ascii: "\"") else { throw mismatch(column, json, "a string") }
            return try convert(text: stringContent(json), column, emptyIsMissing: false)
        case .int, .decimal, .float, .time, .duration:
            guard !isStructure(first) else { throw mismatch(column, json, "a single value") }
            let text = first == UInt8(ascii: "\"") ? stringContent(json) : json
            return try convert(text: text, column, emptyIsMissing: false)
        }
    }

    private func list(_ json: Text, of element: CompiledColumn) throws(EvaluationError) -> Value {
        var spans: [Text] = []
        if let problem = JSONScanner.scanArray(json, elements: &spans) {
            throw EvaluationError("\(element.label): \(problem)", kind: .parse)
        }
        var values: [Value] = []
        for span in spans { values.append(try convert(json: span, element)) }
        return .list(values)
    }

    private func none(_ column: CompiledColumn, isThere: Bool = true) throws(EvaluationError)
        -> Value
    {
        if column.isOptional { return isThere ? .null : .missing }
        if case .any = column.conversion { return isThere ? .null : .missing }
        throw EvaluationError("\(column.label): there is no value", kind: .parse)
    }

    private func mismatch(_ column: CompiledColumn, _ text: Text, _ wanted: String)
        -> EvaluationError
    {
        EvaluationError("\(column.label): \"\(shown(text))\" is not \(wanted)", kind: .parse)
    }

    /// A text for a message: short, and on one line.
    func shown(_ text: Text) -> String {
        let short = String(decoding: text.prefix(80), as: UTF8.self)
        let line = String(short.map { $0.isNewline ? " " : $0 })
        return text.count > 80 ? line + "…" : line
    }

    /// The digits of a number as JSON can take them: without a `+` and zeros in front.
    func decimalDigits(_ text: Text) -> Text? {
        if isDecimal(text) { return text }
        var rest = text[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        let zeros = rest.prefix { $0 == UInt8(ascii: "0") }.count
        let first = zeros < rest.count ? rest[rest.startIndex + zeros] : 0
        let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        rest = rest.dropFirst(isDigit ? zeros : max(0, zeros - 1))
        if rest.first == UInt8(ascii: ".") { return nil }
        let digits = scratch.copy((isNegative ? [UInt8(ascii: "-")] : []) + Array(rest))
        return isDecimal(digits) ? digits : nil
    }

    private func isStructure(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[")
    }

    /// The text of a JSON string with its quotes.
    @inline(__always)
    func stringContent(_ json: Text) -> Text {
        unescaped(Text(rebasing: json[1..<(json.count - 1)]))
    }

    /// A JSON value as what it is.
    func scalar(_ json: Text) -> Value {
        switch json.first {
        case UInt8(ascii: "\""): .string(stringContent(json))
        case UInt8(ascii: "t"): .bool(true)
        case UInt8(ascii: "f"): .bool(false)
        case UInt8(ascii: "n"): .null
        case UInt8(ascii: "{"), UInt8(ascii: "["), nil: .json(json)
        default: parseInt(json).map(Value.int) ?? .decimal(json)
        }
    }
}

extension CompiledColumn.Conversion {
    /// Whether an empty text is a value.
    var isText: Bool {
        switch self {
        case .string, .bytes, .any: true
        default: false
        }
    }
}

// MARK: - Numbers

/// A whole number with an optional sign, and nothing else.
func parseInt(_ text: Text) -> Int64? {
    var digits = text[...]
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
    guard !digits.isEmpty, digits.count <= 19 else { return nil }
    var magnitude: UInt64 = 0
    for byte in digits {
        let digit = byte &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        magnitude = magnitude &* 10 &+ UInt64(digit)
    }
    if isNegative { return magnitude <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil }
    return Int64(exactly: magnitude)
}

/// Whether a whole number is written as JSON writes it: without a plus and zeros in front.
func isCanonicalInt(_ text: Text) -> Bool {
    switch text[0] {
    case UInt8(ascii: "1")...UInt8(ascii: "9"): true
    case UInt8(ascii: "-"): text.count > 1 && text[1] != UInt8(ascii: "0")
    default: text.count == 1 && text[0] == UInt8(ascii: "0")
    }
}

/// Whether a text is a number in digits, as JSON would take it; a leading `+` or zeros are not.
func isDecimal(_ text: Text) -> Bool {
    JSONScanner.isNumber(text)
}

/// A finite number in decimal digits: neither `nan` nor `0x1p3`.
func parseDouble(_ text: Text) -> Double? {
    guard text.count <= 400, text.allSatisfy(isPartOfDecimal),
        let number = Double(String(decoding: text, as: UTF8.self)), number.isFinite
    else { return nil }
    return number
}

private func isPartOfDecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
        UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
        true
    default: false
    }
}

func parseBool(_ text: Text) -> Bool? {
    switch String(decoding: text.prefix(6), as: UTF8.self) {
    case "true", "TRUE", "True": true
    case "false", "FALSE", "False": false
    default: nil
    }
}
