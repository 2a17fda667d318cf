import CPlatform

/// The texts of a line's columns, by slot; memory that is used again for each line.
struct LineFields {
    private var texts: [Text?] = []

    mutating func reset(count: Int) {
        if texts.count == count {
            for slot in texts.indices { texts[slot] = nil }
        } else {
            texts = Array(repeating: nil, count: count)
        }
    }

    subscript(slot: Int) -> Text? {
        get { texts[slot] }
        set { texts[slot] = newValue }
    }
}

/// A place in a line that only moves forward.
struct LineCursor {
    private let line: Text
    private(set) var place: Int

    init(_ line: Text, at place: Int = 0) {
        self.line = line
        self.place = place
    }

    var isAtEnd: Bool { place >= line.count }

    var peek: UInt8? { place < line.count ? line[place] : nil }

    /// All that is left.
    var rest: Text { Text(rebasing: line[min(place, line.count)...]) }

    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        place += 1
        return true
    }

    mutating func skip(_ count: Int) { place += count }

    mutating func skipSpaces() {
        while peek == UInt8(ascii: " ") { place += 1 }
    }

    /// Up to the next space, which is passed.
    mutating func word() -> Text? {
        guard place < line.count else { return nil }
        let end = RecordProcessing.place(of: UInt8(ascii: " "), in: line, from: place)
        guard end > place else { return nil }
        defer { place = min(line.count, end + 1) }
        return Text(rebasing: line[place..<end])
    }

    mutating func enclosed(_ open: UInt8, _ close: UInt8) -> Text? {
        guard peek == open else { return nil }
        let end = RecordProcessing.place(of: close, in: line, from: place)
        guard end < line.count else { return nil }
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
    func endOfQuoted() -> Int? {
        guard peek == UInt8(ascii: "\""), let base = line.baseAddress else { return nil }
        var end = place + 1
        while end < line.count {
            // Safe: what is left of the line is of that length.
            end += Int(forktail_plain_length(base + end, line.count - end))
            if end >= line.count || line[end] == UInt8(ascii: "\"") { break }
            end += line[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        return end
    }

    private mutating func pass(_ end: Int) {
        place = end + 1
        if peek == UInt8(ascii: " ") { place += 1 }
    }
}
