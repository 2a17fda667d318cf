package import NIOCore

/// Asks for batches from some offsets on.
package struct FetchRequest: KafkaRequest {
    package typealias Response = FetchResponse

    package static let apiKey = APIKey.fetch
    package static let versions: ClosedRange<Int16> = 4...13
    package static let firstFlexibleVersion: Int16 = 12

    package struct Topic: MessageStructure {
        package var topic: String
        package var topicID: TopicID
        package var partitions: [Partition]

        package init(topic: String = "", topicID: TopicID = .zero, partitions: [Partition] = []) {
            self.topic = topic
            self.topicID = topicID
            self.partitions = partitions
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            if version <= 12 { self.topic = try reader.readString() }
            if version >= 13 {
                self.topicID = try TopicID(from: &reader, version: version)
            }
            self.partitions = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            if version <= 12 { try writer.writeString(self.topic) }
            if version >= 13 { try self.topicID.write(to: &writer, version: version) }
            try writer.writeArray(self.partitions, version: version)
            writer.writeNoTags()
        }
    }

    package struct Partition: MessageStructure {
        package var partition: Int32
        package var currentLeaderEpoch: Int32
        package var fetchOffset: Int64
        package var lastFetchedEpoch: Int32
        package var logStartOffset: Int64
        package var partitionMaxBytes: Int32

        package init(
            partition: Int32 = 0,
            currentLeaderEpoch: Int32 = -1,
            fetchOffset: Int64 = 0,
            lastFetchedEpoch: Int32 = -1,
            logStartOffset: Int64 = -1,
            partitionMaxBytes: Int32 = 0
        ) {
            self.partition = partition
            self.currentLeaderEpoch = currentLeaderEpoch
            self.fetchOffset = fetchOffset
            self.lastFetchedEpoch = lastFetchedEpoch
            self.logStartOffset = logStartOffset
            self.partitionMaxBytes = partitionMaxBytes
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partition = try reader.readInteger()
            if version >= 9 { self.currentLeaderEpoch = try reader.readInteger() }
            self.fetchOffset = try reader.readInteger()
            if version >= 12 { self.lastFetchedEpoch = try reader.readInteger() }
            if version >= 5 { self.logStartOffset = try reader.readInteger() }
            self.partitionMaxBytes = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partition)
            if version >= 9 { writer.writeInteger(self.currentLeaderEpoch) }
            writer.writeInteger(self.fetchOffset)
            if version >= 12 { writer.writeInteger(self.lastFetchedEpoch) }
            if version >= 5 { writer.writeInteger(self.logStartOffset) }
            writer.writeInteger(self.partitionMaxBytes)
            writer.writeNoTags()
        }
    }

    package struct ForgottenTopic: MessageStructure {
        package var topic: String
        package var topicID: TopicID
        package var partitions: [Int32]

        package init(topic: String = "", topicID: TopicID = .zero, partitions: [Int32] = []) {
            self.topic = topic
            self.topicID = topicID
            self.partitions = partitions
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            if version <= 12 { self.topic = try reader.readString() }
            if version >= 13 {
                self.topicID = try TopicID(from: &reader, version: version)
            }
            self.partitions = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            if version <= 12 { try writer.writeString(self.topic) }
            if version >= 13 { try self.topicID.write(to: &writer, version: version) }
            try writer.writeArray(self.partitions, version: version)
            writer.writeNoTags()
        }
    }

    package var replicaID: Int32
    package var maxWaitMilliseconds: Int32
    package var minBytes: Int32
    package var maxBytes: Int32
    package var isolationLevel: Int8
    package var sessionID: Int32
    package var sessionEpoch: Int32
    package var topics: [Topic]
    package var forgottenTopicsData: [ForgottenTopic]
    package var rackID: String

    package init(
        replicaID: Int32 = -1,
        maxWaitMilliseconds: Int32 = 0,
        minBytes: Int32 = 0,
        maxBytes: Int32 = Int32.max,
        isolationLevel: Int8 = 0,
        sessionID: Int32 = 0,
        sessionEpoch: Int32 = -1,
        topics: [Topic] = [],
        forgottenTopicsData: [ForgottenTopic] = [],
        rackID: String = ""
    ) {
        self.replicaID = replicaID
        self.maxWaitMilliseconds = maxWaitMilliseconds
        self.minBytes = minBytes
        self.maxBytes = maxBytes
        self.isolationLevel = isolationLevel
        self.sessionID = sessionID
        self.sessionEpoch = sessionEpoch
        self.topics = topics
        self.forgottenTopicsData = forgottenTopicsData
        self.rackID = rackID
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.replicaID = try reader.readInteger()
        self.maxWaitMilliseconds = try reader.readInteger()
        self.minBytes = try reader.readInteger()
        self.maxBytes = try reader.readInteger()
        self.isolationLevel = try reader.readInteger()
        if version >= 7 {
            self.sessionID = try reader.readInteger()
            self.sessionEpoch = try reader.readInteger()
        }
        self.topics = try reader.readArray(version: version)
        if version >= 7 {
            self.forgottenTopicsData = try reader.readArray(version: version)
        }
        if version >= 11 { self.rackID = try reader.readString() }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.replicaID)
        writer.writeInteger(self.maxWaitMilliseconds)
        writer.writeInteger(self.minBytes)
        writer.writeInteger(self.maxBytes)
        writer.writeInteger(self.isolationLevel)
        if version >= 7 {
            writer.writeInteger(self.sessionID)
            writer.writeInteger(self.sessionEpoch)
        }
        try writer.writeArray(self.topics, version: version)
        if version >= 7 {
            try writer.writeArray(self.forgottenTopicsData, version: version)
        }
        if version >= 11 { try writer.writeString(self.rackID) }
        writer.writeNoTags()
    }
}

