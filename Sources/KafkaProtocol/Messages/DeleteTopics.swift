/// Deletes topics.
package struct DeleteTopicsRequest: KafkaRequest {
    package typealias Response = DeleteTopicsResponse

    package static let apiKey = APIKey.deleteTopics
    package static let versions: ClosedRange<Int16> = 1...6
    package static let firstFlexibleVersion: Int16 = 4

    package struct Topic: MessageStructure {
        /// Null where the id is meant.
        package var name: String?
        package var topicID: TopicID

        package init(name: String? = nil, topicID: TopicID = .zero) {
            self.name = name
            self.topicID = topicID
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readNullableString()
            self.topicID = try TopicID(from: &reader, version: version)
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            try writer.writeNullableString(self.name)
            try self.topicID.write(to: &writer, version: version)
            writer.writeNoTags()
        }
    }

    /// By name only before version 6.
    package var topics: [Topic]
    package var timeoutMilliseconds: Int32

    package init(topics: [Topic] = [], timeoutMilliseconds: Int32 = 60_000) {
        self.topics = topics
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        if version >= 6 {
            self.topics = try reader.readArray(version: version)
        } else {
            let names = try reader.readArray(of: String.self, version: version)
            self.topics = names.map { Topic(name: $0) }
        }
        self.timeoutMilliseconds = try reader.readInteger()
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        if version >= 6 {
            try writer.writeArray(self.topics, version: version)
        } else {
            try writer.writeArray(self.topics.map { $0.name ?? "" }, version: version)
        }
        writer.writeInteger(self.timeoutMilliseconds)
        writer.writeNoTags()
    }
}

package struct DeleteTopicsResponse: KafkaResponse {
    package struct TopicResult: MessageStructure {
        package var name: String?
        package var topicID: TopicID
        package var errorCode: KafkaError
        package var errorMessage: String?

        package init(
            name: String? = nil,
            topicID: TopicID = .zero,
            errorCode: KafkaError = .none,
            errorMessage: String? = nil
        ) {
            self.name = name
            self.topicID = topicID
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout MessageReader, version: Int16) throws {
            self.init()
            self.name = try reader.readNullableString()
            if version >= 6 { self.topicID = try TopicID(from: &reader, version: version) }
            self.errorCode = try KafkaError(from: &reader, version: version)
            if version >= 5 { self.errorMessage = try reader.readNullableString() }
            try reader.skipTags()
        }

        package func write(to writer: inout MessageWriter, version: Int16) throws {
            if version >= 6 {
                try writer.writeNullableString(self.name)
                try self.topicID.write(to: &writer, version: version)
            } else {
                try writer.writeString(self.name ?? "")
            }
            try self.errorCode.write(to: &writer, version: version)
            if version >= 5 { try writer.writeNullableString(self.errorMessage) }
            writer.writeNoTags()
        }
    }

    package var throttleTimeMilliseconds: Int32
    package var responses: [TopicResult]

    package init(throttleTimeMilliseconds: Int32 = 0, responses: [TopicResult] = []) {
        self.throttleTimeMilliseconds = throttleTimeMilliseconds
        self.responses = responses
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.throttleTimeMilliseconds = try reader.readInteger()
        self.responses = try reader.readArray(version: version)
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.throttleTimeMilliseconds)
        try writer.writeArray(self.responses, version: version)
        writer.writeNoTags()
    }
}
