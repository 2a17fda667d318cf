/// Reads `forktail.conf` with the lexer of the pipeline language, and its errors.
struct ConfigurationParser {
    typealias Failure = Parser.Failure
    typealias Layer = ConfigurationFile.Layer
    typealias Entry = ConfigurationFile.Entry

    static let blocks = ["kafka", "secrets", "defaults", "profile"]

    private(set) var parser: Parser
    /// Where a secret stands in plain text.
    private(set) var plainSecrets: [Span] = []
    private let rules: PropertyRules

    init(source: SourceText, tokens: [Token], rules: PropertyRules) {
        parser = Parser(source: source, tokens: tokens)
        self.rules = rules
    }

    mutating func file() -> ConfigurationFile {
        var file = ConfigurationFile(source: parser.source)
        while !parser.current.isEnd {
            entry { (reader) throws(Failure) in try reader.item(into: &file) }
        }
        return file
    }

    // MARK: Blocks

    private mutating func item(into file: inout ConfigurationFile) throws(Failure) {
        guard parser.current.word == "profile", parser.following.sign != .assign else {
            return try item(into: &file.base, inProfile: false)
        }
        parser.advance()
        let name = try parser.dashedName("the name of the profile")
        if let twin = file.profiles.first(where: { $0.name.text == name.text }) {
            reportRepeated("profile \(name.text)", name.span, first: twin.name.span)
        }
        var layer = Layer()
        try block("to begin the profile") { (reader) throws(Failure) in
            try reader.item(into: &layer, inProfile: true)
        }
        file.profiles.append(ConfigurationFile.Profile(name: name, layer: layer))
    }

    private mutating func item(into layer: inout Layer, inProfile: Bool) throws(Failure) {
        let isSetting = parser.following.sign == .assign
        switch parser.current.word {
        case "kafka" where !isSetting: try cluster(into: &layer)
        case "secrets" where !isSetting: try secrets(into: &layer)
        case "defaults" where !isSetting: try defaults(into: &layer)
        default: try setting(into: &layer, inProfile: inProfile)
        }
    }

    private mutating func cluster(into layer: inout Layer) throws(Failure) {
        parser.advance()
        let name = try parser.dashedName("the name of the cluster, as in `kafka main`,")
        if let twin = layer.clusters.first(where: { $0.name.text == name.text }) {
            reportRepeated("kafka \(name.text)", name.span, first: twin.name.span)
        }
        checkClusterName(name)
        var entries: [Entry] = []
        try block("to begin the properties") { (reader) throws(Failure) in
            try reader.property(into: &entries)
        }
        layer.clusters.append(ConfigurationFile.Block(name: name, entries: entries))
    }

