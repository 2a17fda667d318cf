/// Adds the offsets of a consumer group to the transaction of a producer.
package struct AddOffsetsToTxnRequest: KafkaRequest {
    package typealias Response = AddOffsetsToTxnResponse

    package static let apiKey = APIKey.addOffsetsToTxn
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexibleVersion: Int16 = 3

    package var transactionalID: String
    package var producerID: Int64
    package var producerEpoch: Int16
    package var groupID: String

    package init(
        transactionalID: String = "",
        producerID: Int64 = -1,
        producerEpoch: Int16 = -1,
        groupID: String = ""
    ) {
        self.transactionalID = transactionalID
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.groupID = groupID
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.transactionalID = try reader.readString()
        self.producerID = try reader.readInteger()
        self.producerEpoch = try reader.readInteger()
        self.groupID = try reader.readString()
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.transactionalID)
        writer.writeInteger(self.producerID)
        writer.writeInteger(self.producerEpoch)
        try writer.writeString(self.groupID)
        writer.writeNoTags()
    }
}

package struct AddOffsetsToTxnResponse: KafkaResponse {
    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError

    package init(throttleTimeMilliseconds: Int32 = 0, errorCode: KafkaError = .none) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.errorCode = errorCode
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.throttleTimeMilliseconds = try reader.readInteger()
        self.errorCode = try KafkaError(from: &reader, version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.throttleTimeMilliseconds)
        try self.errorCode.write(to: &writer, version: version)
        writer.writeNoTags()
    }
}
