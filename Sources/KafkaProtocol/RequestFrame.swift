package import NIOCore

/// What precedes every request: what it is, in which version, and the number its answer will carry.
package struct RequestHeader: Sendable, Equatable {
    package var apiKey: APIKey
    package var apiVersion: Int16
    package var correlationID: Int32
    package var clientID: String?

    package init(apiKey: APIKey, apiVersion: Int16, correlationID: Int32, clientID: String?) {
        self.apiKey = apiKey
        self.apiVersion = apiVersion
        self.correlationID = correlationID
        self.clientID = clientID
    }

    /// Reads a header; `isFlexible` tells whether the request of that key and version ends it
    /// with tags.
    ///
    /// Leaves `frame` at the request's first field.
    package init(
        from frame: inout ByteBuffer,
        isFlexible: (APIKey, Int16) -> Bool
    ) throws {
        var reader = MessageReader(frame, isFlexible: false)
        self.apiKey = APIKey(rawValue: try reader.readInteger())
        self.apiVersion = try reader.readInteger()
        self.correlationID = try reader.readInteger()
        self.clientID = try reader.readShortNullableString()
        reader.isFlexible = isFlexible(self.apiKey, self.apiVersion)
        try reader.skipTags()
        frame = reader.buffer
    }
}

extension KafkaRequest {
    /// The request as it goes to the socket: length, header, body, in pieces around the batches.
    package func frame(
        version: Int16,
        correlationID: Int32,
        clientID: String?
    ) throws -> [ByteBuffer] {
        guard Self.versions.contains(version) else {
            throw ProtocolError.unsupportedVersion(
                apiKey: Self.apiKey.rawValue,
                version: version
            )
        }
        var writer = MessageWriter(isFlexible: Self.isFlexible(version))
        writer.writeInteger(Int32(0))
        writer.writeInteger(Self.apiKey.rawValue)
        writer.writeInteger(version)
        writer.writeInteger(correlationID)
        try writer.writeShortNullableString(clientID)
        writer.writeNoTags()
        try self.write(to: &writer, version: version)
        try writer.setFrameLength()
        return writer.finish()
    }

    /// Reads a request's body.
    ///
    /// Bytes behind it are passed over, as Kafka's broker does: librdkafka 2.16 sends three zeros
    /// too many when it asks for the metadata of all topics.
    package init(body: ByteBuffer, version: Int16) throws {
        guard Self.versions.contains(version) else {
            throw ProtocolError.unsupportedVersion(
                apiKey: Self.apiKey.rawValue,
                version: version
            )
        }
        var reader = MessageReader(body, isFlexible: Self.isFlexible(version))
        try self.init(from: &reader, version: version)
    }

    /// An answer as it goes to the socket: length, header, body, in pieces around the batches.
    package static func frame(
        _ response: Response,
        version: Int16,
        correlationID: Int32
    ) throws -> [ByteBuffer] {
        var writer = MessageWriter(isFlexible: Self.isFlexible(version))
        writer.writeInteger(Int32(0))
        writer.writeInteger(correlationID)
        if self.hasTagsInResponseHeader { writer.writeNoTags() }
        try response.write(to: &writer, version: version)
        try writer.setFrameLength()
        return writer.finish()
    }

    /// Reads an answer whose correlation id has been read from `body` already.
    package static func response(from body: ByteBuffer, version: Int16) throws -> Response {
        var reader = MessageReader(body, isFlexible: Self.isFlexible(version))
        if self.hasTagsInResponseHeader { try reader.skipTags() }
        // Bytes behind it are passed over, as Kafka's own client does.
        return try Response(from: &reader, version: version)
    }

    /// A client that asks for versions cannot know yet which header the broker can write.
    private static var hasTagsInResponseHeader: Bool { self.apiKey != .apiVersions }
}
