/// Says that a consumer is still there.
package struct HeartbeatRequest: KafkaRequest {
    package typealias Response = HeartbeatResponse

    package static let apiKey = APIKey.heartbeat
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexibleVersion: Int16 = 4

    package var groupID: String
    package var generationID: Int32
    package var memberID: String
    package var groupInstanceID: String?

    package init(
        groupID: String = "",
        generationID: Int32 = 0,
        memberID: String = "",
        groupInstanceID: String? = nil
    ) {
        self.groupID = groupID
        self.generationID = generationID
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.groupID = try reader.readString()
        self.generationID = try reader.readInteger()
        self.memberID = try reader.readString()
        if version >= 3 { self.groupInstanceID = try reader.readNullableString() }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.groupID)
        writer.writeInteger(self.generationID)
        try writer.writeString(self.memberID)
        if version >= 3 { try writer.writeNullableString(self.groupInstanceID) }
        writer.writeNoTags()
    }
}

package struct HeartbeatResponse: KafkaResponse {
    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError

    package init(throttleTimeMilliseconds: Int32 = 0, errorCode: KafkaError = .none) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.errorCode = errorCode
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 1 { self.throttleTimeMilliseconds = try reader.readInteger() }
        self.errorCode = try KafkaError(from: &reader, version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 1 { writer.writeInteger(self.throttleTimeMilliseconds) }
        try self.errorCode.write(to: &writer, version: version)
        writer.writeNoTags()
    }
}
