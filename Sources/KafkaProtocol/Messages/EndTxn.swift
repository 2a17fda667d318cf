/// Commits or aborts the transaction of a producer.
package struct EndTxnRequest: KafkaRequest {
    package typealias Response = EndTxnResponse

    package static let apiKey = APIKey.endTxn
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexibleVersion: Int16 = 3

    package var transactionalID: String
    package var producerID: Int64
    package var producerEpoch: Int16
    /// True to commit, false to abort.
    package var committed: Bool

    package init(
        transactionalID: String = "",
        producerID: Int64 = -1,
        producerEpoch: Int16 = -1,
        committed: Bool = false
    ) {
        self.transactionalID = transactionalID
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.committed = committed
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.transactionalID = try reader.readString()
        self.producerID = try reader.readInteger()
        self.producerEpoch = try reader.readInteger()
        self.committed = try reader.readBool()
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.transactionalID)
        writer.writeInteger(self.producerID)
        writer.writeInteger(self.producerEpoch)
        writer.writeBool(self.committed)
        writer.writeNoTags()
    }
}

package struct EndTxnResponse: KafkaResponse {
    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError
    /// The identity to go on with, from version 5 (KIP-890); -1 before.
    package var producerID: Int64
    package var producerEpoch: Int16

    package init(
        throttleTimeMilliseconds: Int32 = 0,
        errorCode: KafkaError = .none,
        producerID: Int64 = -1,
        producerEpoch: Int16 = -1
    ) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.errorCode = errorCode
        self.producerID = producerID
        self.producerEpoch = producerEpoch
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.throttleTimeMilliseconds = try reader.readInteger()
        self.errorCode = try KafkaError(from: &reader, version: version)
        if version >= 5 {
            self.producerID = try reader.readInteger()
            self.producerEpoch = try reader.readInteger()
        }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.throttleTimeMilliseconds)
        try self.errorCode.write(to: &writer, version: version)
        if version >= 5 {
            writer.writeInteger(self.producerID)
            writer.writeInteger(self.producerEpoch)
        }
        writer.writeNoTags()
    }
}
