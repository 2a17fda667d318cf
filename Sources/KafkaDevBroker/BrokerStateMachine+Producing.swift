internal import KafkaProtocol
internal import NIOCore

extension BrokerStateMachine {
    mutating func produce(_ request: ProduceRequest, _ to: ReplyAddress, now: Instant) {
        self.produceRequestCount += 1
        let fault = self.faults.takeFault(ofRequest: self.produceRequestCount)
        if case .closeBeforeAppend = fault {
            return self.close(to.connection, reason: "a fault was asked for")
        }
        let response = self.appended(request, to, fault, now: now)
        self.serveDelayedFetches(now: now)
        let waits = request.acks == -1 ? self.unreplicated(response, version: to.version) : []
        guard !waits.isEmpty else {
            return self.conclude(request, response, fault, to, now: now)
        }
        let timeout = Duration.milliseconds(max(0, request.timeoutMilliseconds))
        self.delayedProduces.append(
            DelayedProduce(
                request: request,
                response: response,
                fault: fault,
                address: to,
                deadline: now + timeout,
                waits: waits
            )
        )
    }

    mutating func conclude(
        _ request: ProduceRequest,
        _ response: ProduceResponse,
        _ fault: Fault?,
        _ to: ReplyAddress,
        now: Instant
    ) {
        if case .loseAnswer = fault {
            return self.close(to.connection, reason: "a fault was asked for")
        }
        if case .swallowAnswer = fault { return self.finish(to.connection, now: now) }
        guard request.acks == 0 else {
            return self.answer(to, ProduceRequest.self, response, now: now)
        }
        // Nobody waits for an answer, so a closed connection is the only way to tell of an error.
        let partitions = response.responses.flatMap(\.partitionResponses)
        if let failed = partitions.first(where: { $0.errorCode != .none }) {
            self.close(to.connection, reason: "a request without acks: \(failed.errorCode)")
        } else {
            self.finish(to.connection, now: now)
        }
    }

    private mutating func appended(
        _ request: ProduceRequest,
        _ to: ReplyAddress,
        _ fault: Fault?,
        now: Instant
    ) -> ProduceResponse {
        var response = ProduceResponse()
        let isForbidden =
            request.hasTransactionalRecords
            && request.transactionalID.map {
                self.mayUse(.transactionalID($0), to: .write, to.connection)
            } != true
        let fault = isForbidden ? .refuse(.transactionalIDAuthorizationFailed) : fault
        let context = ProduceContext(request, to, fault: fault, now: now)
        for data in request.topicData {
            let name = to.version >= 13 ? self.topicNames[data.topicID] : data.name
            let partitions = data.partitionData.map { partition in
                self.outcome(of: partition, in: name, context)
            }
            response.responses.append(
                .init(name: data.name, topicID: data.topicID, partitionResponses: partitions)
            )
        }
        response.nodeEndpoints = self.endpoints(of: response)
        if case .throttle(let milliseconds, _) = fault {
            response.throttleTimeMilliseconds = milliseconds
        }
        return response
    }

    private mutating func outcome(
        of data: ProduceRequest.PartitionData,
        in topic: String?,
        _ context: ProduceContext
    ) -> ProduceResponse.PartitionResponse {
        var response = ProduceResponse.PartitionResponse(index: data.index)
        do throws(Refusal) {
            if case .refuse(let error, _) = context.fault { throw Refusal(error) }
            let place = try self.append(data, to: topic, context)
            if case .failAfterAppend(let error, _) = context.fault { throw Refusal(error) }
            response.baseOffset = place.offset
            response.logAppendTimeMilliseconds = place.appendTime
            response.logStartOffset = topic.flatMap { self.log($0, data.index)?.startOffset } ?? 0
        } catch {
            response.errorCode = error.error
            response.errorMessage = error.message
            response.recordErrors = error.records
            if error.error == .notLeaderOrFollower, let topic {
                response.currentLeader = self.currentLeader(topic, data.index)
            }
        }
        return response
    }

    private mutating func append(
        _ data: ProduceRequest.PartitionData,
        to name: String?,
        _ context: ProduceContext
    ) throws(Refusal) -> PartitionLog.Place {
        guard (-1...1).contains(context.acks) else { throw Refusal(.invalidRequiredAcks) }
        guard let name else { throw Refusal(.unknownTopicID) }
        guard self.mayUse(topic: name, to: .write, context.connection) else {
            throw Refusal(.topicAuthorizationFailed)
        }
        try self.checkLeadership(of: name, data.index, context)
        let batch = try BatchValidation.single(data.records, version: context.version)
        let partition = TopicPartition(topic: name, partition: data.index)
        try self.verify(
            batch.header,
            of: context.transactionalID,
            in: partition,
            context.version,
            now: context.now
        )
        let stored = try self.stored(batch, in: name, now: context.now)
        return try self.append(stored, to: name, Int(data.index))
    }

