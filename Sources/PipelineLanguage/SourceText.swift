/// A piece of a source text, as UTF-8 offsets.
package struct Span: Hashable, Sendable {
    package var start: Int
    package var end: Int

    package init(_ start: Int, _ end: Int) {
        self.start = start
        self.end = end
    }

    func overlaps(_ other: Span) -> Bool {
        start < other.end && other.start < end
    }

    /// The span from the start of this one to the end of another.
    package func joined(to other: Span) -> Span {
        Span(min(start, other.start), max(end, other.end))
    }
}

/// Where a person looks for something: line and column, both counted from one.
package struct SourceLocation: Hashable, Sendable {
    package var line: Int
    package var column: Int
}

/// The text of a pipeline and of what it includes, with its name and the starts of its lines.
///
/// Included files stand behind the pipeline's own text, so that one offset says where something is
/// in all of them.
package struct SourceText: Sendable {
    /// A file that the text is made of.
    package struct Piece: Hashable, Sendable {
        package var path: String
        package var span: Span
        /// The `include` that asked for it; nil for the pipeline itself.
        package var includedAt: Span?
    }

    /// The path as the user wrote it, for messages.
    package let path: String
    /// The name of the pipeline: the file's base name without `.pipeline`.
    package let name: String
    package private(set) var bytes: [UInt8]
    private(set) var lineStarts: [Int]
    /// The pipeline itself, and behind it what it includes.
    package private(set) var pieces: [Piece]

    package init(path: String, text: String) {
        self.init(path: path, bytes: Array(text.utf8))
    }

    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.name = Self.pipelineName(of: path)
        self.bytes = bytes
        self.lineStarts = [0]
        self.pieces = [Piece(path: path, span: Span(0, bytes.count))]
        addLineStarts(from: 0)
    }

    private mutating func addLineStarts(from start: Int) {
        for offset in start..<bytes.count where bytes[offset] == UInt8(ascii: "\n") {
            lineStarts.append(offset + 1)
        }
    }

    /// Adds a file that the text includes.
    mutating func append(path: String, bytes included: [UInt8], includedAt: Span) -> Piece {
        let end = bytes.count
        // Every file begins a line of its own.
        bytes.append(UInt8(ascii: "\n"))
        bytes += included
        addLineStarts(from: end)
        let span = Span(end + 1, bytes.count)
        let piece = Piece(path: path, span: span, includedAt: includedAt)
        pieces.append(piece)
        return piece
    }

    /// The file that an offset is in.
    package func piece(at offset: Int) -> Piece {
        pieces.last { $0.span.start <= offset } ?? pieces[0]
    }

    /// The text that a span covers.
    package func text(in span: Span) -> String {
        let start = min(max(span.start, 0), bytes.count)
        let end = min(max(span.end, start), bytes.count)
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// The line and the column of an offset in its file, columns counted in characters.
    package func location(of offset: Int) -> SourceLocation {
        let line = lineNumber(of: offset)
        let before = text(in: Span(lineStarts[line - 1], offset))
        let first = lineNumber(of: piece(at: offset).span.start)
        return SourceLocation(line: line - first + 1, column: before.count + 1)
    }

    /// The same with columns counted in code points, as SARIF counts them.
    func scalarLocation(of offset: Int) -> SourceLocation {
        var location = location(of: offset)
        let before = text(in: Span(lineStarts[lineNumber(of: offset) - 1], offset))
        location.column = before.unicodeScalars.count + 1
        return location
    }

    /// `file:line:column` of an offset.
    package func place(of offset: Int) -> String {
        let location = location(of: offset)
        return "\(piece(at: offset).path):\(location.line):\(location.column)"
    }

    /// The line number of an offset in the whole text, counted from one.
    package func lineNumber(of offset: Int) -> Int {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low + 1
    }

    /// The offsets of a line without its line ending.
    func lineSpan(_ line: Int) -> Span {
        let start = lineStarts[line - 1]
        var end = line < lineStarts.count ? lineStarts[line] - 1 : bytes.count
        if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return Span(start, end)
    }

    private static func pipelineName(of path: String) -> String {
        let base = path.split(separator: "/").last.map(String.init) ?? path
        let suffix = ".pipeline"
        return base.hasSuffix(suffix) ? String(base.dropLast(suffix.count)) : base
    }
}
