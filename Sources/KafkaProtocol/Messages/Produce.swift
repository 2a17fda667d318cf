package import NIOCore

/// Sends one batch for each of some partitions.
package struct ProduceRequest: KafkaRequest {
    package typealias Response = ProduceResponse

    package static let apiKey = APIKey.produce
    package static let versions: ClosedRange<Int16> = 3...13
    package static let firstFlexibleVersion: Int16 = 9

    package struct TopicData: MessageStructure {
        package var name: String
        package var topicID: TopicID
        package var partitionData: [PartitionData]

        package init(
            name: String = "",
            topicID: TopicID = .zero,
            partitionData: [PartitionData] = []
        ) {
            self.name = name
            self.topicID = topicID
            self.partitionData = partitionData
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            if version <= 12 { self.name = try reader.readString() }
            if version >= 13 {
                self.topicID = try TopicID(from: &reader, version: version)
            }
            self.partitionData = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            if version <= 12 { try writer.writeString(self.name) }
            if version >= 13 { try self.topicID.write(to: &writer, version: version) }
            try writer.writeArray(self.partitionData, version: version)
            writer.writeNoTags()
        }
    }

    package struct PartitionData: MessageStructure {
        package var index: Int32
        /// The batch; it is referred to when written, not copied.
        package var records: ByteBuffer?

        package init(index: Int32 = 0, records: ByteBuffer? = nil) {
            self.index = index
            self.records = records
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.index = try reader.readInteger()
            self.records = try reader.readNullableBytes()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.index)
            try writer.spliceNullableBytes(self.records)
            writer.writeNoTags()
        }
    }

    package var transactionalID: String?
    package var acks: Int16
    package var timeoutMilliseconds: Int32
    package var topicData: [TopicData]

    package init(
        transactionalID: String? = nil,
        acks: Int16 = -1,
        timeoutMilliseconds: Int32 = 30_000,
        topicData: [TopicData] = []
    ) {
        self.transactionalID = transactionalID
        self.acks = acks
        self.timeoutMilliseconds = timeoutMilliseconds
        self.topicData = topicData
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.transactionalID = try reader.readNullableString()
        self.acks = try reader.readInteger()
        self.timeoutMilliseconds = try reader.readInteger()
        self.topicData = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeNullableString(self.transactionalID)
        writer.writeInteger(self.acks)
        writer.writeInteger(self.timeoutMilliseconds)
        try writer.writeArray(self.topicData, version: version)
        writer.writeNoTags()
    }
}

