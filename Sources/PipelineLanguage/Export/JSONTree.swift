/// A JSON text in memory, its members in the order in which they were written.
indirect enum JSONTree: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case string(String)
    case array([JSONTree])
    case object([Member])

    struct Member: Equatable, Sendable {
        var name: String
        var value: JSONTree
    }

    /// An object without the members that have no value.
    static func members(_ members: KeyValuePairs<String, JSONTree?>) -> JSONTree {
        .object(members.compactMap { name, value in value.map { Member(name: name, value: $0) } })
    }
}

extension JSONTree {
    private static let width = 100

    /// The tree as text: on one line what fits, a line for each element otherwise.
    func text(indent: Int = 0) -> String {
        let line = compactText
        guard line.count + indent > Self.width else { return line }
        let inner = indent + 2
        switch self {
        case .array(let elements):
            return Self.lines("[", elements.map { $0.text(indent: inner) }, "]", indent: indent)
        case .object(let members):
            let lines = members.map { member in
                quotedAsJSON(member.name) + ": " + member.value.text(indent: inner)
            }
            return Self.lines("{", lines, "}", indent: indent)
        default: return line
        }
    }

    private static func lines(
        _ open: String,
        _ lines: [String],
        _ close: String,
        indent: Int
    ) -> String {
        let margin = String(repeating: " ", count: indent)
        return open + "\n" + lines.map { margin + "  " + $0 }.joined(separator: ",\n")
            + "\n" + margin + close
    }

    private var compactText: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .string(let text): quotedAsJSON(text)
        case .array(let elements): "[\(elements.map(\.compactText).joined(separator: ", "))]"
        case .object(let members):
            "{"
                + members.map { quotedAsJSON($0.name) + ": " + $0.value.compactText }
                .joined(separator: ", ") + "}"
        }
    }
}

extension JSONTree: ExpressibleByStringLiteral {
    init(stringLiteral value: String) {
        self = .string(value)
    }
}
