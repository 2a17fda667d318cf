package import KafkaProtocol
internal import NIOCore

/// One change of what a cluster remembers, as it is written to disk.
///
/// What was remembered is what all entries add up to, in their order.
enum JournalEntry: Equatable {
    case topic(TopicEntry)
    case topicDeleted(name: String)
    /// A batch or a marker, with its offset.
    case batch(TopicPartition, ByteBuffer)
    /// Everything before the offset is deleted.
    case logStart(TopicPartition, Int64)
    case leadership(TopicPartition, Leadership)
    case producer(TopicPartition, ProducerEntry)
    case aborted(TopicPartition, PartitionLog.AbortedTransaction)
    case transaction(TransactionEntry)
    case transactionExpired(id: String)
    case nextProducerID(Int64)
    case committedOffset(OffsetEntry)
    /// The cluster was stopped in order: of each producer only the last batch is known from here.
    case stopped
}

extension JournalEntry: MessageStructure {
    init(from reader: inout MessageReader, version: Int16) throws {
        let tag: UInt8 = try reader.readInteger()
        func partition() throws -> TopicPartition {
            try TopicPartition(from: &reader, version: version)
        }
        switch tag {
        case 0: self = .topic(try TopicEntry(from: &reader, version: version))
        case 1: self = .topicDeleted(name: try reader.readString())
        case 2: self = .batch(try partition(), try reader.readBytes())
        case 3: self = .logStart(try partition(), try reader.readInteger())
        case 4:
            self = .leadership(try partition(), try Leadership(from: &reader, version: version))
        case 5:
            self = .producer(try partition(), try ProducerEntry(from: &reader, version: version))
        case 6: self = .aborted(try partition(), try .init(from: &reader, version: version))
        case 7: self = .transaction(try TransactionEntry(from: &reader, version: version))
        case 8: self = .transactionExpired(id: try reader.readString())
        case 9: self = .nextProducerID(try reader.readInteger())
        case 10: self = .committedOffset(try OffsetEntry(from: &reader, version: version))
        case 11: self = .stopped
        default: throw ProtocolError.notExpressible(field: "entry \(tag)", version: version)
        }
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.tag)
        switch self {
        case .topic(let entry): try entry.write(to: &writer, version: version)
        case .topicDeleted(let name), .transactionExpired(let name): try writer.writeString(name)
        case .batch(let partition, let bytes):
            try partition.write(to: &writer, version: version)
            try writer.writeBytes(bytes)
        case .logStart(let partition, let offset):
            try partition.write(to: &writer, version: version)
            writer.writeInteger(offset)
        case .leadership(let partition, let leadership):
            try partition.write(to: &writer, version: version)
            try leadership.write(to: &writer, version: version)
        case .producer(let partition, let producer):
            try partition.write(to: &writer, version: version)
            try producer.write(to: &writer, version: version)
        case .aborted(let partition, let aborted):
            try partition.write(to: &writer, version: version)
            try aborted.write(to: &writer, version: version)
        case .transaction(let entry): try entry.write(to: &writer, version: version)
        case .nextProducerID(let number): writer.writeInteger(number)
        case .committedOffset(let entry): try entry.write(to: &writer, version: version)
        case .stopped: break
        }
    }

    private var tag: UInt8 {
        switch self {
        case .topic: 0
        case .topicDeleted: 1
        case .batch: 2
        case .logStart: 3
        case .leadership: 4
        case .producer: 5
        case .aborted: 6
        case .transaction: 7
        case .transactionExpired: 8
        case .nextProducerID: 9
        case .committedOffset: 10
        case .stopped: 11
        }
    }
}

// MARK: What entries hold

struct TopicEntry: MessageStructure {
    var name: String
    var id: TopicID
    var partitions: [Leadership]
    var settings: [SettingEntry]

    init(name: String, topic: Topic) {
        self.name = name
        self.id = topic.id
        self.partitions = topic.partitions.map(\.leadership)
        self.settings = topic.configuration.values.sorted { $0.key < $1.key }
            .map { SettingEntry(name: $0.key, value: $0.value) }
    }

    init(from reader: inout MessageReader, version: Int16) throws {
        self.name = try reader.readString()
        self.id = try TopicID(from: &reader, version: version)
        self.partitions = try reader.readArray(version: version)
        self.settings = try reader.readArray(version: version)
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.name)
        try self.id.write(to: &writer, version: version)
        try writer.writeArray(self.partitions, version: version)
        try writer.writeArray(self.settings, version: version)
    }
}

struct SettingEntry: MessageStructure {
    var name: String
    var value: String

    init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    init(from reader: inout MessageReader, version: Int16) throws {
        self.name = try reader.readString()
        self.value = try reader.readString()
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.name)
        try writer.writeString(self.value)
    }
}

/// What a group has committed in a partition.
struct OffsetEntry: MessageStructure {
    var group: String
    var partition: TopicPartition
    var committed: ConsumerGroup.CommittedOffset

    init(group: String, partition: TopicPartition, committed: ConsumerGroup.CommittedOffset) {
        self.group = group
        self.partition = partition
        self.committed = committed
    }

    init(from reader: inout MessageReader, version: Int16) throws {
        self.group = try reader.readString()
        self.partition = try TopicPartition(from: &reader, version: version)
        self.committed = .init(
            offset: try reader.readInteger(),
            leaderEpoch: try reader.readInteger(),
            metadata: try reader.readNullableString()
        )
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.group)
        try self.partition.write(to: &writer, version: version)
        writer.writeInteger(self.committed.offset)
        writer.writeInteger(self.committed.leaderEpoch)
        try writer.writeNullableString(self.committed.metadata)
    }
}

extension TopicPartition: MessageStructure {
    init(from reader: inout MessageReader, version: Int16) throws {
        self.topic = try reader.readString()
        self.partition = try reader.readInteger()
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.topic)
        writer.writeInteger(self.partition)
    }
}

extension Leadership: MessageStructure {
    package init(from reader: inout MessageReader, version: Int16) throws {
        self.replicas = try reader.readArray(version: version)
        self.leader = try reader.readInteger()
        self.epoch = try reader.readInteger()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeArray(self.replicas, version: version)
        writer.writeInteger(self.leader)
        writer.writeInteger(self.epoch)
    }
}
