extension ValueType: CustomStringConvertible {
    /// The type as the language writes it: `enum("eu", "us")?`.
    package var description: String {
        guard kind != .null else { return "null" }
        return name + (isOptional ? "?" : "")
    }

    private var name: String {
        switch kind {
        case .any: "any"
        case .null: "null"
        case .string: "string"
        case .int: "int"
        case .decimal: "decimal"
        case .float: "float"
        case .bool: "bool"
        case .time: "time"
        case .duration: "duration"
        case .bytes: "bytes"
        case .object: "object"
        case .list(let element): "[\(element)]"
        case .enumeration(let values):
            "enum(\(values.map { "\"\($0)\"" }.joined(separator: ", ")))"
        }
    }
}

extension ValueType {
    var isAny: Bool { kind == .any }

    var isNumber: Bool {
        switch kind {
        case .int, .decimal, .float: true
        default: false
        }
    }

    var isText: Bool {
        switch kind {
        case .string, .enumeration: true
        default: false
        }
    }

    var isObject: Bool {
        if case .object = kind { true } else { false }
    }

    var enumeration: [String]? {
        if case .enumeration(let values) = kind { values } else { nil }
    }

    /// True when Kafka's bytes of this value are plain: text, a number, or bytes as they are.
    var isPlain: Bool {
        switch kind {
        case .object, .list: false
        default: true
        }
    }

    /// The type of a value that is one or the other.
    func united(with other: ValueType) -> ValueType {
        let isOptional = self.isOptional || other.isOptional
        return ValueType(Self.unitedKind(kind, other.kind), isOptional: isOptional)
    }

    private static func unitedKind(_ left: Kind, _ right: Kind) -> Kind {
        switch (left, right) {
        case _ where left == right: left
        case (.null, let other), (let other, .null): other
        case (.enumeration(let a), .enumeration(let b)):
            .enumeration(a + b.filter { !a.contains($0) })
        case (.string, .enumeration), (.enumeration, .string): .string
        case (.object, .object): .object(nil)
        default: .any
        }
    }
}
