internal import Kafka
internal import PipelineLanguage

/// The producer's properties: Forktail's own defaults, then `forktail.conf`, then the command line.
package struct ProducerSettings: Sendable {
    private(set) var configuration: KafkaProducerConfiguration

    /// - Parameter cluster: A `kafka` block that is not the process's own; what the command line says
    ///   does not concern it.
    /// - Parameter allowsTransactions: Whether they may name a `transactional.id`.
    /// - Parameter environment: Finds what `secret.env("NAME")` stands for.
    /// - Throws: `ServiceError` for a property that is unknown, malformed, or in contradiction to
    ///   another.
    package init(
        deployment: Deployment? = nil,
        cluster: String? = nil,
        bootstrapServers: String? = nil,
        properties: [String] = [],
        allowsTransactions: Bool = false,
        environment: (String) -> String? = { _ in nil }
    ) throws {
        configuration = Self.ownDefaults
        let said =
            try cluster.map { Self.said(by: deployment, of: $0) }
            ?? Self.said(by: deployment, bootstrapServers, properties)
        do {
            for property in said {
                // What is written for all commands concerns those that send in transactions.
                if property.name == "transactional.id", property.span != nil, !allowsTransactions {
                    continue
                }
                try apply(property, environment)
            }
            guard !configuration.bootstrapServers.isEmpty else {
                throw ServiceError(.configuration, Self.noBrokers(deployment, of: cluster))
            }
            guard allowsTransactions || configuration.transactionalID == nil else {
                throw ServiceError(
                    .configuration,
                    "transactional.id: Forktail sends without transactions; leave it out"
                )
            }
            try configuration.validate()
        } catch let error as KafkaProducerError {
            throw ServiceError(.configuration, "\(error)")
        }
    }

    /// Refuses properties of a cluster that contradict each other.
    ///
    /// - Throws: `KafkaProducerError`.
    static func check(_ cluster: Configuration.Cluster) throws {
        var settings = ProducerSettings()
        for property in useful(cluster.properties) { try settings.apply(property) { _ in "there" } }
        // The command line may say where the brokers are.
        if settings.configuration.bootstrapServers.isEmpty {
            settings.configuration.bootstrapServers = ["broker:9092"]
        }
        try settings.configuration.validate()
    }

    private init() {
        configuration = Self.ownDefaults
    }

    private static var ownDefaults: KafkaProducerConfiguration {
        var configuration = KafkaProducerConfiguration(bootstrapServers: [])
        // Logs shrink to a third for a fifth of the work of sending them raw to another host.
        configuration.compressionType = .lz4
        return configuration
    }

    private static func noBrokers(_ deployment: Deployment?, of cluster: String?) -> String {
        if let cluster { return "no brokers: `kafka \(cluster)` has no bootstrap.servers" }
        let configuration = deployment?.configuration
        let clusters = configuration?.clusters.map(\.name) ?? []
        if clusters.count > 1, configuration?.cluster == nil {
            return "which cluster? Choose by --cluster: \(clusters.joined(separator: ", "))"
        }
        return "no brokers: name at least one, as -b broker1:9092"
    }

    private mutating func apply(
        _ property: Configuration.Effective,
        _ environment: (String) -> String?
    ) throws {
        switch property.value {
        case .text(let text): try configuration.set(property.name, to: text)
        case .secretFile(let path): try configuration.set(property.name, to: Secret.file(path))
        case .secretVariable(let name):
            guard let text = environment(name), !text.isEmpty else {
                let message = "\(property.name): \(name) is not in the environment"
                throw ServiceError(.configuration, message)
            }
            try configuration.set(property.name, to: Secret(text))
        }
    }
}

// MARK: - Who says what

extension ProducerSettings {
    /// What file and command line say; what comes later outweighs what comes earlier.
    static func said(
        by deployment: Deployment?,
        _ bootstrapServers: String?,
        _ properties: [String]
    ) throws -> [Configuration.Effective] {
        var said = deployment?.configuration.cluster?.properties ?? []
        if let bootstrapServers {
            let name = "bootstrap.servers"
            said.append(.init(name: name, value: .text(bootstrapServers), origin: .flag("-b")))
        }
        return useful(try said + properties.map(effective))
    }

    private static func said(
        by deployment: Deployment?,
        of cluster: String
    ) -> [Configuration.Effective] {
        useful(
            deployment?.configuration.clusters.first { $0.name == cluster }?.properties ?? []
        )
    }

    /// Leaves out the login or the certificates of a layer that a later one has no use for: that of
    /// `PLAINTEXT` in a profile for trying things out.
    static func useful(_ said: [Configuration.Effective]) -> [Configuration.Effective] {
        guard let last = said.last(where: { $0.name == "security.protocol" }),
            case .text(let text) = last.value
        else { return said }
        let name = text.uppercased()
        return said.filter { property in
            guard property.origin.rank < last.origin.rank else { return true }
            switch property.name.prefix(while: { $0 != "." }) {
            case "sasl", "https": return name.hasPrefix("SASL")
            case "ssl": return name.hasSuffix("SSL")
            default: return true
            }
        }
    }

    private static func effective(_ property: String) throws -> Configuration.Effective {
        guard let equals = property.firstIndex(of: "="), equals > property.startIndex else {
            // What follows the name may be a password.
            let name = property.prefix { $0.isLetter || $0.isNumber || "._-".contains($0) }
            throw ServiceError(
                .configuration,
                "-X takes property=value, as -X linger.ms=20; found \"\(name)\" without \"=\""
            )
        }
        return .init(
            name: String(property[..<equals]),
            value: value(String(property[property.index(after: equals)...])),
            origin: .flag("-X")
        )
    }

    private static func value(_ text: String) -> Configuration.Value {
        if let path = argument(of: "secret.file", in: text) { return .secretFile(path) }
        if let variable = argument(of: "secret.env", in: text) { return .secretVariable(variable) }
        return .text(text)
    }

    /// The text in `secret.file("/run/secrets/kafka")`; the quotes may be left to the shell.
    private static func argument(of function: String, in value: String) -> String? {
        guard value.hasPrefix(function + "("), value.hasSuffix(")") else { return nil }
        let inner = value.dropFirst(function.count + 1).dropLast()
        let isQuoted = inner.count >= 2 && inner.hasPrefix("\"") && inner.hasSuffix("\"")
        let text = isQuoted ? inner.dropFirst().dropLast() : inner
        return text.isEmpty ? nil : String(text)
    }

    /// The same with Forktail's own defaults, each property once, and no secret in plain text.
    static func listed(_ said: [Configuration.Effective]) -> [Configuration.Effective] {
        let own = Configuration.Effective(
            name: "compression.type",
            value: .text(ownDefaults.compressionType.rawValue),
            origin: .builtIn
        )
        var seen: Set<String> = []
        let last = ([own] + said).reversed().filter { seen.insert($0.name).inserted }.reversed()
        return last.map { property in
            guard KafkaProducerConfiguration.isSecret(property.name) else { return property }
            var hidden = property
            hidden.value = .secretVariable("")
            return hidden
        }
    }
}
