/// Asks for the offsets that belong to timestamps, or to the log's ends.
package struct ListOffsetsRequest: KafkaRequest {
    package typealias Response = ListOffsetsResponse

    package static let apiKey = APIKey.listOffsets
    package static let versions: ClosedRange<Int16> = 1...7
    package static let firstFlexibleVersion: Int16 = 6

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
        package var currentLeaderEpoch: Int32
        /// Milliseconds, -1 for the end, -2 for the beginning, -3 for the latest timestamp.
        package var timestamp: Int64

        package init(
            partitionIndex: Int32 = 0,
            currentLeaderEpoch: Int32 = -1,
            timestamp: Int64 = -1
        ) {
            self.partitionIndex = partitionIndex
            self.currentLeaderEpoch = currentLeaderEpoch
            self.timestamp = timestamp
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partitionIndex = try reader.readInteger()
            if version >= 4 { self.currentLeaderEpoch = try reader.readInteger() }
            self.timestamp = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            if version >= 4 { writer.writeInteger(self.currentLeaderEpoch) }
            writer.writeInteger(self.timestamp)
            writer.writeNoTags()
        }
    }

    package var replicaID: Int32
    package var isolationLevel: Int8
    package var topics: [Topic]

    package init(replicaID: Int32 = -1, isolationLevel: Int8 = 0, topics: [Topic] = []) {
        self.replicaID = replicaID
        self.isolationLevel = isolationLevel
        self.topics = topics
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.replicaID = try reader.readInteger()
        if version >= 2 { self.isolationLevel = try reader.readInteger() }
        self.topics = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.replicaID)
        if version >= 2 { writer.writeInteger(self.isolationLevel) }
        try writer.writeArray(self.topics, version: version)
        writer.writeNoTags()
    }
}

package struct ListOffsetsResponse: KafkaResponse {
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
        package var timestamp: Int64
        package var offset: Int64
        package var leaderEpoch: Int32

        package init(
            partitionIndex: Int32 = 0,
            errorCode: KafkaError = .none,
            timestamp: Int64 = -1,
            offset: Int64 = -1,
            leaderEpoch: Int32 = -1
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.timestamp = timestamp
            self.offset = offset
            self.leaderEpoch = leaderEpoch
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partitionIndex = try reader.readInteger()
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.timestamp = try reader.readInteger()
            self.offset = try reader.readInteger()
            if version >= 4 { self.leaderEpoch = try reader.readInteger() }
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            try self.errorCode.write(to: &writer, version: version)
            writer.writeInteger(self.timestamp)
            writer.writeInteger(self.offset)
            if version >= 4 { writer.writeInteger(self.leaderEpoch) }
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
        if version >= 2 { self.throttleTimeMilliseconds = try reader.readInteger() }
        self.topics = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 2 { writer.writeInteger(self.throttleTimeMilliseconds) }
        try writer.writeArray(self.topics, version: version)
        writer.writeNoTags()
    }
}
