import CPlatform

/// Bytes of the line, of the scratch memory or of a constant, valid until the next line.
package typealias Text = UnsafeRawBufferPointer

/// What an expression comes to.
///
/// Texts are spans: nothing is copied until it must be rewritten.
enum Value {
    /// Not there: left out of objects.
    case missing
    /// There, without a value: written as `null`.
    case null
    case bool(Bool)
    case int(Int64)
    /// The digits as they were written.
    case decimal(Text)
    case float(Double)
    case string(Text)
    case bytes(Text)
    /// Nanoseconds since 1970.
    case time(Int64)
    /// Nanoseconds.
    case duration(Int64)
    case list([Value])
    case object(ObjectValue)
    /// A JSON value exactly as it stands in the input.
    case json(Text)

    var hasNoValue: Bool {
        switch self {
        case .missing, .null: true
        default: false
        }
    }

    /// The word for messages.
    var kindName: String {
        switch self {
        case .missing, .null: "no value"
        case .bool: "a bool"
        case .int: "an int"
        case .decimal: "a decimal"
        case .float: "a float"
        case .string: "a string"
        case .bytes: "bytes"
        case .time: "a time"
        case .duration: "a duration"
        case .list: "a list"
        case .object: "an object"
        case .json: "JSON"
        }
    }
}

/// The members of an object in the order in which they were written.
struct ObjectValue {
    struct Member {
        var name: Text
        var value: Value
    }

    var members: [Member] = []

    func value(of name: Text) -> Value {
        members.last { equal($0.name, name) }?.value ?? .missing
    }

    mutating func set(_ name: Text, to value: Value) {
        if let index = members.lastIndex(where: { equal($0.name, name) }) {
            members[index].value = value
        } else {
            members.append(Member(name: name, value: value))
        }
    }

    /// Adds a member that is not there yet, if there is a value.
    mutating func append(_ name: Text, _ value: Value) {
        if case .missing = value { return }
        members.append(Member(name: name, value: value))
    }

    mutating func remove(_ name: Text) {
        members.removeAll { equal($0.name, name) }
    }
}

/// Whether two spans hold the same bytes.
func equal(_ first: Text, _ second: Text) -> Bool {
    guard first.count == second.count else { return false }
    guard let left = first.baseAddress, let right = second.baseAddress else { return true }
    // Safe: both spans hold `count` bytes.
    return memcmp(left, right, first.count) == 0
}

/// Where `part` begins in `text`, at `start` or later.
func firstIndex(of part: Text, in text: Text, from start: Int = 0) -> Int? {
    guard let first = part.baseAddress, !part.isEmpty else { return start }
    guard let base = text.baseAddress else { return nil }
    // Safe: what is left of the text is of that length; `start` is in it or at its end.
    let place = forktail_find(base + start, text.count - start, first, part.count)
    return place < 0 ? nil : start + Int(place)
}

/// Where a byte first stands in a text, at a place or later; the text's end if nowhere.
@inline(__always)
func place(of byte: UInt8, in text: Text, from start: Int = 0) -> Int {
    guard let base = text.baseAddress else { return start }
    // Safe: what is left of the text is of that length; `start` is in it or at its end.
    return start + Int(forktail_place(base + start, text.count - start, byte))
}

/// Why a record cannot be computed; becomes its `dlq.message`.
struct EvaluationError: Error {
    var kind: RecordFailure.Kind = .expr
    let message: String
    /// Whether no line of this file can be a record, whatever `on error` says.
    var stopsFile = false

    init(_ message: String, kind: RecordFailure.Kind = .expr) {
        self.message = message
        self.kind = kind
    }
}