    /// Makes sure that the node that was asked leads the partition, with enough replicas.
    private func checkLeadership(
        of topic: String,
        _ partition: Int32,
        _ context: ProduceContext
    ) throws(Refusal) {
        guard let log = self.log(topic, partition), let settings = self.topics[topic]?.configuration
        else { throw Refusal(.unknownTopicOrPartition) }
        if let problem = self.problem(with: log, at: context.node) { throw Refusal(problem) }
        let isEnough = self.inSyncReplicas(log.leadership).count >= settings.minInSyncReplicas
        guard isEnough || context.acks != -1 else { throw Refusal(.notEnoughReplicas) }
    }

    private func currentLeader(
        _ topic: String,
        _ partition: Int32
    ) -> ProduceResponse.CurrentLeader? {
        self.log(topic, partition).map { log in
            .init(leaderID: log.leadership.leader, leaderEpoch: log.leadership.epoch)
        }
    }

    /// Where the leaders are that the answer points to.
    private func endpoints(of response: ProduceResponse) -> [ProduceResponse.NodeEndpoint] {
        let partitions = response.responses.flatMap(\.partitionResponses)
        let leaders = Set(partitions.compactMap(\.currentLeader?.leaderID))
        guard !leaders.isEmpty else { return [] }
        return self.nodes.filter { leaders.contains($0.id) }.map { node in
            .init(nodeID: node.id, host: node.host, port: node.port)
        }
    }

    /// The batch as the topic wants it, if it takes it.
    ///
    /// In a function of its own, so that no copy of the topic is left when the batch is appended.
    private mutating func stored(
        _ batch: RecordBatch,
        in name: String,
        now: Instant
    ) throws(Refusal) -> RecordBatch {
        let time = self.clock.milliseconds(at: now)
        guard let topic = self.topics[name]?.configuration else {
            throw Refusal(.unknownTopicOrPartition)
        }
        let validation = BatchValidation(
            topic,
            maxMessageBytes: self.configuration.maxMessageBytes,
            time: time
        )
        try validation.validate(batch)
        return try validation.rewritten(batch)
    }

    private mutating func append(
        _ batch: RecordBatch,
        to name: String,
        _ partition: Int
    ) throws(Refusal) -> PartitionLog.Place {
        let own = self.topics[name]?.configuration.retentionBytes ?? .max
        let retention = min(own, self.configuration.retentionBytes)
        let start = self.topics[name]?.partitions[partition].startOffset ?? 0
        // In place: a copy of the topic would copy its list of batches with each one appended.
        let result = self.topics[name]?.partitions[partition]
            .append(batch, retentionBytes: retention)
        guard let result else { throw Refusal(.unknownTopicOrPartition) }
        let place = try result.get()
        // What only the leader has is not to be found again if it dies.
        let isHeld = self.topics[name]?.partitions[partition].replicated != nil
        if !place.isDuplicate, !isHeld {
            self.journalLastBatch(of: name, partition, startedAt: start)
        }
        return place
    }
}

/// What all partitions of a request have in common.
struct ProduceContext {
    var transactionalID: String?
    var acks: Int16
    var version: Int16
    var node: Int32
    var connection: BrokerStateMachine.ConnectionID
    var fault: Fault?
    var now: BrokerStateMachine.Instant

    init(
        _ request: ProduceRequest,
        _ to: BrokerStateMachine.ReplyAddress,
        fault: Fault?,
        now: BrokerStateMachine.Instant
    ) {
        self.transactionalID = request.transactionalID
        self.acks = request.acks
        self.version = to.version
        self.node = to.node
        self.connection = to.connection
        self.fault = fault
        self.now = now
    }
}

extension ProduceRequest {
    /// Whether a batch in it says that it belongs to a transaction.
    fileprivate var hasTransactionalRecords: Bool {
        self.topicData.contains { topic in
            topic.partitionData.contains { partition in
                let header = partition.records.flatMap { try? RecordBatchHeader(peeking: $0) }
                return header.map { $0.magic == 2 && $0.isTransactional } ?? false
            }
        }
    }
}
