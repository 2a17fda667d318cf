/// A log format that brings its own columns.
package enum KnownFormat: String, Hashable, Sendable, CaseIterable {
    /// nginx's `combined`.
    case nginxCombined = "nginx_combined"
    /// Apache's `combined`, whose requests need not be whole.
    case apacheCombined = "apache_combined"
    /// Apache's `common`: `combined` without its last two columns.
    case apacheCommon = "apache_common"
    /// RFC 5424 and RFC 3164, each line as the one or the other.
    case syslog
    /// What Kubernetes' container runtimes write.
    case cri

    package struct KnownColumn: Sendable {
        package let name: String
        package let type: ValueType
        /// How the text of a time is read.
        package let time: TimeFormat.Notation?

        init(_ name: String, _ type: ValueType, _ time: TimeFormat.Notation? = nil) {
            self.name = name
            self.type = type
            self.time = time
        }
    }

    /// The columns in the order of their slots.
    package var columns: [KnownColumn] {
        switch self {
        case .nginxCombined: Self.accessColumns(isRequestWhole: true)
        case .apacheCombined: Self.accessColumns(isRequestWhole: false)
        case .apacheCommon: Array(Self.accessColumns(isRequestWhole: false).dropLast(2))
        case .syslog: Self.syslogColumns
        case .cri: Self.criColumns
        }
    }

    private static func accessColumns(isRequestWhole: Bool) -> [KnownColumn] {
        let part = ValueType.string.optional(!isRequestWhole)
        return [
            KnownColumn("remote_addr", .string),
            KnownColumn("remote_user", .string.optional()),
            KnownColumn("time", .time, .pattern("%d/%b/%Y:%H:%M:%S %z")),
            KnownColumn("method", part),
            KnownColumn("path", part),
            KnownColumn("protocol", part),
            KnownColumn("status", .int),
            KnownColumn("bytes", .int),
            KnownColumn("referer", .string.optional()),
            KnownColumn("user_agent", .string.optional()),
        ]
    }

    /// The names of syslog's facilities, by number.
    package static let facilities = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
        "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3",
        "local4", "local5", "local6", "local7",
    ]

    /// The names of syslog's severities, by number.
    package static let severities = [
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
    ]

    private static let syslogColumns = [
        KnownColumn("facility", ValueType(.enumeration(facilities), isOptional: true)),
        KnownColumn("severity", ValueType(.enumeration(severities), isOptional: true)),
        KnownColumn("time", .string.optional()),
        KnownColumn("host", .string.optional()),
        KnownColumn("app", .string.optional()),
        KnownColumn("pid", .string.optional()),
        KnownColumn("msg_id", .string.optional()),
        KnownColumn("data", .object.optional()),
        KnownColumn("message", .string),
    ]

    private static let criColumns = [
        KnownColumn("time", .time, .iso8601),
        KnownColumn("stream", ValueType(.enumeration(["stdout", "stderr"]))),
        KnownColumn("flag", ValueType(.enumeration(["P", "F"]))),
        KnownColumn("message", .string),
    ]

    /// The lines of which the next one is a part: those that the runtime has split.
    static let splitLines = "^\\S+ \\S+ P(?:[: ]|$)"
}
