/// Stores how far a consumer group has come, as part of a producer's transaction.
package struct TxnOffsetCommitRequest: KafkaRequest {
    package typealias Response = TxnOffsetCommitResponse

    package static let apiKey = APIKey.txnOffsetCommit
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexibleVersion: Int16 = 3

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
            if version >= 2 { self.committedLeaderEpoch = try reader.readInteger() }
            self.committedMetadata = try reader.readNullableString()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            writer.writeInteger(self.committedOffset)
            if version >= 2 { writer.writeInteger(self.committedLeaderEpoch) }
            try writer.writeNullableString(self.committedMetadata)
            writer.writeNoTags()
        }
    }

    package var transactionalID: String
    package var groupID: String
    package var producerID: Int64
    package var producerEpoch: Int16
    /// From version 3 on, as are the next two; -1 where no member of the group asks (KIP-447).
    package var generationID: Int32
    package var memberID: String
    package var groupInstanceID: String?
    package var topics: [Topic]

    package init(
        transactionalID: String = "",
        groupID: String = "",
        producerID: Int64 = -1,
        producerEpoch: Int16 = -1,
        generationID: Int32 = -1,
        memberID: String = "",
        groupInstanceID: String? = nil,
        topics: [Topic] = []
    ) {
        self.transactionalID = transactionalID
        self.groupID = groupID
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.generationID = generationID
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
        self.topics = topics
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.transactionalID = try reader.readString()
        self.groupID = try reader.readString()
        self.producerID = try reader.readInteger()
        self.producerEpoch = try reader.readInteger()
        if version >= 3 {
            self.generationID = try reader.readInteger()
            self.memberID = try reader.readString()
            self.groupInstanceID = try reader.readNullableString()
        }
        self.topics = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.transactionalID)
        try writer.writeString(self.groupID)
        writer.writeInteger(self.producerID)
        writer.writeInteger(self.producerEpoch)
        if version >= 3 {
            writer.writeInteger(self.generationID)
            try writer.writeString(self.memberID)
            try writer.writeNullableString(self.groupInstanceID)
        }
        try writer.writeArray(self.topics, version: version)
        writer.writeNoTags()
    }
}

package struct TxnOffsetCommitResponse: KafkaResponse {
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
    package var topics: [Topic]

    package init(throttleTimeMilliseconds: Int32 = 0, topics: [Topic] = []) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.topics = topics
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.throttleTimeMilliseconds = try reader.readInteger()
        self.topics = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.throttleTimeMilliseconds)
        try writer.writeArray(self.topics, version: version)
        writer.writeNoTags()
    }
}
