/// The ten fields of nginx's and Apache's `combined` format, found by plain searching.
struct NginxFields {
    /// In the order of `Format.nginxColumns`.
    private enum Place: Int {
        case remoteAddress, remoteUser, time, method, path, protocolVersion, status, bytes
        case referer, userAgent
    }

    private var fields = [Text?](repeating: nil, count: 10)

    func text(_ slot: Int) -> Text? { fields[slot] }

    /// Splits a line; what does not fit comes back in words.
    mutating func parse(_ line: Text) -> String? {
        var rest = Cursor(line)
        guard let address = rest.word(), rest.word() != nil, let user = rest.word() else {
            return "it does not begin with address, identity and user"
        }
        guard let time = rest.enclosed(UInt8(ascii: "["), UInt8(ascii: "]")) else {
            return "there is no [time]"
        }
        guard let request = rest.quoted() else { return "there is no \"request\"" }
        guard let status = rest.word(), let size = rest.word() else {
            return "there are no status and size"
        }
        set(.remoteAddress, address)
        set(.remoteUser, value(user))
        set(.time, time)
        set(.status, status)
        set(.bytes, isDash(size) ? zero : size)
        if let problem = setRequest(request) { return problem }
        set(.referer, rest.quotedOrCutOff().flatMap(value))
        set(.userAgent, rest.quotedOrCutOff().flatMap(value))
        return nil
    }

    private mutating func set(_ place: Place, _ text: Text?) { fields[place.rawValue] = text }

    private mutating func setRequest(_ request: Text) -> String? {
        guard let first = request.firstIndex(of: UInt8(ascii: " ")),
            let last = request.lastIndex(of: UInt8(ascii: " ")), first < last
        else { return "the request is not METHOD PATH PROTOCOL" }
        set(.method, Text(rebasing: request[..<first]))
        set(.path, Text(rebasing: request[(first + 1)..<last]))
        set(.protocolVersion, Text(rebasing: request[(last + 1)...]))
        return nil
    }

    private func isDash(_ text: Text) -> Bool { text.count == 1 && text[0] == UInt8(ascii: "-") }

    private func value(_ text: Text) -> Text? { isDash(text) || text.isEmpty ? nil : text }

    /// Apache writes `-` for a body without bytes.
    private var zero: Text {
        let text: StaticString = "0"
        return Text(start: text.utf8Start, count: 1)
    }
}

/// A place in a line that only moves forward.
private struct Cursor {
    private let line: Text
    private var place = 0

    init(_ line: Text) { self.line = line }

    /// Up to the next space, which is passed.
    mutating func word() -> Text? {
        guard place < line.count else { return nil }
        let end = line[place...].firstIndex(of: UInt8(ascii: " ")) ?? line.count
        guard end > place else { return nil }
        defer { place = min(line.count, end + 1) }
        return Text(rebasing: line[place..<end])
    }

    mutating func enclosed(_ open: UInt8, _ close: UInt8) -> Text? {
        guard place < line.count, line[place] == open,
            let end = line[place...].firstIndex(of: close)
        else { return nil }
        defer { pass(end) }
        return Text(rebasing: line[(place + 1)..<end])
    }

    /// A text in quotes; a quote inside it stands behind a backslash.
    mutating func quoted() -> Text? {
        guard let end = endOfQuoted(), end < line.count else { return nil }
        defer { pass(end) }
        return Text(rebasing: line[(place + 1)..<end])
    }

    /// A text in quotes, or what is there of one in a line that was cut off before its end.
    mutating func quotedOrCutOff() -> Text? {
        guard let end = endOfQuoted() else { return nil }
        defer { pass(end) }
        return Text(rebasing: line[(place + 1)..<min(end, line.count)])
    }

    /// Where the closing quote is; the line's end or further if there is none.
    private func endOfQuoted() -> Int? {
        guard place < line.count, line[place] == UInt8(ascii: "\"") else { return nil }
        var end = place + 1
        while end < line.count, line[end] != UInt8(ascii: "\"") {
            end += line[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        return end
    }

    private mutating func pass(_ end: Int) {
        place = end + 1
        if place < line.count, line[place] == UInt8(ascii: " ") { place += 1 }
    }
}
