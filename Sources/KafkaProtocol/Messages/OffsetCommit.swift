/// Stores how far a consumer group has come.
package struct OffsetCommitRequest: KafkaRequest {
    package typealias Response = OffsetCommitResponse

    package static let apiKey = APIKey.offsetCommit
    package static let versions: ClosedRange<Int16> = 2...9
    package static let firstFlexibleVersion: Int16 = 8

    package struct Topic: MessageStructure {
        package var name: String
        package var partitions: [Partition]

        package init(name: String = "", partitions: [Partition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.partitions = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            try writer.writeArray(self.partitions, version: version)
            writer.writeNoTags()
        }
    }

    package struct Partition: MessageStructure {
        package var partitionIndex: Int32
        package var committedOffset: Int64
        package var committedLeaderEpoch: Int32
        package var committedMetadata: String?

        package init(
            partitionIndex: Int32 = 0,
            committedOffset: Int64 = -1,
            committedLeaderEpoch: Int32 = -1,
            committedMetadata: String? = nil
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.committedMetadata = committedMetadata
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partitionIndex = try reader.readInteger()
            self.committedOffset = try reader.readInteger()
            if version >= 6 { self.committedLeaderEpoch = try reader.readInteger() }
            self.committedMetadata = try reader.readNullableString()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            writer.writeInteger(self.committedOffset)
            if version >= 6 { writer.writeInteger(self.committedLeaderEpoch) }
            try writer.writeNullableString(self.committedMetadata)
            writer.writeNoTags()
        }
    }

    package var groupID: String
    package var generationID: Int32
    package var memberID: String
    package var groupInstanceID: String?
    package var retentionTimeMilliseconds: Int64
    package var topics: [Topic]

    package init(
        groupID: String = "",
        generationID: Int32 = -1,
        memberID: String = "",
        groupInstanceID: String? = nil,
        retentionTimeMilliseconds: Int64 = -1,
        topics: [Topic] = []
    ) {
        self.groupID = groupID
        self.generationID = generationID
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
        self.retentionTimeMilliseconds = retentionTimeMilliseconds
        self.topics = topics
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.groupID = try reader.readString()
        self.generationID = try reader.readInteger()
        self.memberID = try reader.readString()
        if version >= 7 { self.groupInstanceID = try reader.readNullableString() }
        if version <= 4 { self.retentionTimeMilliseconds = try reader.readInteger() }
        self.topics = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.groupID)
        writer.writeInteger(self.generationID)
        try writer.writeString(self.memberID)
        if version >= 7 { try writer.writeNullableString(self.groupInstanceID) }
        if version <= 4 { writer.writeInteger(self.retentionTimeMilliseconds) }
        try writer.writeArray(self.topics, version: version)
        writer.writeNoTags()
    }
}

package struct OffsetCommitResponse: KafkaResponse {
    package struct TopicResponse: MessageStructure {
        package var name: String
        package var partitions: [PartitionResponse]

        package init(name: String = "", partitions: [PartitionResponse] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.partitions = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            try writer.writeArray(self.partitions, version: version)
            writer.writeNoTags()
        }
    }

    package struct PartitionResponse: MessageStructure {
        package var partitionIndex: Int32
        package var errorCode: KafkaError

        package init(partitionIndex: Int32 = 0, errorCode: KafkaError = .none) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partitionIndex = try reader.readInteger()
            self.errorCode = try KafkaError(from: &reader, version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            try self.errorCode.write(to: &writer, version: version)
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var topics: [TopicResponse]

    package init(throttleTimeMilliseconds: Int32 = 0, topics: [TopicResponse] = []) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.topics = topics
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 3 { self.throttleTimeMilliseconds = try reader.readInteger() }
        self.topics = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 3 { writer.writeInteger(self.throttleTimeMilliseconds) }
        try writer.writeArray(self.topics, version: version)
        writer.writeNoTags()
    }
}
