extension ConfigurationFile {
    /// Lays profile, environment and command line over the file.
    ///
    /// - Parameter profile: one of `profileNames`, or nil for none.
    /// - Parameter environment: the variables of the environment.
    /// - Returns: all that is set, what of the file is wrong here, and what else is.
    package func resolved(
        profile: String?,
        environment: [String: String],
        flags: Configuration.Flags,
        rules: PropertyRules
    ) -> (configuration: Configuration, diagnostics: [Diagnostic], problems: [String]) {
        var resolver = Resolver(source: source, environment: environment, rules: rules)
        let chosen = profiles.first { $0.name.text == profile }
        let layers = [(nil, base)] + (chosen.map { [($0.name.text, $0.layer)] } ?? [])
        var configuration = Configuration()
        for setting in Setting.allCases {
            let entry = resolver.last(setting.rawValue, in: layers.map { ($0.0, $0.1.entries) })
            configuration.settings[setting] = resolver.setting(setting, entry, flags)
        }
        configuration.secrets = resolver.merged(layers.map { ($0.0, $0.1.secrets) })
        for name in Self.names(of: layers.flatMap(\.1.clusters)) {
            let blocks = layers.map { ($0.0, $0.1.clusters.first { $0.name.text == name.text }) }
            let properties = resolver.merged(blocks.map { ($0.0, $0.1?.entries ?? []) })
            configuration.clusters.append(
                Configuration.Cluster(name: name.text, properties: properties, span: name.span)
            )
        }
        configuration.defaults = resolver.defaults(layers)
        resolver.checkCluster(of: configuration)
        let diagnostics = resolver.diagnostics.sorted { $0.span.start < $1.span.start }
        return (configuration, diagnostics, resolver.problems)
    }

    private static func names(of blocks: [Block]) -> [Name] {
        var seen: Set<String> = []
        return blocks.map(\.name).filter { seen.insert($0.text).inserted }
    }
}

/// Finds out what values are in this environment.
private struct Resolver {
    typealias Entries = [(profile: String?, [ConfigurationFile.Entry])]
    typealias Found = (profile: String?, entry: ConfigurationFile.Entry)

    let source: SourceText
    let environment: [String: String]
    let rules: PropertyRules
    var diagnostics: [Diagnostic] = []
    /// What is wrong with variables and flags.
    var problems: [String] = []

    init(source: SourceText, environment: [String: String], rules: PropertyRules) {
        self.source = source
        self.environment = environment
        self.rules = rules
    }

    private func place(_ span: Span) -> String {
        "\(source.path):\(source.lineNumber(of: span.start))"
    }

    private func origin(_ profile: String?, _ span: Span) -> Configuration.Origin {
        profile.map { .profile($0, place: place(span)) } ?? .file(place: place(span))
    }

    /// The entry of a name that outweighs the others.
    func last(_ name: String, in layers: Entries) -> Found? {
        for (profile, entries) in layers.reversed() {
            if let entry = entries.first(where: { $0.name.text == name }) {
                return (profile, entry)
            }
        }
        return nil
    }

    /// All entries by name, in the order of the file.
    mutating func merged(_ layers: Entries) -> [Configuration.Effective] {
        var seen: Set<String> = []
        let names = layers.flatMap(\.1).map(\.name.text).filter { seen.insert($0).inserted }
        return names.compactMap { name in
            last(name, in: layers).flatMap { effective($0, problem: rules.problem) }
        }
    }

    // MARK: Settings

    mutating func setting(
        _ setting: Setting,
        _ found: Found?,
        _ flags: Configuration.Flags
    ) -> Configuration.Effective? {
        let written = found.flatMap { found in
            effective(found) { _, text in
                setting.problem(with: text).map { "`\(setting.rawValue)` has to be \($0)" }
            }
        }
        if let text = flags.settings[setting], let flag = setting.flag {
            return .init(name: setting.rawValue, value: .text(text), origin: .flag(flag))
        }
        // An empty variable is one that nobody meant to set.
        if let name = setting.variable, let text = environment[name], !text.isEmpty {
            if let problem = setting.problem(with: text) {
                problems.append("\(name) has to be \(problem), not \"\(text)\"")
            }
            return .init(name: setting.rawValue, value: .text(text), origin: .variable(name))
        }
        guard var written, setting.isPath, case .text(let path) = written.value else {
            return written
        }
        written.value = .text(source.resolving(path))
        return written
    }

