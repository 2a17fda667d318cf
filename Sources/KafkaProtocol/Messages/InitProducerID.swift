/// Asks for the id under which a broker tells a producer's batches apart.
package struct InitProducerIDRequest: KafkaRequest {
    package typealias Response = InitProducerIDResponse

    package static let apiKey = APIKey.initProducerID
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexibleVersion: Int16 = 2

    package var transactionalID: String?
    package var transactionTimeoutMilliseconds: Int32
    /// The id whose epoch is to be raised, -1 for a fresh one.
    package var producerID: Int64
    package var producerEpoch: Int16

    package init(
        transactionalID: String? = nil,
        transactionTimeoutMilliseconds: Int32 = Int32.max,
        producerID: Int64 = -1,
        producerEpoch: Int16 = -1
    ) {
        self.transactionalID = transactionalID
        self.transactionTimeoutMilliseconds = transactionTimeoutMilliseconds
        self.producerID = producerID
        self.producerEpoch = producerEpoch
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.transactionalID = try reader.readNullableString()
        self.transactionTimeoutMilliseconds = try reader.readInteger()
        if version >= 3 {
            self.producerID = try reader.readInteger()
            self.producerEpoch = try reader.readInteger()
        }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeNullableString(self.transactionalID)
        writer.writeInteger(self.transactionTimeoutMilliseconds)
        if version >= 3 {
            writer.writeInteger(self.producerID)
            writer.writeInteger(self.producerEpoch)
        }
        writer.writeNoTags()
    }
}

package struct InitProducerIDResponse: KafkaResponse {
    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError
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
        self.producerID = try reader.readInteger()
        self.producerEpoch = try reader.readInteger()
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.throttleTimeMilliseconds)
        try self.errorCode.write(to: &writer, version: version)
        writer.writeInteger(self.producerID)
        writer.writeInteger(self.producerEpoch)
        writer.writeNoTags()
    }
}
