import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

/// A transactional producer that does one thing at a time and reads what it is told.
final class TransactionalProducer {
    let client: Conversation
    let id: String
    var producerID: Int64 = -1
    var epoch: Int16 = -1
    /// 10 for the first version of transactions, 12 for the second.
    var produceVersion: Int16

    init(_ client: Conversation, id: String = "tx", produceVersion: Int16 = 10) {
        self.client = client
        self.id = id
        self.produceVersion = produceVersion
    }

    /// Asks for an identity and takes it; returns the error.
    @discardableResult
    func initialize(
        timeout: Int32 = 60_000,
        as expected: (Int64, Int16)? = nil,
        version: Int16 = 5
    ) throws -> KafkaError {
        let request = InitProducerIDRequest(
            transactionalID: self.id,
            transactionTimeoutMilliseconds: timeout,
            producerID: expected?.0 ?? -1,
            producerEpoch: expected?.1 ?? -1
        )
        let answer = try self.client.ask(request, version: version)
        if answer.errorCode == .none {
            (self.producerID, self.epoch) = (answer.producerID, answer.producerEpoch)
        }
        return answer.errorCode
    }

    func add(_ partitions: [Int32], topic: String = "t", version: Int16 = 3) throws -> [KafkaError]
    {
        let request = AddPartitionsToTxnRequest(
            transactionalID: self.id,
            producerID: self.producerID,
            producerEpoch: self.epoch,
            topics: [.init(name: topic, partitions: partitions)]
        )
        let answer = try self.client.ask(request, version: version)
        return answer.topics.flatMap(\.partitions).map(\.errorCode)
    }

    func produce(
        _ sequence: Int32,
        count: Int = 1,
        partition: Int32 = 0,
        isTransactional: Bool = true
    ) throws -> Conversation.Outcome {
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        for _ in 0..<count {
            Array("x".utf8).withUnsafeBytes { bytes in
                _ = builder.append(key: nil, value: bytes, timestamp: 1_700_000_000_000)
            }
        }
        var sealed = try builder.seal()
        sealed.assign(
            producerID: self.producerID,
            epoch: self.epoch,
            baseSequence: sequence,
            isTransactional: isTransactional
        )
        var request = Conversation.request(sealed.buffer, partition: partition)
        request.transactionalID = self.id
        let answer = try self.client.ask(request, version: self.produceVersion)
        let result = try #require(answer.responses.first?.partitionResponses.first)
        return .init(result.errorCode, result.baseOffset)
    }

    /// Ends the transaction; in version 5 the identity that is given is taken.
    func end(commit: Bool, version: Int16? = nil) throws -> KafkaError {
        let request = EndTxnRequest(
            transactionalID: self.id,
            producerID: self.producerID,
            producerEpoch: self.epoch,
            committed: commit
        )
        let version = version ?? (self.produceVersion >= 12 ? 5 : 4)
        let answer = try self.client.ask(request, version: version)
        if version >= 5, answer.errorCode == .none {
            (self.producerID, self.epoch) = (answer.producerID, answer.producerEpoch)
        }
        return answer.errorCode
    }

    /// Another client with the same name that knows what this one knows.
    func twin(on client: Conversation? = nil) -> TransactionalProducer {
        let twin = TransactionalProducer(
            client ?? self.client,
            id: self.id,
            produceVersion: self.produceVersion
        )
        (twin.producerID, twin.epoch) = (self.producerID, self.epoch)
        return twin
    }
}

/// What a consumer is given of a partition.
struct Fetched: Equatable {
    var records: Int
    var highWatermark: Int64
    var lastStableOffset: Int64
    /// Producer ids and first offsets of aborted transactions; nil if none were asked for.
    var aborted: [[Int64]]?
    /// Base offsets of the batches, with C for markers, T for transactional ones.
    var batches: [String]
}

extension Conversation {
    func fetch(
        committed: Bool,
        partition: Int32 = 0,
        from offset: Int64 = 0
    ) throws -> Fetched {
        let wanted = FetchRequest.Partition(
            partition: partition,
            fetchOffset: offset,
            partitionMaxBytes: .max
        )
        let request = FetchRequest(
            minBytes: 1,
            isolationLevel: committed ? 1 : 0,
            topics: [.init(topic: "t", partitions: [wanted])]
        )
        let answer = try self.ask(request, version: 11)
        let data = try #require(answer.responses.first?.partitions.first)
        let batches = try RecordBatch.batches(in: data.records ?? ByteBuffer())
        return Fetched(
            records: batches.filter { !$0.header.isControl }
                .reduce(0) { $0 + Int($1.header.recordCount) },
            highWatermark: data.highWatermark,
            lastStableOffset: data.lastStableOffset,
            aborted: data.abortedTransactions?.map { [$0.producerID, $0.firstOffset] },
            batches: batches.map { batch in
                let kind =
                    batch.header.isControl ? "C" : batch.header.isTransactional ? "T" : "-"
                return "\(batch.header.baseOffset):\(kind)\(batch.header.recordCount)"
            }
        )
    }

    /// The end of a partition for those who read committed records, by ListOffsets.
    func stableEnd(partition: Int32 = 0) throws -> Int64 {
        let wanted = ListOffsetsRequest.Partition(partitionIndex: partition, timestamp: -1)
        let request = ListOffsetsRequest(
            isolationLevel: 1,
            topics: [.init(name: "t", partitions: [wanted])]
        )
        return try #require(try self.ask(request).topics.first?.partitions.first).offset
    }
}
