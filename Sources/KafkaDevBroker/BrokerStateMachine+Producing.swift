internal import KafkaProtocol
internal import NIOCore

extension BrokerStateMachine {
    mutating func produce(_ request: ProduceRequest, _ to: ReplyAddress, now: Instant) {
        self.produceRequestCount += 1
        let fault = self.faults.takeFault(ofRequest: self.produceRequestCount)
        if case .closeBeforeAppend = fault {
            return self.close(to.connection, reason: "a fault was asked for")
        }
        let response = self.appended(request, to.version, fault)
        self.serveDelayedFetches(now: now)
        self.conclude(request, response, fault, to, now: now)
    }

    private mutating func conclude(
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
        _ version: Int16,
        _ fault: Fault?
    ) -> ProduceResponse {
        var response = ProduceResponse()
        for data in request.topicData {
            let name = version >= 13 ? self.topicNames[data.topicID] : data.name
            let partitions = data.partitionData.map { partition in
                self.append(partition, to: name, request.acks, version, fault)
            }
            response.responses.append(
                .init(name: data.name, topicID: data.topicID, partitionResponses: partitions)
            )
        }
        if case .throttle(let milliseconds, _) = fault {
            response.throttleTimeMilliseconds = milliseconds
        }
        return response
    }

    private mutating func append(
        _ data: ProduceRequest.PartitionData,
        to topic: String?,
        _ acks: Int16,
        _ version: Int16,
        _ fault: Fault?
    ) -> ProduceResponse.PartitionResponse {
        var response = ProduceResponse.PartitionResponse(index: data.index)
        do throws(Refusal) {
            if case .refuse(let error, _) = fault { throw Refusal(error) }
            let offset = try self.append(data, to: topic, acks, version)
            if case .failAfterAppend(let error, _) = fault { throw Refusal(error) }
            response.baseOffset = offset
            response.logStartOffset = topic.flatMap { self.log($0, data.index)?.startOffset } ?? 0
        } catch {
            response.errorCode = error.error
            response.errorMessage = error.message
            response.recordErrors = error.records
        }
        return response
    }

    private mutating func append(
        _ data: ProduceRequest.PartitionData,
        to name: String?,
        _ acks: Int16,
        _ version: Int16
    ) throws(Refusal) -> Int64 {
        guard (-1...1).contains(acks) else { throw Refusal(.invalidRequiredAcks) }
        guard let name else { throw Refusal(.unknownTopicID) }
        let batch = try self.validated(data, of: name, version)
        return try self.append(batch, to: name, Int(data.index))
    }

    /// The partition's batch; in a function of its own, so that no copy of the topic is left when
    /// the batch is appended.
    private func validated(
        _ data: ProduceRequest.PartitionData,
        of name: String,
        _ version: Int16
    ) throws(Refusal) -> RecordBatch {
        guard let topic = self.topics[name], topic.partitions.indices.contains(Int(data.index))
        else { throw Refusal(.unknownTopicOrPartition) }
        return try BatchValidation.batch(
            in: data.records,
            version: version,
            topic: topic,
            maxMessageBytes: self.configuration.maxMessageBytes
        )
    }

    private mutating func append(
        _ batch: RecordBatch,
        to name: String,
        _ partition: Int
    ) throws(Refusal) -> Int64 {
        let retention = self.configuration.retentionBytes
        // In place: a copy of the topic would copy its list of batches with each one appended.
        let result = self.topics[name]?.partitions[partition]
            .append(batch, retentionBytes: retention)
        guard let result else { throw Refusal(.unknownTopicOrPartition) }
        return try result.get()
    }
}
