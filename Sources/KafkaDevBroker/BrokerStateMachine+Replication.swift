internal import KafkaProtocol

/// Followers have at once what their leader has, unless a fault keeps them from it: then what is
/// appended waits for them, consumers do not see it, and the next leader does not have it.
extension BrokerStateMachine {
    /// An answer with acks=all that waits until all replicas have the batches.
    struct DelayedProduce {
        var request: ProduceRequest
        var response: ProduceResponse
        var fault: Fault?
        var address: ReplyAddress
        var deadline: Instant
        /// The batches that it waits for, with the leaders that appended them.
        var waits: [Wait]

        struct Wait {
            var topic: String
            var partition: Int32
            var offset: Int64
            var leaderEpoch: Int32
        }
    }

    mutating func holdReplication(of topic: String, _ partition: Int32) {
        guard self.log(topic, partition) != nil else { return }
        self.topics[topic]?.update(Int(partition)) { $0.holdReplication() }
    }

    mutating func resumeReplication(of topic: String, _ partition: Int32, now: Instant) {
        guard let log = self.log(topic, partition) else { return }
        for batch in log.batches where batch.header.baseOffset >= log.highWatermark {
            self.journal(.batch(TopicPartition(topic: topic, partition: partition), batch.buffer))
        }
        self.topics[topic]?.update(Int(partition)) { $0.resumeReplication() }
        self.serveDelayedProduces(now: now)
        self.serveDelayedFetches(now: now)
    }

    /// The batches of an answer that not all replicas have.
    func unreplicated(_ response: ProduceResponse, version: Int16) -> [DelayedProduce.Wait] {
        response.responses.flatMap { topic in
            let name = version >= 13 ? self.topicNames[topic.topicID] : topic.name
            return topic.partitionResponses.compactMap { partition -> DelayedProduce.Wait? in
                guard let name, partition.errorCode == .none,
                    let log = self.log(name, partition.index),
                    partition.baseOffset >= log.highWatermark
                else { return nil }
                return DelayedProduce.Wait(
                    topic: name,
                    partition: partition.index,
                    offset: partition.baseOffset,
                    leaderEpoch: log.leadership.epoch
                )
            }
        }
    }

    /// Answers those whose batches all replicas have by now, whose leader is gone or whose time is up.
    mutating func serveDelayedProduces(now: Instant) {
        for var produce in self.delayedProduces {
            let isLate = produce.deadline <= now
            let waits = produce.waits.filter { self.isUnreplicated($0) }
            guard isLate || waits.isEmpty || waits.contains(where: { self.isDeposed($0) }) else {
                continue
            }
            let connection = produce.address.connection
            self.delayedProduces.removeAll { $0.address.connection == connection }
            for wait in waits {
                let error: KafkaError =
                    self.isDeposed(wait) ? .notLeaderOrFollower : .requestTimedOut
                produce.response.fail(wait, error)
            }
            self.conclude(
                produce.request,
                produce.response,
                produce.fault,
                produce.address,
                now: now
            )
        }
    }

    private func isUnreplicated(_ wait: DelayedProduce.Wait) -> Bool {
        guard let log = self.log(wait.topic, wait.partition) else { return false }
        return log.leadership.epoch != wait.leaderEpoch || wait.offset >= log.highWatermark
    }

    /// Whether another leader, which may not have the batch, came in the meantime.
    private func isDeposed(_ wait: DelayedProduce.Wait) -> Bool {
        self.log(wait.topic, wait.partition)?.leadership.epoch != wait.leaderEpoch
    }
}

extension ProduceResponse {
    /// Answers a batch with an error after all.
    fileprivate mutating func fail(
        _ wait: BrokerStateMachine.DelayedProduce.Wait,
        _ error: KafkaError
    ) {
        for topic in self.responses.indices {
            for place in self.responses[topic].partitionResponses.indices {
                let partition = self.responses[topic].partitionResponses[place]
                guard partition.index == wait.partition, partition.baseOffset == wait.offset else {
                    continue
                }
                self.responses[topic].partitionResponses[place] = PartitionResponse(
                    index: partition.index,
                    errorCode: error
                )
            }
        }
    }
}
