package import NIOCore

/// Makes a consumer a member of its group.
package struct JoinGroupRequest: KafkaRequest {
    package typealias Response = JoinGroupResponse

    package static let apiKey = APIKey.joinGroup
    package static let versions: ClosedRange<Int16> = 0...9
    package static let firstFlexibleVersion: Int16 = 6

    package struct GroupProtocol: MessageStructure {
        package var name: String
        package var metadata: ByteBuffer

        package init(name: String = "", metadata: ByteBuffer = ByteBuffer()) {
            self.name = name
            self.metadata = metadata
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.metadata = try reader.readBytes()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            try writer.writeBytes(self.metadata)
            writer.writeNoTags()
        }
    }

    package var groupID: String
    package var sessionTimeoutMilliseconds: Int32
    package var rebalanceTimeoutMilliseconds: Int32
    package var memberID: String
    package var groupInstanceID: String?
    package var protocolType: String
    package var protocols: [GroupProtocol]
    package var reason: String?

    package init(
        groupID: String = "",
        sessionTimeoutMilliseconds: Int32 = 0,
        rebalanceTimeoutMilliseconds: Int32 = -1,
        memberID: String = "",
        groupInstanceID: String? = nil,
        protocolType: String = "",
        protocols: [GroupProtocol] = [],
        reason: String? = nil
    ) {
        self.groupID = groupID
        self.sessionTimeoutMilliseconds = sessionTimeoutMilliseconds
        self.rebalanceTimeoutMilliseconds = rebalanceTimeoutMilliseconds
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
        self.protocolType = protocolType
        self.protocols = protocols
        self.reason = reason
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.groupID = try reader.readString()
        self.sessionTimeoutMilliseconds = try reader.readInteger()
        if version >= 1 {
            self.rebalanceTimeoutMilliseconds = try reader.readInteger()
        }
        self.memberID = try reader.readString()
        if version >= 5 { self.groupInstanceID = try reader.readNullableString() }
        self.protocolType = try reader.readString()
        self.protocols = try reader.readArray(version: version)
        if version >= 8 { self.reason = try reader.readNullableString() }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.groupID)
        writer.writeInteger(self.sessionTimeoutMilliseconds)
        if version >= 1 { writer.writeInteger(self.rebalanceTimeoutMilliseconds) }
        try writer.writeString(self.memberID)
        if version >= 5 { try writer.writeNullableString(self.groupInstanceID) }
        try writer.writeString(self.protocolType)
        try writer.writeArray(self.protocols, version: version)
        if version >= 8 { try writer.writeNullableString(self.reason) }
        writer.writeNoTags()
    }
}

package struct JoinGroupResponse: KafkaResponse {
    package struct Member: MessageStructure {
        package var memberID: String
        package var groupInstanceID: String?
        package var metadata: ByteBuffer

        package init(
            memberID: String = "",
            groupInstanceID: String? = nil,
            metadata: ByteBuffer = ByteBuffer()
        ) {
            self.memberID = memberID
            self.groupInstanceID = groupInstanceID
            self.metadata = metadata
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.memberID = try reader.readString()
            if version >= 5 { self.groupInstanceID = try reader.readNullableString() }
            self.metadata = try reader.readBytes()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.memberID)
            if version >= 5 { try writer.writeNullableString(self.groupInstanceID) }
            try writer.writeBytes(self.metadata)
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError
    package var generationID: Int32
    package var protocolType: String?
    /// Null is written as an empty text before version 7.
    package var protocolName: String?
    package var leader: String
    package var skipAssignment: Bool
    package var memberID: String
    package var members: [Member]

    package init(
        throttleTimeMilliseconds: Int32 = 0,
        errorCode: KafkaError = .none,
        generationID: Int32 = -1,
        protocolType: String? = nil,
        protocolName: String? = nil,
        leader: String = "",
        skipAssignment: Bool = false,
        memberID: String = "",
        members: [Member] = []
    ) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.errorCode = errorCode
        self.generationID = generationID
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.leader = leader
        self.skipAssignment = skipAssignment
        self.memberID = memberID
        self.members = members
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 2 { self.throttleTimeMilliseconds = try reader.readInteger() }
        self.errorCode = try KafkaError(from: &reader, version: version)
        self.generationID = try reader.readInteger()
        if version >= 7 { self.protocolType = try reader.readNullableString() }
        self.protocolName = try reader.readNullableString()
        self.leader = try reader.readString()
        if version >= 9 { self.skipAssignment = try reader.readBool() }
        self.memberID = try reader.readString()
        self.members = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 2 { writer.writeInteger(self.throttleTimeMilliseconds) }
        try self.errorCode.write(to: &writer, version: version)
        writer.writeInteger(self.generationID)
        if version >= 7 { try writer.writeNullableString(self.protocolType) }
        // Only from version 7 on may it be null.
        try writer.writeNullableString(self.protocolName ?? (version >= 7 ? nil : ""))
        try writer.writeString(self.leader)
        if version >= 9 { writer.writeBool(self.skipAssignment) }
        try writer.writeString(self.memberID)
        try writer.writeArray(self.members, version: version)
        writer.writeNoTags()
    }
}
