import PipelineLanguage

extension RecordProcessor {
    /// The most bytes that one call may make of a line: what grows beyond is a mistake.
    static let resultLimit = 16 << 20

    func call(
        _ function: Function,
        _ arguments: [Node?],
        _ prepared: PreparedCall
    ) throws(EvaluationError) -> Value {
        let call = Call(processor: self, function: function, arguments: arguments)
        switch function {
        case .json: return .bytes(jsonText(of: try call.any(0)))
        case .text: return .bytes(try call.text(0))
        case .msgpack: return .bytes(try messagePack(try call.any(0)))
        case .string: return .string(try call.text(0))
        case .int: return try int(try call.value(0))
        case .decimal: return try decimal(try call.value(0))
        case .float: return try float(try call.value(0))
        case .bool: return try bool(try call.value(0))
        case .time: return try time(try call.text(0), prepared)
        case .duration: return try duration(try call.text(0))
        case .hex: return .string(hex(try call.text(0)))
        case .base64: return .string(base64(try call.text(0)))
        case .unbase64: return .bytes(try unbase64(try call.text(0)))
        case .lower: return .string(scratch.copy(try call.string(0).lowercased()))
        case .upper: return .string(scratch.copy(try call.string(0).uppercased()))
        case .trim: return .string(trimmed(try call.text(0)))
        case .replace: return try replace(try call.text(0), prepared, with: try call.text(2))
        case .capture: return try capture(try call.text(0), prepared)
        case .captures: return try captures(try call.text(0), prepared)
        case .split: return try split(try call.text(0), try call.text(1), try call.optionalInt(2))
        case .join: return try join(try call.value(0), try call.text(1))
        case .startsWith: return .bool(try call.text(0).starts(with: try call.text(1)))
        case .endsWith:
            return .bool(try call.text(0).reversed().starts(with: try call.text(1).reversed()))
        case .contains: return .bool(firstIndex(of: try call.text(1), in: try call.text(0)) != nil)
        case .substring:
            return substring(
                try call.string(0),
                try call.optionalPlace(1),
                try call.optionalPlace(2)
            )
        case .truncate: return .string(truncated(try call.text(0), to: try call.int(1)))
        case .len: return .int(Int64(try length(try call.value(0))))
        case .formatTime: return .string(try formatted(try call.time(0), prepared))
        case .unix: return .int(try call.time(0).flooredDivision(by: 1_000_000_000))
        case .unixMilliseconds: return .int(try call.time(0).flooredDivision(by: 1_000_000))
        case .unixNanoseconds: return .int(try call.time(0))
        case .trunc: return try truncated(try call.time(0), to: try call.duration(1))
        case .age: return try age(of: try call.time(0))
        case .mask:
            return try mask(try call.text(0), try call.optionalInt(1), try call.optionalInt(2))
        case .maskIP: return try maskIP(try call.text(0))
        case .sha256: return .string(sha256(try call.text(0)))
        case .hmac: return try hmac(try call.text(0), prepared)
        case .redact: return .string(redacted(try call.text(0), prepared))
        case .merge: return try merge(try call.object(0), try call.object(1))
        case .keys: return keys(try call.object(0))
        case .values: return values(try call.object(0))
        case .flatten: return try flatten(try call.object(0), try call.optionalText(1))
        case .parseJSON: return try parsedJSON(try call.text(0))
        case .parseKV: return .object(parsedPairs(try call.text(0)))
        case .parseURL: return try parsedURL(try call.text(0))
        case .get: return try get(try call.text(1), in: try call.any(0))
        case .basename: return .string(basename(try call.text(0)))
        case .dirname: return .string(dirname(try call.text(0)))
        case .globCapture: return try globCapture(try call.int(0), prepared)
        case .uuid5: return try uuid5(try call.string(0), try call.text(1))
        case .hash: return .int(Int64(murmur2(try call.text(0))))
        case .sample: return .bool(try sample(try call.value(0), by: try call.text(1)))
        case .salted: return try salted(try call.text(0), try call.int(1))
        }
    }
}

/// What a call has of its literals before the first line: a pattern compiled, a format read.
enum PreparedCall: Sendable {
    case nothing
    case regex(Regex)
    case timeReader(TimeReader)
    case timeWriter(TimeWriter)
    case secret(SecretBytes)
    case redaction(Redaction)
    case globs([Regex])
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
        if value.hasNoValue { throw error("there is no value") }
        return value
    }

    func text(_ index: Int) throws(EvaluationError) -> Text {
        try processor.text(of: try value(index))
    }

    func optionalText(_ index: Int) throws(EvaluationError) -> Text? {
        let value = try any(index)
        return value.hasNoValue ? nil : try processor.text(of: value)
    }

    func string(_ index: Int) throws(EvaluationError) -> String {
        String(decoding: try text(index), as: UTF8.self)
    }

    func object(_ index: Int) throws(EvaluationError) -> ObjectValue {
        let value = processor.plain(try value(index))
        guard case .object(let object) = value else {
            throw error("\(value.kindName) is not an object")
        }
        return object
    }

    func int(_ index: Int) throws(EvaluationError) -> Int {
        try number(try value(index), from: 0)
    }

    func optionalInt(_ index: Int) throws(EvaluationError) -> Int? {
        let value = try any(index)
        return value.hasNoValue ? nil : try number(value, from: 0)
    }

    /// A place in a text, which may count from its end.
    func optionalPlace(_ index: Int) throws(EvaluationError) -> Int? {
        let value = try any(index)
        return value.hasNoValue ? nil : try number(value, from: Int64(Int32.min))
    }

    private func number(_ value: Value, from lowest: Int64) throws(EvaluationError) -> Int {
        guard case .int(let number) = processor.plain(value) else {
            throw error("\(value.kindName) is not a whole number")
        }
        guard number >= lowest, number <= Int32.max else {
            throw error("\(number) is not a number from \(max(lowest, 0)) on that fits")
        }
        return Int(number)
    }

    func time(_ index: Int) throws(EvaluationError) -> Int64 {
        let value = try value(index)
        guard case .time(let nanoseconds) = value else {
            throw error("\(value.kindName) is not a time")
        }
        return nanoseconds
    }

    func duration(_ index: Int) throws(EvaluationError) -> Int64 {
        let value = try value(index)
        guard case .duration(let nanoseconds) = value else {
            throw error("\(value.kindName) is not a duration")
        }
        return nanoseconds
    }

    private func error(_ message: String) -> EvaluationError {
        EvaluationError("\(function.rawValue)(): \(message)")
    }
}
