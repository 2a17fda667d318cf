internal import KafkaProtocol
internal import NIOCore

/// The checks that Kafka makes before it appends a batch, in Kafka's order.
struct BatchValidation {
    private let topic: TopicConfiguration
    private let maxMessageBytes: Int
    /// The broker's time of day, in milliseconds.
    private let time: Int64

    init(_ topic: TopicConfiguration, maxMessageBytes: Int, time: Int64) {
        self.topic = topic
        self.maxMessageBytes = topic.maxMessageBytes ?? maxMessageBytes
        self.time = time
    }

    /// Throws a `Refusal` for what Kafka would not append to the topic.
    func validate(_ batch: RecordBatch) throws(Refusal) {
        guard batch.buffer.readableBytes <= self.maxMessageBytes else {
            let size = batch.buffer.readableBytes
            throw Refusal(
                .messageTooLarge,
                "the batch has \(size) bytes, the limit is \(self.maxMessageBytes)"
            )
        }
        do {
            try batch.validateChecksum()
        } catch {
            throw Refusal(.corruptMessage, "\(error)")
        }
        try Self.validate(batch.header)
        try self.validateRecords(batch)
    }

    /// The batch as the topic stores it: in its codec, and with the broker's time if it wants that.
    func rewritten(_ batch: RecordBatch) throws(Refusal) -> RecordBatch {
        do {
            var batch = batch
            if let codec = self.topic.compression, codec != batch.header.compression {
                batch = try batch.recompressed(with: codec)
            }
            return self.topic.usesAppendTime
                ? try batch.stamped(withAppendTime: self.time) : batch
        } catch {
            throw Refusal(.unknownServerError, "\(error)")
        }
    }

    /// The one batch that `records` must be.
    static func single(
        _ records: ByteBuffer?,
        version: Int16
    ) throws(Refusal) -> RecordBatch {
        let problem = "a request must have exactly one record batch per partition"
        guard var rest = records, rest.readableBytes > 0 else {
            throw Refusal(.invalidRecord, problem)
        }
        let first: RecordBatch?
        do {
            if let magic = rest.getInteger(at: rest.readerIndex + 16, as: Int8.self), magic != 2 {
                throw (0...1).contains(magic)
                    ? Refusal(.invalidRecord, "the batch has magic \(magic), it must be 2")
                    : Refusal(.corruptMessage, "magic \(magic) is not known")
            }
            first = try RecordBatch(from: &rest)
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(.corruptMessage, "\(error)")
        }
        guard let first else { throw Refusal(.corruptMessage, "the batch is cut off") }
        guard rest.readableBytes == 0 else { throw Refusal(.invalidRecord, problem) }
        guard first.header.compression != .zstd || version >= 7 else {
            throw Refusal(.unsupportedCompressionType, "zstd needs version 7 of Produce")
        }
        return first
    }

    private static func validate(_ header: RecordBatchHeader) throws(Refusal) {
        guard header.recordCount > 0, header.lastOffsetDelta == header.recordCount - 1 else {
            throw Refusal(
                .invalidRecord,
                "\(header.recordCount) records cannot end at delta \(header.lastOffsetDelta)"
            )
        }
        guard !header.isControl else {
            throw Refusal(.invalidRecord, "clients may not write control batches")
        }
        guard !header.hasProducerID || header.baseSequence >= 0 else {
            throw Refusal(.invalidRecord, "a batch with a producer id needs a sequence")
        }
        guard header.compression != nil else {
            throw Refusal(.unknownServerError, "codec \(header.codecNumber) is not known")
        }
    }

    private func validateRecords(_ batch: RecordBatch) throws(Refusal) {
        var expected: Int32 = 0
        var withoutKey: [ProduceResponse.RecordError] = []
        var outOfTime: [ProduceResponse.RecordError] = []
        let base = batch.header.baseTimestamp
        do {
            try batch.forEachRecord { record in
                guard record.offsetDelta == expected else {
                    throw ProtocolError.invalidBatch("offset deltas are not 0, 1, 2 and so on")
                }
                if self.topic.isCompacted && record.key == nil {
                    withoutKey.append(Self.missingKey(expected))
                }
                let timestamp = base &+ record.timestampDelta
                if let error = self.timestampProblem(timestamp, expected) {
                    outOfTime.append(error)
                }
                expected += 1
            }
        } catch {
            throw Refusal(.invalidRecord, "\(error)")
        }
        let problem = "One or more records have been rejected"
        guard outOfTime.isEmpty else {
            throw Refusal(.invalidTimestamp, problem, records: withoutKey + outOfTime)
        }
        guard withoutKey.isEmpty else {
            throw Refusal(.invalidRecord, problem, records: withoutKey)
        }
    }

    private static func missingKey(_ index: Int32) -> ProduceResponse.RecordError {
        ProduceResponse.RecordError(
            batchIndex: index,
            batchIndexErrorMessage: "Compacted topic cannot accept message without key."
        )
    }

    /// What is wrong with a producer's timestamp, which may be -1 for none.
    private func timestampProblem(
        _ timestamp: Int64,
        _ index: Int32
    ) -> ProduceResponse.RecordError? {
        guard !self.topic.usesAppendTime, timestamp != -1 else { return nil }
        let after = timestamp.subtractingReportingOverflow(self.time)
        let before = self.time.subtractingReportingOverflow(timestamp)
        let isAhead = after.overflow || after.0 > self.topic.timestampAfterMaxMilliseconds
        let isBehind = before.overflow || before.0 > self.topic.timestampBeforeMaxMilliseconds
        guard isAhead || isBehind else { return nil }
        return ProduceResponse.RecordError(
            batchIndex: index,
            batchIndexErrorMessage:
                "Timestamp \(timestamp) is too far from the broker's, \(self.time)."
        )
    }
}
