internal import KafkaProtocol
internal import NIOCore

extension BrokerStateMachine {
    mutating func dispatchTransactionRequest(
        _ header: RequestHeader,
        _ body: ByteBuffer,
        _ to: ReplyAddress,
        now: Instant
    ) throws {
        let version = header.apiVersion
        switch header.apiKey {
        case .initProducerID:
            let request = try InitProducerIDRequest(body: body, version: version)
            let response = self.initProducerID(request, to, now: now)
            self.answer(to, InitProducerIDRequest.self, response, now: now)
        case .addPartitionsToTxn:
            let request = try AddPartitionsToTxnRequest(body: body, version: version)
            let response = self.addPartitions(request, to, now: now)
            self.answer(to, AddPartitionsToTxnRequest.self, response, now: now)
        case .endTxn:
            let request = try EndTxnRequest(body: body, version: version)
            let response = self.endTransaction(request, to, now: now)
            self.answer(to, EndTxnRequest.self, response, now: now)
        default: try self.dispatchGroupRequest(header, body, to, now: now)
        }
        self.writeMarkers(now: now)
    }

    private mutating func initProducerID(
        _ request: InitProducerIDRequest,
        _ to: ReplyAddress,
        now: Instant
    ) -> InitProducerIDResponse {
        guard let id = request.transactionalID else {
            // Without a transactional id Kafka gives a fresh producer id, whatever it is asked with.
            let producerID = self.coordinator.takeProducerID()
            return InitProducerIDResponse(producerID: producerID, producerEpoch: 0)
        }
        guard self.mayUse(.transactionalID(id), to: .write, to.connection) else {
            return InitProducerIDResponse(errorCode: .transactionalIDAuthorizationFailed)
        }
        guard self.isCoordinator(to.node, of: id) else {
            return InitProducerIDResponse(errorCode: .notCoordinator)
        }
        guard (request.producerID == -1) == (request.producerEpoch == -1) else {
            return InitProducerIDResponse(errorCode: .invalidRequest)
        }
        let expected = TransactionCoordinator.Identity(
            producerID: request.producerID,
            epoch: request.producerEpoch
        )
        let result = self.coordinator.initialize(
            id,
            timeout: .milliseconds(request.transactionTimeoutMilliseconds),
            as: request.producerID == -1 ? nil : expected,
            now: now
        )
        switch result {
        case .success(let identity):
            return InitProducerIDResponse(
                producerID: identity.producerID,
                producerEpoch: identity.epoch
            )
        case .failure(let refusal):
            return InitProducerIDResponse(
                errorCode: Self.fencing(refusal.error, isKnown: to.version >= 4)
            )
        }
    }

    private mutating func endTransaction(
        _ request: EndTxnRequest,
        _ to: ReplyAddress,
        now: Instant
    ) -> EndTxnResponse {
        let id = request.transactionalID
        guard self.mayUse(.transactionalID(id), to: .write, to.connection) else {
            return EndTxnResponse(errorCode: .transactionalIDAuthorizationFailed)
        }
        guard self.isCoordinator(to.node, of: id) else {
            return EndTxnResponse(errorCode: .notCoordinator)
        }
        let result = self.coordinator.end(
            id,
            .init(producerID: request.producerID, epoch: request.producerEpoch),
            commit: request.committed,
            raisesEpoch: to.version >= 5,
            now: now
        )
        switch result {
        case .success(let identity):
            return EndTxnResponse(
                producerID: identity.producerID,
                producerEpoch: identity.epoch
            )
        case .failure(let refusal):
            return EndTxnResponse(errorCode: Self.fencing(refusal.error, isKnown: to.version >= 2))
        }
    }

    private mutating func addPartitions(
        _ request: AddPartitionsToTxnRequest,
        _ to: ReplyAddress,
        now: Instant
    ) -> AddPartitionsToTxnResponse {
        let wanted = request.topics.flatMap { topic in
            topic.partitions.map { TopicPartition(topic: topic.name, partition: $0) }
        }
        var problems: [TopicPartition: KafkaError] = [:]
        for partition in wanted {
            if !self.mayUse(topic: partition.topic, to: .write, to.connection) {
                problems[partition] = .topicAuthorizationFailed
            } else if !self.hasPartition(partition.topic, partition.partition) {
                problems[partition] = .unknownTopicOrPartition
            }
        }
        // All or none: with one that is not there, none is added.
        let result =
            problems.isEmpty ? self.add(wanted, request, to, now: now) : .operationNotAttempted
        let error = Self.fencing(result, isKnown: to.version >= 2)
        return AddPartitionsToTxnResponse(
            topics: request.topics.map { topic in
                let partitions = topic.partitions.map { index in
                    let partition = TopicPartition(topic: topic.name, partition: index)
                    return AddPartitionsToTxnResponse.Partition(
                        index: index,
                        errorCode: problems[partition] ?? error
                    )
                }
                return .init(name: topic.name, partitions: partitions)
            }
        )
    }

