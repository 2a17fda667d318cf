package import KafkaProtocol

/// What the producer does about a batch that a broker answered with an error: a row of the table of
/// all of Kafka's codes that a Produce request can meet.
package struct ProduceErrorDisposition: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        /// It is in the log.
        case acknowledge
        /// Send it again with the same producer id and sequence.
        case retry
        /// Send it again a few times, for the bytes were damaged on their way.
        case retryFewTimes
        /// Ask less often: an administrator has to act.
        case retrySlowly
        /// Negotiate versions anew on a fresh connection, then send it again.
        case renegotiate
        /// Send it in halves, down to the record that is refused.
        case split
        /// Refuse the records that the answer names, and send the others.
        case refuseRecords
        /// Send it without compression.
        case decompress
        /// It does not follow what the broker knows of: see what is in the log, then number it anew.
        case proveSequence
        /// The producer id is another's, or not known: go on with a fresh one.
        case renewProducerID
        /// Refuse the whole batch.
        case refuse
        /// The producer itself may not go on.
        case stop
    }

    package let action: Action
    /// Whether the leader may be another one by now.
    package let refreshesMetadata: Bool
    /// Whether this attempt may have got the batch into the log: only the same sequence makes it
    /// safe to send it again then.
    package let mayBeAppended: Bool

    init(_ action: Action, refreshesMetadata: Bool = false, mayBeAppended: Bool = false) {
        self.action = action
        self.refreshesMetadata = refreshesMetadata
        self.mayBeAppended = mayBeAppended
    }

    /// Whether Kafka is well and some records are not: whoever sent them hears of those.
    var isAboutRecords: Bool {
        switch self.action {
        case .split, .refuseRecords, .refuse: true
        default: false
        }
    }

    /// Whether all the records are sent again.
    package var isRetriable: Bool {
        switch self.action {
        case .retry, .retryFewTimes, .retrySlowly, .renegotiate, .split, .decompress,
            .proveSequence, .renewProducerID:
            true
        case .acknowledge, .refuseRecords, .refuse, .stop: false
        }
    }
}

extension ProduceErrorDisposition {
    /// How often a batch is sent again that arrives damaged.
    static let corruptAttemptLimit = 3

    /// What to do about `error`; one that is not in the table is final.
    package init(_ error: KafkaError) {
        self = Self.table[error] ?? Self(.refuse)
    }

    package static let table: [KafkaError: Self] = [
        .none: Self(.acknowledge, mayBeAppended: true),
        .duplicateSequenceNumber: Self(.acknowledge, mayBeAppended: true),

        // Another broker leads, or none does.
        .unknownTopicOrPartition: Self(.retry, refreshesMetadata: true),
        .leaderNotAvailable: Self(.retry, refreshesMetadata: true),
        .notLeaderOrFollower: Self(.retry, refreshesMetadata: true),
        .brokerNotAvailable: Self(.retry, refreshesMetadata: true),
        .replicaNotAvailable: Self(.retry, refreshesMetadata: true),
        .fencedLeaderEpoch: Self(.retry, refreshesMetadata: true),
        .unknownTopicID: Self(.retry, refreshesMetadata: true),
        .inconsistentTopicID: Self(.retry, refreshesMetadata: true),

        // The leader cannot at the moment.
        .notEnoughReplicas: Self(.retry),
        .unknownLeaderEpoch: Self(.retry),
        .throttlingQuotaExceeded: Self(.retry),
        .concurrentTransactions: Self(.retry),
        .coordinatorLoadInProgress: Self(.retry),

        // It may have been appended.
        .networkException: Self(.retry, refreshesMetadata: true, mayBeAppended: true),
        .kafkaStorageError: Self(.retry, refreshesMetadata: true, mayBeAppended: true),
        .requestTimedOut: Self(.retry, mayBeAppended: true),
        .notEnoughReplicasAfterAppend: Self(.retry, mayBeAppended: true),
        .unknownServerError: Self(.retry, mayBeAppended: true),

        // The bytes were damaged, or the other side is another version by now.
        .corruptMessage: Self(.retryFewTimes),
        .unsupportedVersion: Self(.renegotiate),

        // Rights are given to topics while producers run.
        .topicAuthorizationFailed: Self(.retrySlowly),

        // The contents.
        .messageTooLarge: Self(.split),
        .recordListTooLarge: Self(.split),
        .invalidRecord: Self(.refuseRecords),
        .invalidTimestamp: Self(.refuseRecords),
        .unsupportedCompressionType: Self(.decompress),
        .invalidTopicException: Self(.refuse),
        .unsupportedForMessageFormat: Self(.refuse),
        .policyViolation: Self(.refuse),
        .invalidRequest: Self(.refuse),
        .invalidRequiredAcks: Self(.refuse),

        // The numbers.
        .outOfOrderSequenceNumber: Self(.proveSequence),
        .unknownProducerID: Self(.proveSequence),
        .invalidProducerEpoch: Self(.renewProducerID),
        .invalidProducerIDMapping: Self(.renewProducerID),

        .clusterAuthorizationFailed: Self(.stop),
        .saslAuthenticationFailed: Self(.stop),
        .transactionalIDAuthorizationFailed: Self(.stop),
        .producerFenced: Self(.stop),
    ]
}
