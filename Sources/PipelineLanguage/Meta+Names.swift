extension Meta {
    private static let plain: [(name: String, meta: Meta, type: ValueType)] = [
        ("host", .host, .string), ("path", .path, .string), ("file", .file, .string),
        ("line", .line, .int), ("offset", .offset, .int), ("raw", .raw, .bytes),
        ("now", .now, .time), ("pipeline", .pipeline, .string), ("inode", .inode, .int),
        ("mtime", .modificationTime, .time),
        ("error.kind", .errorKind, .string), ("error.message", .errorMessage, .string),
        ("error.line", .errorLine, .int),
    ]

    /// The names after `@`, without `env.…`.
    static var names: [String] { plain.map(\.name) }

    /// What an `@name` stands for, and its type.
    static func named(_ path: [String]) -> (Meta, ValueType)? {
        if path.count == 2, path[0] == "env" { return (.environment(path[1]), .string) }
        let name = path.joined(separator: ".")
        return plain.first { $0.name == name }.map { ($0.meta, $0.type) }
    }

    /// True for what is known inside `on error` only.
    var isAboutError: Bool {
        switch self {
        case .errorKind, .errorMessage, .errorLine: true
        default: false
        }
    }
}
