internal import PipelineLanguage

/// The manual, one entry at a time: codes, functions, words, and the events of the log.
package enum Manual {
    /// The text of an entry; nil when there is none.
    package static func page(for word: String) -> String? {
        let name = word.hasSuffix("()") ? String(word.dropLast(2)) : word
        if let code = DiagnosticCode(rawValue: name.uppercased()) { return text(of: code) }
        if name == "events" { return events }
        if let event = EventPages.all.first(where: { $0.name == name }) {
            return "\(event.name): \(event.meaning)\n"
        }
        // `time` and `duration` are both: a type, and a function.
        var pages = WordPage.all.filter { $0.word == name || $0.word == "@\(name)" }.map(text)
        if let function = Function(rawValue: name) { pages.append(text(of: function)) }
        if let reason = Function.reserved[name] { pages.append("\(name) \(reason)\n") }
        return pages.isEmpty ? nil : pages.joined(separator: "\n")
    }

    /// The entry that was most likely meant.
    package static func suggestion(for word: String) -> String? {
        let upper = word.uppercased()
        if DiagnosticCode.allCases.contains(where: { $0.rawValue == upper }) { return upper }
        return SpellingHelp.nearest(to: word, in: words)
    }

    /// Each word that has an entry.
    package static var words: [String] {
        WordPage.all.map(\.word) + Function.allCases.map(\.rawValue)
            + DiagnosticCode.allCases.map(\.rawValue) + ["events"] + EventPages.all.map(\.name)
    }

    // MARK: Entries

    private static func text(of code: DiagnosticCode) -> String {
        let page = code.page
        var text = "\(code.rawValue) (\(code.severity.rawValue)): \(code.summary)\n\n"
        text += wrapped(page.meaning) + "\n"
        guard let examples = page.examples else { return text }
        text += "\n  wrong\n" + indented(examples.wrong)
        text += "\n  right\n" + indented(examples.right)
        return text
    }

    private static func text(of function: Function) -> String {
        let signature = function.signature
        var text = "\(function.usage)\n\n" + wrapped(signature.summary) + "\n\n"
        for example in signature.examples { text += "  \(line(of: example))\n" }
        return text
    }

    private static func line(of example: FunctionSignature.Example) -> String {
        switch example.outcome {
        case .value(let value): "\(example.expression)  →  \(value)"
        case .failure(let message): "\(example.expression)  fails: \(message)"
        }
    }

    private static func text(of page: WordPage) -> String {
        "\(page.word) (\(page.kind.rawValue)): "
            + wrapped(page.summary, behind: page.word.count + page.kind.rawValue.count + 5) + "\n\n"
            + indented(page.example)
    }

    private static var events: String {
        let width = EventPages.all.map(\.name.count).max() ?? 0
        let lines = EventPages.all.map { "  \(padded($0.name, width))  \($0.meaning)\n" }
        return "Each line of the log has its event under the key `event`:\n\n" + lines.joined()
    }

    // MARK: The list of all

    /// All entries, by their kinds.
    package static var contents: String {
        var text = ""
        for kind in WordKind.allCases {
            let words = WordPage.all.filter { $0.kind == kind }.map(\.word)
            text += list(kind == .metadata ? "metadata" : "\(kind.rawValue)s", words)
        }
        for group in FunctionSignature.Group.allCases {
            let names = Function.allCases.filter { $0.signature.group == group }.map(\.rawValue)
            text += list("functions: \(group.rawValue)", names)
        }
        text += list("checks", DiagnosticCode.allCases.map(\.rawValue).sorted())
        text += list("log", ["events"])
        return text + "\nforktail explain WORD prints one of them.\n"
    }

    private static func list(_ title: String, _ words: [String]) -> String {
        "\(title)\n" + wrapped(words.joined(separator: "  "), indent: "  ", separator: "  ") + "\n"
    }

    // MARK: Lines

    private static let width = 78

    private static func wrapped(
        _ text: String,
        indent: String = "",
        separator: String = " ",
        behind used: Int = 0
    ) -> String {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: separator) {
            let room = width - (lines.isEmpty ? used : 0)
            if !line.isEmpty, line.count + separator.count + word.count > room {
                lines.append(indent + line)
                line = ""
            }
            line += (line.isEmpty ? "" : separator) + word
        }
        return (lines + [indent + line]).joined(separator: "\n")
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)\n" }.joined()
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
