/// The parts of a URL, or of the path and query that a request line has, as RFC 3986 cuts them.
struct URLText {
    private(set) var scheme: Text?
    /// Without the password that may stand behind it.
    private(set) var user: Text?
    private(set) var host: Text?
    private(set) var port: UInt16?
    private(set) var path: Text
    private(set) var query: Text?
    private(set) var fragment: Text?

    init(_ text: Text) throws(URLTextError) {
        guard !text.isEmpty else { throw URLTextError(description: "it is empty") }
        guard !text.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw URLTextError(description: "it has a space in it")
        }
        var rest = text[...]
        fragment = Self.cut(&rest, at: UInt8(ascii: "#"))
        query = Self.cut(&rest, at: UInt8(ascii: "?"))
        scheme = Self.takeScheme(&rest)
        let slash = UInt8(ascii: "/")
        guard rest.starts(with: [slash, slash]) else {
            path = Text(rebasing: rest)
            return
        }
        let authority = rest.dropFirst(2).prefix { $0 != slash }
        path = Text(rebasing: rest[authority.endIndex...])
        try readAuthority(authority)
    }

    /// What stands behind the first such sign; the sign goes too.
    private static func cut(_ rest: inout Slice<Text>, at sign: UInt8) -> Text? {
        guard let place = rest.firstIndex(of: sign) else { return nil }
        defer { rest = rest[..<place] }
        return Text(rebasing: rest[(place + 1)...])
    }

    private static func takeScheme(_ rest: inout Slice<Text>) -> Text? {
        let name = rest.prefix { byte in
            isLetter(byte) || isDigit(byte) || [UInt8]("+-.".utf8).contains(byte)
        }
        guard let first = name.first, isLetter(first), name.endIndex < rest.endIndex,
            rest[name.endIndex] == UInt8(ascii: ":")
        else { return nil }
        rest = rest[(name.endIndex + 1)...]
        return Text(rebasing: name)
    }

    private mutating func readAuthority(_ authority: Slice<Text>) throws(URLTextError) {
        var place = authority
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
            user = Text(rebasing: authority[..<at].prefix { $0 != UInt8(ascii: ":") })
            place = authority[(at + 1)...]
        }
        // The colons of an IPv6 address stand in brackets.
        let bracket = place.lastIndex(of: UInt8(ascii: "]")) ?? place.startIndex
        if let colon = place[bracket...].lastIndex(of: UInt8(ascii: ":")) {
            let digits = Text(rebasing: place[(colon + 1)...])
            place = place[..<colon]
            if !digits.isEmpty { port = try Self.port(digits) }
        }
        host = Text(rebasing: place)
    }

    private static func port(_ digits: Text) throws(URLTextError) -> UInt16 {
        guard digits.allSatisfy(isDigit), let number = parseInt(digits),
            let port = UInt16(exactly: number)
        else { throw URLTextError(description: "its port is no number") }
        return port
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// A part of a query with `%20` and `+` as what they stand for; what is no escape stays.
    static func decoded(_ part: Slice<Text>) -> [UInt8] {
        var bytes: [UInt8] = []
        var place = part.startIndex
        while place < part.endIndex {
            if part[place] == UInt8(ascii: "%"), place + 2 < part.endIndex,
                let high = hexValue(part[place + 1]), let low = hexValue(part[place + 2])
            {
                bytes.append(high << 4 | low)
                place += 3
            } else {
                bytes.append(part[place] == UInt8(ascii: "+") ? 0x20 : part[place])
                place += 1
            }
        }
        return bytes
    }
}

/// Why a text is no URL.
struct URLTextError: Error, CustomStringConvertible {
    let description: String
}
