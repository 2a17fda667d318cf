internal import KafkaProtocol

/// What the producer does about an error that it is answered in a transaction.
enum TransactionErrorDisposition: Equatable {
    case succeeded
    /// Ask the same again in a while.
    case retry
    /// Find the coordinator, and ask that one.
    case findCoordinator
    /// The transaction can only be aborted.
    case abort
    /// The coordinator does not know the producer id any more: the transaction is gone with it.
    case startOver
    /// Another producer has the transactional id.
    case fenced
    /// The producer cannot go on.
    case stop
}

extension TransactionErrorDisposition {
    private static let table: [KafkaError: TransactionErrorDisposition] = [
        .none: .succeeded,
        .coordinatorLoadInProgress: .retry,
        .concurrentTransactions: .retry,
        .requestTimedOut: .retry,
        .networkException: .retry,
        .throttlingQuotaExceeded: .retry,
        .kafkaStorageError: .retry,
        .coordinatorNotAvailable: .findCoordinator,
        .notCoordinator: .findCoordinator,
        .transactionAbortable: .abort,
        .invalidProducerIDMapping: .startOver,
        .unknownProducerID: .startOver,
        .invalidProducerEpoch: .fenced,
        .producerFenced: .fenced,
    ]

    /// For a partition that was to be added, also these can be lived with.
    private static let partitionTable: [KafkaError: TransactionErrorDisposition] = [
        .unknownTopicOrPartition: .retry,
        .topicAuthorizationFailed: .abort,
        .operationNotAttempted: .retry,
    ]

    /// For offsets of a consumer group.
    private static let offsetsTable: [KafkaError: TransactionErrorDisposition] = [
        .unknownTopicOrPartition: .retry,
        .requestTimedOut: .findCoordinator,
        .groupAuthorizationFailed: .abort,
        .topicAuthorizationFailed: .abort,
        .fencedInstanceID: .abort,
        .unknownMemberID: .abort,
        .illegalGeneration: .abort,
        .offsetMetadataTooLarge: .abort,
        .invalidCommitOffsetSize: .abort,
    ]

    init(offsets error: KafkaError) {
        self = Self.offsetsTable[error] ?? Self(error)
    }

    /// What to do about `error`; one that is not in the table is the end of the producer.
    init(_ error: KafkaError) {
        self = Self.table[error] ?? .stop
    }

    init(addingPartition error: KafkaError) {
        self = Self.partitionTable[error] ?? Self(error)
    }

    /// What to do about a batch of a transaction that failed with `error`.
    init(batch error: KafkaProducerError) {
        guard case .refused(let code, _, _) = error else {
            self = .abort
            return
        }
        switch KafkaError(rawValue: code) {
        case .producerFenced: self = .fenced
        case .transactionalIDAuthorizationFailed, .clusterAuthorizationFailed,
            .unsupportedVersion:
            self = .stop
        default: self = .abort
        }
    }
}