    /// What is kept of the cluster lies in a folder of its name.
    private mutating func checkClusterName(_ name: Name) {
        let isPlain = name.text.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".": true
            default: false
            }
        }
        guard !isPlain || name.text.hasPrefix(".") || !(1...100).contains(name.text.utf8.count)
        else { return }
        parser.report(
            Diagnostic(
                .unknownSetting,
                "a cluster cannot have this name",
                at: name.span,
                help:
                    "up to 100 letters, digits, `-`, `_` and `.` make one, and no `.` at its start"
            )
        )
    }

    private mutating func property(into entries: inout [Entry]) throws(Failure) {
        let name = try parser.dashedName("one of Kafka's properties")
        guard parser.current.sign != .openBrace else {
            throw unknownBlock(name, help: "`kafka` has Kafka's own properties, and no blocks")
        }
        let entry = try assignment(to: name)
        if check(entry) { append(entry, to: &entries) }
    }

    private mutating func secrets(into layer: inout Layer) throws(Failure) {
        parser.advance()
        try block("to begin the secrets") { (reader) throws(Failure) in
            let name = try reader.parser.dashedName("the name of a secret")
            let entry = try reader.assignment(to: name)
            guard !reader.refusePlain(entry) else { return }
            reader.append(entry, to: &layer.secrets)
        }
    }

    private mutating func defaults(into layer: inout Layer) throws(Failure) {
        parser.advance()
        try block("to begin the defaults") { (reader) throws(Failure) in
            let start = reader.parser.current
            switch start.word {
            case "on": try reader.errorPolicy(into: &layer)
            case "headers":
                reader.parser.advance()
                try reader.block("to begin the headers") { (reader) throws(Failure) in
                    try reader.header(into: &layer)
                }
            default:
                throw reader.parser.fail(
                    .unknownSetting,
                    "`defaults` has no \(start.description)",
                    at: start.span,
                    help: "it has `on error …` and `headers { … }`"
                )
            }
        }
    }

    private mutating func errorPolicy(into layer: inout Layer) throws(Failure) {
        let start = parser.current.span
        _ = try parser.errorPolicy()
        let span = start.joined(to: parser.previousSpan)
        if let first = layer.errorPolicy { reportRepeated("on error", start, first: first.span) }
        layer.errorPolicy = text(span)
    }

    private mutating func header(into layer: inout Layer) throws(Failure) {
        let name = try parser.dashedName("the name of a header")
        try parser.expect(.assign, "after `\(name.text)`")
        let value = parser.expressionOrBroken()
        layer.headers.append((name: name, value: text(value.span)))
    }

    private func text(_ span: Span) -> ConfigurationFile.Text {
        ConfigurationFile.Text(text: parser.source.text(in: span), span: span)
    }

    // MARK: Settings

    private mutating func setting(into layer: inout Layer, inProfile: Bool) throws(Failure) {
        let name = try parser.dashedName("a setting")
        guard let setting = Setting(rawValue: name.text) else {
            throw unknownSetting(name, inProfile: inProfile)
        }
        let entry = try assignment(to: name)
        guard !inProfile || setting != .language else {
            throw parser.fail(
                .unknownSetting,
                "a profile cannot change the language",
                at: name.span,
                help: "write `language = 1` at the top of the file"
            )
        }
        if check(entry, setting) { append(entry, to: &layer.entries) }
    }

    private mutating func unknownSetting(_ name: Name, inProfile: Bool) -> Failure {
        if Parser.statements.contains(name.text), parser.current.sign != .assign {
            return parser.fail(
                .unknownSetting,
                "`\(name.text)` belongs into a pipeline",
                at: name.span,
                help: "steps stand in a file NAME.pipeline: no setting changes what they do"
            )
        }
        let known = inProfile ? Self.blocks.filter { $0 != "profile" } : Self.blocks
        guard parser.current.sign == .assign else { return unknownBlock(name, among: known) }
        if let block = Self.properties(rules, name.text) {
            return parser.fail(
                .unknownSetting,
                block,
                at: name.span,
                help: "put it into `kafka main { … }`"
            )
        }
        let help = SpellingHelp.suggestion(for: name.text, in: Setting.allCases.map(\.rawValue))
        return parser.fail(
            .unknownSetting,
            "unknown setting `\(name.text)`",
            at: name.span,
            help: help ?? "there are " + Setting.allCases.map(\.rawValue).joined(separator: ", ")
        )
    }

    private static func properties(_ rules: PropertyRules, _ name: String) -> String? {
        rules.names.contains(name) ? "`\(name)` is a property of a cluster" : nil
    }

    private mutating func unknownBlock(_ name: Name, among known: [String]) -> Failure {
        let help = SpellingHelp.suggestion(for: name.text, in: known)
        return unknownBlock(name, help: help ?? "there are " + known.joined(separator: ", "))
    }

    /// Blocks that a later release has; whoever reads of them shall know that they are no mistake.
    private static let laterBlocks: Set<String> = ["http", "schema_registry"]

    private mutating func unknownBlock(_ name: Name, help: String) -> Failure {
        if Self.laterBlocks.contains(name.text) {
            return parser.fail(
                .unknownSetting,
                "this release has no `\(name.text)`",
                at: name.span,
                help: "its support comes with a later release; leave the block out until then"
            )
        }
        return parser.fail(
            .unknownSetting,
            "unknown block `\(name.text)`",
            at: name.span,
            help: help
        )
    }

    private mutating func assignment(to name: Name) throws(Failure) -> Entry {
        try parser.expect(.assign, "after `\(name.text)`")
        let start = parser.current.span
        let value = try parser.configurationValue()
        return Entry(name: name, value: value, span: start.joined(to: parser.previousSpan))
    }

    private mutating func append(_ entry: Entry, to entries: inout [Entry]) {
        if let twin = entries.first(where: { $0.name.text == entry.name.text }) {
            return reportRepeated(entry.name.text, entry.name.span, first: twin.name.span)
        }
        entries.append(entry)
    }

    private mutating func reportRepeated(_ what: String, _ span: Span, first: Span) {
        let line = parser.source.lineNumber(of: first.start)
        let message = "`\(what)` is set twice"
        parser.report(
            Diagnostic(.repeated, message, at: span, label: "the first is on line \(line)")
        )
    }

    // MARK: Values

    /// True for a value that the setting can have, as far as the file says.
    private mutating func check(_ entry: Entry, _ setting: Setting) -> Bool {
        guard !entry.value.isSecret else {
            parser.report(
                Diagnostic(.unknownSetting, "`\(setting.rawValue)` is no secret", at: entry.span)
            )
            return false
        }
        guard let text = entry.value.fixedText, let problem = setting.problem(with: text) else {
            return true
        }
        let message = "`\(setting.rawValue)` has to be \(problem)"
        parser.report(Diagnostic(.unknownSetting, message, at: entry.span))
        return false
    }

    /// The same for a property of Kafka's.
    private mutating func check(_ entry: Entry) -> Bool {
        let name = entry.name.text
        guard rules.names.contains(name) else {
            let help =
                rules.problem(name, "") ?? SpellingHelp.suggestion(for: name, in: rules.names)
            let message = "`\(name)` is not a producer property"
            parser.report(Diagnostic(.unknownSetting, message, at: entry.name.span, help: help))
            // It may be a password under a name that Java knows.
            if name.contains("password") || name.contains("jaas") {
                plainSecrets.append(entry.span)
            }
            return false
        }
        if rules.isSecret(name) { return !refusePlain(entry) }
        guard !entry.value.isSecret else {
            let names = rules.names.filter(rules.isSecret).joined(separator: ", ")
            let help = "these are: \(names)"
            parser.report(
                Diagnostic(.unknownSetting, "`\(name)` is no secret", at: entry.span, help: help)
            )
            return false
        }
        guard let text = entry.value.fixedText, let problem = rules.problem(name, text) else {
            return true
        }
        parser.report(Diagnostic(.unknownSetting, problem, at: entry.span))
        return false
    }

    /// True (and a diagnostic) for a secret that anybody can read who reads the file.
    private mutating func refusePlain(_ entry: Entry) -> Bool {
        guard entry.value.isPlain else { return false }
        plainSecrets.append(entry.span)
        parser.report(
            Diagnostic(
                .unknownSetting,
                "`\(entry.name.text)` is a secret, and does not stand in this file",
                at: entry.span,
                help: "write `secret.file(\"/run/secrets/…\")` or `secret.env(\"NAME\")`"
            )
        )
        return true
    }

    // MARK: Reading on

    private mutating func block(
        _ what: String,
        _ readEntry: (inout ConfigurationParser) throws(Failure) -> Void
    ) throws(Failure) {
        let open = parser.current.span
        try parser.expect(.openBrace, what)
        while !parser.skip(.closeBrace) {
            guard !parser.current.isEnd, !isBlockStart else {
                throw parser.fail(.syntax, "this `{` is not closed", at: open, help: "add `}`")
            }
            entry(readEntry)
        }
    }

    /// Reads one entry; what cannot be read is stepped over.
    private mutating func entry(
        _ readEntry: (inout ConfigurationParser) throws(Failure) -> Void
    ) {
        let start = parser.index
        do {
            try readEntry(&self)
        } catch {
            parser.recover(from: start)
        }
        if parser.index == start { parser.advance() }
        _ = parser.skip(.comma)
    }

    /// True at a line that can only be the start of a block outside of all others.
    private var isBlockStart: Bool {
        guard parser.current.isAtMargin, let word = parser.current.word else { return false }
        return Self.blocks.contains(word) && parser.following.sign != .assign
    }
}

