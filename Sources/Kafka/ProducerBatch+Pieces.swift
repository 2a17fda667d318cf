internal import KafkaProtocol
internal import NIOCore

extension ProducerBatch {
    /// A batch of its own from some of the records, which keep timestamps, headers and positions.
    ///
    /// Nil if the batch cannot be read back, which only memory that went bad can cause.
    func piece(records wanted: [Int], isCompressed: Bool = true) -> ProducerBatch? {
        guard var bytes = self.sealed?.buffer, let sealed = self.sealed else { return nil }
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        var positions = RecordPositions()
        do {
            let limit = max(sealed.uncompressedLength, sealed.bodyLength)
            guard let batch = try RecordBatch(from: &bytes) else { return nil }
            var next = 0
            var number = 0
            try batch.forEachRecord(limit: limit) { span in
                defer { number += 1 }
                guard next < wanted.count, wanted[next] == number else { return }
                next += 1
                self.copy(span, sealed.header.baseTimestamp, to: &builder)
                positions.append(
                    owner: self.run(ofRecord: number).owner,
                    position: self.position(ofRecord: number)
                )
            }
            guard next == wanted.count, next > 0 else { return nil }
            let codec = sealed.compression
            let compressor = isCompressed && codec != .none ? Compressor(codec: codec) : nil
            return ProducerBatch(
                topic: self.topic,
                topicIndex: self.topicIndex,
                partition: self.partition,
                createdAt: self.createdAt,
                sealed: try builder.seal(with: compressor),
                positions: positions,
                completions: self.completions,
                listener: self.listener
            )
        } catch {
            return nil
        }
    }

    private func copy(
        _ span: RecordSpan,
        _ baseTimestamp: Int64,
        to builder: inout RecordBatchBuilder
    ) {
        span.headers.withUnsafeBufferPointer { headers in
            _ = builder.append(
                key: span.key,
                value: span.value,
                headers: headers,
                timestamp: baseTimestamp &+ span.timestampDelta
            )
        }
    }

    /// A batch whose bytes belong to no pool.
    private convenience init(
        topic: String,
        topicIndex: TopicIndex,
        partition: Int32,
        createdAt: ContinuousClock.Instant,
        sealed: SealedRecordBatch,
        positions: RecordPositions,
        completions: BatchCompletions?,
        listener: (any DeliveryListener)?
    ) {
        self.init(
            topic: topic,
            topicIndex: topicIndex,
            partition: partition,
            createdAt: createdAt,
            sealed: sealed,
            positions: positions,
            completions: completions,
            pool: nil,
            charge: 0
        )
        self.listener = listener
    }
}
