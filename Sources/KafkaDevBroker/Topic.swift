package import KafkaProtocol

/// A topic and its partitions' logs.
package struct Topic: Sendable {
    package let id: TopicID
    package internal(set) var partitions: [PartitionLog]
    let configs: [String: String]

    init(id: TopicID, partitionCount: Int, configs: [String: String] = [:]) {
        self.id = id
        self.partitions = (0..<partitionCount).map { _ in PartitionLog() }
        self.configs = configs
    }

    var isCompacted: Bool {
        self.configs["cleanup.policy"]?.split(separator: ",").contains("compact") ?? false
    }

    /// The topic's own `max.message.bytes`, if it has one.
    var maxMessageBytes: Int? { self.configs["max.message.bytes"].flatMap { Int($0) } }

    mutating func forgetProducers(keepingLastBatch: Bool) {
        for index in self.partitions.indices {
            self.partitions[index].forgetProducers(keepingLastBatch: keepingLastBatch)
        }
    }

    /// Whether Kafka takes `name` for a topic.
    static func isValid(_ name: String) -> Bool {
        guard (1...249).contains(name.utf8.count), name != ".", name != ".." else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
