/// Makes topics.
package struct CreateTopicsRequest: KafkaRequest {
    package typealias Response = CreateTopicsResponse

    package static let apiKey = APIKey.createTopics
    package static let versions: ClosedRange<Int16> = 2...7
    package static let firstFlexibleVersion: Int16 = 5

    package struct Topic: MessageStructure {
        package var name: String
        package var numPartitions: Int32
        package var replicationFactor: Int16
        package var assignments: [Assignment]
        package var configs: [Config]

        package init(
            name: String = "",
            numPartitions: Int32 = -1,
            replicationFactor: Int16 = -1,
            assignments: [Assignment] = [],
            configs: [Config] = []
        ) {
            self.name = name
            self.numPartitions = numPartitions
            self.replicationFactor = replicationFactor
            self.assignments = assignments
            self.configs = configs
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.numPartitions = try reader.readInteger()
            self.replicationFactor = try reader.readInteger()
            self.assignments = try reader.readArray(version: version)
            self.configs = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            writer.writeInteger(self.numPartitions)
            writer.writeInteger(self.replicationFactor)
            try writer.writeArray(self.assignments, version: version)
            try writer.writeArray(self.configs, version: version)
            writer.writeNoTags()
        }
    }

    package struct Assignment: MessageStructure {
        package var partitionIndex: Int32
        package var brokerIDs: [Int32]

        package init(partitionIndex: Int32 = 0, brokerIDs: [Int32] = []) {
            self.partitionIndex = partitionIndex
            self.brokerIDs = brokerIDs
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partitionIndex = try reader.readInteger()
            self.brokerIDs = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            try writer.writeArray(self.brokerIDs, version: version)
            writer.writeNoTags()
        }
    }

    package struct Config: MessageStructure {
        package var name: String
        package var value: String?

        package init(name: String = "", value: String? = nil) {
            self.name = name
            self.value = value
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.value = try reader.readNullableString()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            try writer.writeNullableString(self.value)
            writer.writeNoTags()
        }
    }

    package var topics: [Topic]
    package var timeoutMilliseconds: Int32
    package var validateOnly: Bool

    package init(
        topics: [Topic] = [],
        timeoutMilliseconds: Int32 = 60_000,
        validateOnly: Bool = false
    ) {
        self.topics = topics
        self.timeoutMilliseconds = timeoutMilliseconds
        self.validateOnly = validateOnly
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.topics = try reader.readArray(version: version)
        self.timeoutMilliseconds = try reader.readInteger()
        self.validateOnly = try reader.readBool()
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeArray(self.topics, version: version)
        writer.writeInteger(self.timeoutMilliseconds)
        writer.writeBool(self.validateOnly)
        writer.writeNoTags()
    }
}

package struct CreateTopicsResponse: KafkaResponse {
    package struct TopicResult: MessageStructure {
        package var name: String
        package var topicID: TopicID
        package var errorCode: KafkaError
        package var errorMessage: String?
        package var numPartitions: Int32
        package var replicationFactor: Int16
        package var configs: [Config]?

        package init(
            name: String = "",
            topicID: TopicID = .zero,
            errorCode: KafkaError = .none,
            errorMessage: String? = nil,
            numPartitions: Int32 = -1,
            replicationFactor: Int16 = -1,
            configs: [Config]? = nil
        ) {
            self.name = name
            self.topicID = topicID
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.numPartitions = numPartitions
            self.replicationFactor = replicationFactor
            self.configs = configs
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            if version >= 7 {
                self.topicID = try TopicID(from: &reader, version: version)
            }
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.errorMessage = try reader.readNullableString()
            if version >= 5 {
                self.numPartitions = try reader.readInteger()
                self.replicationFactor = try reader.readInteger()
                self.configs = try reader.readNullableArray(version: version)
            }
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            if version >= 7 { try self.topicID.write(to: &writer, version: version) }
            try self.errorCode.write(to: &writer, version: version)
            try writer.writeNullableString(self.errorMessage)
            if version >= 5 {
                writer.writeInteger(self.numPartitions)
                writer.writeInteger(self.replicationFactor)
                try writer.writeNullableArray(self.configs, version: version)
            }
            writer.writeNoTags()
        }
    }

    package struct Config: MessageStructure {
        package var name: String
        package var value: String?
        package var readOnly: Bool
        package var configSource: Int8
        package var isSensitive: Bool

        package init(
            name: String = "",
            value: String? = nil,
            readOnly: Bool = false,
            configSource: Int8 = -1,
            isSensitive: Bool = false
        ) {
            self.name = name
            self.value = value
            self.readOnly = readOnly
            self.configSource = configSource
            self.isSensitive = isSensitive
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.value = try reader.readNullableString()
            self.readOnly = try reader.readBool()
            self.configSource = try reader.readInteger()
            self.isSensitive = try reader.readBool()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            try writer.writeNullableString(self.value)
            writer.writeBool(self.readOnly)
            writer.writeInteger(self.configSource)
            writer.writeBool(self.isSensitive)
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var topics: [TopicResult]

    package init(throttleTimeMilliseconds: Int32 = 0, topics: [TopicResult] = []) {
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
