/// Adds partitions to the transaction of a producer.
///
/// Versions from 4 on are spoken between brokers only.
package struct AddPartitionsToTxnRequest: KafkaRequest {
    package typealias Response = AddPartitionsToTxnResponse

    package static let apiKey = APIKey.addPartitionsToTxn
    package static let versions: ClosedRange<Int16> = 0...3
    package static let firstFlexibleVersion: Int16 = 3

    package struct Topic: MessageStructure {
        package var name: String
        package var partitions: [Int32]

        package init(name: String = "", partitions: [Int32] = []) {
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

    package var transactionalID: String
    package var producerID: Int64
    package var producerEpoch: Int16
    package var topics: [Topic]

    package init(
        transactionalID: String = "",
        producerID: Int64 = -1,
        producerEpoch: Int16 = -1,
        topics: [Topic] = []
    ) {
        self.transactionalID = transactionalID
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.topics = topics
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.transactionalID = try reader.readString()
        self.producerID = try reader.readInteger()
        self.producerEpoch = try reader.readInteger()
        self.topics = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.transactionalID)
        writer.writeInteger(self.producerID)
        writer.writeInteger(self.producerEpoch)
        try writer.writeArray(self.topics, version: version)
        writer.writeNoTags()
    }
}

package struct AddPartitionsToTxnResponse: KafkaResponse {
    package struct Partition: MessageStructure {
        package var index: Int32
        package var errorCode: KafkaError

        package init(index: Int32 = 0, errorCode: KafkaError = .none) {
            self.index = index
            self.errorCode = errorCode
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.index = try reader.readInteger()
            self.errorCode = try KafkaError(from: &reader, version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.index)
            try self.errorCode.write(to: &writer, version: version)
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
