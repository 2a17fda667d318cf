/// A word, sign or literal of the pipeline text.
struct Token: Sendable {
    enum Kind: Sendable {
        case name(String, isQuoted: Bool)
        case meta([String])
        case integer(Int64)
        case decimal(String)
        case duration(Duration)
        case byteCount(Int64)
        /// A text without `${…}`.
        case string(String)
        /// A text with `${…}`, whose tokens end with `.end`.
        case computed([Segment])
        case sign(Sign)
        case end
    }

    enum Segment: Sendable {
        case text(String)
        case tokens([Token])
    }

    enum Sign: String, Sendable, CaseIterable {
        case openBrace = "{"
        case closeBrace = "}"
        case openParen = "("
        case closeParen = ")"
        case openBracket = "["
        case closeBracket = "]"
        case comma = ","
        case colon = ":"
        case dot = "."
        case question = "?"
        case coalesce = "??"
        case assign = "="
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case matches = "=~"
        case doesNotMatch = "!~"
        case arrow = "=>"
        case plus = "+"
        case minus = "-"
        case star = "*"
        case slash = "/"
        case percent = "%"
    }

    var kind: Kind
    var span: Span
    /// True for the first token of a line.
    var startsLine: Bool
    /// True when it stands at the very beginning of a line.
    var isAtMargin: Bool = false
}

extension Token {
    /// The word, unless it is in backticks: those are always names of fields.
    var word: String? {
        if case .name(let word, isQuoted: false) = kind { word } else { nil }
    }

    var sign: Sign? {
        if case .sign(let sign) = kind { sign } else { nil }
    }

    var isEnd: Bool {
        if case .end = kind { true } else { false }
    }

    /// The token in a message: "expected a name, found …".
    var description: String {
        switch kind {
        case .name(let name, _): "`\(name)`"
        case .meta(let path): "`@\(path.joined(separator: "."))`"
        case .integer, .decimal, .duration, .byteCount: "a number"
        case .string, .computed: "a text"
        case .sign(let sign): "`\(sign.rawValue)`"
        case .end: "the end of the text"
        }
    }
}
