/// Pairs `name=value` between other words.
enum KeyValueText {
    struct Pair {
        var name: Text
        /// Without its quotes.
        var value: Text
        var hasEscapes = false
    }

    /// The next pair at `place` or behind it; `place` moves behind the pair.
    static func nextPair(in text: Text, from place: inout Int) -> Pair? {
        while place < text.count {
            if isSeparator(text[place]) {
                place += 1
                continue
            }
            let start = place
            while place < text.count, !isSpace(text[place]), text[place] != UInt8(ascii: "=") {
                place += 1
            }
            guard place < text.count, text[place] == UInt8(ascii: "="), place > start else {
                // A word, or an `=` that nothing stands in front of.
                if place < text.count, text[place] == UInt8(ascii: "=") { place += 1 }
                continue
            }
            let name = Text(rebasing: text[start..<place])
            place += 1
            var pair = value(in: text, from: &place)
            pair.name = name
            return pair
        }
        return nil
    }

    private static func value(in text: Text, from place: inout Int) -> Pair {
        let nothing = Text(rebasing: text[..<0])
        let first = place < text.count ? text[place] : 0
        let isQuoted = first == UInt8(ascii: "\"") || first == UInt8(ascii: "'")
        return isQuoted
            ? quotedValue(in: text, from: &place, quote: first, name: nothing)
            : Pair(name: nothing, value: plainValue(in: text, from: &place))
    }

    private static func plainValue(in text: Text, from place: inout Int) -> Text {
        let start = place
        while place < text.count, !isSpace(text[place]) { place += 1 }
        var end = place
        if end > start, text[end - 1] == UInt8(ascii: ",") || text[end - 1] == UInt8(ascii: ";") {
            end -= 1
        }
        return Text(rebasing: text[start..<end])
    }

    /// A text without its closing quote goes to the end.
    private static func quotedValue(
        in text: Text,
        from place: inout Int,
        quote: UInt8,
        name: Text
    ) -> Pair {
        let start = place + 1
        var hasEscapes = false
        place = start
        while place < text.count, text[place] != quote {
            let isEscape = text[place] == UInt8(ascii: "\\") && place + 1 < text.count
            hasEscapes = hasEscapes || isEscape
            place += isEscape ? 2 : 1
        }
        let value = Text(rebasing: text[start..<place])
        place += 1
        return Pair(name: name, value: value, hasEscapes: hasEscapes)
    }

    /// The text with each `\"` as `"`, and `\n`, `\t` as what they stand for.
    static func unescaped(_ text: Text) -> [UInt8] {
        var bytes: [UInt8] = []
        var place = 0
        while place < text.count {
            let isEscape = text[place] == UInt8(ascii: "\\") && place + 1 < text.count
            if isEscape { place += 1 }
            switch (isEscape, text[place]) {
            case (true, UInt8(ascii: "n")): bytes.append(0x0A)
            case (true, UInt8(ascii: "t")): bytes.append(0x09)
            case (_, let byte): bytes.append(byte)
            }
            place += 1
        }
        return bytes
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        isSpace(byte) || byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";")
    }
}
