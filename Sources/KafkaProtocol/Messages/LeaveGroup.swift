/// Takes consumers out of their group.
package struct LeaveGroupRequest: KafkaRequest {
    package typealias Response = LeaveGroupResponse

    package static let apiKey = APIKey.leaveGroup
    package static let versions: ClosedRange<Int16> = 0...5
    package static let firstFlexibleVersion: Int16 = 4

    package struct Member: MessageStructure {
        package var memberID: String
        package var groupInstanceID: String?
        package var reason: String?

        package init(memberID: String = "", groupInstanceID: String? = nil, reason: String? = nil) {
            self.memberID = memberID
            self.groupInstanceID = groupInstanceID
            self.reason = reason
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.memberID = try reader.readString()
            self.groupInstanceID = try reader.readNullableString()
            if version >= 5 { self.reason = try reader.readNullableString() }
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.memberID)
            try writer.writeNullableString(self.groupInstanceID)
            if version >= 5 { try writer.writeNullableString(self.reason) }
            writer.writeNoTags()
        }
    }

    package var groupID: String
    package var memberID: String
    package var members: [Member]

    package init(groupID: String = "", memberID: String = "", members: [Member] = []) {
        self.groupID = groupID
        self.memberID = memberID
        self.members = members
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.groupID = try reader.readString()
        if version <= 2 { self.memberID = try reader.readString() }
        if version >= 3 { self.members = try reader.readArray(version: version) }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.groupID)
        if version <= 2 { try writer.writeString(self.memberID) }
        if version >= 3 { try writer.writeArray(self.members, version: version) }
        writer.writeNoTags()
    }
}

package struct LeaveGroupResponse: KafkaResponse {
    package struct MemberResponse: MessageStructure {
        package var memberID: String
        package var groupInstanceID: String?
        package var errorCode: KafkaError

        package init(
            memberID: String = "",
            groupInstanceID: String? = nil,
            errorCode: KafkaError = .none
        ) {
            self.memberID = memberID
            self.groupInstanceID = groupInstanceID
            self.errorCode = errorCode
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.memberID = try reader.readString()
            self.groupInstanceID = try reader.readNullableString()
            self.errorCode = try KafkaError(from: &reader, version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.memberID)
            try writer.writeNullableString(self.groupInstanceID)
            try self.errorCode.write(to: &writer, version: version)
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError
    package var members: [MemberResponse]

    package init(
        throttleTimeMilliseconds: Int32 = 0,
        errorCode: KafkaError = .none,
        members: [MemberResponse] = []
    ) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.errorCode = errorCode
        self.members = members
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 1 { self.throttleTimeMilliseconds = try reader.readInteger() }
        self.errorCode = try KafkaError(from: &reader, version: version)
        if version >= 3 { self.members = try reader.readArray(version: version) }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 1 { writer.writeInteger(self.throttleTimeMilliseconds) }
        try self.errorCode.write(to: &writer, version: version)
        if version >= 3 { try writer.writeArray(self.members, version: version) }
        writer.writeNoTags()
    }
}
