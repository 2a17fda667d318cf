/// The consumer group whose offsets go into a transaction, and the member that read up to them.
///
/// What a consumer tells of its group keeps a member that was left behind from committing (KIP-447);
/// a group's name alone is enough where one program reads by itself.
public struct KafkaGroupMetadata: Sendable, Hashable {
    public var groupID: String
    /// -1 where no member of the group asks.
    public var generationID: Int32
    public var memberID: String
    public var groupInstanceID: String?

    public init(
        groupID: String,
        generationID: Int32 = -1,
        memberID: String = "",
        groupInstanceID: String? = nil
    ) {
        self.groupID = groupID
        self.generationID = generationID
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
    }
}

/// How far a partition has been read: the offset of the record that comes next.
public struct KafkaConsumedOffset: Sendable, Hashable {
    public var topic: String
    public var partition: Int32
    public var offset: Int64
    /// That of the last record read; -1 where it is not known.
    public var leaderEpoch: Int32
    public var metadata: String?

    public init(
        topic: String,
        partition: Int32,
        offset: Int64,
        leaderEpoch: Int32 = -1,
        metadata: String? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
    }
}

/// What one call puts into a transaction.
package struct GroupOffsets: Sendable, Equatable {
    package var group: KafkaGroupMetadata
    package var offsets: [KafkaConsumedOffset]

    package init(group: KafkaGroupMetadata, offsets: [KafkaConsumedOffset]) {
        self.group = group
        self.offsets = offsets
    }
}
