/// Texts: `"…"` computes, `'…'` is literal, three quotes span lines.
extension Lexer {
    mutating func text(quote: UInt8) -> Token.Kind {
        if peek(1) == quote, peek(2) == quote { return multilineText(quote: quote) }
        let start = position
        let reported = diagnostics.count
        position += 1
        guard quote == UInt8(ascii: "\"") else { return literalText(from: start) }
        var builder = TextBuilder()
        while let byte = peek(), byte != UInt8(ascii: "\n") {
            if byte == quote {
                position += 1
                return builder.kind
            }
            piece(into: &builder)
        }
        // A `${` that does not close has eaten the end of the line: one cause, one error.
        guard diagnostics.count == reported else { return builder.kind }
        return unterminated(from: start, quote: "\"", builder.kind)
    }

    private mutating func literalText(from start: Int) -> Token.Kind {
        while let byte = peek(), byte != UInt8(ascii: "\n") {
            position += 1
            guard byte == UInt8(ascii: "'") else { continue }
            return .string(source.text(in: Span(start + 1, position - 1)))
        }
        return unterminated(from: start, quote: "'", .string(""))
    }

    private mutating func unterminated(
        from start: Int,
        quote: String,
        _ kind: Token.Kind
    ) -> Token.Kind {
        let span = Span(start, min(max(position, start + 1), bytes.count))
        report(Self.openText, span, help: "close it with `\(quote)`")
        return kind
    }

    /// Reads a character, an escape or a `${…}` of a computed text.
    private mutating func piece(into builder: inout TextBuilder) {
        guard let byte = peek() else { return }
        if byte == UInt8(ascii: "\\") {
            builder.append(escape())
        } else if byte == UInt8(ascii: "$"), peek(1) == UInt8(ascii: "{") {
            let start = position
            position += 2
            guard let tokens = interpolation(from: start) else { return }
            builder.append(tokens)
        } else {
            builder.append(byte)
            position += 1
        }
    }

    private mutating func escape() -> [UInt8] {
        let start = position
        position += 1
        guard let byte = peek(), byte != UInt8(ascii: "\n") else { return [] }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "0"): return [0]
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "$"), UInt8(ascii: "'"):
            return [byte]
        case UInt8(ascii: "u"):
            if let scalar = unicodeEscape() { return Array(String(scalar).utf8) }
        default:
            while let next = peek(), next & 0xC0 == 0x80 { position += 1 }
        }
        let text = source.text(in: span(start))
        report(
            "`\(text)` is not an escape",
            span(start),
            help: "for a backslash write `\\\\`; in '…' nothing needs one"
        )
        return []
    }

    private mutating func unicodeEscape() -> Unicode.Scalar? {
        guard peek() == UInt8(ascii: "{") else { return nil }
        position += 1
        let digits = word()
        guard peek() == UInt8(ascii: "}") else { return nil }
        position += 1
        guard digits.utf8.count <= 6, let value = UInt32(digits, radix: 16) else { return nil }
        return Unicode.Scalar(value)
    }

    // MARK: Several lines

    private mutating func multilineText(quote: UInt8) -> Token.Kind {
        let start = position
        position += 3
        while let byte = peek(), byte.isBlank { position += 1 }
        guard peek() == UInt8(ascii: "\n"), let close = closingQuotes(quote) else {
            return badMultilineText(from: start, quote: quote)
        }
        position += 1
        let indent = bytes[close.lineStart..<close.quotes]
        var builder = TextBuilder()
        while position < close.lineStart {
            skipIndent(indent)
            readLine(until: close.lineStart, isComputed: quote == 0x22, into: &builder)
        }
        builder.dropLineFeed()
        position = close.quotes + 3
        return builder.kind
    }

    private mutating func badMultilineText(from start: Int, quote: UInt8) -> Token.Kind {
        let marks = quote == UInt8(ascii: "'") ? "'''" : "\"\"\""
        let isOpenLine = peek() == UInt8(ascii: "\n")
        if isOpenLine {
            report(
                "this text does not end",
                Span(start, start + 3),
                help: "close it with `\(marks)` on a line of its own"
            )
            position = bytes.count
            isCutShort = true
        } else {
            let help = "begin the text on the next line"
            report("nothing may follow `\(marks)` on its line", Span(start, start + 3), help: help)
            skipBadText(marks)
        }
        return .string("")
    }

    private mutating func skipBadText(_ marks: String) {
        while position < bytes.count, !bytes[position...].starts(with: marks.utf8) {
            position += 1
        }
        position = min(position + 3, bytes.count)
    }

    /// The first line that has nothing but white space before its three quotes.
    private func closingQuotes(_ quote: UInt8) -> (lineStart: Int, quotes: Int)? {
        var line = source.lineNumber(of: position) + 1
        while line <= source.lineStarts.count {
            let start = source.lineStarts[line - 1]
            var at = start
            while at < bytes.count, bytes[at].isBlank { at += 1 }
            if bytes[at...].prefix(3).elementsEqual([quote, quote, quote]) { return (start, at) }
            line += 1
        }
        return nil
    }

    private mutating func skipIndent(_ indent: ArraySlice<UInt8>) {
        for byte in indent {
            guard peek() == byte else { return }
            position += 1
        }
    }

    private mutating func readLine(
        until end: Int,
        isComputed: Bool,
        into builder: inout TextBuilder
    ) {
        while position < end, let byte = peek() {
            if isComputed, byte != UInt8(ascii: "\n") {
                piece(into: &builder)
                continue
            }
            builder.append(byte)
            position += 1
            if byte == UInt8(ascii: "\n") { return }
        }
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool {
        self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") || self == UInt8(ascii: "\r")
    }
}

/// Collects the pieces of one text.
private struct TextBuilder {
    private var segments: [Token.Segment] = []
    private var current: [UInt8] = []

    mutating func append(_ byte: UInt8) {
        current.append(byte)
    }

    mutating func append(_ bytes: [UInt8]) {
        current += bytes
    }

    mutating func append(_ tokens: [Token]) {
        flush()
        segments.append(.tokens(tokens))
    }

    mutating func dropLineFeed() {
        if current.last == UInt8(ascii: "\n") { current.removeLast() }
        if current.last == UInt8(ascii: "\r") { current.removeLast() }
    }

    var kind: Token.Kind {
        var copy = self
        guard !copy.segments.isEmpty else {
            return .string(String(decoding: current, as: UTF8.self))
        }
        copy.flush()
        return .computed(copy.segments)
    }

    private mutating func flush() {
        guard !current.isEmpty else { return }
        segments.append(.text(String(decoding: current, as: UTF8.self)))
        current = []
    }
}
