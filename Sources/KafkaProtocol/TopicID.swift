/// The sixteen bytes that tell a topic from a later one of the same name.
package struct TopicID: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// What brokers send for a topic that they have no id of.
    package static let zero = TopicID(high: 0, low: 0)

    /// The bytes as they are on the wire.
    package var bytes: [UInt8] {
        [self.high, self.low].flatMap { half in
            (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
    }
}

extension TopicID: MessageStructure {
    package init(from reader: inout MessageReader, version: Int16) throws {
        self.high = try reader.readInteger()
        self.low = try reader.readInteger()
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.high)
        writer.writeInteger(self.low)
    }
}
