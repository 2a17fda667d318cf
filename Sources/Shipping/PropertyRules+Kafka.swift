internal import Kafka
internal import PipelineLanguage

extension PropertyRules {
    /// The producer's own table of properties.
    static let kafka = PropertyRules(
        names: KafkaProducerConfiguration.propertyNames,
        isSecret: { KafkaProducerConfiguration.isSecret($0) },
        problem: { name, value in
            var configuration = KafkaProducerConfiguration(bootstrapServers: [])
            do {
                try configuration.set(name, to: value)
                return nil
            } catch {
                let isKnown = KafkaProducerConfiguration.propertyNames.contains(name)
                // Of an unknown name only what replaces it is news.
                return isKnown || KafkaProducerConfiguration.replacement(for: name) != nil
                    ? "\(error)" : nil
            }
        }
    )
}
