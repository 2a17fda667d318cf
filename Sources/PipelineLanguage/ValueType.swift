/// What kind of value an expression makes, and whether it may have none.
package struct ValueType: Hashable, Sendable {
    package indirect enum Kind: Hashable, Sendable {
        /// Nothing is known before the record is there.
        case any
        case null
        case string
        case int
        case decimal
        case float
        case bool
        case time
        case duration
        case bytes
        /// An object; its members, when it was written out in the pipeline.
        case object([String: ValueType]?)
        case list(ValueType)
        case enumeration([String])
    }

    package var kind: Kind
    /// True when there may be no value: missing, null, or an empty cell.
    package var isOptional: Bool

    package init(_ kind: Kind, isOptional: Bool = false) {
        self.kind = kind
        self.isOptional = isOptional
    }

    package static let any = ValueType(.any)
    package static let null = ValueType(.null, isOptional: true)
    package static let string = ValueType(.string)
    package static let int = ValueType(.int)
    package static let decimal = ValueType(.decimal)
    package static let float = ValueType(.float)
    package static let bool = ValueType(.bool)
    package static let time = ValueType(.time)
    package static let duration = ValueType(.duration)
    package static let bytes = ValueType(.bytes)
    package static let object = ValueType(.object(nil))

    /// The same type, with or without the question mark.
    package func optional(_ isOptional: Bool = true) -> ValueType {
        kind == .null ? self : ValueType(kind, isOptional: isOptional)
    }
}
