internal import KafkaProtocol
internal import NIOCore

/// The checks that Kafka makes before it appends a batch, in Kafka's order.
enum BatchValidation {
    /// Throws a `Refusal` for what Kafka would not append to the topic.
    static func validate(
        _ batch: RecordBatch,
        topic: Topic,
        maxMessageBytes: Int
    ) throws(Refusal) {
        let limit = topic.maxMessageBytes ?? maxMessageBytes
        guard batch.buffer.readableBytes <= limit else {
            throw Refusal(
                .messageTooLarge,
                "the batch has \(batch.buffer.readableBytes) bytes, the limit is \(limit)"
            )
        }
        do {
            try batch.validateChecksum()
        } catch {
            throw Refusal(.corruptMessage, "\(error)")
        }
        try self.validate(batch.header)
        try self.validateRecords(batch, isCompacted: topic.isCompacted)
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

    private static func validateRecords(
        _ batch: RecordBatch,
        isCompacted: Bool
    ) throws(Refusal) {
        var expected: Int32 = 0
        var withoutKey: [ProduceResponse.RecordError] = []
        do {
            try batch.forEachRecord { record in
                guard record.offsetDelta == expected else {
                    throw ProtocolError.invalidBatch("offset deltas are not 0, 1, 2 and so on")
                }
                if isCompacted && record.key == nil {
                    withoutKey.append(self.missingKey(expected))
                }
                expected += 1
            }
        } catch {
            throw Refusal(.invalidRecord, "\(error)")
        }
        guard withoutKey.isEmpty else {
            throw Refusal(
                .invalidRecord,
                "One or more records have been rejected",
                records: withoutKey
            )
        }
    }

    private static func missingKey(_ index: Int32) -> ProduceResponse.RecordError {
        ProduceResponse.RecordError(
            batchIndex: index,
            batchIndexErrorMessage: "Compacted topic cannot accept message without key."
        )
    }
}
