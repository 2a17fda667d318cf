internal import KafkaProtocol
internal import NIOCore

extension ProducerStateMachine {
    /// What is known of topics, and what has to be asked.
    struct MetadataState {
        struct Topic {
            var published: TopicMetadata?
            var id = TopicID.zero
            var usedAt: ContinuousClock.Instant?
            var maxMessageBytes: Int?
        }

        var clusterID: String?
        var topics: [String: Topic] = [:]
        /// Topics to ask for.
        var wanted: Set<String> = []
        /// Topics whose `max.message.bytes` are to be asked for.
        var limitsWanted: Set<String> = []
        /// The cluster's brokers are to be asked for, even if no topic is.
        var needsBrokers = true
        var isAsking = false
        var notBefore: ContinuousClock.Instant?
        var backoff: Backoff
        /// When all topics are to be asked for again.
        var expiry: ContinuousClock.Instant?
        var lastTried: BrokerID?
        /// Since when the cluster is asked without an answer.
        var unansweredSince: ContinuousClock.Instant?
        /// Brokers that left the cluster and whose connections are being closed.
        var departing: Set<BrokerID> = []

        init(backoff: Backoff) {
            self.backoff = backoff
        }

        var isWanted: Bool { self.needsBrokers || !self.wanted.isEmpty }
    }

    /// Asks for topics' partitions and leaders; they are published when they are known.
    package mutating func requestMetadata(topics: [String], now: ContinuousClock.Instant) {
        for name in topics {
            if let published = self.metadata.topics[name]?.published, published.error == nil {
                self.actions.append(.publish(published))
            } else {
                if self.metadata.topics[name] == nil { self.metadata.notBefore = nil }
                self.refresh(name, now: now)
                self.metadata.topics[name]?.published = nil
            }
            self.metadata.topics[name]?.usedAt = now
        }
    }

    var metadataDeadline: ContinuousClock.Instant? {
        guard !self.metadata.isAsking else { return nil }
        return self.metadata.isWanted ? self.metadata.notBefore : self.metadata.expiry
    }

    mutating func nextMetadataRequest(now: ContinuousClock.Instant) -> Action? {
        if let expiry = self.metadata.expiry, expiry <= now {
            self.metadata.expiry = nil
            self.metadata.needsBrokers = true
            self.forgetIdleTopics(now: now)
            self.renewLimits()
            self.metadata.wanted.formUnion(self.metadata.topics.keys)
        }
        guard self.metadata.isWanted, !self.metadata.isAsking else { return nil }
        self.metadata.unansweredSince = self.metadata.unansweredSince ?? now
        guard self.metadata.notBefore.map({ $0 <= now }) ?? true else { return nil }
        guard let broker = self.controlBroker(now: now) else { return nil }
        let topics = self.metadata.wanted.sorted()
        self.metadata.wanted = []
        self.metadata.needsBrokers = false
        self.metadata.isAsking = true
        return self.send(.metadata(topics: topics), to: broker, now: now)
    }

    mutating func metadataFailed(_ topics: [String], now: ContinuousClock.Instant) {
        self.metadata.isAsking = false
        self.metadata.needsBrokers = true
        self.metadata.wanted.formUnion(topics)
        self.metadata.notBefore = now + self.metadata.backoff.next(using: &self.generator)
    }

    mutating func received(
        _ cluster: ClusterMetadata,
        for topics: [String],
        now: ContinuousClock.Instant
    ) {
        guard cluster.error == .none else {
            self.statistics.lastError = "metadata: \(cluster.error)"
            self.metadataFailed(topics, now: now)
            if cluster.error == .rebootstrapRequired { self.rebootstrap(now: now) }
            return
        }
        self.metadata.isAsking = false
        self.metadata.unansweredSince = nil
        self.metrics.metadataUpdatedAt = now
        self.metadata.clusterID = cluster.clusterID ?? self.metadata.clusterID
        self.checkCluster(cluster.clusterID)
        self.update(brokers: cluster.brokers)
        for topic in cluster.topics where self.metadata.topics[topic.name] != nil {
            self.update(topic, now: now)
        }
        // Those whose leader came or went; what has none is asked for again.
        for index in self.partitions.indices { self.list(index) }
        // What was not answered is asked for again.
        let answered = Set(cluster.topics.map(\.name))
        self.metadata.wanted.formUnion(topics.filter { !answered.contains($0) })
        self.metadata.expiry = now + self.configuration.metadataMaxAge
        if self.metadata.isWanted {
            self.metadata.notBefore = now + self.metadata.backoff.next(using: &self.generator)
        } else {
            self.metadata.backoff.reset()
            // Not at once again, whatever happens: a cluster in trouble is not helped by questions.
            self.metadata.notBefore = now + self.configuration.retryBackoff
        }
    }

    private mutating func update(_ topic: ClusterMetadata.Topic, now: ContinuousClock.Instant) {
        guard topic.error == .none else { return self.topicFailed(topic, now: now) }
        guard let partitions = Self.arrange(topic.partitions) else {
            self.statistics.lastError = "metadata: the partitions of \(topic.name) have gaps"
            self.metadata.wanted.insert(topic.name)
            return
        }
        // Another topic of the same name counts its leader epochs from the start.
        let isSame = self.metadata.topics[topic.name]?.id == topic.id
        self.metadata.topics[topic.name]?.id = topic.id
        self.recoverWhole(topic.name, partitionCount: partitions.count, now: now)
        var known = TopicMetadata(
            name: topic.name,
            partitions: partitions,
            maxMessageBytes: self.metadata.topics[topic.name]?.maxMessageBytes
        )
        for number in partitions.indices {
            let id = TopicPartition(topic: topic.name, partition: Int32(number))
            if !isSame { self.becameAnotherTopic(id) }
            let current = self.takeLeader(partitions[number], of: id, ignoringEpoch: !isSame)
            known.partitions[number] = current
            if current.leaderID < 0 { self.metadata.wanted.insert(topic.name) }
        }
        self.publish(known)
    }

