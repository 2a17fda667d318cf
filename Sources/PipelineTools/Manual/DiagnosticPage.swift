/// What a check is about: why it is there, a text that it refuses, and the same put right.
package struct DiagnosticPage: Sendable {
    /// What surrounds the two examples to make a pipeline of them.
    package enum Frame: Sendable {
        /// Nothing: they are whole files.
        case file
        /// They stand for `from`.
        case from
        /// They stand for `parse`.
        case parse
        /// Steps between `parse` and `send`.
        case steps
        /// They stand for `send`.
        case send
    }

    /// Who finds it.
    package enum Finder: Sendable {
        case compiler
        /// The compiler, for a pipeline under `defaults`.
        case defaults
        /// What follows the compiler with `--delivery exactly_once`.
        case remakeAnalysis
        /// What looks at the host, where an example proves nothing.
        case host
    }

    package struct Examples: Sendable {
        package var frame: Frame
        package var wrong: String
        package var right: String
    }

    package var meaning: String
    package var examples: Examples?
    package var finder: Finder

    init(_ meaning: String, _ examples: Examples, foundBy finder: Finder = .compiler) {
        self.meaning = meaning
        self.examples = examples
        self.finder = finder
    }

    /// A page without examples, for what depends on the host.
    init(_ meaning: String) {
        self.meaning = meaning
        finder = .host
    }
}

extension DiagnosticPage.Frame {
    private static let fromText = "from \"/var/log/shop/*.log\"\n"
    private static let parseText = """
        parse json {
          id:     int
          region: enum("eu", "us")
          user:   string?
          buyer:  object?
          amount: decimal
          at:     time(iso8601)
        }

        """
    private static let sendText = """
        send {
          topic = "orders"
          key   = string(id)
          value = json(*)
        }

        """
    private static let policyText = "on error dead_letter \"orders.dead\"\n"

    /// An example as a whole pipeline.
    package func pipeline(_ example: String) -> String {
        switch self {
        case .file: example + "\n"
        case .from: example + "\n" + Self.parseText + Self.sendText + Self.policyText
        case .parse: Self.fromText + example + "\n" + Self.untypedSend + Self.policyText
        case .steps:
            Self.fromText + Self.parseText + example + "\n" + Self.sendText + Self.policyText
        case .send: Self.fromText + Self.parseText + example + "\n" + Self.policyText
        }
    }

    private static let untypedSend = "send {\n  topic = \"orders\"\n  value = json(*)\n}\n"
}
