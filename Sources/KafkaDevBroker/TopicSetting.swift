/// A setting that a topic can have: its name, the type of its values, and Kafka's default.
struct TopicSetting: Sendable {
    /// The types by the numbers of DescribeConfigs (`ConfigEntry.ConfigType`).
    enum Kind: Int8, Sendable {
        case boolean = 1
        case string = 2
        case int = 3
        case long = 5
        case double = 6
        case list = 7
    }

    let name: String
    let kind: Kind
    let standard: String
    /// The values that there are, if only some.
    let choices: Set<String>
    /// The numbers that are taken.
    let range: ClosedRange<Int64>

    init(
        _ name: String,
        _ kind: Kind,
        _ standard: String,
        _ range: ClosedRange<Int64> = 0...Int64.max,
        choices: Set<String> = []
    ) {
        self.name = name
        self.kind = kind
        self.standard = standard
        self.range = range
        self.choices = choices
    }

    /// What Kafka says to the value; nil if it takes it.
    func problem(with value: String) -> String? {
        let problem = "Invalid value \(value) for configuration \(self.name)"
        switch self.kind {
        case .boolean: return ["true", "false"].contains(value) ? nil : problem
        case .string:
            return self.choices.isEmpty || self.choices.contains(value) ? nil : problem
        case .list:
            let items = value.split(separator: ",").map { item in
                String(item.drop { $0 == " " })
            }
            return self.choices.isEmpty || self.choices.isSuperset(of: items) ? nil : problem
        case .double: return Double(value).map { (0...1).contains($0) } == true ? nil : problem
        case .int:
            let number = Int32(value).map(Int64.init)
            return number.map(self.range.contains) == true ? nil : problem
        case .long:
            return Int64(value).map(self.range.contains) == true ? nil : problem
        }
    }

    /// All settings by name, from Kafka's `TopicConfig`; what the broker does not act upon is
    /// remembered and described all the same.
    ///
    /// Two defaults are not Kafka's 4: records are kept for ever (Kafka deletes them after a week),
    /// and may be from any future (Kafka takes an hour).
    static let all: [String: TopicSetting] = Dictionary(
        uniqueKeysWithValues: table.map { ($0.name, $0) }
    )

    private static let table: [TopicSetting] = [
        TopicSetting("cleanup.policy", .list, "delete", choices: ["delete", "compact"]),
        TopicSetting("compression.gzip.level", .int, "-1", -1...9),
        TopicSetting("compression.lz4.level", .int, "9", 1...17),
        TopicSetting(
            "compression.type",
            .string,
            "producer",
            choices: ["uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"]
        ),
        TopicSetting("compression.zstd.level", .int, "3", -131_072...22),
        TopicSetting("delete.retention.ms", .long, "86400000"),
        TopicSetting("file.delete.delay.ms", .long, "60000"),
        TopicSetting("flush.messages", .long, "9223372036854775807", 1...Int64.max),
        TopicSetting("flush.ms", .long, "9223372036854775807"),
        TopicSetting("index.interval.bytes", .int, "4096"),
        TopicSetting("max.compaction.lag.ms", .long, "9223372036854775807", 1...Int64.max),
        TopicSetting("max.message.bytes", .int, "1048588"),
        TopicSetting("message.timestamp.after.max.ms", .long, "9223372036854775807"),
        TopicSetting("message.timestamp.before.max.ms", .long, "9223372036854775807"),
        TopicSetting(
            "message.timestamp.type",
            .string,
            "CreateTime",
            choices: ["CreateTime", "LogAppendTime"]
        ),
        TopicSetting("min.cleanable.dirty.ratio", .double, "0.5"),
        TopicSetting("min.compaction.lag.ms", .long, "0"),
        TopicSetting("min.insync.replicas", .int, "1", 1...Int64.max),
        TopicSetting("preallocate", .boolean, "false"),
        TopicSetting("retention.bytes", .long, "-1", -1...Int64.max),
        TopicSetting("retention.ms", .long, "-1", -1...Int64.max),
        TopicSetting("segment.bytes", .int, "1073741824", 14...Int64.max),
        TopicSetting("segment.index.bytes", .int, "10485760", 4...Int64.max),
        TopicSetting("segment.jitter.ms", .long, "0"),
        TopicSetting("segment.ms", .long, "604800000", 1...Int64.max),
        TopicSetting("unclean.leader.election.enable", .boolean, "false"),
    ]
}
