/// Asks for the settings of topics or brokers.
package struct DescribeConfigsRequest: KafkaRequest {
    package typealias Response = DescribeConfigsResponse

    package static let apiKey = APIKey.describeConfigs
    package static let versions: ClosedRange<Int16> = 1...4
    package static let firstFlexibleVersion: Int16 = 4

    /// 2 stands for a topic, 4 for a broker (`ConfigResource.Type`).
    package static let topicType: Int8 = 2

    package struct Resource: MessageStructure {
        package var type: Int8
        package var name: String
        /// The settings that are asked for; nil for all.
        package var keys: [String]?

        package init(
            type: Int8 = DescribeConfigsRequest.topicType,
            name: String = "",
            keys: [String]? = nil
        ) {
            self.type = type
            self.name = name
            self.keys = keys
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.type = try reader.readInteger()
            self.name = try reader.readString()
            self.keys = try reader.readNullableArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            writer.writeInteger(self.type)
            try writer.writeString(self.name)
            try writer.writeNullableArray(self.keys, version: version)
            writer.writeNoTags()
        }
    }

    package var resources: [Resource]
    package var includeSynonyms: Bool
    package var includeDocumentation: Bool

    package init(
        resources: [Resource] = [],
        includeSynonyms: Bool = false,
        includeDocumentation: Bool = false
    ) {
        self.resources = resources
        self.includeSynonyms = includeSynonyms
        self.includeDocumentation = includeDocumentation
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.resources = try reader.readArray(version: version)
        self.includeSynonyms = try reader.readBool()
        if version >= 3 { self.includeDocumentation = try reader.readBool() }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeArray(self.resources, version: version)
        writer.writeBool(self.includeSynonyms)
        if version >= 3 { writer.writeBool(self.includeDocumentation) }
        writer.writeNoTags()
    }
}

package struct DescribeConfigsResponse: KafkaResponse {
    package struct Synonym: MessageStructure {
        package var name: String
        package var value: String?
        package var source: Int8

        package init(name: String = "", value: String? = nil, source: Int8 = 0) {
            self.name = name
            self.value = value
            self.source = source
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.value = try reader.readNullableString()
            self.source = try reader.readInteger()
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            try writer.writeNullableString(self.value)
            writer.writeInteger(self.source)
            writer.writeNoTags()
        }
    }

    package struct Config: MessageStructure {
        package var name: String
        package var value: String?
        package var isReadOnly: Bool
        /// Where the value comes from: 1 the topic's own, 5 the default.
        package var source: Int8
        package var isSensitive: Bool
        package var synonyms: [Synonym]
        package var type: Int8
        package var documentation: String?

        package init(
            name: String = "",
            value: String? = nil,
            isReadOnly: Bool = false,
            source: Int8 = 5,
            isSensitive: Bool = false,
            synonyms: [Synonym] = [],
            type: Int8 = 0,
            documentation: String? = nil
        ) {
            self.name = name
            self.value = value
            self.isReadOnly = isReadOnly
            self.source = source
            self.isSensitive = isSensitive
            self.synonyms = synonyms
            self.type = type
            self.documentation = documentation
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readString()
            self.value = try reader.readNullableString()
            self.isReadOnly = try reader.readBool()
            self.source = try reader.readInteger()
            self.isSensitive = try reader.readBool()
            self.synonyms = try reader.readArray(version: version)
            if version >= 3 {
                self.type = try reader.readInteger()
                self.documentation = try reader.readNullableString()
            }
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeString(self.name)
            try writer.writeNullableString(self.value)
            writer.writeBool(self.isReadOnly)
            writer.writeInteger(self.source)
            writer.writeBool(self.isSensitive)
            try writer.writeArray(self.synonyms, version: version)
            if version >= 3 {
                writer.writeInteger(self.type)
                try writer.writeNullableString(self.documentation)
            }
            writer.writeNoTags()
        }
    }

    package struct Result: MessageStructure {
        package var errorCode: KafkaError
        package var errorMessage: String?
        package var type: Int8
        package var name: String
        package var configs: [Config]

        package init(
            errorCode: KafkaError = .none,
            errorMessage: String? = nil,
            type: Int8 = DescribeConfigsRequest.topicType,
            name: String = "",
            configs: [Config] = []
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.type = type
            self.name = name
            self.configs = configs
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.errorCode = try KafkaError(from: &reader, version: version)
            self.errorMessage = try reader.readNullableString()
            self.type = try reader.readInteger()
            self.name = try reader.readString()
            self.configs = try reader.readArray(version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try self.errorCode.write(to: &writer, version: version)
            try writer.writeNullableString(self.errorMessage)
            writer.writeInteger(self.type)
            try writer.writeString(self.name)
            try writer.writeArray(self.configs, version: version)
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var results: [Result]

    package init(throttleTimeMilliseconds: Int32 = 0, results: [Result] = []) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.results = results
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.throttleTimeMilliseconds = try reader.readInteger()
        self.results = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.throttleTimeMilliseconds)
        try writer.writeArray(self.results, version: version)
        writer.writeNoTags()
    }
}
