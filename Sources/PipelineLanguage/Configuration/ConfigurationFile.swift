/// `forktail.conf` as it is written: nothing of the environment is known yet, and no profile chosen.
package struct ConfigurationFile: Sendable {
    /// What a file says outside of profiles, or one profile.
    struct Layer: Sendable {
        var entries: [Entry] = []
        var clusters: [Block] = []
        var secrets: [Entry] = []
        var errorPolicy: Text?
        var headers: [(name: Name, value: Text)] = []
    }

    struct Entry: Sendable {
        var name: Name
        var value: ConfigurationValue
        var span: Span
    }

    struct Block: Sendable {
        var name: Name
        var entries: [Entry]
    }

    struct Profile: Sendable {
        var name: Name
        var layer: Layer
    }

    /// A piece of the pipeline language.
    struct Text: Sendable {
        var text: String
        var span: Span
    }

    /// The text for messages: passwords that should not be in it are covered by asterisks.
    package var source: SourceText
    var base = Layer()
    var profiles: [Profile] = []

    /// A deployment without the file.
    package static let none = ConfigurationFile(source: SourceText(path: "", text: ""))

    package var profileNames: [String] { profiles.map(\.name.text) }

    init(source: SourceText) {
        self.source = source
    }
}

/// The right side of `name = value`.
indirect enum ConfigurationValue: Sendable {
    enum Piece: Sendable {
        case text(String)
        /// `@env.NAME`.
        case variable(Name)
    }

    case text([Piece])
    /// `secret.file("…")`.
    case secretFile([Piece])
    /// `secret.env("NAME")`.
    case secretVariable(Name)
    /// `a ?? b`: b when a variable of a is not set.
    case fallback(ConfigurationValue, ConfigurationValue)

    var isSecret: Bool {
        switch self {
        case .text: false
        case .secretFile, .secretVariable: true
        case .fallback(let first, let second): first.isSecret && second.isSecret
        }
    }

    /// True when some text of it stands in the file.
    var isPlain: Bool {
        switch self {
        case .text: true
        case .secretFile, .secretVariable: false
        case .fallback(let first, let second): first.isPlain || second.isPlain
        }
    }

    /// The text, when it does not depend on the environment.
    var fixedText: String? {
        guard case .text(let pieces) = self else { return nil }
        var text = ""
        for piece in pieces {
            guard case .text(let part) = piece else { return nil }
            text += part
        }
        return text
    }
}

/// What the producer knows of its properties, for those who write them down.
package struct PropertyRules: Sendable {
    /// Every name that it knows.
    package var names: [String]
    package var isSecret: @Sendable (String) -> Bool
    /// What is wrong with a value; of an unknown name, what to use instead, if that is known.
    package var problem: @Sendable (_ name: String, _ value: String) -> String?

    package init(
        names: [String],
        isSecret: @escaping @Sendable (String) -> Bool,
        problem: @escaping @Sendable (_ name: String, _ value: String) -> String?
    ) {
        self.names = names
        self.isSecret = isSecret
        self.problem = problem
    }
}
