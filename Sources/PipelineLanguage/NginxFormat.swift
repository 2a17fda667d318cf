extension Format {
    /// The columns of nginx's `combined` log format, in the order of the line.
    package static let nginxColumns: [(name: String, type: ValueType)] = [
        ("remote_addr", .string),
        ("remote_user", .string.optional()),
        ("time", .time),
        ("method", .string),
        ("path", .string),
        ("protocol", .string),
        ("status", .int),
        ("bytes", .int),
        ("referer", .string.optional()),
        ("user_agent", .string.optional()),
    ]
}