package struct FetchResponse: KafkaResponse {
    package struct TopicResponse: MessageStructure {
        package var topic: String
        package var topicID: TopicID
        package var partitions: [PartitionData]

        package init(
            topic: String = "",
            topicID: TopicID = .zero,
            partitions: [PartitionData] = []
        ) {
            self.topic = topic
            self.topicID = topicID
            self.partitions = partitions
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            if version <= 12 { self.topic = try reader.readString() }
            if version >= 13 {
                self.topicID = try TopicID(from: &reader, version: version)
            }
            self.partitions = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            if version <= 12 { try writer.writeString(self.topic) }
            if version >= 13 { try self.topicID.write(to: &writer, version: version) }
            try writer.writeArray(self.partitions, version: version)
            writer.writeNoTags()
        }
    }

    package struct PartitionData: MessageStructure {
        package var partitionIndex: Int32
        package var errorCode: KafkaError
        package var highWatermark: Int64
        package var lastStableOffset: Int64
        package var logStartOffset: Int64
        package var abortedTransactions: [AbortedTransaction]?
        package var preferredReadReplica: Int32
        package var records: ByteBuffer?

        package init(
            partitionIndex: Int32 = 0,
            errorCode: KafkaError = .none,
            highWatermark: Int64 = -1,
            lastStableOffset: Int64 = -1,
            logStartOffset: Int64 = -1,
            abortedTransactions: [AbortedTransaction]? = nil,
            preferredReadReplica: Int32 = -1,
            records: ByteBuffer? = nil
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.highWatermark = highWatermark
            self.lastStableOffset = lastStableOffset
            self.logStartOffset = logStartOffset
            self.abortedTransactions = abortedTransactions
            self.preferredReadReplica = preferredReadReplica
            self.records = records
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partitionIndex = try reader.readInteger()
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.highWatermark = try reader.readInteger()
            self.lastStableOffset = try reader.readInteger()
            if version >= 5 { self.logStartOffset = try reader.readInteger() }
            self.abortedTransactions = try reader.readNullableArray(version: version)
            if version >= 11 { self.preferredReadReplica = try reader.readInteger() }
            self.records = try reader.readNullableBytes()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            try self.errorCode.write(to: &writer, version: version)
            writer.writeInteger(self.highWatermark)
            writer.writeInteger(self.lastStableOffset)
            if version >= 5 { writer.writeInteger(self.logStartOffset) }
            try writer.writeNullableArray(self.abortedTransactions, version: version)
            if version >= 11 { writer.writeInteger(self.preferredReadReplica) }
            try writer.spliceNullableBytes(self.records)
            writer.writeNoTags()
        }
    }

    package struct AbortedTransaction: MessageStructure {
        package var producerID: Int64
        package var firstOffset: Int64

        package init(producerID: Int64 = 0, firstOffset: Int64 = 0) {
            self.producerID = producerID
            self.firstOffset = firstOffset
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.producerID = try reader.readInteger()
            self.firstOffset = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.producerID)
            writer.writeInteger(self.firstOffset)
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError
    package var sessionID: Int32
    package var responses: [TopicResponse]

    package init(
        throttleTimeMilliseconds: Int32 = 0,
        errorCode: KafkaError = .none,
        sessionID: Int32 = 0,
        responses: [TopicResponse] = []
    ) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.errorCode = errorCode
        self.sessionID = sessionID
        self.responses = responses
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.throttleTimeMilliseconds = try reader.readInteger()
        if version >= 7 {
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.sessionID = try reader.readInteger()
        }
        self.responses = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.throttleTimeMilliseconds)
        if version >= 7 {
            try self.errorCode.write(to: &writer, version: version)
            writer.writeInteger(self.sessionID)
        }
        try writer.writeArray(self.responses, version: version)
        writer.writeNoTags()
    }
}
