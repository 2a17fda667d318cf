/// A piece of a source text, as UTF-8 offsets.
package struct Span: Hashable, Sendable {
    package var start: Int
    package var end: Int

    package init(_ start: Int, _ end: Int) {
        self.start = start
        self.end = end
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

/// The text of one pipeline file, with its name and the starts of its lines.
package struct SourceText: Sendable {
    /// The path as the user wrote it, for messages.
    package let path: String
    /// The name of the pipeline: the file's base name without `.pipeline`.
    package let name: String
    package let bytes: [UInt8]
    let lineStarts: [Int]

    package init(path: String, text: String) {
        self.init(path: path, bytes: Array(text.utf8))
    }

    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.name = Self.pipelineName(of: path)
        self.bytes = bytes
        var starts = [0]
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
            starts.append(offset + 1)
        }
        self.lineStarts = starts
    }

    /// The text that a span covers.
    package func text(in span: Span) -> String {
        let start = min(max(span.start, 0), bytes.count)
        let end = min(max(span.end, start), bytes.count)
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// The line and the column of an offset, columns counted in characters.
    package func location(of offset: Int) -> SourceLocation {
        let line = lineNumber(of: offset)
        let before = text(in: Span(lineStarts[line - 1], offset))
        return SourceLocation(line: line, column: before.count + 1)
    }

    /// The line number of an offset, counted from one.
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
