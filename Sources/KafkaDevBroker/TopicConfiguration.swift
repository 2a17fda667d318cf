internal import KafkaProtocol

/// The settings that a topic was made with, and what they mean.
struct TopicConfiguration: Sendable, Equatable {
    /// What was set, by name.
    let values: [String: String]

    let isCompacted: Bool
    let deletesOld: Bool
    /// Without one the broker's own limit holds.
    let maxMessageBytes: Int?
    let usesAppendTime: Bool
    /// The codec that batches are stored in; nil leaves them as they were sent.
    let compression: Compression?
    /// How old a record may grow; nil for as old as it likes.
    let retentionMilliseconds: Int64?
    let retentionBytes: Int?
    /// How far from the broker's time a record's may be, in the future and in the past.
    let timestampAfterMaxMilliseconds: Int64
    let timestampBeforeMaxMilliseconds: Int64
    let minInSyncReplicas: Int

    /// Takes the settings, or throws what Kafka says to the first that is none.
    init(_ values: [String: String]) throws(Refusal) {
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            guard let setting = TopicSetting.all[name] else {
                throw Refusal(.invalidConfig, "Unknown topic config name: \(name)")
            }
            if let problem = setting.problem(with: value) {
                throw Refusal(.invalidConfig, problem)
            }
        }
        self.init(valid: values)
    }

    private init(valid values: [String: String]) {
        func number(_ name: String) -> Int64? {
            (values[name] ?? TopicSetting.all[name]?.standard).flatMap { Int64($0) }
        }
        self.values = values
        let policies = (values["cleanup.policy"] ?? "delete").split(separator: ",")
        self.isCompacted = policies.contains { $0.hasSuffix("compact") }
        self.deletesOld = policies.contains { $0.hasSuffix("delete") }
        self.maxMessageBytes = values["max.message.bytes"].flatMap { Int($0) }
        self.usesAppendTime = values["message.timestamp.type"] == "LogAppendTime"
        self.compression = values["compression.type"].flatMap { Self.codecs[$0] }
        self.retentionMilliseconds = number("retention.ms").flatMap { $0 < 0 ? nil : $0 }
        self.retentionBytes = number("retention.bytes").flatMap { $0 < 0 ? nil : Int($0) }
        self.timestampAfterMaxMilliseconds = number("message.timestamp.after.max.ms") ?? .max
        self.timestampBeforeMaxMilliseconds = number("message.timestamp.before.max.ms") ?? .max
        self.minInSyncReplicas = Int(number("min.insync.replicas") ?? 1)
    }

    private static let codecs: [String: Compression] = [
        "uncompressed": .none, "gzip": .gzip, "snappy": .snappy, "lz4": .lz4, "zstd": .zstd,
    ]
}
