/// Asks what partitions remember of their producers (KIP-664); any replica answers.
package struct DescribeProducersRequest: KafkaRequest {
    package typealias Response = DescribeProducersResponse

    package static let apiKey = APIKey.describeProducers
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexibleVersion: Int16 = 0

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

    package var topics: [Topic]

    package init(topics: [Topic] = []) {
        self.topics = topics
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.topics = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeArray(self.topics, version: version)
        writer.writeNoTags()
    }
}

package struct DescribeProducersResponse: KafkaResponse {
    package struct Producer: MessageStructure {
        package var producerID: Int64
        package var producerEpoch: Int32
        /// -1 where none is known.
        package var lastSequence: Int32
        /// Milliseconds, of the newest record or marker; -1 where none is known.
        package var lastTimestamp: Int64
        package var coordinatorEpoch: Int32
        /// Where the open transaction began, -1 without one.
        package var currentTransactionStartOffset: Int64

        package init(
            producerID: Int64 = -1,
            producerEpoch: Int32 = -1,
            lastSequence: Int32 = -1,
            lastTimestamp: Int64 = -1,
            coordinatorEpoch: Int32 = -1,
            currentTransactionStartOffset: Int64 = -1
        ) {
            self.producerID = producerID
            self.producerEpoch = producerEpoch
            self.lastSequence = lastSequence
            self.lastTimestamp = lastTimestamp
            self.coordinatorEpoch = coordinatorEpoch
            self.currentTransactionStartOffset = currentTransactionStartOffset
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.producerID = try reader.readInteger()
            self.producerEpoch = try reader.readInteger()
            self.lastSequence = try reader.readInteger()
            self.lastTimestamp = try reader.readInteger()
            self.coordinatorEpoch = try reader.readInteger()
            self.currentTransactionStartOffset = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.producerID)
            writer.writeInteger(self.producerEpoch)
            writer.writeInteger(self.lastSequence)
            writer.writeInteger(self.lastTimestamp)
            writer.writeInteger(self.coordinatorEpoch)
            writer.writeInteger(self.currentTransactionStartOffset)
            writer.writeNoTags()
        }
    }

    package struct Partition: MessageStructure {
        package var partitionIndex: Int32
        package var errorCode: KafkaError
        package var errorMessage: String?
        package var activeProducers: [Producer]

        package init(
            partitionIndex: Int32 = 0,
            errorCode: KafkaError = .none,
            errorMessage: String? = nil,
            activeProducers: [Producer] = []
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.activeProducers = activeProducers
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.partitionIndex = try reader.readInteger()
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.errorMessage = try reader.readNullableString()
            self.activeProducers = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.partitionIndex)
            try self.errorCode.write(to: &writer, version: version)
            try writer.writeNullableString(self.errorMessage)
            try writer.writeArray(self.activeProducers, version: version)
            writer.writeNoTags()
        }
    }

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
