/// What a deployment is set to, and who said so: all layers in one.
package struct Configuration: Sendable {
    /// Who set something; what comes later outweighs what comes earlier.
    package enum Origin: Hashable, Sendable {
        case builtIn
        /// `forktail.conf:3`.
        case file(place: String)
        case profile(String, place: String)
        /// A variable of the environment, as `FORKTAIL_STATE_DIR`.
        case variable(String)
        /// `--state-dir`.
        case flag(String)

        /// What it outweighs has a lower one.
        package var rank: Int {
            switch self {
            case .builtIn: 0
            case .file: 1
            case .profile: 2
            case .variable: 3
            case .flag: 4
            }
        }
    }

    package enum Value: Hashable, Sendable {
        case text(String)
        /// A secret in a file, which is read when it is needed.
        case secretFile(String)
        /// A secret in this variable of the environment.
        case secretVariable(String)
    }

    /// Something that is set.
    package struct Effective: Sendable {
        package var name: String
        package var value: Value
        package var origin: Origin
        /// The variables of the environment that the value was made of.
        package var variables: [String] = []
        /// Where it stands in the file.
        package var span: Span?

        package init(name: String, value: Value, origin: Origin) {
            self.name = name
            self.value = value
            self.origin = origin
        }
    }

    package struct Cluster: Sendable {
        package var name: String
        package var properties: [Effective]
        /// Where its name stands in the file.
        package var span: Span
    }

    /// What the command line says.
    package struct Flags: Sendable {
        package var settings: [Setting: String] = [:]

        package init() {}
    }

    package internal(set) var settings: [Setting: Effective] = [:]
    package internal(set) var clusters: [Cluster] = []
    package internal(set) var secrets: [Effective] = []
    package internal(set) var defaults = PipelineDefaults()

    /// What a setting is set to; nil where it is left to Forktail.
    package func text(of setting: Setting) -> String? {
        guard case .text(let text) = settings[setting]?.value else { return nil }
        return text
    }

    /// The cluster that is sent to: the one that was asked for, `main`, or the only one.
    package var cluster: Cluster? {
        if let name = text(of: .cluster) { return clusters.first { $0.name == name } }
        return clusters.first { $0.name == "main" } ?? (clusters.count == 1 ? clusters[0] : nil)
    }

    /// What pipelines may take from it.
    package var context: PipelineContext {
        var context = PipelineContext()
        context.clusters = clusters.map(\.name)
        context.cluster = cluster?.name
        context.secrets = Set(secrets.map(\.name))
        context.defaults = defaults
        return context
    }
}

extension Configuration.Origin: CustomStringConvertible {
    package var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let place): place
        case .profile(let name, let place): "profile \(name), \(place)"
        case .variable(let name), .flag(let name): name
        }
    }
}

extension Configuration.Value: CustomStringConvertible {
    package var description: String {
        if case .text(let text) = self { text } else { "(secret)" }
    }
}
