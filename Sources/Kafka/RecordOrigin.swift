internal import KafkaProtocol

/// Where a lane has a record from, for its batch to say and for its log to show.
package struct RecordOrigin {
    /// Who counts it as owed.
    package var owner: UInt64
    /// Finds it again should it be refused; in a row of one owner it does not go back.
    package var position: Int64
    /// It takes the place of a record that Kafka refused, so it comes out of turn.
    package var isAnswer: Bool
    /// What tells readers of the log where it is from; nil tells nothing.
    package var header: PositionHeader?

    package init(
        owner: UInt64,
        position: Int64,
        isAnswer: Bool = false,
        header: PositionHeader? = nil
    ) {
        self.owner = owner
        self.position = position
        self.isAnswer = isAnswer
        self.header = header
    }
}

/// The header `forktail.position`, which the first of the records in a row of one file has.
///
/// From it, and from the number of records up to the next one, it can be read out of the log which
/// records of which file a batch holds: also when the journal is lost.
package struct PositionHeader {
    package static let name: StaticString = "forktail.position"

    /// Another value than the record's before it: the row begins anew.
    package var source: UInt64
    /// What stands before the position: `OWNER/FILE/GENERATION/`.
    package var prefix: UnsafeRawBufferPointer

    package init(source: UInt64, prefix: UnsafeRawBufferPointer) {
        self.source = source
        self.prefix = prefix
    }

    /// A position is an offset and, in the low bits, the number of a send.
    private static let sendBits: Int64 = 12
    /// Digits of an offset, a plus, and digits of a send.
    private static let positionLimit = 16 + 1 + 4

    static var nameBytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: self.name.utf8Start, count: self.name.utf8CodeUnitCount)
    }

    /// Bytes that it adds to a record at most.
    package var sizeLimit: Int {
        10 + Self.name.utf8CodeUnitCount + self.prefix.count + Self.positionLimit
    }

    /// The one that a record has, without the position that it tells; nil if it has none.
    init?(of span: RecordSpan) {
        guard let last = span.headers.last, let value = last.value,
            last.name.elementsEqual(Self.nameBytes),
            let slash = value.lastIndex(of: UInt8(ascii: "/"))
        else { return nil }
        self.init(source: 0, prefix: UnsafeRawBufferPointer(rebasing: value[...slash]))
    }

    /// Calls `body` with a record's headers and this one behind them.
    func appended(
        to headers: UnsafeBufferPointer<RecordHeaderSpan>,
        position: Int64,
        _ body: (UnsafeBufferPointer<RecordHeaderSpan>) -> Int
    ) -> Int {
        let capacity = self.prefix.count + Self.positionLimit
        return withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 1) { bytes in
            let value = UnsafeRawBufferPointer(rebasing: bytes[..<self.write(position, to: bytes)])
            return withUnsafeTemporaryAllocation(
                of: RecordHeaderSpan.self,
                capacity: headers.count + 1
            ) { spans in
                // Safe: the spans are trivial, and the memory has room for one more than there are.
                _ = spans.initialize(fromContentsOf: headers)
                spans.initializeElement(
                    at: headers.count,
                    to: RecordHeaderSpan(name: Self.nameBytes, value: value)
                )
                return body(UnsafeBufferPointer(spans))
            }
        }
    }

    /// Writes `PREFIX OFFSET + SEND`, and returns its length.
    private func write(_ position: Int64, to bytes: UnsafeMutableRawBufferPointer) -> Int {
        bytes.copyMemory(from: self.prefix)
        var end = self.prefix.count
        Self.write(UInt64(clamping: position >> Self.sendBits), to: bytes, &end)
        bytes[end] = UInt8(ascii: "+")
        end += 1
        Self.write(UInt64(position & (1 << Self.sendBits - 1)), to: bytes, &end)
        return end
    }

    private static func write(
        _ number: UInt64,
        to bytes: UnsafeMutableRawBufferPointer,
        _ end: inout Int
    ) {
        var scale: UInt64 = 1
        while number / scale > 9 { scale *= 10 }
        while scale > 0 {
            bytes[end] = UInt8(ascii: "0") + UInt8(number / scale % 10)
            end += 1
            scale /= 10
        }
    }
}
