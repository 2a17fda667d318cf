internal import KafkaProtocol
internal import NIOCore

extension ReaderStateMachine {
    // MARK: Metadata

    mutating func received(_ cluster: ClusterMetadata, now: ContinuousClock.Instant) {
        for broker in cluster.brokers { self.learn(broker) }
        for topic in cluster.topics where self.scope.topics.contains(topic.name) {
            self.received(topic, now: now)
        }
        let isKnown = self.partitions.allSatisfy { $0.leader != nil || $0.phase == .done }
        guard self.missing.isEmpty, isKnown else {
            return self.askForMetadataLater(now: now)
        }
        self.metadataBackoff.reset()
    }

    private mutating func learn(_ broker: ClusterMetadata.Broker) {
        guard let known = self.brokers[broker.id] else {
            self.brokers[broker.id] = self.makeBroker(broker.address)
            return
        }
        guard known.address != broker.address else { return }
        self.brokers[broker.id]?.address = broker.address
        guard known.link != .idle else { return }
        self.actions.append(.disconnect(broker.id, reason: "it moved to \(broker.address)"))
    }

    private mutating func received(
        _ topic: ClusterMetadata.Topic,
        now: ContinuousClock.Instant
    ) {
        switch topic.error {
        case .none: break
        case .unknownTopicOrPartition where self.scope.passesOverMissing:
            // One that was there may be unknown to a broker for a moment.
            guard self.missing.remove(topic.name) != nil else { return }
            return self.actions.append(.absent(topic.name))
        case .unknownTopicOrPartition, .invalidTopicException:
            return self.finish(.unreadable("there is no topic \"\(topic.name)\""))
        case .topicAuthorizationFailed:
            return self.finish(.refused("topic \"\(topic.name)\": \(topic.error)"))
        default:
            self.lastTrouble = "topic \"\(topic.name)\": \(topic.error)"
            return
        }
        self.missing.remove(topic.name)
        for partition in topic.partitions.sorted(by: { $0.index < $1.index }) {
            let id = TopicPartition(topic: topic.name, partition: partition.index)
            let leader = partition.leaderID >= 0 ? partition.leaderID : nil
            if let index = self.places[id] {
                self.partitions[index].leader = leader
            } else {
                self.places[id] = self.partitions.count
                self.partitions.append(
                    Partition(id: id, leader: leader, place: self.scope.from)
                )
            }
            if leader == nil { self.lastTrouble = "\(id) has no leader" }
        }
    }

    private mutating func askForMetadataLater(now: ContinuousClock.Instant) {
        self.needsMetadata = true
        self.metadataNotBefore = now + self.metadataBackoff.next(using: &self.generator)
    }

    // MARK: Partitions

    mutating func received(
        _ answer: ReadAnswer,
        to request: ReadRequest,
        _ index: Int,
        now: ContinuousClock.Instant
    ) {
        switch answer {
        case .failed(let error): self.failed(error, index, now: now)
        case .offset(let offset):
            self.succeeded(index, now: now)
            self.received(offset: offset, index)
        case .fetched(let fetched): self.received(fetched, index, now: now)
        }
    }

    private mutating func succeeded(_ index: Int, now: ContinuousClock.Instant) {
        self.answeredAt = now
        self.partitions[index].backoff.reset()
    }

    private mutating func failed(
        _ error: KafkaError,
        _ index: Int,
        now: ContinuousClock.Instant
    ) {
        let id = self.partitions[index].id
        switch error {
        case .topicAuthorizationFailed, .clusterAuthorizationFailed:
            self.finish(.refused("\(id): \(error): reading needs READ on the topic"))
        case .unsupportedVersion:
            self.finish(.unreadable("the broker cannot be read from: it is too old"))
        case .unsupportedCompressionType, .corruptMessage, .unsupportedForMessageFormat:
            self.finish(.unreadable("\(id): \(error)"))
        case .offsetOutOfRange where self.partitions[index].phase == .reading:
            self.partitions[index].phase = .wantsStart
            self.partitions[index].place = .start
        default:
            self.lastTrouble = "\(id): \(error)"
            let wait = self.partitions[index].backoff.next(using: &self.generator)
            self.partitions[index].notBefore = now + wait
            self.needsMetadata = true
        }
    }

    private mutating func received(offset: Int64, _ index: Int) {
        let partition = self.partitions[index]
        // A time after the last record: there is nothing to begin with, or all to end with.
        if offset < 0, partition.place != .end {
            return self.partitions[index].place = .end
        }
        switch partition.phase {
        case .wantsStart where partition.end >= 0: self.restart(index, at: offset)
        case .wantsStart:
            self.partitions[index].offset = offset
            self.partitions[index].phase = .wantsEnd
            self.partitions[index].place = self.scope.to
        case .wantsEnd:
            self.partitions[index].end = max(offset, partition.offset)
            self.partitions[index].phase = .reading
            let end = self.partitions[index].end
            self.actions.append(.found(partition.id, start: partition.offset, end: end))
            self.endIfRead(index)
        case .reading, .done: break
        }
    }

    /// The offset that was to be read is not in the log.
    private mutating func restart(_ index: Int, at start: Int64) {
        let partition = self.partitions[index]
        guard start > partition.offset else {
            return self.finish(
                .unreadable("\(partition.id) ends before offset \(partition.offset), which it had")
            )
        }
        let next = min(start, partition.end)
        self.actions.append(.skipped(partition.id, from: partition.offset, to: next))
        self.partitions[index].offset = next
        self.partitions[index].phase = .reading
        self.endIfRead(index)
    }

    private mutating func received(
        _ fetched: FetchedRecords,
        _ index: Int,
        now: ContinuousClock.Instant
    ) {
        self.partitions[index].aborted.add(fetched.aborted)
        let batches: [ReadBatches.Batch]
        do {
            batches = try self.batches(of: fetched, index)
        } catch {
            let partition = self.partitions[index]
            let place = "\(partition.id) behind offset \(partition.offset)"
            return self.finish(.unreadable("\(place): \(error)"))
        }
        guard !batches.isEmpty else {
            self.partitions[index].notBefore = now + .milliseconds(20)
            return
        }
        self.succeeded(index, now: now)
        let partition = self.partitions[index]
        self.actions.append(
            .read(
                ReadBatches(
                    partition: partition.id,
                    batches: batches,
                    offset: partition.offset,
                    end: partition.end
                )
            )
        )
        self.endIfRead(index)
    }

    /// The batches that were not read yet, up to the end.
    private mutating func batches(
        of fetched: FetchedRecords,
        _ index: Int
    ) throws -> [ReadBatches.Batch] {
        var batches: [ReadBatches.Batch] = []
        var records = fetched.records
        while self.partitions[index].offset < self.partitions[index].end {
            guard let batch = try RecordBatch(from: &records) else { break }
            guard batch.header.magic == 2 else {
                throw ProtocolError.invalidBatch("it is in a format older than Kafka 0.11")
            }
            let next = batch.header.baseOffset + Int64(batch.header.lastOffsetDelta) + 1
            // A leader answers from the beginning of the batch that holds the offset.
            guard next > self.partitions[index].offset else { continue }
            try batch.validateChecksum()
            let isAborted = self.partitions[index].aborted.passes(batch)
            batches.append(ReadBatches.Batch(batch: batch, isAborted: isAborted))
            self.partitions[index].offset = next
        }
        return batches
    }

    private mutating func endIfRead(_ index: Int) {
        guard self.partitions[index].offset >= self.partitions[index].end else { return }
        self.partitions[index].phase = .done
    }
}
