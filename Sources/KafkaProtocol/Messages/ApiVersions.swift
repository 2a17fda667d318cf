/// Asks which requests a broker knows, in which versions.
package struct ApiVersionsRequest: KafkaRequest {
    package typealias Response = ApiVersionsResponse

    package static let apiKey = APIKey.apiVersions
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexibleVersion: Int16 = 3

    package var clientSoftwareName: String
    package var clientSoftwareVersion: String

    package init(clientSoftwareName: String = "", clientSoftwareVersion: String = "") {
        self.clientSoftwareName = clientSoftwareName
        self.clientSoftwareVersion = clientSoftwareVersion
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        guard version >= 3 else { return }
        self.clientSoftwareName = try reader.readString()
        self.clientSoftwareVersion = try reader.readString()
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        guard version >= 3 else { return }
        try writer.writeString(self.clientSoftwareName)
        try writer.writeString(self.clientSoftwareVersion)
        writer.writeNoTags()
    }
}

package struct ApiVersionsResponse: KafkaResponse {
    package struct ApiVersion: MessageStructure {
        package var apiKey: APIKey
        package var minVersion: Int16
        package var maxVersion: Int16

        package init(apiKey: APIKey, minVersion: Int16, maxVersion: Int16) {
            self.apiKey = apiKey
            self.minVersion = minVersion
            self.maxVersion = maxVersion
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.apiKey = APIKey(rawValue: try reader.readInteger())
            self.minVersion = try reader.readInteger()
            self.maxVersion = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.apiKey.rawValue)
            writer.writeInteger(self.minVersion)
            writer.writeInteger(self.maxVersion)
            writer.writeNoTags()
        }
    }

    package var errorCode: KafkaError
    package var apiKeys: [ApiVersion]
    package var throttleTimeMilliseconds: Int32

    package init(
        errorCode: KafkaError = .none,
        apiKeys: [ApiVersion] = [],
        throttleTimeMilliseconds: Int32 = 0
    ) {
        self.errorCode = errorCode
        self.apiKeys = apiKeys
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
    }

    /// The versions of a request that the broker offers, if it knows the request.
    package func versions(of key: APIKey) -> ClosedRange<Int16>? {
        guard let row = self.apiKeys.first(where: { $0.apiKey == key }),
            row.minVersion <= row.maxVersion
        else { return nil }
        return row.minVersion...row.maxVersion
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init(errorCode: KafkaError(rawValue: try reader.readInteger()))
        // A broker that does not know the version says so in version 0, whatever was asked.
        let isRefusal = self.errorCode == .unsupportedVersion
        if isRefusal { reader.isFlexible = false }
        self.apiKeys = try reader.readArray(version: isRefusal ? 0 : version)
        guard version >= 1, !isRefusal else { return }
        self.throttleTimeMilliseconds = try reader.readInteger()
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        let isRefusal = self.errorCode == .unsupportedVersion
        if isRefusal { writer.isFlexible = false }
        writer.writeInteger(self.errorCode.rawValue)
        try writer.writeArray(self.apiKeys, version: isRefusal ? 0 : version)
        guard version >= 1, !isRefusal else { return }
        writer.writeInteger(self.throttleTimeMilliseconds)
        writer.writeNoTags()
    }
}
