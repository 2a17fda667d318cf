internal import KafkaProtocol

/// What metadata says to recoveries, besides who leads.
extension ProducerStateMachine {
    /// Takes note that a topic is there, before anything is sent to it.
    mutating func recoverWhole(
        _ topic: String,
        partitionCount: Int,
        now: ContinuousClock.Instant
    ) {
        for index in self.recovery.partitions.keys where self.partitions[index].id.topic == topic {
            self.recovery.partitions[index]?.unknownSince = nil
            // It was made again, with fewer of them.
            guard self.partitions[index].id.partition >= partitionCount else { continue }
            self.recovery.partitions[index]?.machine.topicIsGone()
        }
        guard self.recovery.wholeTopics.remove(topic) != nil else { return }
        var added: [TopicPartition] = []
        for number in 0..<partitionCount {
            let id = TopicPartition(topic: topic, partition: Int32(number))
            if let index = self.partitionIndexes[id], self.recovery.partitions[index] != nil {
                continue
            }
            self.begin(PartitionRecovery(id: id, rows: []), now: now)
            added.append(id)
        }
        self.actions.append(.recoveryWidened(topic: topic, added))
    }

    /// Takes note that the cluster knows no such topic: if that stays so, it has nothing of ours.
    mutating func recoveryMisses(_ topic: String, now: ContinuousClock.Instant) {
        var isGone = false
        for (index, recovering) in self.recovery.partitions
        where self.partitions[index].id.topic == topic {
            let since = recovering.unknownSince ?? now
            self.recovery.partitions[index]?.unknownSince = since
            guard now - since >= self.recovery.settings.quietTime else { continue }
            isGone = true
            self.recovery.partitions[index]?.machine.topicIsGone()
        }
        guard isGone, self.recovery.wholeTopics.remove(topic) != nil else { return }
        self.actions.append(.recoveryWidened(topic: topic, []))
    }
}
