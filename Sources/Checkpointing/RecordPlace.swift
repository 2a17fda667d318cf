/// Where in its file a record was made.
///
/// Places of one file rise in the order in which its records are made, whichever topics and
/// partitions they go to. Kafka's producer carries them as one opaque rising number, ``position``.
package struct RecordPlace: Hashable, Sendable {
    /// One line may be sent so often.
    package static let sendLimit: Int32 = 1 << sendBits
    /// Beyond it a place has no ``position``: two pebibytes.
    package static let offsetLimit: Int64 = 1 << (63 - sendBits)
    private static let sendBits: Int64 = 12

    /// Where the record's first line begins, in bytes from the file's start.
    package var offset: Int64
    /// Which of the line's sends it is, from 0.
    package var send: Int32

    package init(offset: Int64, send: Int32 = 0) {
        self.offset = offset
        self.send = send
    }

    package init(position: Int64) {
        offset = position >> Self.sendBits
        send = Int32(truncatingIfNeeded: position & Int64(Self.sendLimit - 1))
    }

    package var position: Int64 { offset << Self.sendBits | Int64(send) }
}

extension RecordPlace: Comparable {
    package static func < (a: RecordPlace, b: RecordPlace) -> Bool {
        (a.offset, a.send) < (b.offset, b.send)
    }
}

extension RecordPlace: CustomStringConvertible {
    /// As the header `forktail.position` has it.
    package var description: String { "\(offset)+\(send)" }
}
