/// Asks for brokers, topics, and who leads their partitions.
package struct MetadataRequest: KafkaRequest {
    package typealias Response = MetadataResponse

    package static let apiKey = APIKey.metadata
    package static let versions: ClosedRange<Int16> = 0...13
    package static let firstFlexibleVersion: Int16 = 9

    package struct Topic: MessageStructure {
        package var topicID: TopicID
        /// Null from version 12 on where the id is meant.
        package var name: String?

        package init(topicID: TopicID = .zero, name: String? = nil) {
            self.topicID = topicID
            self.name = name
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            if version >= 10 {
                self.topicID = try TopicID(from: &reader, version: version)
            }
            self.name = try reader.readNullableString()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            if version >= 10 { try self.topicID.write(to: &writer, version: version) }
            try writer.writeNullableString(self.name)
            writer.writeNoTags()
        }
    }

    /// Null asks for all topics.
    package var topics: [Topic]?
    package var allowAutoTopicCreation: Bool
    package var includeClusterAuthorizedOperations: Bool
    package var includeTopicAuthorizedOperations: Bool

    package init(
        topics: [Topic]? = nil,
        allowAutoTopicCreation: Bool = true,
        includeClusterAuthorizedOperations: Bool = false,
        includeTopicAuthorizedOperations: Bool = false
    ) {
        self.topics = topics
        self.allowAutoTopicCreation = allowAutoTopicCreation
        self.includeClusterAuthorizedOperations = includeClusterAuthorizedOperations
        self.includeTopicAuthorizedOperations = includeTopicAuthorizedOperations
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.topics = try reader.readNullableArray(version: version)
        if version >= 4 { self.allowAutoTopicCreation = try reader.readBool() }
        if (8...10).contains(version) {
            self.includeClusterAuthorizedOperations = try reader.readBool()
        }
        if version >= 8 {
            self.includeTopicAuthorizedOperations = try reader.readBool()
        }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeNullableArray(self.topics, version: version)
        if version >= 4 { writer.writeBool(self.allowAutoTopicCreation) }
        if (8...10).contains(version) {
            writer.writeBool(self.includeClusterAuthorizedOperations)
        }
        if version >= 8 { writer.writeBool(self.includeTopicAuthorizedOperations) }
        writer.writeNoTags()
    }
}

