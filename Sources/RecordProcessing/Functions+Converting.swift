/// One kind of value from another.
extension RecordProcessor {
    func int(_ value: Value) throws(EvaluationError) -> Value {
        switch plain(value) {
        case .int(let number): return .int(number)
        case .float(let number):
            if let whole = Int64(exactly: number.rounded(.towardZero)) { return .int(whole) }
        case .bool(let flag): return .int(flag ? 1 : 0)
        case .duration(let nanoseconds): return .int(nanoseconds / 1_000_000_000)
        case .string(let text), .bytes(let text), .decimal(let text):
            if let number = parseInt(text) { return .int(number) }
        default: break
        }
        throw EvaluationError("\"\(shown(try text(of: value)))\" is not an int")
    }

    func decimal(_ value: Value) throws(EvaluationError) -> Value {
        let value = plain(value)
        if case .duration(let nanoseconds) = value {
            return .decimal(scratch.copy(DurationText.seconds(nanoseconds)))
        }
        let text = try text(of: value)
        if let digits = decimalDigits(text) { return .decimal(digits) }
        throw EvaluationError("\"\(shown(text))\" is not a decimal")
    }

    func float(_ value: Value) throws(EvaluationError) -> Value {
        if let number = double(value) { return .float(number) }
        let value = plain(value)
        if case .duration(let nanoseconds) = value { return .float(Double(nanoseconds) / 1e9) }
        let text = try text(of: value)
        if let number = parseDouble(text) { return .float(number) }
        throw EvaluationError("\"\(shown(text))\" is not a float")
    }

    func bool(_ value: Value) throws(EvaluationError) -> Value {
        if case .bool(let flag) = plain(value) { return .bool(flag) }
        let text = try text(of: plain(value))
        if let flag = parseBool(text) { return .bool(flag) }
        throw EvaluationError("\"\(shown(text))\" is not true or false")
    }

    func time(_ text: Text, _ prepared: PreparedCall) throws(EvaluationError) -> Value {
        guard case .timeReader(let reader) = prepared else { return .missing }
        if let nanoseconds = reader.parse(text) { return .time(nanoseconds) }
        throw EvaluationError("time(): \"\(shown(text))\" is not a time as \(reader.label)")
    }

    func duration(_ text: Text) throws(EvaluationError) -> Value {
        if let nanoseconds = DurationText.parse(text) { return .duration(nanoseconds) }
        throw EvaluationError("duration(): \"\(shown(text))\" is not a duration")
    }

    func hex(_ bytes: some Collection<UInt8>) -> Text {
        let target = scratch.allocate(2 * bytes.count)
        var place = 0
        for byte in bytes {
            target[place] = hexDigit(byte >> 4)
            target[place + 1] = hexDigit(byte & 15)
            place += 2
        }
        return Text(target)
    }

    func base64(_ bytes: Text) -> Text {
        let target = scratch.allocate(Base64.encodedCount(bytes.count))
        Base64.encode(bytes, into: target)
        return Text(target)
    }

    func unbase64(_ text: Text) throws(EvaluationError) -> Text {
        let target = scratch.allocate(text.count)
        guard let count = Base64.decode(text, into: target) else {
            throw EvaluationError("unbase64(): \"\(shown(text))\" is not Base64")
        }
        return Text(rebasing: target[..<count])
    }
}

func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
