/// What surrounds a pipeline: all that it may take from `forktail.conf` without saying it itself.
package struct PipelineContext: Sendable {
    /// The names that `send to` may use: those of the `kafka` blocks; nil where all are taken.
    package var clusters: [String]? = []
    /// The process's own cluster, if it has a name: that of each `send` that names none.
    package var cluster: String?
    /// The names of `secrets`, for `hmac(…, key: NAME)`.
    package var secrets: Set<String> = []
    package var defaults = PipelineDefaults()

    /// Reads a file that a pipeline includes, by its path.
    package var read: @Sendable (String) -> File = { _ in .unreadable("this text stands alone") }

    /// What came of asking for a file.
    package enum File: Sendable {
        case bytes([UInt8])
        /// Why it cannot be read, in a few words.
        case unreadable(String)
    }

    package init() {}

    /// Why records cannot go to a cluster, and what to do; nil when they can.
    func problem(ofCluster name: String) -> (message: String, help: String)? {
        guard let clusters, !clusters.contains(name) else { return nil }
        let help = SpellingHelp.suggestion(for: name, in: clusters)
        let known = clusters.isEmpty ? "" : "; it has " + clusters.joined(separator: ", ")
        return (
            "there is no cluster `\(name)`",
            help ?? "forktail.conf names clusters by `kafka \(name) { … }`\(known)"
        )
    }
}

/// What pipelines inherit that they do not say themselves: `defaults` of `forktail.conf`.
///
/// It is kept as text, so that the journal can keep it with the text of a pipeline: what was sent
/// under other defaults must come out the same when it is made again.
package struct PipelineDefaults: Hashable, Sendable {
    /// A header of each `send` that does not set it.
    package struct Header: Hashable, Sendable {
        package var name: String
        /// An expression, as written.
        package var value: String
        /// Where it stands, as `forktail.conf:25`.
        package var place: String?

        package init(name: String, value: String, place: String? = nil) {
            self.name = name
            self.value = value
            self.place = place
        }
    }

    /// The statement, as in `on error dead_letter "dead"`; nil when each pipeline has to have one.
    package var errorPolicy: String?
    package var headers: [Header]
    /// Where the statement stands, as `forktail.conf:24`.
    package var place: String?

    package init(errorPolicy: String? = nil, headers: [Header] = [], place: String? = nil) {
        self.errorPolicy = errorPolicy
        self.headers = headers
        self.place = place
    }
}

extension PipelineDefaults {
    func errorPolicySyntax(at span: Span) -> ErrorPolicySyntax? {
        guard let errorPolicy else { return nil }
        var parser = Parser(inherited: errorPolicy, at: span)
        return try? parser.errorPolicy()
    }

    func headerSyntax(at span: Span) -> [SettingSyntax] {
        headers.map { header in
            var parser = Parser(inherited: header.value, at: span)
            let name = Name(text: header.name, span: span)
            return SettingSyntax(name: name, value: parser.expressionOrBroken())
        }
    }
}

extension Parser {
    /// Reads a text that a file inherits, as if all of it stood at one place of that file.
    fileprivate init(inherited text: String, at span: Span) {
        let source = SourceText(path: "forktail.conf", text: text)
        var lexer = Lexer(source: source)
        self.init(source: source, tokens: lexer.tokens().map { $0.moved(to: span) })
    }
}

extension Token {
    fileprivate func moved(to span: Span) -> Token {
        var token = self
        token.span = span
        if case .computed(let segments) = kind {
            token.kind = .computed(
                segments.map { segment in
                    guard case .tokens(let tokens) = segment else { return segment }
                    return .tokens(tokens.map { $0.moved(to: span) })
                }
            )
        }
        return token
    }
}

extension PipelineContext {
    // No pipeline without errors begins so.
    private static let mark = "%cluster "

    /// The text of a pipeline with all that it takes from `forktail.conf`, to be compiled again under
    /// another one.
    ///
    /// - Parameter namesClusters: whether it matters which cluster is the process's own.
    package func archived(_ text: String, namesClusters: Bool) -> String {
        let text = defaults.archived(with: text)
        return namesClusters ? "\(Self.mark)\(cluster ?? "")\n\(text)" : text
    }

    /// Takes apart what `archived(_:namesClusters:)` made.
    ///
    /// - Returns: the text of the pipeline, and this context with what was kept with it.
    package func unarchived(_ text: String) -> (context: PipelineContext, text: String) {
        var context = self
        var rest = text
        context.clusters = nil
        // Without a mark it is of a time when there was no other cluster than the own one.
        if text.hasPrefix(Self.mark), let end = text.utf8.firstIndex(of: 0x0A) {
            let name = String(text[..<end].dropFirst(Self.mark.count))
            context.cluster = name.isEmpty ? nil : name
            rest = String(text[text.utf8.index(after: end)...])
        }
        (context.defaults, rest) = PipelineDefaults.unarchived(rest)
        return (context, rest)
    }
}

extension PipelineDefaults {
    // No pipeline without errors begins so.
    private static let mark = "%defaults "

    /// The text of a pipeline with what it inherits, to be compiled again under other defaults.
    package func archived(with text: String) -> String {
        guard errorPolicy != nil || !headers.isEmpty else { return text }
        let lines = headers.map { "    \($0.name.quoted) = \($0.value)\n" }.joined()
        let inherited = (errorPolicy.map { "  \($0)\n" } ?? "") + "  headers {\n\(lines)  }\n"
        return "\(Self.mark)\(inherited.utf8.count)\n\(inherited)\(text)"
    }

    /// Takes apart what `archived(with:)` made.
    package static func unarchived(_ text: String) -> (defaults: PipelineDefaults, text: String) {
        guard text.hasPrefix(mark), let end = text.utf8.firstIndex(of: 0x0A),
            let count = Int(text[..<end].dropFirst(mark.count))
        else { return (PipelineDefaults(), text) }
        let rest = text.utf8[text.utf8.index(after: end)...]
        let conf =
            "defaults {\n" + String(decoding: Array(rest.prefix(count)), as: UTF8.self) + "}\n"
        let source = SourceText(path: "forktail.conf", text: conf)
        let rules = PropertyRules(names: [], isSecret: { _ in false }, problem: { _, _ in nil })
        let defaults = ConfigurationFile.read(source, rules: rules).file
            .resolved(profile: nil, environment: [:], flags: .init(), rules: rules)
            .configuration.defaults
        return (defaults, String(decoding: Array(rest.dropFirst(count)), as: UTF8.self))
    }
}

extension String {
    /// The name of a header in quotes, for it may be no word.
    fileprivate var quoted: String {
        "\""
            + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing(
                "$",
                with: "\\$"
            ) + "\""
    }
}
