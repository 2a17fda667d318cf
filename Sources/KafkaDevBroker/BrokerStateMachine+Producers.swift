internal import KafkaProtocol

extension BrokerStateMachine {
    func describeProducers(
        _ request: DescribeProducersRequest,
        _ to: ReplyAddress
    ) -> DescribeProducersResponse {
        DescribeProducersResponse(
            topics: request.topics.map { topic in
                let partitions = topic.partitionIndexes.map { index in
                    self.producers(of: topic.name, index, to)
                }
                return .init(name: topic.name, partitions: partitions)
            }
        )
    }

    private func producers(
        of topic: String,
        _ partition: Int32,
        _ to: ReplyAddress
    ) -> DescribeProducersResponse.Partition {
        var response = DescribeProducersResponse.Partition(partitionIndex: partition)
        guard Topic.isValid(topic) else {
            response.errorCode = .invalidTopicException
            return response
        }
        guard self.mayUse(topic: topic, to: .read, to.connection) else {
            response.errorCode = .topicAuthorizationFailed
            return response
        }
        guard let log = self.log(topic, partition) else {
            response.errorCode = .unknownTopicOrPartition
            return response
        }
        guard log.leadership.replicas.contains(to.node) else {
            response.errorCode = .notLeaderOrFollower
            return response
        }
        response.activeProducers = log.producers.states.sorted { $0.key < $1.key }
            .map { id, state in
                DescribeProducersResponse.Producer(
                    producerID: id,
                    producerEpoch: Int32(state.epoch),
                    lastSequence: state.batches.last?.lastSequence ?? -1,
                    lastTimestamp: state.lastTimestamp,
                    coordinatorEpoch: state.coordinatorEpoch,
                    currentTransactionStartOffset: state.transactionStart ?? -1
                )
            }
        return response
    }
}
