/// Cuts the text into tokens; what it cannot read it reports and steps over.
struct Lexer {
    /// Limits: a pipeline is a page, not a program.
    static let textLimit = 1 << 20
    static let nestingLimit = 8
    static let openText = "this text does not end on its line"

    let source: SourceText
    var diagnostics: [Diagnostic] = []
    let bytes: [UInt8]
    var position = 0
    /// True when a text that does not close has swallowed the rest of the file.
    var isCutShort = false
    private var nesting = 0
    private var lineStarted = true

    /// - Parameter start: where the last file of the text begins.
    init(source: SourceText, from start: Int = 0) {
        self.source = source
        self.bytes = source.bytes
        position = start
        if bytes[start...].starts(with: [0xEF, 0xBB, 0xBF]) { position += 3 }
    }

    /// All tokens of the text; the last is `.end`.
    mutating func tokens() -> [Token] {
        guard bytes.count <= Self.textLimit else {
            let span = Span(position, position)
            report("this file is larger than 1 MiB", span, help: "is it a pipeline?")
            isCutShort = true
            return [Token(kind: .end, span: span, startsLine: true)]
        }
        var tokens: [Token] = []
        while let token = next() { tokens.append(token) }
        tokens.append(Token(kind: .end, span: Span(bytes.count, bytes.count), startsLine: true))
        return tokens
    }

    mutating func report(_ message: String, _ span: Span, help: String? = nil) {
        diagnostics.append(Diagnostic(.badCharacters, message, at: span, help: help))
    }

    func peek(_ ahead: Int = 0) -> UInt8? {
        position + ahead < bytes.count ? bytes[position + ahead] : nil
    }

    private mutating func next() -> Token? {
        while true {
            skipSpace()
            guard position < bytes.count else { return nil }
            let start = position
            guard let kind = kind() else { continue }
            let isAtMargin = start == 0 || bytes[start - 1] == UInt8(ascii: "\n")
            defer { lineStarted = false }
            return Token(
                kind: kind,
                span: Span(start, position),
                startsLine: lineStarted,
                isAtMargin: isAtMargin
            )
        }
    }

