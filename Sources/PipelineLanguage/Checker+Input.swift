/// `from`: where the bytes come from.
extension Checker {
    static let inputSettings = [
        "exclude", "start", "new_files", "ignore_older", "old_files", "settle", "rotate_wait",
        "close_inactive",
        "max_line", "long_lines", "multiline", "multiline_timeout", "keep_empty", "encoding",
        "invalid_utf8", "compressed",
    ]

    mutating func checkFrom() -> Input? {
        guard let from = file.from.first else {
            guard !file.broken.contains("from") else { return nil }
            report(
                .missingPart,
                "this pipeline has no `from`",
                at: file.start,
                help: "say where the bytes come from: `from \"/var/log/app/*.log\"`"
            )
            return nil
        }
        reportRepeated("from", file.from.dropFirst().map(\.span))
        var input = Input(globs: from.globs.compactMap { checkGlob($0) }, span: from.span)
        var seen: Set<String> = []
        for setting in from.settings {
            guard isFirst(setting.name, in: &seen) else { continue }
            check(setting, into: &input)
        }
        return input
    }

    mutating func reportRepeated(_ word: String, _ spans: [Span]) {
        for span in spans {
            let message = "a pipeline has one `\(word)`"
            report(.repeated, message, at: span, label: "this is another one")
        }
    }

    /// Whether a name comes for the first time; reports it otherwise.
    mutating func isFirst(_ name: Name, in seen: inout Set<String>) -> Bool {
        guard !seen.insert(name.text).inserted else { return true }
        report(.repeated, "`\(name.text)` is set twice", at: name.span)
        return false
    }

    private mutating func checkGlob(_ glob: Name) -> Input.Glob? {
        guard glob.text.isEmpty else { return Input.Glob(pattern: glob.text, span: glob.span) }
        report(.unknownSetting, "this path is empty", at: glob.span)
        return nil
    }

    private mutating func check(_ setting: SettingSyntax, into input: inout Input) {
        guard !setting.value.isBroken else { return }
        switch setting.name.text {
        case "exclude": input.excluded = checkExclude(setting)
        case "start": input.start = checkChoice(setting) ?? input.start
        case "new_files": input.newFiles = checkChoice(setting) ?? input.newFiles
        case "old_files": input.oldFiles = checkChoice(setting) ?? input.oldFiles
        case "compressed": input.compressed = checkChoice(setting) ?? input.compressed
        case "ignore_older", "settle", "rotate_wait", "close_inactive", "multiline_timeout":
            checkTime(setting, into: &input)
        default: checkText(setting, into: &input)
        }
    }

    /// The settings that say how long.
    private mutating func checkTime(_ setting: SettingSyntax, into input: inout Input) {
        guard let duration = checkDuration(setting) else { return }
        switch setting.name.text {
        case "ignore_older": input.ignoreOlder = duration
        case "settle": input.settle = duration
        case "rotate_wait": input.rotateWait = duration
        case "close_inactive": input.closeInactive = duration
        default: input.multilineTimeout = duration
        }
    }

    /// The settings that say how bytes become events.
    private mutating func checkText(_ setting: SettingSyntax, into input: inout Input) {
        switch setting.name.text {
        case "max_line": input.maxLine = checkSize(setting) ?? input.maxLine
        case "long_lines": input.longLines = checkChoice(setting) ?? input.longLines
        case "multiline": input.multiline = checkMultiline(setting)
        case "keep_empty": input.keepsEmptyLines = checkFlag(setting)
        case "encoding": input.encoding = checkEncoding(setting)
        case "invalid_utf8": input.invalidUTF8 = checkChoice(setting) ?? input.invalidUTF8
        default: reportUnknown(setting)
        }
    }

    private mutating func reportUnknown(_ setting: SettingSyntax) {
        let known = Self.inputSettings
        report(
            .unknownSetting,
            "`from` has no setting `\(setting.name.text)`",
            at: setting.name.span,
            help: SpellingHelp.suggestion(for: setting.name.text, in: known)
                ?? "it has \(known.joined(separator: ", "))"
        )
    }

    private mutating func reject(_ setting: SettingSyntax, takes what: String) {
        let message = "`\(setting.name.text)` takes \(what)"
        report(.unknownSetting, message, at: setting.value.span)
    }

    private mutating func checkExclude(_ setting: SettingSyntax) -> [Input.Glob] {
        var values = [setting.value]
        if case .list(let elements) = setting.value.kind { values = elements }
        let globs = values.compactMap { value in
            value.text.map { Input.Glob(pattern: $0, span: value.span) }
        }
        guard globs.count == values.count else {
            reject(setting, takes: "a path in quotes, or a list of them")
            return []
        }
        return globs
    }

    private mutating func checkDuration(_ setting: SettingSyntax) -> Duration? {
        if case .literal(.duration(let duration)) = setting.value.kind { return duration }
        reject(setting, takes: "a duration, such as `5s`")
        return nil
    }

    private mutating func checkSize(_ setting: SettingSyntax) -> Int? {
        switch setting.value.kind {
        case .byteCount(let count) where (1...(1 << 30)).contains(count): return Int(count)
        case .literal(.int(let count)) where (1...(1 << 30)).contains(count): return Int(count)
        default:
            reject(setting, takes: "a size up to 1GiB, such as `1MiB`")
            return nil
        }
    }

    private mutating func checkFlag(_ setting: SettingSyntax) -> Bool {
        if case .literal(.bool(let flag)) = setting.value.kind { return flag }
        reject(setting, takes: "`true` or `false`")
        return false
    }

    // Which encodings there are, only the host knows.
    private mutating func checkEncoding(_ setting: SettingSyntax) -> String? {
        guard let name = setting.value.text, !name.isEmpty else {
            reject(setting, takes: "the name of an encoding in quotes, such as `\"UTF-16\"`")
            return nil
        }
        return ["utf-8", "utf8"].contains(name.lowercased()) ? nil : name
    }

    private mutating func checkChoice<Choice: RawRepresentable<String> & CaseIterable>(
        _ setting: SettingSyntax
    ) -> Choice? {
        var word = setting.value.text
        if case .name(let name) = setting.value.kind { word = name }
        if let choice = word.flatMap(Choice.init(rawValue:)) { return choice }
        let choices = Choice.allCases.map { "`\($0.rawValue)`" }
        reject(setting, takes: choices.joined(separator: " or "))
        return nil
    }

    private static let multilineForms: KeyValuePairs<String, @Sendable (Pattern) -> Multiline> = [
        "starts_with": { .startsWith($0) },
        "ends_with": { .endsWith($0) },
        "continues_with": { .continuesWith($0) },
        "continued_by": { .continuedBy($0) },
    ]

    private mutating func checkMultiline(_ setting: SettingSyntax) -> Multiline? {
        if case .call(let function, let arguments) = setting.value.kind,
            let form = Self.multilineForms.first(where: { $0.key == function.text })?.value,
            arguments.count == 1, arguments[0].label == nil,
            let text = arguments[0].value.text
        {
            return form(Pattern(text: text, span: arguments[0].value.span))
        }
        let forms = Self.multilineForms.map { "`\($0.key)('…')`" }.joined(separator: ", ")
        reject(setting, takes: "one of \(forms), with a regular expression")
        return nil
    }
}

extension ExpressionSyntax {
    var isBroken: Bool {
        if case .broken = kind { true } else { false }
    }

    /// The text, when it is one and written out.
    var text: String? {
        if case .literal(.string(let text)) = kind { text } else { nil }
    }
}
