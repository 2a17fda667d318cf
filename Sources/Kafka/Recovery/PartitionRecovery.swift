internal import KafkaProtocol

/// What the journal says of a partition after a crash.
package struct PartitionRecovery: Sendable {
    package var id: TopicPartition
    /// The batches that nobody knows the fate of, and those that were settled and are kept, in the
    /// order of their records.
    package var rows: [RecoveryBatch]
    /// The last batch that is known to be acknowledged.
    package var acknowledged: RecoveryAcknowledgement?

    package init(
        id: TopicPartition,
        rows: [RecoveryBatch],
        acknowledged: RecoveryAcknowledgement? = nil
    ) {
        self.id = id
        self.rows = rows
        self.acknowledged = acknowledged
    }
}

/// A question of a partition's recovery on its way to the leader.
package struct RecoveryRequest: Sendable, Equatable {
    package var id: TopicPartition
    var topicID: TopicID
    /// The epoch of the leader that is asked, -1 where it has none.
    var leaderEpoch: Int32
    package var question: RecoveryQuestion
    var number: RecoveryQuestionID
    /// Whose question it is, for a partition may have more than one recovery in its time.
    var recovery: Int

    var subject: RecoveryWire.Subject {
        RecoveryWire.Subject(id: self.id, topicID: self.topicID, leaderEpoch: self.leaderEpoch)
    }
}

extension RecoveryWire.Versions {
    /// Whether the broker knows a question.
    func know(_ question: RecoveryQuestion) -> Bool {
        switch question {
        case .highWatermark, .endOffset, .startOffset: self.listOffsets != nil
        case .producers: self.describeProducers != nil
        case .batches: self.fetch != nil
        }
    }
}