    /// Follows a leader unless a newer one is known; returns the one that is followed.
    private mutating func takeLeader(
        _ leader: TopicMetadata.Partition,
        of id: TopicPartition,
        ignoringEpoch: Bool
    ) -> TopicMetadata.Partition {
        guard let index = self.partitionIndexes[id] else { return leader }
        let known = self.partitions[index]
        let isStale = leader.leaderEpoch >= 0 && leader.leaderEpoch < known.leaderEpoch
        if isStale && !ignoringEpoch {
            return TopicMetadata.Partition(
                leaderID: known.leader,
                leaderEpoch: known.leaderEpoch
            )
        }
        self.changeLeader(of: index, to: leader)
        return leader
    }

    mutating func changeLeader(of index: Int, to leader: TopicMetadata.Partition) {
        let former = self.partitions[index].leader
        if former != leader.leaderID, self.partitions[index].isListed {
            self.brokers[former]?.waiting.removeAll { $0 == index }
        }
        self.partitions[index].changeLeader(to: leader.leaderID, epoch: leader.leaderEpoch)
        self.list(index)
    }

    private mutating func topicFailed(
        _ topic: ClusterMetadata.Topic,
        now: ContinuousClock.Instant
    ) {
        if topic.error == .unknownTopicOrPartition { self.recoveryMisses(topic.name, now: now) }
        self.statistics.lastError = "topic \"\(topic.name)\": \(topic.error)"
        if topic.error == .invalidTopicException {
            // No administrator can make it right, so nothing waits for it.
            self.publish(TopicMetadata(name: topic.name, error: topic.error))
            self.metadata.topics[topic.name] = nil
            return self.failAll(of: topic)
        }
        self.metadata.wanted.insert(topic.name)
        // What was known stays in use: the error may be one of a moment.
        if self.metadata.topics[topic.name]?.published?.partitions.isEmpty ?? true {
            self.publish(TopicMetadata(name: topic.name, error: topic.error))
        }
    }

    private mutating func failAll(of topic: ClusterMetadata.Topic) {
        let error = KafkaProducerError.refused(topic.error, message: nil)
        for index in self.partitions.indices where self.partitions[index].id.topic == topic.name {
            for batch in self.partitions[index].held { self.fail(batch, of: index, error) }
            self.partitions[index].held = []
            while let batch = self.partitions[index].queue.popFirst() {
                self.fail(batch, of: index, error)
            }
        }
    }

    mutating func publish(_ topic: TopicMetadata) {
        guard self.metadata.topics[topic.name]?.published != topic else { return }
        self.metadata.topics[topic.name]?.published = topic
        self.actions.append(.publish(topic))
    }

    /// Partitions in order of their numbers, or nil where these are not 0, 1, 2 and so on.
    private static func arrange(
        _ partitions: [ClusterMetadata.Partition]
    ) -> [TopicMetadata.Partition]? {
        let sorted = partitions.sorted { $0.index < $1.index }
        guard !sorted.isEmpty else { return nil }
        for (number, partition) in sorted.enumerated() where Int(partition.index) != number {
            return nil
        }
        return sorted.map {
            TopicMetadata.Partition(leaderID: max($0.leaderID, -1), leaderEpoch: $0.leaderEpoch)
        }
    }

    /// Another topic of the same name knows nothing of what was sent to the former one: it takes any
    /// sequence at first, so that two batches in flight could overtake each other.
    private mutating func becameAnotherTopic(_ id: TopicPartition) {
        guard let index = self.partitionIndexes[id] else { return }
        self.partitions[index].isLeaderProven = false
    }

    mutating func refresh(_ topic: String, now: ContinuousClock.Instant? = nil) {
        if self.metadata.topics[topic] == nil {
            self.metadata.topics[topic] = MetadataState.Topic(usedAt: now)
        }
        self.metadata.wanted.insert(topic)
    }

    /// Leaves topics out of what is asked for that had no record for `metadata.max.idle.ms`.
    private mutating func forgetIdleTopics(now: ContinuousClock.Instant) {
        let recovering = self.recovery.partitions.keys.map { self.partitions[$0].id.topic }
        let busy = Set(self.partitions.filter { !$0.isEmpty }.map(\.id.topic) + recovering)
        let limit = now - self.configuration.metadataMaxIdle
        for (name, topic) in self.metadata.topics where !busy.contains(name) {
            guard topic.usedAt.map({ $0 <= limit }) ?? true else { continue }
            self.metadata.topics[name] = nil
            self.metadata.wanted.remove(name)
            self.metadata.limitsWanted.remove(name)
        }
    }

    mutating func refreshTopics(ledBy broker: BrokerID) {
        guard broker >= 0 else { return }
        for partition in self.partitions where partition.leader == broker {
            let isRecovering = self.partitionIndexes[partition.id].map(self.isHeldBack) ?? false
            guard !partition.queue.isEmpty || !partition.inFlight.isEmpty || isRecovering else {
                continue
            }
            self.refresh(partition.id.topic)
        }
    }
}
