/// An error code as Kafka numbers it.
///
/// A value of its own and not an enum: a newer broker may answer with a number that has no name yet.
package struct KafkaError: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int16

    package init(rawValue: Int16) {
        self.rawValue = rawValue
    }
}

extension KafkaError: CustomStringConvertible {
    /// Kafka's name and number, as in `NOT_LEADER_OR_FOLLOWER (6)`.
    package var description: String {
        "\(self.name ?? "UNKNOWN_ERROR") (\(self.rawValue))"
    }

    /// Kafka's name, if it has one.
    package var name: String? {
        let index = Int(self.rawValue) + 1
        return Self.names.indices.contains(index) ? Self.names[index] : nil
    }

    /// By number, from -1 on.
    private static let names: [String] = [
        "UNKNOWN_SERVER_ERROR",
        "NONE",
        "OFFSET_OUT_OF_RANGE",
        "CORRUPT_MESSAGE",
        "UNKNOWN_TOPIC_OR_PARTITION",
        "INVALID_FETCH_SIZE",
        "LEADER_NOT_AVAILABLE",
        "NOT_LEADER_OR_FOLLOWER",
        "REQUEST_TIMED_OUT",
        "BROKER_NOT_AVAILABLE",
        "REPLICA_NOT_AVAILABLE",
        "MESSAGE_TOO_LARGE",
        "STALE_CONTROLLER_EPOCH",
        "OFFSET_METADATA_TOO_LARGE",
        "NETWORK_EXCEPTION",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "NOT_COORDINATOR",
        "INVALID_TOPIC_EXCEPTION",
        "RECORD_LIST_TOO_LARGE",
        "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        "INVALID_REQUIRED_ACKS",
        "ILLEGAL_GENERATION",
        "INCONSISTENT_GROUP_PROTOCOL",
        "INVALID_GROUP_ID",
        "UNKNOWN_MEMBER_ID",
        "INVALID_SESSION_TIMEOUT",
        "REBALANCE_IN_PROGRESS",
        "INVALID_COMMIT_OFFSET_SIZE",
        "TOPIC_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "INVALID_TIMESTAMP",
        "UNSUPPORTED_SASL_MECHANISM",
        "ILLEGAL_SASL_STATE",
        "UNSUPPORTED_VERSION",
        "TOPIC_ALREADY_EXISTS",
        "INVALID_PARTITIONS",
        "INVALID_REPLICATION_FACTOR",
        "INVALID_REPLICA_ASSIGNMENT",
        "INVALID_CONFIG",
        "NOT_CONTROLLER",
        "INVALID_REQUEST",
        "UNSUPPORTED_FOR_MESSAGE_FORMAT",
        "POLICY_VIOLATION",
        "OUT_OF_ORDER_SEQUENCE_NUMBER",
        "DUPLICATE_SEQUENCE_NUMBER",
        "INVALID_PRODUCER_EPOCH",
        "INVALID_TXN_STATE",
        "INVALID_PRODUCER_ID_MAPPING",
        "INVALID_TRANSACTION_TIMEOUT",
        "CONCURRENT_TRANSACTIONS",
        "TRANSACTION_COORDINATOR_FENCED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        "SECURITY_DISABLED",
        "OPERATION_NOT_ATTEMPTED",
        "KAFKA_STORAGE_ERROR",
        "LOG_DIR_NOT_FOUND",
        "SASL_AUTHENTICATION_FAILED",
        "UNKNOWN_PRODUCER_ID",
        "REASSIGNMENT_IN_PROGRESS",
        "DELEGATION_TOKEN_AUTH_DISABLED",
        "DELEGATION_TOKEN_NOT_FOUND",
        "DELEGATION_TOKEN_OWNER_MISMATCH",
        "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
        "DELEGATION_TOKEN_AUTHORIZATION_FAILED",
        "DELEGATION_TOKEN_EXPIRED",
        "INVALID_PRINCIPAL_TYPE",
        "NON_EMPTY_GROUP",
        "GROUP_ID_NOT_FOUND",
        "FETCH_SESSION_ID_NOT_FOUND",
        "INVALID_FETCH_SESSION_EPOCH",
        "LISTENER_NOT_FOUND",
        "TOPIC_DELETION_DISABLED",
        "FENCED_LEADER_EPOCH",
        "UNKNOWN_LEADER_EPOCH",
        "UNSUPPORTED_COMPRESSION_TYPE",
        "STALE_BROKER_EPOCH",
        "OFFSET_NOT_AVAILABLE",
        "MEMBER_ID_REQUIRED",
        "PREFERRED_LEADER_NOT_AVAILABLE",
        "GROUP_MAX_SIZE_REACHED",
        "FENCED_INSTANCE_ID",
        "ELIGIBLE_LEADERS_NOT_AVAILABLE",
        "ELECTION_NOT_NEEDED",
        "NO_REASSIGNMENT_IN_PROGRESS",
        "GROUP_SUBSCRIBED_TO_TOPIC",
        "INVALID_RECORD",
        "UNSTABLE_OFFSET_COMMIT",
        "THROTTLING_QUOTA_EXCEEDED",
        "PRODUCER_FENCED",
        "RESOURCE_NOT_FOUND",
        "DUPLICATE_RESOURCE",
        "UNACCEPTABLE_CREDENTIAL",
        "INCONSISTENT_VOTER_SET",
        "INVALID_UPDATE_VERSION",
        "FEATURE_UPDATE_FAILED",
        "PRINCIPAL_DESERIALIZATION_FAILURE",
        "SNAPSHOT_NOT_FOUND",
        "POSITION_OUT_OF_RANGE",
        "UNKNOWN_TOPIC_ID",
        "DUPLICATE_BROKER_REGISTRATION",
        "BROKER_ID_NOT_REGISTERED",
        "INCONSISTENT_TOPIC_ID",
        "INCONSISTENT_CLUSTER_ID",
        "TRANSACTIONAL_ID_NOT_FOUND",
        "FETCH_SESSION_TOPIC_ID_ERROR",
        "INELIGIBLE_REPLICA",
        "NEW_LEADER_ELECTED",
        "OFFSET_MOVED_TO_TIERED_STORAGE",
        "FENCED_MEMBER_EPOCH",
        "UNRELEASED_INSTANCE_ID",
        "UNSUPPORTED_ASSIGNOR",
        "STALE_MEMBER_EPOCH",
        "MISMATCHED_ENDPOINT_TYPE",
        "UNSUPPORTED_ENDPOINT_TYPE",
        "UNKNOWN_CONTROLLER_ID",
        "UNKNOWN_SUBSCRIPTION_ID",
        "TELEMETRY_TOO_LARGE",
        "INVALID_REGISTRATION",
        "TRANSACTION_ABORTABLE",
        "INVALID_RECORD_STATE",
        "SHARE_SESSION_NOT_FOUND",
        "INVALID_SHARE_SESSION_EPOCH",
        "FENCED_STATE_EPOCH",
        "INVALID_VOTER_KEY",
        "DUPLICATE_VOTER",
        "VOTER_NOT_FOUND",
        "INVALID_REGULAR_EXPRESSION",
        "REBOOTSTRAP_REQUIRED",
        "STREAMS_INVALID_TOPOLOGY",
        "STREAMS_INVALID_TOPOLOGY_EPOCH",
        "STREAMS_TOPOLOGY_FENCED",
        "SHARE_SESSION_LIMIT_REACHED",
    ]
}

