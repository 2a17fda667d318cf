/// A text with all that it includes as one string, to be compiled again where the files are not.
extension SourceText {
    // No pipeline without errors begins so.
    private static let mark = Array("%sources\n".utf8)

    /// The text as it is or, when it includes others, all of them with their paths.
    package var archive: String {
        guard pieces.count > 1 else { return text(in: pieces[0].span) }
        return pieces.reduce(into: "%sources\n") { archive, piece in
            let text = text(in: piece.span)
            archive += "\(piece.path.utf8.count) \(text.utf8.count)\n\(piece.path)\n\(text)\n"
        }
    }

    /// What an archive was made of: the text itself, and what it includes by its path.
    package static func unpack(
        _ archive: String,
        path: String
    ) -> (source: SourceText, included: [String: [UInt8]]) {
        let bytes = Array(archive.utf8)
        var rest = bytes[...]
        guard rest.starts(with: mark) else { return (SourceText(path: path, bytes: bytes), [:]) }
        rest = rest.dropFirst(mark.count)
        var source = SourceText(path: path, bytes: [])
        var included: [String: [UInt8]] = [:]
        var isFirst = true
        while let (name, text) = nextPiece(&rest) {
            if isFirst {
                source = SourceText(path: path, bytes: text)
            } else {
                included[name] = text
            }
            isFirst = false
        }
        return (source, included)
    }

    private static func nextPiece(
        _ rest: inout ArraySlice<UInt8>
    ) -> (path: String, text: [UInt8])? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let counts = String(decoding: rest[..<end], as: UTF8.self)
            .split(separator: " ").compactMap { Int($0) }
        rest = rest[(end + 1)...]
        guard counts.count == 2, counts[0] >= 0, counts[1] >= 0,
            counts[0] <= rest.count, counts[1] <= rest.count - counts[0] - 1
        else { return nil }
        let path = String(decoding: rest.prefix(counts[0]), as: UTF8.self)
        rest = rest.dropFirst(counts[0] + 1)
        let text = Array(rest.prefix(counts[1]))
        rest = rest.dropFirst(counts[1] + 1)
        return (path, text)
    }
}
