import RecordProcessing

/// A pipeline on its way from a guess to a text.
struct PipelineDraft {
    struct Column {
        var name: String
        var type: String
        var remark: String?
    }

    var name: String
    /// Where the sample lies; nil without one.
    var path: String
    /// The settings of `from`, as lines.
    var settings: [String] = []
    /// `json`, or `csv(header: true)`.
    var format: String
    /// Nil for a format that knows its own.
    var columns: [Column]?
    /// An expression, as written.
    var key: String?
    var timestamp: String?
    var value = "json(*)"
    /// What the block of the test holds.
    var test: (name: String, input: String, expectations: [String])?

    /// The name of the pipeline as a topic may be called.
    var topic: String {
        let characters = name.map { character in
            let isPlain = character.isASCII && (character.isLetter || character.isNumber)
            return isPlain || "._-".contains(character) ? character : "-"
        }
        return String(characters.prefix(200))
    }

    var text: String {
        let policy = "on error dead_letter \"\(topic).dead\"\n"
        let parts = [header, from, parse, send, policy, testBlock]
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private var header: String {
        """
        # \(name.onOneLine): guessed from a sample by `forktail init`.
        # Look at the types, the key and the topic.

        """
    }

    private var from: String {
        let glob = quotedLiteral(escapedGlob)
        guard !settings.isEmpty else { return "from \(glob)\n" }
        return "from \(glob) {\n\(settings.map { "  \($0)\n" }.joined())}\n"
    }

    private var escapedGlob: String {
        path.map { "*?[]{}\\".contains($0) ? "\\\($0)" : String($0) }.joined()
    }

    private var parse: String {
        guard let columns, !columns.isEmpty else { return "parse \(format)\n" }
        let names = columns.map { writtenName($0.name) + ":" }
        let width = names.map(\.count).max() ?? 0
        let lines = zip(names, columns).map { name, column in
            let space = String(repeating: " ", count: width - name.count)
            let remark = column.remark.map { "  # \($0)" } ?? ""
            return "  \(name)\(space) \(column.type)\(remark)\n"
        }
        return "parse \(format) {\n\(lines.joined())}\n"
    }

    private var send: String {
        var lines = [("topic", "\"\(topic)\"")]
        if let key { lines.append(("key", key)) }
        if let timestamp { lines.append(("timestamp", writtenName(timestamp))) }
        lines.append(("value", value))
        let width = lines.map(\.0.count).max() ?? 0
        let texts = lines.map { word, text in
            "  \(word)\(String(repeating: " ", count: width - word.count)) = \(text)\n"
        }
        let remark = key == nil ? "  # without a key, records are spread over the partitions\n" : ""
        return "send {\n\(remark)\(texts.joined())}\n"
    }

    private var testBlock: String {
        guard let test else { return "" }
        let expectations = test.expectations.map { text in
            text.split(separator: "\n", omittingEmptySubsequences: false)
                .map { "  \($0)\n" }.joined()
        }
        return "test \(quotedLiteral(test.name)) {\n  input \(writtenInput(test.input))\n"
            + expectations.joined() + "}\n"
    }

    /// The content of a file over several lines: literal, unless there is something in it that a
    /// literal cannot hold or that nobody would see.
    private func writtenInput(_ input: String) -> String {
        let lines = input.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let isPlain = lines.allSatisfy { line in
            let shown = quotedLiteral(line)
            let start = line.drop { $0 == " " || $0 == "\t" }
            return !start.hasPrefix("'''") && !shown.contains("\\u{") && !shown.contains("\\r")
        }
        let marks = isPlain ? "'''" : "\"\"\""
        let texts = lines.map { isPlain ? $0 : String(quotedLiteral($0).dropFirst().dropLast()) }
        return "\(marks)\n\(texts.map { "    \($0)\n" }.joined())    \(marks)"
    }
}

/// A field's name as an expression or a declaration has it.
func writtenName(_ name: String) -> String {
    isPlainName(name) ? name : "`\(name)`"
}

/// Whether a field of that name can be written at all.
func isWritable(_ name: String) -> Bool {
    !name.isEmpty && !name.contains("`") && quotedLiteral(name).utf8.count <= 80
        && !quotedLiteral(name).contains("\\u{") && !name.contains(where: \.isNewline)
}

extension String {
    /// Without line ends, for a comment.
    var onOneLine: String { String(map { $0.isNewline ? " " : $0 }) }
}
