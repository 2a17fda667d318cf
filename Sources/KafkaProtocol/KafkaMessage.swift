/// A part of a message that is written and read field by field, as its version demands.
package protocol MessageStructure: Sendable, Equatable {
    init(from reader: inout MessageReader, version: Int16) throws
    func write(to writer: inout MessageWriter, version: Int16) throws
}

/// What a client asks a broker.
package protocol KafkaRequest: MessageStructure {
    associatedtype Response: KafkaResponse

    static var apiKey: APIKey { get }
    /// The versions that are implemented.
    static var versions: ClosedRange<Int16> { get }
    /// The version from which on lengths are varints and structures end with tags.
    static var firstFlexibleVersion: Int16 { get }
}

extension KafkaRequest {
    package static func isFlexible(_ version: Int16) -> Bool {
        version >= self.firstFlexibleVersion
    }

    /// The highest version that both sides know, if there is one.
    package static func commonVersion(with offered: ClosedRange<Int16>) -> Int16? {
        let version = min(offered.upperBound, self.versions.upperBound)
        let least = max(offered.lowerBound, self.versions.lowerBound)
        return version >= least ? version : nil
    }
}

/// What a broker answers.
package protocol KafkaResponse: MessageStructure {}

extension String: MessageStructure {
    package init(from reader: inout MessageReader, version: Int16) throws {
        self = try reader.readString()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self)
    }
}

extension Int32: MessageStructure {
    package init(from reader: inout MessageReader, version: Int16) throws {
        self = try reader.readInteger()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self)
    }
}
