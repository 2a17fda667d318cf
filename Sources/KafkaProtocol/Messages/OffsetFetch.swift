/// Asks how far a consumer group has come.
package struct OffsetFetchRequest: KafkaRequest {
    package typealias Response = OffsetFetchResponse

    package static let apiKey = APIKey.offsetFetch
    package static let versions: ClosedRange<Int16> = 1...9
    package static let firstFlexibleVersion: Int16 = 6

    package struct Group: MessageStructure {
        package var groupID: String
        package var memberID: String?
        package var memberEpoch: Int32
        package var topics: [Topic]?

        package init(
            groupID: String = "",
            memberID: String? = nil,
            memberEpoch: Int32 = -1,
            topics: [Topic]? = nil
        ) {
            self.groupID = groupID
            self.memberID = memberID
            self.memberEpoch = memberEpoch
            self.topics = topics
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.groupID = try reader.readString()
            if version >= 9 {
                self.memberID = try reader.readNullableString()
                self.memberEpoch = try reader.readInteger()
            }
            self.topics = try reader.readNullableArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.groupID)
            if version >= 9 {
                try writer.writeNullableString(self.memberID)
                writer.writeInteger(self.memberEpoch)
            }
            try writer.writeNullableArray(self.topics, version: version)
            writer.writeNoTags()
        }
    }

    package struct Topic: MessageStructure {
        package var name: String
        package var partitionIndexes: [Int32]

        package init(name: String = "", partitionIndexes: [Int32] = []) {
            self.name = name
            self.partitionIndexes = partitionIndexes
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.partitionIndexes = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            try writer.writeArray(self.partitionIndexes, version: version)
            writer.writeNoTags()
        }
    }

    package var groupID: String
    /// Null asks for all topics, from version 2 on.
    package var topics: [Topic]?
    package var groups: [Group]
    package var requireStable: Bool

    package init(
        groupID: String = "",
        topics: [Topic]? = nil,
        groups: [Group] = [],
        requireStable: Bool = false
    ) {
        self.groupID = groupID
        self.topics = topics
        self.groups = groups
        self.requireStable = requireStable
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version <= 7 {
            self.groupID = try reader.readString()
            self.topics = try reader.readNullableArray(version: version)
        }
        if version >= 8 { self.groups = try reader.readArray(version: version) }
        if version >= 7 { self.requireStable = try reader.readBool() }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version <= 7 {
            try writer.writeString(self.groupID)
            try writer.writeNullableArray(self.topics, version: version)
        }
        if version >= 8 { try writer.writeArray(self.groups, version: version) }
        if version >= 7 { writer.writeBool(self.requireStable) }
        writer.writeNoTags()
    }
}

package struct OffsetFetchResponse: KafkaResponse {
    package struct GroupResponse: MessageStructure {
        package var groupID: String
        package var topics: [TopicResponse]
        package var errorCode: KafkaError

        package init(
            groupID: String = "",
            topics: [TopicResponse] = [],
            errorCode: KafkaError = .none
        ) {
            self.groupID = groupID
            self.topics = topics
            self.errorCode = errorCode
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.groupID = try reader.readString()
            self.topics = try reader.readArray(version: version)
            self.errorCode = try KafkaError(from: &reader, version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.groupID)
            try writer.writeArray(self.topics, version: version)
            try self.errorCode.write(to: &writer, version: version)
            writer.writeNoTags()
        }
    }

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
        package var committedOffset: Int64
        package var committedLeaderEpoch: Int32
        package var metadata: String?
        package var errorCode: KafkaError

        package init(
            partitionIndex: Int32 = 0,
            committedOffset: Int64 = -1,
            committedLeaderEpoch: Int32 = -1,
            metadata: String? = nil,
            errorCode: KafkaError = .none
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.metadata = metadata
            self.errorCode = errorCode
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partitionIndex = try reader.readInteger()
            self.committedOffset = try reader.readInteger()
            if version >= 5 { self.committedLeaderEpoch = try reader.readInteger() }
            self.metadata = try reader.readNullableString()
            self.errorCode = try KafkaError(from: &reader, version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            writer.writeInteger(self.committedOffset)
            if version >= 5 { writer.writeInteger(self.committedLeaderEpoch) }
            try writer.writeNullableString(self.metadata)
            try self.errorCode.write(to: &writer, version: version)
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var topics: [TopicResponse]
    package var errorCode: KafkaError
    package var groups: [GroupResponse]

    package init(
        throttleTimeMilliseconds: Int32 = 0,
        topics: [TopicResponse] = [],
        errorCode: KafkaError = .none,
        groups: [GroupResponse] = []
    ) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.topics = topics
        self.errorCode = errorCode
        self.groups = groups
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 3 { self.throttleTimeMilliseconds = try reader.readInteger() }
        if version <= 7 { self.topics = try reader.readArray(version: version) }
        if (2...7).contains(version) {
            self.errorCode = try KafkaError(from: &reader, version: version)
        }
        if version >= 8 { self.groups = try reader.readArray(version: version) }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 3 { writer.writeInteger(self.throttleTimeMilliseconds) }
        if version <= 7 { try writer.writeArray(self.topics, version: version) }
        if (2...7).contains(version) {
            try self.errorCode.write(to: &writer, version: version)
        }
        if version >= 8 { try writer.writeArray(self.groups, version: version) }
        writer.writeNoTags()
    }
}