package struct ProduceResponse: KafkaResponse {
    package struct TopicResponse: MessageStructure {
        package var name: String
        package var topicID: TopicID
        package var partitionResponses: [PartitionResponse]

        package init(
            name: String = "",
            topicID: TopicID = .zero,
            partitionResponses: [PartitionResponse] = []
        ) {
            self.name = name
            self.topicID = topicID
            self.partitionResponses = partitionResponses
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            if version <= 12 { self.name = try reader.readString() }
            if version >= 13 {
                self.topicID = try TopicID(from: &reader, version: version)
            }
            self.partitionResponses = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            if version <= 12 { try writer.writeString(self.name) }
            if version >= 13 { try self.topicID.write(to: &writer, version: version) }
            try writer.writeArray(self.partitionResponses, version: version)
            writer.writeNoTags()
        }
    }

    package struct PartitionResponse: MessageStructure {
        package var index: Int32
        package var errorCode: KafkaError
        package var baseOffset: Int64
        package var logAppendTimeMilliseconds: Int64
        package var logStartOffset: Int64
        package var recordErrors: [RecordError]
        package var errorMessage: String?
        /// The leader that the broker knows of when it is not the leader itself.
        package var currentLeader: CurrentLeader?

        package init(
            index: Int32 = 0,
            errorCode: KafkaError = .none,
            baseOffset: Int64 = -1,
            logAppendTimeMilliseconds: Int64 = -1,
            logStartOffset: Int64 = -1,
            recordErrors: [RecordError] = [],
            errorMessage: String? = nil,
            currentLeader: CurrentLeader? = nil
        ) {
            self.index = index
            self.errorCode = errorCode
            self.baseOffset = baseOffset
            self.logAppendTimeMilliseconds = logAppendTimeMilliseconds
            self.logStartOffset = logStartOffset
            self.recordErrors = recordErrors
            self.errorMessage = errorMessage
            self.currentLeader = currentLeader
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.index = try reader.readInteger()
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.baseOffset = try reader.readInteger()
            self.logAppendTimeMilliseconds = try reader.readInteger()
            if version >= 5 { self.logStartOffset = try reader.readInteger() }
            if version >= 8 {
                self.recordErrors = try reader.readArray(version: version)
                self.errorMessage = try reader.readNullableString()
            }
            try reader.readTags { tag, reader in
                guard tag == 0 else { return }
                self.currentLeader = try CurrentLeader(from: &reader, version: version)
            }
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.index)
            try self.errorCode.write(to: &writer, version: version)
            writer.writeInteger(self.baseOffset)
            writer.writeInteger(self.logAppendTimeMilliseconds)
            if version >= 5 { writer.writeInteger(self.logStartOffset) }
            if version >= 8 {
                try writer.writeArray(self.recordErrors, version: version)
                try writer.writeNullableString(self.errorMessage)
            }
            guard version >= 10, let currentLeader = self.currentLeader else {
                return writer.writeNoTags()
            }
            try writer.writeTag(0) { try currentLeader.write(to: &$0, version: version) }
        }
    }

    /// Which record of a batch is at fault.
    package struct RecordError: MessageStructure {
        package var batchIndex: Int32
        package var batchIndexErrorMessage: String?

        package init(batchIndex: Int32 = 0, batchIndexErrorMessage: String? = nil) {
            self.batchIndex = batchIndex
            self.batchIndexErrorMessage = batchIndexErrorMessage
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.batchIndex = try reader.readInteger()
            self.batchIndexErrorMessage = try reader.readNullableString()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.batchIndex)
            try writer.writeNullableString(self.batchIndexErrorMessage)
            writer.writeNoTags()
        }
    }

    package struct CurrentLeader: MessageStructure {
        package var leaderID: Int32
        package var leaderEpoch: Int32

        package init(leaderID: Int32 = -1, leaderEpoch: Int32 = -1) {
            self.leaderID = leaderID
            self.leaderEpoch = leaderEpoch
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.leaderID = try reader.readInteger()
            self.leaderEpoch = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.leaderID)
            writer.writeInteger(self.leaderEpoch)
            writer.writeNoTags()
        }
    }

    package struct NodeEndpoint: MessageStructure {
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
            self.rack = try reader.readNullableString()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.nodeID)
            try writer.writeString(self.host)
            writer.writeInteger(self.port)
            try writer.writeNullableString(self.rack)
            writer.writeNoTags()
        }
    }

    package var responses: [TopicResponse]
    package var throttleTimeMilliseconds: Int32
    /// Where the leaders are that the answer names.
    package var nodeEndpoints: [NodeEndpoint]

    package init(
        responses: [TopicResponse] = [],
        throttleTimeMilliseconds: Int32 = 0,
        nodeEndpoints: [NodeEndpoint] = []
    ) {
        self.responses = responses
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.nodeEndpoints = nodeEndpoints
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.responses = try reader.readArray(version: version)
        self.throttleTimeMilliseconds = try reader.readInteger()
        try reader.readTags { tag, reader in
            guard tag == 0 else { return }
            self.nodeEndpoints = try reader.readArray(version: version)
        }
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeArray(self.responses, version: version)
        writer.writeInteger(self.throttleTimeMilliseconds)
        guard version >= 10, !self.nodeEndpoints.isEmpty else { return writer.writeNoTags() }
        try writer.writeTag(0) { try $0.writeArray(self.nodeEndpoints, version: version) }
    }
}
