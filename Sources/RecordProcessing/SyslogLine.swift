internal import PipelineLanguage

/// A line of syslog, as RFC 5424 or RFC 3164 says, with or without its priority.
struct SyslogLine {
    private enum Place: Int {
        case facility, severity, time, host, app, pid, messageID, data, message
    }

    private let facilities: [Text]
    private let severities: [Text]

    /// - Parameter constants: holds the names of facilities and severities.
    init(_ constants: ConstantPool) {
        facilities = KnownFormat.facilities.map(constants.text)
        severities = KnownFormat.severities.map(constants.text)
    }

    /// Splits a line; what does not fit comes back in words.
    ///
    /// - Parameter writer: structured data becomes JSON there.
    func parse(
        _ line: Text,
        into fields: inout LineFields,
        _ writer: JSONWriter,
        _ scratch: Scratch
    ) -> String? {
        var cursor = LineCursor(line)
        let hasPriority = cursor.peek == UInt8(ascii: "<")
        if hasPriority {
            guard let priority = priority(&cursor) else { return "the <priority> is not 0 to 191" }
            fields[Place.facility.rawValue] = facilities[priority / 8]
            fields[Place.severity.rawValue] = severities[priority % 8]
        }
        // Only RFC 5424 has a version, and a space behind it.
        if hasPriority, isVersion(cursor) {
            cursor.skip(2)
            return parse5424(&cursor, &fields, writer, scratch)
        }
        return parse3164(&cursor, &fields)
    }

    private func priority(_ cursor: inout LineCursor) -> Int? {
        guard let text = cursor.enclosed(UInt8(ascii: "<"), UInt8(ascii: ">")),
            (1...3).contains(text.count), text.allSatisfy(isDigit),
            let number = parseInt(text), number < 192
        else { return nil }
        return Int(number)
    }

    private func isVersion(_ cursor: LineCursor) -> Bool {
        let rest = cursor.rest
        return rest.count > 1 && isDigit(rest[0]) && rest[1] == UInt8(ascii: " ")
    }

    // MARK: RFC 5424

    private func parse5424(
        _ cursor: inout LineCursor,
        _ fields: inout LineFields,
        _ writer: JSONWriter,
        _ scratch: Scratch
    ) -> String? {
        for place in [Place.time, .host, .app, .pid, .messageID] {
            guard let word = cursor.word() else {
                return "it has no TIME HOST APP PROCID MSGID behind its version"
            }
            fields[place.rawValue] = value(word)
        }
        if cursor.take(UInt8(ascii: "-")) {
            fields[Place.data.rawValue] = nil
        } else {
            writer.reset()
            guard readData(&cursor, writer, scratch) else {
                return "its structured data is not [id name=\"value\"]"
            }
            fields[Place.data.rawValue] = scratch.copy(writer.text)
        }
        guard cursor.isAtEnd || cursor.take(UInt8(ascii: " ")) else {
            return "there is no space behind its structured data"
        }
        fields[Place.message.rawValue] = withoutByteOrderMark(cursor.rest)
        return nil
    }

    private func value(_ word: Text) -> Text? {
        word.count == 1 && word[0] == UInt8(ascii: "-") ? nil : word
    }

    private func withoutByteOrderMark(_ text: Text) -> Text {
        text.starts(with: [0xEF, 0xBB, 0xBF]) ? Text(rebasing: text[3...]) : text
    }

    /// `[id name="value" …][…]` as an object of objects.
    private func readData(
        _ cursor: inout LineCursor,
        _ writer: JSONWriter,
        _ scratch: Scratch
    ) -> Bool {
        guard cursor.peek == UInt8(ascii: "[") else { return false }
        writer.write(UInt8(ascii: "{"))
        while cursor.take(UInt8(ascii: "[")) {
            if writer.count > 1 { writer.write(UInt8(ascii: ",")) }
            guard let id = name(&cursor) else { return false }
            writer.write(quoted: id)
            writer.write(UInt8(ascii: ":"))
            guard readParameters(&cursor, writer, scratch) else { return false }
        }
        writer.write(UInt8(ascii: "}"))
        return true
    }