    private mutating func add(
        _ partitions: [TopicPartition],
        _ request: AddPartitionsToTxnRequest,
        _ to: ReplyAddress,
        now: Instant
    ) -> KafkaError {
        let id = request.transactionalID
        guard self.mayUse(.transactionalID(id), to: .write, to.connection) else {
            return .transactionalIDAuthorizationFailed
        }
        guard self.isCoordinator(to.node, of: id) else {
            return .notCoordinator
        }
        return self.coordinator.add(
            partitions,
            to: id,
            .init(producerID: request.producerID, epoch: request.producerEpoch),
            raisesEpoch: false,
            now: now
        )
    }

    /// Clients before Kafka 2.7 do not know `PRODUCER_FENCED`.
    private static func fencing(_ error: KafkaError, isKnown: Bool) -> KafkaError {
        error == .producerFenced && !isKnown ? .invalidProducerEpoch : error
    }
}

extension BrokerStateMachine {
    /// Makes sure that a batch's transaction includes the partition; version 12 of Produce adds it.
    mutating func verify(
        _ header: RecordBatchHeader,
        of id: String?,
        in partition: TopicPartition,
        _ version: Int16,
        now: Instant
    ) throws(Refusal) {
        guard header.isTransactional, header.hasProducerID else { return }
        let producers = self.log(partition.topic, partition.partition)?.producers
        let isOpen = producers?.hasOpenTransaction(header.producerID, epoch: header.producerEpoch)
        guard isOpen == false else { return }
        let identity = TransactionCoordinator.Identity(
            producerID: header.producerID,
            epoch: header.producerEpoch
        )
        let id = id ?? ""
        let error =
            version >= 12
            ? self.coordinator.add([partition], to: id, identity, raisesEpoch: true, now: now)
            : self.coordinator.verify(partition, of: id, identity, now: now)
        self.journalTransactions(now: now)
        guard error != .none else { return }
        throw Refusal(
            Self.produceError(error, version),
            "the partition was not added to the transaction"
        )
    }

    /// How Produce tells what the coordinator says, to clients that may not know the error.
    private static func produceError(_ error: KafkaError, _ version: Int16) -> KafkaError {
        switch error {
        case .producerFenced: .invalidProducerEpoch
        case .transactionAbortable where version < 11: .invalidTxnState
        case .concurrentTransactions where version < 12: .notEnoughReplicas
        default: error
        }
    }

    /// Ends in the logs the transactions that have ended.
    mutating func writeMarkers(now: Instant) {
        let timestamp = self.clock.milliseconds(at: now)
        var isAnyWritten = false
        while let markers = self.coordinator.nextMarkers(now: now) {
            for partition in markers.partitions {
                self.write(markers, to: partition, timestamp: timestamp)
                isAnyWritten = true
            }
        }
        self.journalTransactions(now: now)
        if isAnyWritten { self.serveDelayedFetches(now: now) }
    }

    private mutating func write(
        _ markers: TransactionCoordinator.Markers,
        to partition: TopicPartition,
        timestamp: Int64
    ) {
        guard self.hasPartition(partition.topic, partition.partition) else { return }
        let marker: RecordBatch
        do {
            marker = try RecordBatch.endTransactionMarker(
                producerID: markers.identity.producerID,
                epoch: markers.identity.epoch,
                isCommit: markers.isCommit,
                coordinatorEpoch: 0,
                timestamp: timestamp
            )
        } catch {
            preconditionFailure("a marker that was made here is no batch: \(error)")
        }
        self.topics[partition.topic]?.partitions[Int(partition.partition)]
            .appendMarker(marker, isCommit: markers.isCommit)
        self.journalLastBatch(of: partition.topic, Int(partition.partition))
    }
}