extension Parser {
    /// Reads what stands behind `name =` in `forktail.conf`.
    fileprivate mutating func configurationValue() throws(Failure) -> ConfigurationValue {
        let first = try oneValue()
        guard skip(.coalesce) else { return first }
        let second = try oneValue()
        return .fallback(first, second)
    }

    private mutating func oneValue() throws(Failure) -> ConfigurationValue {
        guard !current.startsLine else { throw unexpected("a value") }
        if current.word == "secret", following.sign == .dot { return try secret() }
        switch current.kind {
        case .string, .computed, .meta: return .text(try pieces())
        default: return try bareValue()
        }
    }

    private mutating func secret() throws(Failure) -> ConfigurationValue {
        let start = current.span
        advance()
        advance()
        let kind = try expectName("`file` or `env` after `secret.`")
        guard kind.text == "file" || kind.text == "env" else {
            throw fail(
                .unknownSetting,
                "there is no `secret.\(kind.text)`",
                at: start.joined(to: kind.span),
                help: "write `secret.file(\"PATH\")` or `secret.env(\"NAME\")`"
            )
        }
        try expect(.openParen, "after `secret.\(kind.text)`")
        var value = ConfigurationValue.text([])
        if kind.text == "file" {
            value = .secretFile(try pieces())
        } else {
            value = .secretVariable(try expectText("the name of a variable, in quotes,"))
        }
        try expect(.closeParen, "after the \(kind.text == "file" ? "path" : "name")")
        return value
    }

