/// Writes a tree as the text of a pipeline; the formatter lays it out.
struct SyntaxWriter {
    private let expressions = ExpressionWriter()

    func text(_ file: SyntaxFile) -> String {
        var items = file.from.map(text)
        items += file.parse.map(text)
        items += file.steps.map(text)
        items += file.errorPolicies.map(text)
        items += file.tests.map(text)
        return items.map { $0 + "\n" }.joined()
    }

    /// A block with a line for each entry.
    private func block(_ entries: [String]) -> String {
        "{\n" + entries.map { $0 + "\n" }.joined() + "}"
    }

    // MARK: from and parse

    private func text(_ from: FromSyntax) -> String {
        let globs = from.globs.map { expressions.quoted($0.text) }.joined(separator: ", ")
        guard !from.settings.isEmpty else { return "from \(globs)" }
        return "from \(globs) \(block(from.settings.map(text)))"
    }

    private func text(_ setting: SettingSyntax) -> String {
        "\(dashed(setting.name.text)) = \(expressions.text(setting.value))"
    }

    /// A name of the form that needs no quotes: words and numbers, joined by `-` or `.`.
    private func dashed(_ name: String) -> String {
        let parts = name.split(omittingEmptySubsequences: false) { $0 == "-" || $0 == "." }
        let arePlain = parts.enumerated().allSatisfy { index, part in
            let isNumber = index > 0 && Int64(part).map { "\($0)" == part && $0 >= 0 } ?? false
            return isNumber || ExpressionWriter.isWord(String(part))
        }
        // A line that begins with `or` would go on with the one before.
        let isPlain = arePlain && (parts.count > 1 || ExpressionWriter.isPlain(name))
        return isPlain && ExpressionWriter.isPlain(String(parts[0]))
            ? name : expressions.quoted(name)
    }

    private func text(_ parse: ParseSyntax) -> String {
        let arguments = parse.arguments.isEmpty ? "" : expressions.text(parse.arguments)
        let head = "parse \(parse.format.text)\(arguments)"
        guard let columns = parse.columns else { return head }
        let lines = columns.map { column in
            "\(expressions.name(column.name.text)): \(column.type.map(text) ?? "")"
        }
        return "\(head) \(block(lines))"
    }

    private func text(_ type: TypeSyntax) -> String {
        let mark = type.isOptional ? "?" : ""
        if let element = type.element.first { return "[\(text(element))]\(mark)" }
        let arguments = type.arguments.isEmpty ? "" : expressions.text(type.arguments)
        return type.name.text + arguments + mark
    }

    // MARK: Steps

    private func text(_ step: StepSyntax) -> String {
        switch step.kind {
        case .let(let name, let value):
            return "let \(expressions.name(name.text)) = \(expressions.text(value))"
        case .set(let path, let value):
            return "set \(expressions.text([path])) = \(expressions.text(value))"
        case .remove(let paths): return "remove \(expressions.text(paths))"
        case .rename(let path, let target):
            return "rename \(expressions.text([path])) to \(expressions.text([target]))"
        case .keep(let paths): return "keep \(expressions.text(paths))"
        case .include(let path): return "include \(expressions.quoted(path.text))"
        case .drop(let reason, let condition): return end("drop", reason, condition)
        case .reject(let reason, let condition): return end("reject", reason, condition)
        case .if(let branches, let otherwise):
            let parts = branches.map { branch in
                "if \(expressions.text(branch.condition)) \(block(branch.steps.map(text)))"
            }
            let rest = otherwise.map { " else \(block($0.map(text)))" } ?? ""
            return parts.joined(separator: " else ") + rest
        case .send(let record):
            return "send \(target(of: record))\(block(lines(of: record)))"
        case .broken: return ""
        }
    }

    private func target(of record: SendSyntax) -> String {
        record.cluster.map { "to \(dashed($0.text)) " } ?? ""
    }

    private func end(_ word: String, _ reason: Name?, _ condition: ExpressionSyntax?) -> String {
        let reason = reason.map { " " + expressions.quoted($0.text) } ?? ""
        return word + reason + (condition.map { " if " + expressions.text($0) } ?? "")
    }

    private func lines(of record: SendSyntax) -> [String] {
        var lines = record.lines.map { line in
            "\(line.keyword.text) = \(expressions.text(line.value))"
        }
        if !record.headers.isEmpty { lines.append("headers \(block(record.headers.map(text)))") }
        if let members = record.valueMembers {
            lines.append("value has \(expressions.text(members))")
        }
        return lines
    }

    // MARK: on error, test

    private func text(_ policy: ErrorPolicySyntax) -> String {
        switch policy.kind {
        case .deadLetter(let topic): "on error dead_letter \(expressions.text(topic))"
        case .stop: "on error stop"
        case .skip: "on error skip"
        case .steps(let steps): "on error \(block(steps.map(text)))"
        }
    }

    private func text(_ test: TestSyntax) -> String {
        var entries: [String] = []
        if !test.given.isEmpty {
            let given = test.given.map { "@\($0.meta.text) = \(expressions.text($0.value))" }
            entries.append("given \(block(given))")
        }
        entries.append("input \(content(test.input.text))")
        entries += test.expectations.map { "expect \(text($0.kind))" }
        return "test \(expressions.quoted(test.name.text)) \(block(entries))"
    }

    private func text(_ expectation: TestSyntax.Expectation.Kind) -> String {
        switch expectation {
        case .record(let record):
            let lines = lines(of: record)
            return target(of: record) + (lines.isEmpty ? "{ }" : block(lines))
        case .drop(let reason): return "drop" + (reason.map { " " + expressions.quoted($0) } ?? "")
        case .deadLetter(let message):
            return "dead_letter" + (message.map { " " + expressions.quoted($0) } ?? "")
        case .nothing: return "nothing"
        }
    }

    /// The content of a file: as lines, if they can stand as they are.
    private func content(_ text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let isPlain = text.unicodeScalars.allSatisfy {
            $0 == "\n" || $0 == "\t" || $0.value >= 0x20
        }
        let closes = lines.contains { $0.drop { $0 == " " || $0 == "\t" }.hasPrefix("'''") }
        guard isPlain, !closes, lines.count > 1 else { return expressions.quoted(text) }
        return "'''\n\(text)\n'''"
    }
}
