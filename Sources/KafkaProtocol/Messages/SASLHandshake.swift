/// Names the mechanism by which the client is going to authenticate.
///
/// Version 0 is not spoken: its tokens travel without Kafka's framing.
package struct SASLHandshakeRequest: KafkaRequest {
    package typealias Response = SASLHandshakeResponse

    package static let apiKey = APIKey.saslHandshake
    package static let versions: ClosedRange<Int16> = 1...1
    package static let firstFlexibleVersion = Int16.max

    package var mechanism: String

    package init(mechanism: String = "") {
        self.mechanism = mechanism
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init(mechanism: try reader.readString())
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.mechanism)
    }
}

package struct SASLHandshakeResponse: KafkaResponse {
    package var errorCode: KafkaError
    /// What the broker offers, whatever was asked for.
    package var mechanisms: [String]

    package init(errorCode: KafkaError = .none, mechanisms: [String] = []) {
        self.errorCode = errorCode
        self.mechanisms = mechanisms
    }

    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init()
        self.errorCode = try KafkaError(from: &reader, version: version)
        self.mechanisms = try reader.readArray(version: version)
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try self.errorCode.write(to: &writer, version: version)
        try writer.writeArray(self.mechanisms, version: version)
    }
}
