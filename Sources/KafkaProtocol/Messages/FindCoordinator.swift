/// Asks which broker coordinates a consumer group.
package struct FindCoordinatorRequest: KafkaRequest {
    package typealias Response = FindCoordinatorResponse

    package static let apiKey = APIKey.findCoordinator
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexibleVersion: Int16 = 3

    package var key: String
    /// 0 for a consumer group, 1 for a transactional id.
    package var keyType: Int8
    package var coordinatorKeys: [String]

    package init(key: String = "", keyType: Int8 = 0, coordinatorKeys: [String] = []) {
        self.key = key
        self.keyType = keyType
        self.coordinatorKeys = coordinatorKeys
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version <= 3 { self.key = try reader.readString() }
        if version >= 1 { self.keyType = try reader.readInteger() }
        if version >= 4 {
            self.coordinatorKeys = try reader.readArray(version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version <= 3 { try writer.writeString(self.key) }
        if version >= 1 { writer.writeInteger(self.keyType) }
        if version >= 4 {
            try writer.writeArray(self.coordinatorKeys, version: version)
        }
        writer.writeNoTags()
    }
}

package struct FindCoordinatorResponse: KafkaResponse {
    package struct Coordinator: MessageStructure {
        package var key: String
        package var nodeID: Int32
        package var host: String
        package var port: Int32
        package var errorCode: KafkaError
        package var errorMessage: String?

        package init(
            key: String = "",
            nodeID: Int32 = -1,
            host: String = "",
            port: Int32 = -1,
            errorCode: KafkaError = .none,
            errorMessage: String? = nil
        ) {
            self.key = key
            self.nodeID = nodeID
            self.host = host
            self.port = port
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.key = try reader.readString()
            self.nodeID = try reader.readInteger()
            self.host = try reader.readString()
            self.port = try reader.readInteger()
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.errorMessage = try reader.readNullableString()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.key)
            writer.writeInteger(self.nodeID)
            try writer.writeString(self.host)
            writer.writeInteger(self.port)
            try self.errorCode.write(to: &writer, version: version)
            try writer.writeNullableString(self.errorMessage)
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var errorCode: KafkaError
    package var errorMessage: String?
    package var nodeID: Int32
    package var host: String
    package var port: Int32
    package var coordinators: [Coordinator]

    package init(
        throttleTimeMilliseconds: Int32 = 0,
        errorCode: KafkaError = .none,
        errorMessage: String? = nil,
        nodeID: Int32 = -1,
        host: String = "",
        port: Int32 = -1,
        coordinators: [Coordinator] = []
    ) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.nodeID = nodeID
        self.host = host
        self.port = port
        self.coordinators = coordinators
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 1 { self.throttleTimeMilliseconds = try reader.readInteger() }
        if version <= 3 {
            self.errorCode = try KafkaError(from: &reader, version: version)
        }
        if (1...3).contains(version) {
            self.errorMessage = try reader.readNullableString()
        }
        if version <= 3 {
            self.nodeID = try reader.readInteger()
            self.host = try reader.readString()
            self.port = try reader.readInteger()
        }
        if version >= 4 {
            self.coordinators = try reader.readArray(version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 1 { writer.writeInteger(self.throttleTimeMilliseconds) }
        if version <= 3 { try self.errorCode.write(to: &writer, version: version) }
        if (1...3).contains(version) {
            try writer.writeNullableString(self.errorMessage)
        }
        if version <= 3 {
            writer.writeInteger(self.nodeID)
            try writer.writeString(self.host)
            writer.writeInteger(self.port)
        }
        if version >= 4 {
            try writer.writeArray(self.coordinators, version: version)
        }
        writer.writeNoTags()
    }
}
