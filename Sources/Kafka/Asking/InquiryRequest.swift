package import KafkaProtocol

/// What is asked before anything is sent; nothing is made or changed by it.
package enum InquiryRequest: Sendable, Equatable {
    /// Which of the topics there are, and what this client may do with them.
    case topics([String])
    /// Whether this client may look at a transactional id, which whoever may use it may.
    case transactionalID(String)
}

/// What a broker answers.
package enum InquiryAnswer: Sendable, Equatable {
    case topics([TopicStanding], error: KafkaError)
    case transactionalID(KafkaError)
}

/// A topic, as it is to this client.
package struct TopicStanding: Sendable, Equatable {
    package var name: String
    package var error: KafkaError
    package var partitionCount: Int
    /// Nil where the broker does not tell.
    package var rights: TopicRights?

    package init(
        name: String,
        error: KafkaError = .none,
        partitionCount: Int = 0,
        rights: TopicRights? = nil
    ) {
        self.name = name
        self.error = error
        self.partitionCount = partitionCount
        self.rights = rights
    }
}

/// What this client may do with a topic, by the numbers of Kafka's AclOperation.
package struct TopicRights: OptionSet, Sendable {
    package static let read = TopicRights(rawValue: 1 << 3)
    package static let write = TopicRights(rawValue: 1 << 4)
    package static let describe = TopicRights(rawValue: 1 << 8)

    package let rawValue: Int32

    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Nil for an answer that tells nothing.
    ///
    /// Who is told anything of a topic may describe it: brokers that know of no rights answer 0, or
    /// the number that Kafka has for "not asked".
    init?(authorizedOperations: Int32) {
        self.init(rawValue: authorizedOperations)
        guard authorizedOperations != .min, self.contains(.describe) else { return nil }
    }
}
