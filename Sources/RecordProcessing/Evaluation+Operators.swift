import PipelineLanguage

extension RecordProcessor {
    func negated(_ value: Value) throws(EvaluationError) -> Value {
        switch number(value) {
        case .int(let number):
            let (result, overflow) = (0 as Int64).subtractingReportingOverflow(number)
            if overflow { throw EvaluationError("\(number) cannot be negated") }
            return .int(result)
        case .float(let number): return .float(-number)
        case .duration(let nanoseconds) where nanoseconds != .min: return .duration(-nanoseconds)
        case .decimal(let digits):
            if digits.first == UInt8(ascii: "-") { return .decimal(Text(rebasing: digits[1...])) }
            return .decimal(scratch.copy("-" + String(decoding: digits, as: UTF8.self)))
        default: throw EvaluationError("\(value.kindName) cannot be negated")
        }
    }

    func binary(
        _ sign: BinaryOperator,
        _ left: Node,
        _ right: Node
    ) throws(EvaluationError) -> Value {
        switch sign {
        case .and:
            guard try isTrue(try evaluate(left)) else { return .bool(false) }
            return .bool(try isTrue(try evaluate(right)))
        case .or:
            if try isTrue(try evaluate(left)) { return .bool(true) }
            return .bool(try isTrue(try evaluate(right)))
        case .equal: return .bool(isEqual(try evaluate(left), try evaluate(right)))
        case .notEqual: return .bool(!isEqual(try evaluate(left), try evaluate(right)))
        case .isIn, .isNotIn:
            let value = try evaluate(left)
            let elements = try list(from: try evaluate(right))
            let isThere = elements.contains { isEqual($0, value) }
            return .bool(isThere == (sign == .isIn))
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            return .bool(try compared(sign, try evaluate(left), try evaluate(right)))
        case .add, .subtract, .multiply, .divide, .remainder:
            return try computed(sign, try evaluate(left), try evaluate(right))
        }
    }

    // MARK: Comparing

    /// Equal by value; no value equals no value.
    func isEqual(_ first: Value, _ second: Value) -> Bool {
        switch (plain(first), plain(second)) {
        case (.missing, .missing), (.missing, .null), (.null, .missing), (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.string(let a), .string(let b)), (.string(let a), .bytes(let b)),
            (.bytes(let a), .string(let b)), (.bytes(let a), .bytes(let b)):
            equal(a, b)
        case (.time(let a), .time(let b)), (.duration(let a), .duration(let b)): a == b
        case (.list(let a), .list(let b)): areEqual(a, b)
        case (.object(let a), .object(let b)): areEqual(a, b)
        case (let a, let b): order(a, b) == 0
        }
    }

    private func areEqual(_ first: [Value], _ second: [Value]) -> Bool {
        first.count == second.count && zip(first, second).allSatisfy { isEqual($0, $1) }
    }

    private func areEqual(_ first: ObjectValue, _ second: ObjectValue) -> Bool {
        first.members.allSatisfy { isEqual($0.value, second.value(of: $0.name)) }
            && second.members.allSatisfy { isEqual($0.value, first.value(of: $0.name)) }
    }

    /// JSON as the value that it stands for.
    func plain(_ value: Value) -> Value {
        guard case .json(let text) = value else { return value }
        if text.first == UInt8(ascii: "{") {
            return (try? object(from: value)).map(Value.object) ?? value
        }
        if text.first == UInt8(ascii: "[") {
            return (try? list(from: value)).map(Value.list) ?? value
        }
        return scalar(text)
    }

    private func compared(
        _ sign: BinaryOperator,
        _ first: Value,
        _ second: Value
    ) throws(EvaluationError) -> Bool {
        let left = plain(try required(first, sign.rawValue))
        let right = plain(try required(second, sign.rawValue))
        guard let order = order(left, right) else {
            throw EvaluationError("\(left.kindName) cannot be compared with \(right.kindName)")
        }
        switch sign {
        case .less: return order < 0
        case .lessOrEqual: return order <= 0
        case .greater: return order > 0
        default: return order >= 0
        }
    }

    /// Negative, zero or positive; `nil` for values of different kinds.
    private func order(_ first: Value, _ second: Value) -> Int? {
        switch (number(first), number(second)) {
        case (.int(let a), .int(let b)), (.time(let a), .time(let b)),
            (.duration(let a), .duration(let b)):
            return a < b ? -1 : a > b ? 1 : 0
        case (.string(let a), .string(let b)):
            return a.lexicographicallyPrecedes(b) ? -1 : equal(a, b) ? 0 : 1
        case (.int, .decimal), (.decimal, .int), (.decimal, .decimal), (.float, _), (_, .float):
            guard let a = double(first), let b = double(second) else { return nil }
            return a < b ? -1 : a > b ? 1 : a == b ? 0 : nil
        default: return nil
        }
    }

    // MARK: Computing

    /// Digits as an int where they are one.
    private func number(_ value: Value) -> Value {
        guard case .decimal(let digits) = plain(value) else { return plain(value) }
        return parseInt(digits).map(Value.int) ?? .decimal(digits)
    }

