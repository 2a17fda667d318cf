internal import Kafka

/// The producer's properties as the command line gave them, on top of Forktail's own defaults.
package struct ProducerSettings: Sendable {
    private(set) var configuration: KafkaProducerConfiguration

    /// - Throws: `ServiceError` for a property that is unknown, malformed, or in contradiction to
    ///   another.
    package init(bootstrapServers: String?, properties: [String]) throws {
        configuration = KafkaProducerConfiguration(bootstrapServers: [])
        // Logs shrink to a third for a fifth of the work of sending them raw to another host.
        configuration.compressionType = .lz4
        do {
            if let bootstrapServers {
                try configuration.set("bootstrap.servers", to: bootstrapServers)
            }
            for property in properties { try apply(property) }
            guard !configuration.bootstrapServers.isEmpty else {
                throw ServiceError(
                    .configuration,
                    "no brokers: name at least one, as -b broker1:9092"
                )
            }
            try configuration.validate()
        } catch let error as KafkaProducerError {
            throw ServiceError(.configuration, "\(error)")
        }
    }

    private mutating func apply(_ property: String) throws {
        guard let equals = property.firstIndex(of: "="), equals > property.startIndex else {
            throw ServiceError(
                .configuration,
                "-X takes property=value, as -X linger.ms=20; found \"\(property)\""
            )
        }
        let name = String(property[..<equals])
        try configuration.set(name, to: String(property[property.index(after: equals)...]))
    }
}