    private func readParameters(
        _ cursor: inout LineCursor,
        _ writer: JSONWriter,
        _ scratch: Scratch
    ) -> Bool {
        writer.write(UInt8(ascii: "{"))
        var isFirst = true
        while cursor.take(UInt8(ascii: " ")) {
            guard let name = name(&cursor), cursor.take(UInt8(ascii: "=")),
                let end = cursor.endOfQuoted()
            else { return false }
            let length = end - cursor.place - 1
            let rest = cursor.rest
            guard length + 1 < rest.count else { return false }
            if !isFirst { writer.write(UInt8(ascii: ",")) }
            isFirst = false
            writer.write(quoted: name)
            writer.write(UInt8(ascii: ":"))
            writer.write(quoted: unescaped(Text(rebasing: rest[1..<(length + 1)]), scratch))
            cursor.skip(length + 2)
        }
        writer.write(UInt8(ascii: "}"))
        return cursor.take(UInt8(ascii: "]"))
    }

    /// An SD-NAME: printable ASCII but `=`, space, `]` and `"`.
    private func name(_ cursor: inout LineCursor) -> Text? {
        let name = cursor.rest.prefix {
            (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "]")
                && $0 != UInt8(ascii: "\"")
        }
        cursor.skip(name.count)
        return name.isEmpty ? nil : Text(rebasing: name)
    }

    /// A backslash means something only before `"`, `\` and `]`.
    private func unescaped(_ text: Text, _ scratch: Scratch) -> Text {
        guard text.contains(UInt8(ascii: "\\")) else { return text }
        var bytes: [UInt8] = []
        var place = 0
        while place < text.count {
            if text[place] == UInt8(ascii: "\\"), place + 1 < text.count {
                let next = text[place + 1]
                let isEscape =
                    next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\")
                    || next == UInt8(ascii: "]")
                if isEscape { place += 1 }
            }
            bytes.append(text[place])
            place += 1
        }
        return scratch.copy(bytes)
    }

    // MARK: RFC 3164

    private func parse3164(_ cursor: inout LineCursor, _ fields: inout LineFields) -> String? {
        guard let time = time(&cursor) else { return "it does not begin with a time" }
        fields[Place.time.rawValue] = time
        // Some write two spaces here.
        cursor.skipSpaces()
        guard let host = cursor.word() else { return "there is no host behind its time" }
        fields[Place.host.rawValue] = host
        readTag(&cursor, &fields)
        fields[Place.message.rawValue] = cursor.rest
        return nil
    }

    /// `Nov 23 10:00:00`, or the ISO 8601 that rsyslog and systemd write in its place.
    private func time(_ cursor: inout LineCursor) -> Text? {
        let rest = cursor.rest
        guard let first = rest.first, !isDigit(first) else {
            guard let word = cursor.word(), word.count >= 19, word[10] == UInt8(ascii: "T") else {
                return nil
            }
            return word
        }
        guard rest.count > 15, rest[3] == UInt8(ascii: " "), rest[6] == UInt8(ascii: " "),
            rest[9] == UInt8(ascii: ":"), rest[12] == UInt8(ascii: ":"),
            isDigit(rest[5]), isDigit(rest[7]), isDigit(rest[14])
        else { return nil }
        let end = rest[15...].firstIndex(of: UInt8(ascii: " ")) ?? rest.count
        guard end == 15 || rest[15] == UInt8(ascii: ".") else { return nil }
        cursor.skip(min(rest.count, end + 1))
        return Text(rebasing: rest[..<end])
    }

    /// `app: ` or `app[pid]: `; a message need not have one.
    private func readTag(_ cursor: inout LineCursor, _ fields: inout LineFields) {
        let rest = cursor.rest
        guard
            let end = rest.firstIndex(where: {
                $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: " ")
            }), end > 0
        else { return }
        var colon = end
        var pid: Text?
        if rest[end] == UInt8(ascii: "[") {
            guard let close = rest[end...].firstIndex(of: UInt8(ascii: "]")) else { return }
            pid = Text(rebasing: rest[(end + 1)..<close])
            colon = close + 1
        }
        guard colon < rest.count, rest[colon] == UInt8(ascii: ":"),
            colon + 1 == rest.count || rest[colon + 1] == UInt8(ascii: " ")
        else { return }
        fields[Place.app.rawValue] = Text(rebasing: rest[..<end])
        fields[Place.pid.rawValue] = pid
        cursor.skip(min(rest.count, colon + 2))
    }
}

private func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}
