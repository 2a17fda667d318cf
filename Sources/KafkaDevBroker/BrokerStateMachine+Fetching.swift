internal import KafkaProtocol
internal import NIOCore

extension BrokerStateMachine {
    mutating func fetch(_ request: FetchRequest, _ to: ReplyAddress, now: Instant) {
        let wait = Duration.milliseconds(max(0, request.maxWaitMilliseconds))
        let fetch = DelayedFetch(address: to, request: request, deadline: now + wait)
        if wait == .zero || self.isDue(fetch) {
            self.answer(to, FetchRequest.self, self.fetched(fetch), now: now)
        } else {
            self.delayedFetches.append(fetch)
        }
    }

    /// Answers those that waited for what was appended just now.
    mutating func serveDelayedFetches(now: Instant) {
        guard !self.delayedFetches.isEmpty else { return }
        let due = self.delayedFetches.filter { self.isDue($0) }
        guard !due.isEmpty else { return }
        let served = Set(due.map(\.address.connection))
        self.delayedFetches.removeAll { served.contains($0.address.connection) }
        for fetch in due {
            self.answer(fetch.address, FetchRequest.self, self.fetched(fetch), now: now)
        }
    }

    /// Whether there are enough bytes to answer, or something is wrong with the question.
    private func isDue(_ fetch: DelayedFetch) -> Bool {
        var count = 0
        let wanted = Int(fetch.request.minBytes)
        if wanted <= 0 || fetch.request.topics.isEmpty { return true }
        for topic in fetch.request.topics {
            let name = self.name(of: topic, fetch.address.version)
            for partition in topic.partitions {
                guard let name, let log = self.log(name, partition.partition),
                    self.mayUse(topic: name, to: .read, fetch.address.connection),
                    self.problem(with: log, fetch.address, partition) == nil,
                    (log.startOffset...log.endOffset).contains(partition.fetchOffset)
                else { return true }
                let end = log.readableEnd(isCommitted: fetch.request.isolationLevel == 1)
                count += log.byteCount(
                    from: partition.fetchOffset,
                    before: end,
                    limit: wanted - count
                )
                if count >= wanted { return true }
            }
        }
        return false
    }

    func fetched(_ fetch: DelayedFetch) -> FetchResponse {
        var response = FetchResponse()
        let options = FetchOptions(
            address: fetch.address,
            isCommitted: fetch.request.isolationLevel == 1
        )
        var left = Int(fetch.request.maxBytes)
        var isFirst = true
        for topic in fetch.request.topics {
            let name = self.name(of: topic, fetch.address.version)
            var answer = FetchResponse.TopicResponse(topic: topic.topic, topicID: topic.topicID)
            for partition in topic.partitions {
                let data = self.read(partition, name, options, left, isFirst)
                let count = data.records?.readableBytes ?? 0
                left -= count
                isFirst = isFirst && count == 0
                answer.partitions.append(data)
            }
            response.responses.append(answer)
        }
        return response
    }

    /// Why the node cannot be read from; from version 11 on followers can (KIP-392).
    private func problem(
        with log: PartitionLog,
        _ address: ReplyAddress,
        _ partition: FetchRequest.Partition
    ) -> KafkaError? {
        let isReplica = log.leadership.replicas.contains(address.node)
        let node = address.version >= 11 && isReplica ? log.leadership.leader : address.node
        return self.problem(with: log, at: node, epoch: partition.currentLeaderEpoch)
    }

    private func name(of topic: FetchRequest.Topic, _ version: Int16) -> String? {
        version >= 13 ? self.topicNames[topic.topicID] : topic.topic
    }

    private func read(
        _ partition: FetchRequest.Partition,
        _ name: String?,
        _ options: FetchOptions,
        _ limit: Int,
        _ isFirst: Bool
    ) -> FetchResponse.PartitionData {
        var data = FetchResponse.PartitionData(partitionIndex: partition.partition)
        data.records = .init()
        guard let name else {
            data.errorCode = .unknownTopicID
            return data
        }
        guard self.mayUse(topic: name, to: .read, options.address.connection) else {
            data.errorCode = .topicAuthorizationFailed
            return data
        }
        guard let log = self.log(name, partition.partition) else {
            data.errorCode = .unknownTopicOrPartition
            return data
        }
        if let problem = self.problem(with: log, options.address, partition) {
            data.errorCode = problem
            return data
        }
        data.highWatermark = log.highWatermark
        data.lastStableOffset = min(log.lastStableOffset, log.highWatermark)
        data.logStartOffset = log.startOffset
        guard (log.startOffset...log.endOffset).contains(partition.fetchOffset) else {
            data.errorCode = .offsetOutOfRange
            return data
        }
        let offset = partition.fetchOffset
        let slice = log.records(
            from: offset,
            before: log.readableEnd(isCommitted: options.isCommitted),
            limit: max(0, min(limit, Int(partition.partitionMaxBytes))),
            atLeastOne: isFirst
        )
        data.records = slice.bytes
        if options.isCommitted {
            data.abortedTransactions = log.aborted(from: offset, before: slice.endOffset)
        }
        if options.address.version < 10
            && self.hasZstd(log, from: offset, data.records?.readableBytes ?? 0)
        {
            data.errorCode = .unsupportedCompressionType
            data.records = .init()
        }
        return data
    }

    private func hasZstd(_ log: PartitionLog, from offset: Int64, _ byteCount: Int) -> Bool {
        var left = byteCount
        for batch in log.batches[log.index(ofBatchAt: offset)...] where left > 0 {
            if batch.header.compression == .zstd { return true }
            left -= batch.buffer.readableBytes
        }
        return false
    }
}

/// What all partitions of a fetch have in common.
private struct FetchOptions {
    var address: BrokerStateMachine.ReplyAddress
    /// Whether records of open transactions are held back.
    var isCommitted: Bool
}
