package import NIOCore

/// Brings the leader's assignment to a group's members.
package struct SyncGroupRequest: KafkaRequest {
    package typealias Response = SyncGroupResponse

    package static let apiKey = APIKey.syncGroup
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexibleVersion: Int16 = 4

    package struct Assignment: MessageStructure {
        package var memberID: String
        package var assignment: ByteBuffer

        package init(memberID: String = "", assignment: ByteBuffer = ByteBuffer()) {
            self.memberID = memberID
            self.assignment = assignment
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.memberID = try reader.readString()
            self.assignment = try reader.readBytes()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.memberID)
            try writer.writeBytes(self.assignment)
            writer.writeNoTags()
        }
    }

    package var groupID: String
    package var generationID: Int32
    package var memberID: String
    package var groupInstanceID: String?
    package var protocolType: String?
    package var protocolName: String?
    package var assignments: [Assignment]

    package init(
        groupID: String = "",
        generationID: Int32 = 0,
        memberID: String = "",
        groupInstanceID: String? = nil,
        protocolType: String? = nil,
        protocolName: String? = nil,
        assignments: [Assignment] = []
    ) {
        self.groupID = groupID
        self.generationID = generationID
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignments = assignments
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.groupID = try reader.readString()
        self.generationID = try reader.readInteger()
        self.memberID = try reader.readString()
        if version >= 3 { self.groupInstanceID = try reader.readNullableString() }
        if version >= 5 {
            self.protocolType = try reader.readNullableString()
            self.protocolName = try reader.readNullableString()
        }
        self.assignments = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.groupID)
        writer.writeInteger(self.generationID)
        try writer.writeString(self.memberID)
        if version >= 3 { try writer.writeNullableString(self.groupInstanceID) }
        if version >= 5 {
            try writer.writeNullableString(self.protocolType)
            try writer.writeNullableString(self.protocolName)
        }
        try writer.writeArray(self.assignments, version: version)
        writer.writeNoTags()
    }
}

package struct SyncGroupResponse: KafkaResponse {
    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError
    package var protocolType: String?
    package var protocolName: String?
    package var assignment: ByteBuffer

    package init(
        throttleTimeMilliseconds: Int32 = 0,
        errorCode: KafkaError = .none,
        protocolType: String? = nil,
        protocolName: String? = nil,
        assignment: ByteBuffer = ByteBuffer()
    ) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.errorCode = errorCode
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignment = assignment
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 1 { self.throttleTimeMilliseconds = try reader.readInteger() }
        self.errorCode = try KafkaError(from: &reader, version: version)
        if version >= 5 {
            self.protocolType = try reader.readNullableString()
            self.protocolName = try reader.readNullableString()
        }
        self.assignment = try reader.readBytes()
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 1 { writer.writeInteger(self.throttleTimeMilliseconds) }
        try self.errorCode.write(to: &writer, version: version)
        if version >= 5 {
            try writer.writeNullableString(self.protocolType)
            try writer.writeNullableString(self.protocolName)
        }
        try writer.writeBytes(self.assignment)
        writer.writeNoTags()
    }
}
