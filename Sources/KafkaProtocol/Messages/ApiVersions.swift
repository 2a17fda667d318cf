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

    /// A feature of the cluster and the levels it can be set to.
    package struct SupportedFeature: MessageStructure {
        package var name: String
        package var minVersion: Int16
        package var maxVersion: Int16

        package init(name: String, minVersion: Int16, maxVersion: Int16) {
            self.name = name
            self.minVersion = minVersion
            self.maxVersion = maxVersion
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.name = try reader.readString()
            self.minVersion = try reader.readInteger()
            self.maxVersion = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            writer.writeInteger(self.minVersion)
            writer.writeInteger(self.maxVersion)
            writer.writeNoTags()
        }
    }

    /// A feature and the level that all brokers of the cluster agreed on.
    package struct FinalizedFeature: MessageStructure {
        package var name: String
        package var maxVersionLevel: Int16
        package var minVersionLevel: Int16

        package init(name: String, maxVersionLevel: Int16, minVersionLevel: Int16) {
            self.name = name
            self.maxVersionLevel = maxVersionLevel
            self.minVersionLevel = minVersionLevel
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.name = try reader.readString()
            self.maxVersionLevel = try reader.readInteger()
            self.minVersionLevel = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            writer.writeInteger(self.maxVersionLevel)
            writer.writeInteger(self.minVersionLevel)
            writer.writeNoTags()
        }
    }

    package var errorCode: KafkaError
    package var apiKeys: [ApiVersion]
    package var throttleTimeMilliseconds: Int32
    /// From version 3 on, as are the other two.
    package var supportedFeatures: [SupportedFeature]
    /// -1 where the broker does not tell of finalized features.
    package var finalizedFeaturesEpoch: Int64
    package var finalizedFeatures: [FinalizedFeature]

    package init(
        errorCode: KafkaError = .none,
        apiKeys: [ApiVersion] = [],
        throttleTimeMilliseconds: Int32 = 0,
        supportedFeatures: [SupportedFeature] = [],
        finalizedFeaturesEpoch: Int64 = -1,
        finalizedFeatures: [FinalizedFeature] = []
    ) {
        self.errorCode = errorCode
        self.apiKeys = apiKeys
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.supportedFeatures = supportedFeatures
        self.finalizedFeaturesEpoch = finalizedFeaturesEpoch
        self.finalizedFeatures = finalizedFeatures
    }

    /// The level that the cluster agreed on for a feature; 0 if it did not.
    package func finalizedLevel(of feature: String) -> Int16 {
        self.finalizedFeatures.first { $0.name == feature }?.maxVersionLevel ?? 0
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
        try reader.readTags { tag, reader in
            switch tag {
            case 0: self.supportedFeatures = try reader.readArray(version: version)
            case 1: self.finalizedFeaturesEpoch = try reader.readInteger()
            case 2: self.finalizedFeatures = try reader.readArray(version: version)
            default: break
            }
        }
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        let isRefusal = self.errorCode == .unsupportedVersion
        if isRefusal { writer.isFlexible = false }
        writer.writeInteger(self.errorCode.rawValue)
        try writer.writeArray(self.apiKeys, version: isRefusal ? 0 : version)
        guard version >= 1, !isRefusal else { return }
        writer.writeInteger(self.throttleTimeMilliseconds)
        try self.writeFeatures(to: &writer, version: version)
    }

    private func writeFeatures(to writer: inout MessageWriter, version: Int16) throws {
        guard version >= 3, self.finalizedFeaturesEpoch >= 0 else { return writer.writeNoTags() }
        writer.writeUnsignedVarint(3)
        try writer.writeTagContent(0) {
            try $0.writeArray(self.supportedFeatures, version: version)
        }
        try writer.writeTagContent(1) { $0.writeInteger(self.finalizedFeaturesEpoch) }
        try writer.writeTagContent(2) {
            try $0.writeArray(self.finalizedFeatures, version: version)
        }
    }
}