    /// Says that there is no such cluster, where one was asked for.
    mutating func checkCluster(of configuration: Configuration) {
        guard let chosen = configuration.settings[.cluster], configuration.cluster == nil,
            case .text(let name) = chosen.value
        else { return }
        let known = configuration.clusters.map(\.name)
        let help = SpellingHelp.suggestion(for: name, in: known) ?? "add `kafka \(name) { … }`"
        if let span = chosen.span {
            report("there is no cluster `\(name)`", at: span, help: help)
        } else {
            problems.append("\(chosen.origin): there is no cluster `\(name)`; \(help)")
        }
    }

    func defaults(_ layers: [(String?, ConfigurationFile.Layer)]) -> PipelineDefaults {
        var defaults = PipelineDefaults()
        for (_, layer) in layers {
            if let policy = layer.errorPolicy {
                defaults.errorPolicy = policy.text
                defaults.place = place(policy.span)
            }
            for header in layer.headers {
                defaults.headers.removeAll { $0.name == header.name.text }
                defaults.headers.append(
                    .init(
                        name: header.name.text,
                        value: header.value.text,
                        place: place(header.name.span)
                    )
                )
            }
        }
        return defaults
    }

    // MARK: Values

    private mutating func report(_ message: String, at span: Span, help: String? = nil) {
        diagnostics.append(Diagnostic(.unknownSetting, message, at: span, help: help))
    }

    /// The value that something has here, unless it is wrong.
    private mutating func effective(
        _ found: Found,
        problem: (String, String) -> String?
    ) -> Configuration.Effective? {
        let entry = found.entry
        var names: [String] = []
        switch value(entry.value, &names) {
        case .failure(let missing):
            let help = "set it, or write what to take without it: `… ?? \"…\"`"
            report(
                "the variable \(missing.name.text) is not set",
                at: missing.name.span,
                help: help
            )
            return nil
        case .success(let value):
            if case .text(let text) = value, !names.isEmpty,
                let problem = problem(entry.name.text, text)
            {
                let label = names.joined(separator: ", ") + " in the environment"
                diagnostics.append(
                    Diagnostic(.unknownSetting, problem, at: entry.span, label: label)
                )
                return nil
            }
            var effective = Configuration.Effective(
                name: entry.name.text,
                value: value,
                origin: origin(found.profile, entry.name.span)
            )
            effective.variables = names
            effective.span = entry.span
            return effective
        }
    }

    private struct Missing: Error {
        var name: Name
    }

    private func value(
        _ value: ConfigurationValue,
        _ names: inout [String]
    ) -> Result<Configuration.Value, Missing> {
        switch value {
        case .text(let pieces): return text(pieces, &names).map { .text($0) }
        case .secretFile(let pieces):
            return text(pieces, &names).map { .secretFile(source.resolving($0)) }
        case .secretVariable(let name):
            guard environment[name.text]?.isEmpty == false else {
                return .failure(Missing(name: name))
            }
            return .success(.secretVariable(name.text))
        case .fallback(let first, let second):
            var tried: [String] = []
            if case .success(let found) = self.value(first, &tried) {
                names += tried
                return .success(found)
            }
            return self.value(second, &names)
        }
    }

    private func text(
        _ pieces: [ConfigurationValue.Piece],
        _ names: inout [String]
    ) -> Result<String, Missing> {
        var text = ""
        for piece in pieces {
            switch piece {
            case .text(let part): text += part
            case .variable(let name):
                guard let value = environment[name.text] else {
                    return .failure(Missing(name: name))
                }
                names.append(name.text)
                text += value
            }
        }
        return .success(text)
    }
}

extension SourceText {
    /// A path of the file: relative ones begin at its folder.
    fileprivate func resolving(_ other: String) -> String {
        guard !other.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return other }
        return path[...slash] + other
    }
}
