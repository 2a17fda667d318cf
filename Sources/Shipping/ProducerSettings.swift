internal import Kafka

/// The producer's properties as the command line gave them, on top of Forktail's own defaults.
package struct ProducerSettings: Sendable {
    private(set) var configuration: KafkaProducerConfiguration

    /// - Parameter allowsTransactions: Whether they may name a `transactional.id`.
    /// - Parameter environment: Finds what `secret.env("NAME")` stands for.
    /// - Throws: `ServiceError` for a property that is unknown, malformed, or in contradiction to
    ///   another.
    package init(
        bootstrapServers: String?,
        properties: [String],
        allowsTransactions: Bool = false,
        environment: (String) -> String? = { _ in nil }
    ) throws {
        configuration = KafkaProducerConfiguration(bootstrapServers: [])
        // Logs shrink to a third for a fifth of the work of sending them raw to another host.
        configuration.compressionType = .lz4
        do {
            if let bootstrapServers {
                try configuration.set("bootstrap.servers", to: bootstrapServers)
            }
            for property in properties { try apply(property, environment) }
            guard !configuration.bootstrapServers.isEmpty else {
                throw ServiceError(
                    .configuration,
                    "no brokers: name at least one, as -b broker1:9092"
                )
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

    private mutating func apply(
        _ property: String,
        _ environment: (String) -> String?
    ) throws {
        guard let equals = property.firstIndex(of: "="), equals > property.startIndex else {
            // What follows the name may be a password.
            let name = property.prefix { $0.isLetter || $0.isNumber || "._-".contains($0) }
            throw ServiceError(
                .configuration,
                "-X takes property=value, as -X linger.ms=20; found \"\(name)\" without \"=\""
            )
        }
        let name = String(property[..<equals])
        let value = String(property[property.index(after: equals)...])
        if let path = Self.argument(of: "secret.file", in: value) {
            try configuration.set(name, to: Secret.file(path))
        } else if let variable = Self.argument(of: "secret.env", in: value) {
            guard let text = environment(variable), !text.isEmpty else {
                throw ServiceError(.configuration, "\(name): \(variable) is not in the environment")
            }
            try configuration.set(name, to: Secret(text))
        } else {
            try configuration.set(name, to: value)
        }
    }

    /// The text in `secret.file("/run/secrets/kafka")`; the quotes may be left to the shell.
    private static func argument(of function: String, in value: String) -> String? {
        guard value.hasPrefix(function + "("), value.hasSuffix(")") else { return nil }
        let inner = value.dropFirst(function.count + 1).dropLast()
        let isQuoted = inner.count >= 2 && inner.hasPrefix("\"") && inner.hasSuffix("\"")
        let text = isQuoted ? inner.dropFirst().dropLast() : inner
        return text.isEmpty ? nil : String(text)
    }
}