extension KafkaError {
    package static let unknownServerError = KafkaError(rawValue: -1)
    package static let none = KafkaError(rawValue: 0)
    package static let offsetOutOfRange = KafkaError(rawValue: 1)
    package static let corruptMessage = KafkaError(rawValue: 2)
    package static let unknownTopicOrPartition = KafkaError(rawValue: 3)
    package static let invalidFetchSize = KafkaError(rawValue: 4)
    package static let leaderNotAvailable = KafkaError(rawValue: 5)
    package static let notLeaderOrFollower = KafkaError(rawValue: 6)
    package static let requestTimedOut = KafkaError(rawValue: 7)
    package static let brokerNotAvailable = KafkaError(rawValue: 8)
    package static let replicaNotAvailable = KafkaError(rawValue: 9)
    package static let messageTooLarge = KafkaError(rawValue: 10)
    package static let staleControllerEpoch = KafkaError(rawValue: 11)
    package static let offsetMetadataTooLarge = KafkaError(rawValue: 12)
    package static let networkException = KafkaError(rawValue: 13)
    package static let coordinatorLoadInProgress = KafkaError(rawValue: 14)
    package static let coordinatorNotAvailable = KafkaError(rawValue: 15)
    package static let notCoordinator = KafkaError(rawValue: 16)
    package static let invalidTopicException = KafkaError(rawValue: 17)
    package static let recordListTooLarge = KafkaError(rawValue: 18)
    package static let notEnoughReplicas = KafkaError(rawValue: 19)
    package static let notEnoughReplicasAfterAppend = KafkaError(rawValue: 20)
    package static let invalidRequiredAcks = KafkaError(rawValue: 21)
    package static let illegalGeneration = KafkaError(rawValue: 22)
    package static let inconsistentGroupProtocol = KafkaError(rawValue: 23)
    package static let invalidGroupID = KafkaError(rawValue: 24)
    package static let unknownMemberID = KafkaError(rawValue: 25)
    package static let invalidSessionTimeout = KafkaError(rawValue: 26)
    package static let rebalanceInProgress = KafkaError(rawValue: 27)
    package static let invalidCommitOffsetSize = KafkaError(rawValue: 28)
    package static let topicAuthorizationFailed = KafkaError(rawValue: 29)
    package static let groupAuthorizationFailed = KafkaError(rawValue: 30)
    package static let clusterAuthorizationFailed = KafkaError(rawValue: 31)
    package static let invalidTimestamp = KafkaError(rawValue: 32)
    package static let unsupportedSASLMechanism = KafkaError(rawValue: 33)
    package static let illegalSASLState = KafkaError(rawValue: 34)
    package static let unsupportedVersion = KafkaError(rawValue: 35)
    package static let topicAlreadyExists = KafkaError(rawValue: 36)
    package static let invalidPartitions = KafkaError(rawValue: 37)
    package static let invalidReplicationFactor = KafkaError(rawValue: 38)
    package static let invalidReplicaAssignment = KafkaError(rawValue: 39)
    package static let invalidConfig = KafkaError(rawValue: 40)
    package static let notController = KafkaError(rawValue: 41)
    package static let invalidRequest = KafkaError(rawValue: 42)
    package static let unsupportedForMessageFormat = KafkaError(rawValue: 43)
    package static let policyViolation = KafkaError(rawValue: 44)
    package static let outOfOrderSequenceNumber = KafkaError(rawValue: 45)
    package static let duplicateSequenceNumber = KafkaError(rawValue: 46)
    package static let invalidProducerEpoch = KafkaError(rawValue: 47)
    package static let invalidTxnState = KafkaError(rawValue: 48)
    package static let invalidProducerIDMapping = KafkaError(rawValue: 49)
    package static let invalidTransactionTimeout = KafkaError(rawValue: 50)
    package static let concurrentTransactions = KafkaError(rawValue: 51)
    package static let transactionCoordinatorFenced = KafkaError(rawValue: 52)
    package static let transactionalIDAuthorizationFailed = KafkaError(rawValue: 53)
    package static let securityDisabled = KafkaError(rawValue: 54)
    package static let operationNotAttempted = KafkaError(rawValue: 55)
    package static let kafkaStorageError = KafkaError(rawValue: 56)
    package static let logDirNotFound = KafkaError(rawValue: 57)
    package static let saslAuthenticationFailed = KafkaError(rawValue: 58)
    package static let unknownProducerID = KafkaError(rawValue: 59)
    package static let reassignmentInProgress = KafkaError(rawValue: 60)
    package static let delegationTokenAuthDisabled = KafkaError(rawValue: 61)
    package static let delegationTokenNotFound = KafkaError(rawValue: 62)
    package static let delegationTokenOwnerMismatch = KafkaError(rawValue: 63)
    package static let delegationTokenRequestNotAllowed = KafkaError(rawValue: 64)
    package static let delegationTokenAuthorizationFailed = KafkaError(rawValue: 65)
    package static let delegationTokenExpired = KafkaError(rawValue: 66)
    package static let invalidPrincipalType = KafkaError(rawValue: 67)
    package static let nonEmptyGroup = KafkaError(rawValue: 68)
    package static let groupIDNotFound = KafkaError(rawValue: 69)
    package static let fetchSessionIDNotFound = KafkaError(rawValue: 70)
    package static let invalidFetchSessionEpoch = KafkaError(rawValue: 71)
    package static let listenerNotFound = KafkaError(rawValue: 72)
    package static let topicDeletionDisabled = KafkaError(rawValue: 73)
    package static let fencedLeaderEpoch = KafkaError(rawValue: 74)
    package static let unknownLeaderEpoch = KafkaError(rawValue: 75)
    package static let unsupportedCompressionType = KafkaError(rawValue: 76)
    package static let staleBrokerEpoch = KafkaError(rawValue: 77)
    package static let offsetNotAvailable = KafkaError(rawValue: 78)
    package static let memberIDRequired = KafkaError(rawValue: 79)
    package static let preferredLeaderNotAvailable = KafkaError(rawValue: 80)
    package static let groupMaxSizeReached = KafkaError(rawValue: 81)
    package static let fencedInstanceID = KafkaError(rawValue: 82)
    package static let eligibleLeadersNotAvailable = KafkaError(rawValue: 83)
    package static let electionNotNeeded = KafkaError(rawValue: 84)
    package static let noReassignmentInProgress = KafkaError(rawValue: 85)
    package static let groupSubscribedToTopic = KafkaError(rawValue: 86)
    package static let invalidRecord = KafkaError(rawValue: 87)
    package static let unstableOffsetCommit = KafkaError(rawValue: 88)
    package static let throttlingQuotaExceeded = KafkaError(rawValue: 89)
    package static let producerFenced = KafkaError(rawValue: 90)
    package static let resourceNotFound = KafkaError(rawValue: 91)
    package static let duplicateResource = KafkaError(rawValue: 92)
    package static let unacceptableCredential = KafkaError(rawValue: 93)
    package static let inconsistentVoterSet = KafkaError(rawValue: 94)
    package static let invalidUpdateVersion = KafkaError(rawValue: 95)
    package static let featureUpdateFailed = KafkaError(rawValue: 96)
    package static let principalDeserializationFailure = KafkaError(rawValue: 97)
    package static let snapshotNotFound = KafkaError(rawValue: 98)
    package static let positionOutOfRange = KafkaError(rawValue: 99)
    package static let unknownTopicID = KafkaError(rawValue: 100)
    package static let duplicateBrokerRegistration = KafkaError(rawValue: 101)
    package static let brokerIDNotRegistered = KafkaError(rawValue: 102)
    package static let inconsistentTopicID = KafkaError(rawValue: 103)
    package static let inconsistentClusterID = KafkaError(rawValue: 104)
    package static let transactionalIDNotFound = KafkaError(rawValue: 105)
    package static let fetchSessionTopicIDError = KafkaError(rawValue: 106)
    package static let ineligibleReplica = KafkaError(rawValue: 107)
    package static let newLeaderElected = KafkaError(rawValue: 108)
    package static let offsetMovedToTieredStorage = KafkaError(rawValue: 109)
    package static let fencedMemberEpoch = KafkaError(rawValue: 110)
    package static let unreleasedInstanceID = KafkaError(rawValue: 111)
    package static let unsupportedAssignor = KafkaError(rawValue: 112)
    package static let staleMemberEpoch = KafkaError(rawValue: 113)
    package static let mismatchedEndpointType = KafkaError(rawValue: 114)
    package static let unsupportedEndpointType = KafkaError(rawValue: 115)
    package static let unknownControllerID = KafkaError(rawValue: 116)
    package static let unknownSubscriptionID = KafkaError(rawValue: 117)
    package static let telemetryTooLarge = KafkaError(rawValue: 118)
    package static let invalidRegistration = KafkaError(rawValue: 119)
    package static let transactionAbortable = KafkaError(rawValue: 120)
    package static let invalidRecordState = KafkaError(rawValue: 121)
    package static let shareSessionNotFound = KafkaError(rawValue: 122)
    package static let invalidShareSessionEpoch = KafkaError(rawValue: 123)
    package static let fencedStateEpoch = KafkaError(rawValue: 124)
    package static let invalidVoterKey = KafkaError(rawValue: 125)
    package static let duplicateVoter = KafkaError(rawValue: 126)
    package static let voterNotFound = KafkaError(rawValue: 127)
    package static let invalidRegularExpression = KafkaError(rawValue: 128)
    package static let rebootstrapRequired = KafkaError(rawValue: 129)
    package static let streamsInvalidTopology = KafkaError(rawValue: 130)
    package static let streamsInvalidTopologyEpoch = KafkaError(rawValue: 131)
    package static let streamsTopologyFenced = KafkaError(rawValue: 132)
    package static let shareSessionLimitReached = KafkaError(rawValue: 133)
}

extension KafkaError: MessageStructure {
    package init(from reader: inout MessageReader, version: Int16) throws {
        self.init(rawValue: try reader.readInteger())
    }

    package func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.rawValue)
    }
}
