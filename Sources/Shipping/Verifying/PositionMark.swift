/// Bytes that were shipped as one file, whatever it was called.
package struct FileStream: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Whose state directory gave the file its id.
    package var owner: UInt64
    package var file: Int64
    package var generation: Int64

    package init(owner: UInt64, file: Int64, generation: Int64) {
        self.owner = owner
        self.file = file
        self.generation = generation
    }

    package var ownerText: String {
        let digits = String(self.owner, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    package var description: String { "\(self.ownerText)/\(self.file)/\(self.generation)" }

    package static func < (a: FileStream, b: FileStream) -> Bool {
        (a.owner, a.file, a.generation) < (b.owner, b.file, b.generation)
    }
}

/// Where a record comes from, as the header `forktail.position` of the first record of a run says:
/// `5f3a9c12e07b44d1/12/0/81920+0`.
package struct PositionMark: Hashable, Sendable {
    package static let headerName = "forktail.position"

    package var stream: FileStream
    package var position: LinePosition

    package init(stream: FileStream, position: LinePosition) {
        self.stream = stream
        self.position = position
    }

    /// Nil for what is no position.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].utf8.count == 16,
            let owner = UInt64(parts[0], radix: 16),
            let file = Int64(parts[1]), let generation = Int64(parts[2])
        else { return nil }
        let place = parts[3].split(separator: "+", omittingEmptySubsequences: false)
        guard place.count == 2, let offset = Int64(place[0]), offset >= 0,
            let send = Int64(place[1]), (0..<LinePosition.sendLimit).contains(send)
        else { return nil }
        self.stream = FileStream(owner: owner, file: file, generation: generation)
        self.position = LinePosition(offset: offset, send: send)
    }
}

/// The place of a line in its file, and the number of a record among those made of the line.
package struct LinePosition: Hashable, Sendable, Comparable, CustomStringConvertible {
    static let sendLimit: Int64 = 4096  // as many sends as a line may have

    /// Both in one number, which rises along the file.
    package var rawValue: Int64

    package init(rawValue: Int64) {
        self.rawValue = rawValue
    }

    package init(offset: Int64, send: Int64 = 0) {
        self.rawValue = offset * Self.sendLimit + send
    }

    package var offset: Int64 { self.rawValue / Self.sendLimit }

    package var description: String { "\(self.offset)+\(self.rawValue % Self.sendLimit)" }

    package static func < (a: LinePosition, b: LinePosition) -> Bool { a.rawValue < b.rawValue }
}