    private mutating func skipSpace() {
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\n"): lineStarted = true
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
            case UInt8(ascii: "#"):
                skipComment()
                continue
            default: return
            }
            position += 1
        }
    }

    private mutating func skipComment() {
        while let byte = peek(), byte != UInt8(ascii: "\n") { position += 1 }
    }

    private mutating func kind() -> Token.Kind? {
        guard let byte = peek() else { return nil }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return text(quote: byte)
        case UInt8(ascii: "`"): return quotedName()
        case UInt8(ascii: "@"): return meta()
        case _ where byte.isDigit: return number()
        case _ where byte.isLetter: return .name(word(), isQuoted: false)
        default: return sign() ?? unreadable()
        }
    }

    // MARK: Words and signs

    mutating func word() -> String {
        let start = position
        while let byte = peek(), byte.isLetter || byte.isDigit { position += 1 }
        return source.text(in: Span(start, position))
    }

    private mutating func quotedName() -> Token.Kind? {
        let start = position
        position += 1
        while let byte = peek(), byte != UInt8(ascii: "`"), byte != UInt8(ascii: "\n") {
            position += 1
        }
        let name = source.text(in: Span(start + 1, position))
        guard peek() == UInt8(ascii: "`"), !name.isEmpty else {
            if peek() == UInt8(ascii: "`") { position += 1 }
            report("this name in backticks is empty or does not end", Span(start, position))
            return .name(name.isEmpty ? "_" : name, isQuoted: true)
        }
        position += 1
        return .name(name, isQuoted: true)
    }

    private mutating func meta() -> Token.Kind? {
        let start = position
        position += 1
        var path = [word()]
        while peek() == UInt8(ascii: "."), peek(1)?.isLetter == true {
            position += 1
            path.append(word())
        }
        guard path != [""] else {
            report("`@` needs a name, such as `@host`", Span(start, position))
            return nil
        }
        return .meta(path)
    }

    private mutating func sign() -> Token.Kind? {
        for length in [2, 1] where position + length <= bytes.count {
            let text = source.text(in: Span(position, position + length))
            guard let sign = Token.Sign(rawValue: text) else { continue }
            position += length
            return .sign(sign)
        }
        return nil
    }

    private mutating func unreadable() -> Token.Kind? {
        let start = position
        for (text, word) in [("&&", "and"), ("||", "or"), ("!", "not")] {
            guard bytes[position...].starts(with: text.utf8) else { continue }
            position += text.utf8.count
            report("`\(text)` is not a sign of this language", span(start), help: "write `\(word)`")
            return .name(word, isQuoted: false)
        }
        position += 1
        while let byte = peek(), byte & 0xC0 == 0x80 { position += 1 }
        let text = source.text(in: span(start))
        let isQuote = ["“", "”", "„", "‘", "’"].contains(text)
        let help = isQuote ? "write straight quotes: `\"` or `'`" : nil
        report("`\(text)` means nothing here", span(start), help: help)
        return nil
    }

    func span(_ start: Int) -> Span { Span(start, position) }

    // MARK: Numbers

    private mutating func number() -> Token.Kind? {
        let start = position
        skipDigits()
        if peek() == UInt8(ascii: "."), peek(1)?.isDigit == true {
            position += 1
            skipDigits()
            guard peek()?.isLetter == true else { return .decimal(source.text(in: span(start))) }
        }
        let digits = source.text(in: span(start))
        let unit = word()
        if let kind = Self.quantity(digits, unit: unit) { return kind }
        if unit.isEmpty {
            report("this number is too large", span(start))
        } else {
            let help = "units are ms, s, m, h, d and KiB, MiB, GiB"
            report("`\(digits)\(unit)` is not a number", span(start), help: help)
        }
        return .integer(0)
    }

    private mutating func skipDigits() {
        while let byte = peek(), byte.isDigit { position += 1 }
    }

    private static func quantity(_ digits: String, unit: String) -> Token.Kind? {
        guard let count = Int64(digits) else { return nil }
        guard !unit.isEmpty else { return .integer(count) }
        if let milliseconds = durationUnits[unit] {
            let (total, overflow) = count.multipliedReportingOverflow(by: milliseconds)
            return overflow ? nil : .duration(.milliseconds(total))
        }
        guard let size = byteUnits[unit] else { return nil }
        let (total, overflow) = count.multipliedReportingOverflow(by: size)
        return overflow ? nil : .byteCount(total)
    }

    private static let durationUnits: [String: Int64] = [
        "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
    ]
    private static let byteUnits: [String: Int64] = [
        "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
    ]

    // MARK: Nested tokens

    /// The tokens of `${…}`, with the position behind `${`; nil when the brace does not close.
    mutating func interpolation(from start: Int) -> [Token]? {
        guard nesting < Self.nestingLimit else {
            report("texts are nested too deeply", Span(start, position))
            return nil
        }
        nesting += 1
        defer { nesting -= 1 }
        let outerLineStarted = lineStarted
        let reported = diagnostics.count
        lineStarted = false
        defer { lineStarted = outerLineStarted }
        var tokens: [Token] = []
        var depth = 0
        while let token = next(), !token.startsLine {
            if token.sign == .openBrace { depth += 1 }
            if token.sign == .closeBrace { depth -= 1 }
            guard depth >= 0 else {
                tokens.append(Token(kind: .end, span: token.span, startsLine: false))
                return tokens
            }
            tokens.append(token)
        }
        // The quotes that should end the text have begun another one in it.
        if diagnostics.last?.message == Self.openText { diagnostics.removeSubrange(reported...) }
        if diagnostics.count == reported {
            report("this `${` does not close", Span(start, start + 2), help: "add `}`")
        }
        position = source.lineSpan(source.lineNumber(of: start)).end
        return nil
    }
}

extension UInt8 {
    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    var isLetter: Bool {
        let lower = self | 0x20
        return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z") || self == UInt8(ascii: "_")
    }
}