package struct MetadataResponse: KafkaResponse {
    package struct Broker: MessageStructure {
        package var nodeID: Int32
        package var host: String
        package var port: Int32
        package var rack: String?

        package init(nodeID: Int32 = 0, host: String = "", port: Int32 = 0, rack: String? = nil) {
            self.nodeID = nodeID
            self.host = host
            self.port = port
            self.rack = rack
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.nodeID = try reader.readInteger()
            self.host = try reader.readString()
            self.port = try reader.readInteger()
            if version >= 1 { self.rack = try reader.readNullableString() }
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.nodeID)
            try writer.writeString(self.host)
            writer.writeInteger(self.port)
            if version >= 1 { try writer.writeNullableString(self.rack) }
            writer.writeNoTags()
        }
    }

    package struct TopicResponse: MessageStructure {
        package var errorCode: KafkaError
        /// Null where the topic was asked for by an id that is not known.
        package var name: String?
        package var topicID: TopicID
        package var isInternal: Bool
        package var partitions: [Partition]
        package var topicAuthorizedOperations: Int32

        package init(
            errorCode: KafkaError = .none,
            name: String? = nil,
            topicID: TopicID = .zero,
            isInternal: Bool = false,
            partitions: [Partition] = [],
            topicAuthorizedOperations: Int32 = Int32.min
        ) {
            self.errorCode = errorCode
            self.name = name
            self.topicID = topicID
            self.isInternal = isInternal
            self.partitions = partitions
            self.topicAuthorizedOperations = topicAuthorizedOperations
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.name = try reader.readNullableString()
            if version >= 10 {
                self.topicID = try TopicID(from: &reader, version: version)
            }
            if version >= 1 { self.isInternal = try reader.readBool() }
            self.partitions = try reader.readArray(version: version)
            if version >= 8 { self.topicAuthorizedOperations = try reader.readInteger() }
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try self.errorCode.write(to: &writer, version: version)
            try writer.writeNullableString(self.name ?? (version >= 12 ? nil : ""))
            if version >= 10 { try self.topicID.write(to: &writer, version: version) }
            if version >= 1 { writer.writeBool(self.isInternal) }
            try writer.writeArray(self.partitions, version: version)
            if version >= 8 { writer.writeInteger(self.topicAuthorizedOperations) }
            writer.writeNoTags()
        }
    }

    package struct Partition: MessageStructure {
        package var errorCode: KafkaError
        package var partitionIndex: Int32
        package var leaderID: Int32
        package var leaderEpoch: Int32
        package var replicaNodes: [Int32]
        package var isrNodes: [Int32]
        package var offlineReplicas: [Int32]

        package init(
            errorCode: KafkaError = .none,
            partitionIndex: Int32 = 0,
            leaderID: Int32 = -1,
            leaderEpoch: Int32 = -1,
            replicaNodes: [Int32] = [],
            isrNodes: [Int32] = [],
            offlineReplicas: [Int32] = []
        ) {
            self.errorCode = errorCode
            self.partitionIndex = partitionIndex
            self.leaderID = leaderID
            self.leaderEpoch = leaderEpoch
            self.replicaNodes = replicaNodes
            self.isrNodes = isrNodes
            self.offlineReplicas = offlineReplicas
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.partitionIndex = try reader.readInteger()
            self.leaderID = try reader.readInteger()
            if version >= 7 { self.leaderEpoch = try reader.readInteger() }
            self.replicaNodes = try reader.readArray(version: version)
            self.isrNodes = try reader.readArray(version: version)
            if version >= 5 {
                self.offlineReplicas = try reader.readArray(version: version)
            }
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try self.errorCode.write(to: &writer, version: version)
            writer.writeInteger(self.partitionIndex)
            writer.writeInteger(self.leaderID)
            if version >= 7 { writer.writeInteger(self.leaderEpoch) }
            try writer.writeArray(self.replicaNodes, version: version)
            try writer.writeArray(self.isrNodes, version: version)
            if version >= 5 {
                try writer.writeArray(self.offlineReplicas, version: version)
            }
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var brokers: [Broker]
    package var clusterID: String?
    package var controllerID: Int32
    package var topics: [TopicResponse]
    package var clusterAuthorizedOperations: Int32
    package var errorCode: KafkaError

    package init(
        throttleTimeMilliseconds: Int32 = 0,
        brokers: [Broker] = [],
        clusterID: String? = nil,
        controllerID: Int32 = -1,
        topics: [TopicResponse] = [],
        clusterAuthorizedOperations: Int32 = Int32.min,
        errorCode: KafkaError = .none
    ) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.brokers = brokers
        self.clusterID = clusterID
        self.controllerID = controllerID
        self.topics = topics
        self.clusterAuthorizedOperations = clusterAuthorizedOperations
        self.errorCode = errorCode
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 3 { self.throttleTimeMilliseconds = try reader.readInteger() }
        self.brokers = try reader.readArray(version: version)
        if version >= 2 { self.clusterID = try reader.readNullableString() }
        if version >= 1 { self.controllerID = try reader.readInteger() }
        self.topics = try reader.readArray(version: version)
        if (8...10).contains(version) {
            self.clusterAuthorizedOperations = try reader.readInteger()
        }
        if version >= 13 {
            self.errorCode = try KafkaError(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 3 { writer.writeInteger(self.throttleTimeMilliseconds) }
        try writer.writeArray(self.brokers, version: version)
        if version >= 2 { try writer.writeNullableString(self.clusterID) }
        if version >= 1 { writer.writeInteger(self.controllerID) }
        try writer.writeArray(self.topics, version: version)
        if (8...10).contains(version) {
            writer.writeInteger(self.clusterAuthorizedOperations)
        }
        if version >= 13 { try self.errorCode.write(to: &writer, version: version) }
        writer.writeNoTags()
    }
}
