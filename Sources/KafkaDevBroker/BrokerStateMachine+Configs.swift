internal import KafkaProtocol

extension BrokerStateMachine {
    typealias DescribedConfig = DescribeConfigsResponse.Config

    func describeConfigs(
        _ request: DescribeConfigsRequest,
        at node: Int32
    ) -> DescribeConfigsResponse {
        DescribeConfigsResponse(
            results: request.resources.map { resource in
                var result = DescribeConfigsResponse.Result(
                    type: resource.type,
                    name: resource.name
                )
                do throws(Refusal) {
                    let configs = try self.configs(of: resource, at: node)
                    result.configs = configs.filter { resource.keys?.contains($0.name) ?? true }
                } catch {
                    result.errorCode = error.error
                    result.errorMessage = error.message
                }
                if !request.includeSynonyms { result.dropSynonyms() }
                return result
            }
        )
    }

    private func configs(
        of resource: DescribeConfigsRequest.Resource,
        at node: Int32
    ) throws(Refusal) -> [DescribedConfig] {
        switch resource.type {
        case DescribeConfigsRequest.topicType:
            guard Topic.isValid(resource.name) else { throw Refusal(.invalidTopicException) }
            guard let topic = self.topics[resource.name] else {
                throw Refusal(.unknownTopicOrPartition)
            }
            return self.describe(topic.configuration)
        case Self.brokerType:
            guard resource.name == "\(node)" else {
                throw Refusal(.invalidRequest, "Unexpected broker id \(resource.name)")
            }
            return self.brokerConfigs
        default: throw Refusal(.invalidRequest, "Unsupported resource type: \(resource.type)")
        }
    }

    /// All settings of a topic: its own, and the defaults of the others.
    func describe(_ topic: TopicConfiguration) -> [DescribedConfig] {
        TopicSetting.all.values.sorted { $0.name < $1.name }.map { setting in
            let isOwn = topic.values[setting.name] != nil
            let limit = setting.name == "max.message.bytes"
            let standard = limit ? "\(self.configuration.maxMessageBytes)" : setting.standard
            let value = topic.values[setting.name] ?? standard
            let source = isOwn ? Self.ownSource : Self.defaultSource
            return DescribedConfig(
                name: setting.name,
                value: value,
                source: source,
                synonyms: [.init(name: setting.name, value: value, source: source)],
                type: setting.kind.rawValue
            )
        }
    }

    /// What the broker itself was set to, by Kafka's names.
    private var brokerConfigs: [DescribedConfig] {
        let configuration = self.configuration
        let values: [(String, String, TopicSetting.Kind)] = [
            ("auto.create.topics.enable", "\(configuration.createsTopics)", .boolean),
            ("message.max.bytes", "\(configuration.maxMessageBytes)", .int),
            ("num.partitions", "\(configuration.defaultPartitions)", .int),
            (
                "producer.id.expiration.ms",
                "\(Int64(configuration.producerIDExpiration / .milliseconds(1)))", .int
            ),
            ("socket.request.max.bytes", "\(configuration.maxRequestBytes)", .int),
            (
                "transaction.max.timeout.ms",
                "\(Int64(self.coordinator.timeoutLimit / .milliseconds(1)))", .int
            ),
        ]
        return values.map { name, value, kind in
            DescribedConfig(
                name: name,
                value: value,
                isReadOnly: true,
                source: Self.staticSource,
                synonyms: [.init(name: name, value: value, source: Self.staticSource)],
                type: kind.rawValue
            )
        }
    }

    /// Sources by the numbers of DescribeConfigs (`ConfigEntry.ConfigSource`).
    private static var ownSource: Int8 { 1 }
    private static var staticSource: Int8 { 4 }
    private static var defaultSource: Int8 { 5 }
    /// The number of a broker among resources (`ConfigResource.Type`).
    private static var brokerType: Int8 { 4 }
}

extension DescribeConfigsResponse.Result {
    fileprivate mutating func dropSynonyms() {
        for index in self.configs.indices { self.configs[index].synonyms = [] }
    }
}

extension BrokerStateMachine {
    /// Forgets producers and deletes records that are too old, as often as Kafka looks.
    mutating func housekeep(now: Instant) {
        if let due = self.producerCheck.takeDue(now: now) {
            let age = Int64(self.configuration.producerIDExpiration / .milliseconds(1))
            let limit = self.clock.milliseconds(at: due) - age
            self.updateLogs { log, _ in log.expireProducers(before: limit) }
        }
        if let due = self.retentionCheck.takeDue(now: now) {
            let time = self.clock.milliseconds(at: due)
            self.updateLogs { log, topic in
                guard topic.deletesOld, let age = topic.retentionMilliseconds else { return }
                log.expireBatches(before: time.subtractingReportingOverflow(age).0)
            }
        }
    }

    private mutating func updateLogs(
        _ update: (inout PartitionLog, TopicConfiguration) -> Void
    ) {
        for name in self.topics.keys {
            // No copy of the topic is kept: it would copy the logs that are updated.
            guard let configuration = self.topics[name]?.configuration else { continue }
            for index in self.topics[name]?.partitions.indices ?? 0..<0 {
                let start = self.topics[name]?.partitions[index].startOffset
                self.topics[name]?.update(index) { update(&$0, configuration) }
                self.journalStart(of: name, index, unless: start)
            }
        }
    }
}
