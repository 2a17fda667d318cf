internal import KafkaProtocol

/// The topics that a lane writes to, by number, and what is known of them.
extension RecordAccumulator {
    /// The number of a topic, the same for the same name.
    package func topicIndex(_ name: UnsafeRawBufferPointer) -> TopicIndex {
        if self.lastTopic >= 0, self.topics[self.lastTopic].bytes.elementsEqual(name) {
            return TopicIndex(number: self.lastTopic)
        }
        let hash = Self.hash(name)
        for number in self.topicsByHash[hash] ?? []
        where self.topics[number].bytes.elementsEqual(name) {
            self.lastTopic = number
            return TopicIndex(number: number)
        }
        guard Self.isLegal(name) else { return .invalid }
        return self.add(name, hash)
    }

    package func topicName(_ topic: TopicIndex) -> String {
        self.topics.indices.contains(topic.number) ? self.topics[topic.number].name : ""
    }

    package func isReady(_ topic: TopicIndex) -> TopicReadiness {
        guard topic != .invalid else { return .failed(.invalidTopicException) }
        let topic = self.topics[topic.number]
        if !topic.partitions.isEmpty { return .ready }
        return topic.error.map { .failed($0) } ?? .needsMetadata
    }

    /// Takes over what became known of a topic; one that this lane does not use is passed over.
    package func update(metadata: TopicMetadata) {
        var name = metadata.name
        let bytes = name.withUTF8 { Array($0) }
        let hash = bytes.withUnsafeBytes { Self.hash($0) }
        let candidates = self.topicsByHash[hash] ?? []
        guard let number = candidates.first(where: { self.topics[$0].bytes == bytes }) else {
            return
        }
        self.topics[number].error = Self.isFinal(metadata.error) ? metadata.error : nil
        let topic = self.topics[number]
        topic.batchLimit = metadata.maxMessageBytes ?? .max
        while topic.partitions.count < metadata.partitions.count {
            topic.partitions.append(Partition(number: Int32(topic.partitions.count)))
        }
        for (known, partition) in zip(topic.partitions, metadata.partitions) {
            known.hasLeader = partition.leaderID >= 0
        }
        topic.sticky.leave()
    }

    /// An error that asking again does not change; the others are waited for.
    private static func isFinal(_ error: KafkaError?) -> Bool {
        error == .invalidTopicException || error == .topicAuthorizationFailed
    }

    /// Has records without a key go to one of some partitions until ``unpin(_:)``; if that is none,
    /// or the topic is not known, to any.
    package func pin(_ topic: TopicIndex, where mayTake: (Int32) -> Bool) {
        guard topic != .invalid else { return }
        let topic = self.topics[topic.number]
        if let current = topic.sticky.current(count: Int32(topic.partitions.count)),
            mayTake(current)
        {
            return topic.sticky.pin(to: current)
        }
        let fit = topic.partitions.filter { mayTake($0.number) }
        let led = fit.filter(\.hasLeader)
        let shortest = (led.isEmpty ? fit : led).min { $0.queued < $1.queued }
        if let shortest { topic.sticky.pin(to: shortest.number) }
    }

    package func unpin(_ topic: TopicIndex) {
        if topic != .invalid { self.topics[topic.number].sticky.unpin() }
    }

    private func add(_ name: UnsafeRawBufferPointer, _ hash: UInt64) -> TopicIndex {
        let number = self.topics.count
        let sticky = StickyPartitioner(
            batchSize: self.configuration.batchSize,
            isAdaptive: self.configuration.isAdaptivePartitioningEnabled,
            seed: self.generator.next()
        )
        let index = TopicIndex(number: number)
        self.topics.append(Topic(index: index, name: name, sticky: sticky))
        self.topicsByHash[hash, default: []].append(number)
        self.lastTopic = number
        return index
    }

    /// FNV-1a: names are short, and met in a row.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// What Kafka takes as a topic's name: up to 249 letters, digits, dots, underscores and hyphens.
    private static func isLegal(_ name: UnsafeRawBufferPointer) -> Bool {
        guard (1...249).contains(name.count) else { return false }
        let isOnlyDots = name.count <= 2 && name.allSatisfy { $0 == UInt8(ascii: ".") }
        guard !isOnlyDots else { return false }
        return name.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