    /// A text in quotes, or a variable of the environment.
    private mutating func pieces() throws(Failure) -> [ConfigurationValue.Piece] {
        defer { advance() }
        switch current.kind {
        case .string(let text): return [.text(text)]
        case .meta(let path): return [.variable(try variable(path, current.span))]
        case .computed(let segments):
            var pieces: [ConfigurationValue.Piece] = []
            for segment in segments {
                switch segment {
                case .text(let text): pieces.append(.text(text))
                case .tokens(let tokens): pieces.append(.variable(try variable(in: tokens)))
                }
            }
            return pieces
        default: throw unexpected("a text in quotes")
        }
    }

    private mutating func variable(in tokens: [Token]) throws(Failure) -> Name {
        guard tokens.count == 2, case .meta(let path) = tokens[0].kind else {
            let span = tokens.dropLast().reduce(tokens[0].span) { $0.joined(to: $1.span) }
            let message = "only `@env.NAME` can stand in a text of forktail.conf"
            throw fail(.wrongArgument, message, at: span)
        }
        return try variable(path, tokens[0].span)
    }

    private mutating func variable(_ path: [String], _ span: Span) throws(Failure) -> Name {
        guard path.count == 2, path[0] == "env" else {
            throw fail(
                .unknownMetadata,
                "`@\(path.joined(separator: "."))` means nothing here",
                at: span,
                help: "a setting can take `@env.NAME`; records have the other names"
            )
        }
        return Name(text: path[1], span: span)
    }

    /// A value without quotes, up to the next space: `SASL_SSL`, `20`, `/var/lib/forktail`.
    private mutating func bareValue() throws(Failure) -> ConfigurationValue {
        guard current.isBare else { throw unexpected("a value") }
        let start = current.span
        advance()
        while current.span.start == previousSpan.end, current.isBare { advance() }
        var span = start.joined(to: previousSpan)
        guard endsBareValue else {
            while current.span.start == span.end, !current.isEnd {
                span = span.joined(to: current.span)
                advance()
            }
            throw fail(.syntax, "this value needs quotes", at: span, help: "write it as \"…\"")
        }
        return .text([.text(source.text(in: span))])
    }

    private var endsBareValue: Bool {
        guard current.span.start == previousSpan.end, !current.isEnd else { return true }
        if current.sign == .comma { return following.span.start != current.span.end }
        return current.sign == .closeBrace || current.sign == .coalesce
    }
}

extension Token {
    /// True for what a value without quotes may be made of.
    fileprivate var isBare: Bool {
        switch kind {
        case .name(_, isQuoted: false), .integer, .decimal, .duration, .byteCount: true
        case .sign(.minus), .sign(.plus), .sign(.dot), .sign(.colon), .sign(.slash): true
        default: false
        }
    }
}
