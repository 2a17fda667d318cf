package import KafkaProtocol

/// A topic and its partitions' logs.
package struct Topic: Sendable {
    package let id: TopicID
    package internal(set) var partitions: [PartitionLog]
    let configuration: TopicConfiguration

    init(id: TopicID, partitions: [Leadership], configuration: TopicConfiguration) {
        self.id = id
        self.partitions = partitions.map { PartitionLog($0) }
        self.configuration = configuration
    }

    /// A topic that was there before a restart.
    init(restoring entry: TopicEntry) throws(Refusal) {
        let settings = entry.settings.map { ($0.name, $0.value) }
        self.init(
            id: entry.id,
            partitions: entry.partitions,
            configuration: try TopicConfiguration(Dictionary(settings) { $1 })
        )
    }

    mutating func update(_ index: Int, _ body: (inout PartitionLog) -> Void) {
        body(&self.partitions[index])
    }

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
