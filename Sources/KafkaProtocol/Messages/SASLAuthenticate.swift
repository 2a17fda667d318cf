package import NIOCore

/// One step of the exchange that the mechanism prescribes.
package struct SASLAuthenticateRequest: KafkaRequest {
    package typealias Response = SASLAuthenticateResponse

    package static let apiKey = APIKey.saslAuthenticate
    package static let versions: ClosedRange<Int16> = 0...2
    package static let firstFlexibleVersion: Int16 = 2

    package var authBytes: ByteBuffer

    package init(authBytes: ByteBuffer = ByteBuffer()) {
        self.authBytes = authBytes
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init(authBytes: try reader.readBytes())
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeBytes(self.authBytes)
        writer.writeNoTags()
    }
}

package struct SASLAuthenticateResponse: KafkaResponse {
    package var errorCode: KafkaError
    package var errorMessage: String?
    package var authBytes: ByteBuffer
    /// When the client has to authenticate again, from version 1; 0 for never.
    package var sessionLifetimeMilliseconds: Int64

    package init(
        errorCode: KafkaError = .none,
        errorMessage: String? = nil,
        authBytes: ByteBuffer = ByteBuffer(),
        sessionLifetimeMilliseconds: Int64 = 0
    ) {
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.authBytes = authBytes
        self.sessionLifetimeMilliseconds = sessionLifetimeMilliseconds
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.errorCode = try KafkaError(from: &reader, version: version)
        self.errorMessage = try reader.readNullableString()
        self.authBytes = try reader.readBytes()
        if version >= 1 { self.sessionLifetimeMilliseconds = try reader.readInteger() }
        try reader.skipTags()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try self.errorCode.write(to: &writer, version: version)
        try writer.writeNullableString(self.errorMessage)
        try writer.writeBytes(self.authBytes)
        if version >= 1 { writer.writeInteger(self.sessionLifetimeMilliseconds) }
        writer.writeNoTags()
    }
}
