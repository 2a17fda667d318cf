internal import Checkpointing
internal import Kafka

/// What is promised of each record across a crash.
package enum DeliveryMode: String, CaseIterable, Sendable {
    /// It is in its partition once, and in order: what is sent is journaled before.
    case exactlyOnce = "exactly_once"
    /// Consumers that read committed records see it once, and in order: transactions of Kafka.
    case transactional
    /// It is in its partition, and what was on its way may be there twice.
    case atLeastOnce = "at_least_once"
}

/// What the journal keeps of a batch until it is acknowledged.
package enum JournalContent: String, CaseIterable, Sendable {
    /// Which records of which files are in it: they are made again from the files.
    case positions
    /// The whole batch, for files that are truncated or deleted under way.
    case bytes
}

/// What a commit of journal and checkpoints outlives.
package enum JournalDurability: String, CaseIterable, Sendable {
    /// A power cut.
    case full
    /// The death of the process, and not that of the host.
    case normal

    var synchronous: CheckpointStore.Synchronous {
        switch self {
        case .full: .full
        case .normal: .normal
        }
    }
}

/// How records are delivered, as the command line gave it.
package struct DeliveryOptions: Sendable {
    package var mode: DeliveryMode
    package var journal: JournalContent
    package var durability: JournalDurability
    /// Whether records say in a header where they are from.
    package var marksPositions: Bool
    /// How long records wait for the end of their transaction.
    package var transactionInterval: Duration

    package init(
        mode: DeliveryMode = .exactlyOnce,
        journal: JournalContent = .positions,
        durability: JournalDurability = .full,
        marksPositions: Bool = true,
        transactionInterval: Duration = .milliseconds(500)
    ) {
        self.mode = mode
        self.journal = journal
        self.durability = durability
        self.marksPositions = marksPositions
        self.transactionInterval = transactionInterval
    }

    /// Refuses producer properties that the promise cannot be kept with.
    ///
    /// - Throws: `ServiceError` (78) with what to do.
    func check(_ configuration: KafkaProducerConfiguration) throws {
        if mode != .transactional, configuration.transactionalID != nil {
            throw ServiceError(
                .configuration,
                "transactional.id: records are sent without transactions; leave it out, or run with"
                    + " --delivery transactional"
            )
        }
        if mode == .atLeastOnce { return }
        if mode == .transactional, transactionInterval >= configuration.transactionTimeout {
            throw ServiceError(
                .configuration,
                "--transaction-interval has to be shorter than transaction.timeout.ms"
                    + " (\(configuration.transactionTimeout)), after which Kafka aborts"
            )
        }
        let remedy = "leave it out, or run with --delivery at_least_once"
        if configuration.acknowledgements != .all {
            let value = configuration.acknowledgements.rawValue
            throw ServiceError(
                .configuration,
                "acks=\(value) does not tell whether a record stays: \(remedy)"
            )
        }
        if !configuration.isIdempotenceEnabled {
            throw ServiceError(
                .configuration,
                "enable.idempotence=false lets the broker take records twice: \(remedy)"
            )
        }
        if configuration.deliveryTimeout != nil {
            throw ServiceError(
                .configuration,
                "delivery.timeout.ms gives records up that may be in Kafka already: \(remedy)"
            )
        }
    }
}

extension DeliveryOptions {
    /// In words, for those who look at a service.
    ///
    /// - Parameter transactionalID: that of the service, if it sends in transactions.
    func description(transactionalID: String?) -> String {
        var text = mode.rawValue
        if mode == .exactlyOnce { text += ", journal \(journal.rawValue)" }
        text += ", synchronous \(durability.rawValue)"
        if let transactionalID { text += ", transactional id \(transactionalID.printable)" }
        return text
    }
}
