package import KafkaProtocol

/// What the producer does about a batch that a broker answered with an error.
package enum ProduceErrorDisposition: Sendable, Equatable {
    /// It is in the log.
    case acknowledged
    /// Send it again with the same producer id and sequence.
    case retry(refreshMetadata: Bool, mayBePersisted: Bool)
    /// Send it again a few times, for the bytes were damaged on their way.
    case retryFewTimes
    /// Negotiate versions anew on a fresh connection, then send it again.
    case renegotiate
    /// Ask less often: an administrator has to act.
    case retrySlowly
    /// Send it in halves, down to the record that is refused.
    case split
    /// Refuse the records that the answer names, and send the others.
    case refuseRecords
    /// The sequence has no meaning to the broker: go on with a fresh producer id.
    case freshProducerID
    /// Refuse the whole batch.
    case refuse
    /// The producer itself may not go on.
    case stop
}

extension ProduceErrorDisposition {
    /// How often a batch is sent again that arrives damaged.
    static let corruptAttemptLimit = 3

    private static let table: [KafkaError: ProduceErrorDisposition] = [
        .none: .acknowledged,
        .duplicateSequenceNumber: .acknowledged,
        // Nothing was appended by this attempt.
        .unknownTopicOrPartition: .retry(refreshMetadata: true, mayBePersisted: false),
        .leaderNotAvailable: .retry(refreshMetadata: true, mayBePersisted: false),
        .notLeaderOrFollower: .retry(refreshMetadata: true, mayBePersisted: false),
        .brokerNotAvailable: .retry(refreshMetadata: true, mayBePersisted: false),
        .replicaNotAvailable: .retry(refreshMetadata: true, mayBePersisted: false),
        .notEnoughReplicas: .retry(refreshMetadata: false, mayBePersisted: false),
        .fencedLeaderEpoch: .retry(refreshMetadata: true, mayBePersisted: false),
        .unknownLeaderEpoch: .retry(refreshMetadata: false, mayBePersisted: false),
        .unknownTopicID: .retry(refreshMetadata: true, mayBePersisted: false),
        .inconsistentTopicID: .retry(refreshMetadata: true, mayBePersisted: false),
        .throttlingQuotaExceeded: .retry(refreshMetadata: false, mayBePersisted: false),
        .concurrentTransactions: .retry(refreshMetadata: false, mayBePersisted: false),
        // It may have been appended: only the same sequence makes sending it again safe.
        .networkException: .retry(refreshMetadata: true, mayBePersisted: true),
        .requestTimedOut: .retry(refreshMetadata: false, mayBePersisted: true),
        .notEnoughReplicasAfterAppend: .retry(refreshMetadata: false, mayBePersisted: true),
        .kafkaStorageError: .retry(refreshMetadata: true, mayBePersisted: true),
        .unknownServerError: .retry(refreshMetadata: false, mayBePersisted: true),
        .corruptMessage: .retryFewTimes,
        .unsupportedVersion: .renegotiate,
        .topicAuthorizationFailed: .retrySlowly,
        .messageTooLarge: .split,
        .recordListTooLarge: .split,
        .invalidRecord: .refuseRecords,
        .invalidTimestamp: .refuseRecords,
        .outOfOrderSequenceNumber: .freshProducerID,
        .invalidProducerEpoch: .freshProducerID,
        .invalidProducerIDMapping: .freshProducerID,
        .unknownProducerID: .freshProducerID,
        .clusterAuthorizationFailed: .stop,
    ]

    /// What to do about `error`; one that is not in the table is final.
    package init(_ error: KafkaError) {
        self = Self.table[error] ?? .refuse
    }
}
