internal import KafkaProtocol

extension ClusterMetadata {
    init(_ answer: MetadataResponse) {
        self.init(
            brokers: answer.brokers.compactMap {
                Broker(id: $0.nodeID, host: $0.host, port: $0.port)
            },
            topics: answer.topics.map(Topic.init),
            error: answer.errorCode,
            clusterID: answer.clusterID
        )
    }
}

extension ClusterMetadata.Broker {
    /// Nil where nobody can listen.
    init?(id: BrokerID, host: String, port: Int32) {
        guard id >= 0, (1...65535).contains(port), !host.isEmpty else { return nil }
        self.init(id: id, address: BrokerAddress(host: host, port: Int(port)))
    }
}

extension ClusterMetadata.Topic {
    init(_ answer: MetadataResponse.TopicResponse) {
        self.init(
            name: answer.name ?? "",
            error: answer.errorCode,
            id: answer.topicID,
            partitions: answer.partitions.map {
                ClusterMetadata.Partition(
                    index: $0.partitionIndex,
                    leaderID: $0.leaderID,
                    leaderEpoch: $0.leaderEpoch
                )
            }
        )
    }
}

extension ProduceAnswer {
    init(_ answer: ProduceResponse) {
        self.init(
            partitions: answer.responses.flatMap { topic in
                topic.partitionResponses.map { Partition(topic: topic.name, $0) }
            },
            throttle: .milliseconds(max(0, answer.throttleTimeMilliseconds)),
            endpoints: answer.nodeEndpoints.compactMap {
                ClusterMetadata.Broker(id: $0.nodeID, host: $0.host, port: $0.port)
            }
        )
    }
}

extension ProducersAnswer {
    /// A partition that the answer leaves out counts as one that the broker does not tell of.
    init(_ answer: DescribeProducersResponse, about id: TopicPartition) {
        let topic = answer.topics.first { $0.name == id.topic }
        guard let found = topic?.partitions.first(where: { $0.partitionIndex == id.partition })
        else {
            self.init(error: .unknownServerError)
            return
        }
        self.init(
            error: found.errorCode,
            producers: found.activeProducers.map {
                Producer(
                    producerID: $0.producerID,
                    epoch: $0.producerEpoch,
                    lastSequence: $0.lastSequence,
                    lastTimestamp: $0.lastTimestamp
                )
            }
        )
    }
}

extension ProduceAnswer.Partition {
    init(topic: String, _ answer: ProduceResponse.PartitionResponse) {
        var refused: [Int32: String?] = [:]
        for error in answer.recordErrors {
            refused.updateValue(error.batchIndexErrorMessage, forKey: error.batchIndex)
        }
        let leader = answer.currentLeader.map {
            TopicMetadata.Partition(leaderID: $0.leaderID, leaderEpoch: $0.leaderEpoch)
        }
        self.init(
            topic: topic,
            partition: answer.index,
            error: answer.errorCode,
            message: answer.errorMessage,
            baseOffset: answer.baseOffset,
            logAppendTime: answer.logAppendTimeMilliseconds,
            refusedRecords: refused,
            currentLeader: leader
        )
    }
}