    func double(_ value: Value) -> Double? {
        switch plain(value) {
        case .int(let number): Double(number)
        case .decimal(let digits): parseDouble(digits)
        case .float(let number): number
        default: nil
        }
    }

    private func computed(
        _ sign: BinaryOperator,
        _ first: Value,
        _ second: Value
    ) throws(EvaluationError) -> Value {
        let left = number(try required(first, sign.rawValue))
        let right = number(try required(second, sign.rawValue))
        switch (left, right) {
        case (.int(let a), .int(let b)): return .int(try whole(sign, a, b))
        case (.string(let a), .string(let b)) where sign == .add:
            return .string(scratch.copy(Array(a) + Array(b)))
        case (.time(let a), .duration(let b)) where sign == .add || sign == .subtract:
            return .time(try whole(sign, a, b))
        case (.time(let a), .time(let b)) where sign == .subtract:
            return .duration(try whole(sign, a, b))
        case (.duration(let a), .duration(let b)): return .duration(try whole(sign, a, b))
        case (.decimal(let a), .decimal(let b)): return try exact(sign, a, b)
        case (.decimal(let a), .int(let b)): return try exact(sign, a, scratch.copy("\(b)"))
        case (.int(let a), .decimal(let b)): return try exact(sign, scratch.copy("\(a)"), b)
        default:
            guard let a = double(left), let b = double(right) else {
                throw EvaluationError(
                    "\(left.kindName) \(sign.rawValue) \(right.kindName) cannot be computed"
                )
            }
            return .float(floating(sign, a, b))
        }
    }

    private func whole(_ sign: BinaryOperator, _ a: Int64, _ b: Int64) throws(EvaluationError)
        -> Int64
    {
        let (result, overflow) =
            switch sign {
            case .add: a.addingReportingOverflow(b)
            case .subtract: a.subtractingReportingOverflow(b)
            case .multiply: a.multipliedReportingOverflow(by: b)
            case .divide: a.dividedReportingOverflow(by: b)
            default: a.remainderReportingOverflow(dividingBy: b)
            }
        if overflow {
            throw EvaluationError("\(a) \(sign.rawValue) \(b) cannot be computed")
        }
        return result
    }

    private func floating(_ sign: BinaryOperator, _ a: Double, _ b: Double) -> Double {
        switch sign {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        default: a.truncatingRemainder(dividingBy: b)
        }
    }

    /// Decimal arithmetic that keeps every digit, for the signs that can.
    private func exact(_ sign: BinaryOperator, _ a: Text, _ b: Text) throws(EvaluationError)
        -> Value
    {
        guard sign == .add || sign == .subtract || sign == .multiply,
            let left = ScaledInteger(a), let right = ScaledInteger(b),
            let result = ScaledInteger.computed(sign, left, right)
        else {
            guard let x = parseDouble(a), let y = parseDouble(b) else {
                throw EvaluationError("a decimal is too long to compute with")
            }
            return .float(floating(sign, x, y))
        }
        return .decimal(scratch.copy(result.digits))
    }
}

/// A decimal of up to 18 digits as an integer and a scale.
struct ScaledInteger {
    var value: Int64
    /// Digits behind the point.
    var scale: Int

    init(value: Int64, scale: Int) {
        self.value = value
        self.scale = scale
    }

    init?(_ text: Text) {
        var digits: [UInt8] = []
        var scale = 0
        var isBehindPoint = false
        for byte in text {
            if byte == UInt8(ascii: ".") {
                isBehindPoint = true
            } else {
                digits.append(byte)
                scale += isBehindPoint ? 1 : 0
            }
        }
        guard scale <= 18, let value = digits.withUnsafeBytes(parseInt) else { return nil }
        self.init(value: value, scale: scale)
    }

    static func computed(_ sign: BinaryOperator, _ a: Self, _ b: Self) -> Self? {
        if sign == .multiply {
            let (value, overflow) = a.value.multipliedReportingOverflow(by: b.value)
            return overflow ? nil : Self(value: value, scale: a.scale + b.scale)
        }
        let scale = max(a.scale, b.scale)
        guard let left = a.scaled(to: scale), let right = b.scaled(to: scale) else { return nil }
        let (value, overflow) =
            sign == .add
            ? left.addingReportingOverflow(right) : left.subtractingReportingOverflow(right)
        return overflow ? nil : Self(value: value, scale: scale)
    }

    private func scaled(to other: Int) -> Int64? {
        var result = value
        for _ in scale..<other {
            let (next, overflow) = result.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            result = next
        }
        return result
    }

    var digits: String {
        guard scale > 0 else { return "\(value)" }
        var text = String(value.magnitude)
        if text.count <= scale {
            text = String(repeating: "0", count: scale + 1 - text.count) + text
        }
        text.insert(".", at: text.index(text.endIndex, offsetBy: -scale))
        return value < 0 ? "-" + text : text
    }
}
