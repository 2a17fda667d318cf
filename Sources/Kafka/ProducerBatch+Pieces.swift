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
            var previous = -1
            var marker: PositionHeader?
            try batch.forEachRecord(limit: limit) { span in
                defer { number += 1 }
                let own = PositionHeader(of: span)
                marker = own ?? marker
                guard next < wanted.count, wanted[next] == number else { return }
                next += 1
                let run = self.run(ofRecord: number)
                let position = self.position(ofRecord: number)
                // Records were left out before it: they are not of the run.
                let isInRow = number == previous + 1
                if isInRow {
                    positions.append(owner: run.owner, position: position, routing: run.routing)
                } else {
                    positions.beginRun(owner: run.owner, position: position, routing: run.routing)
                }
                previous = number
                let missing = isInRow || own != nil ? nil : marker
                self.copy(span, sealed.header.baseTimestamp, missing, position, to: &builder)
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

    /// Copies a record, with its place in its file where the one that told of it is left out.
    private func copy(
        _ span: RecordSpan,
        _ baseTimestamp: Int64,
        _ missing: PositionHeader?,
        _ position: Int64,
        to builder: inout RecordBatchBuilder
    ) {
        func append(_ headers: UnsafeBufferPointer<RecordHeaderSpan>) -> Int {
            builder.append(
                key: span.key,
                value: span.value,
                headers: headers,
                timestamp: baseTimestamp &+ span.timestampDelta
            )
        }
        span.headers.withUnsafeBufferPointer { headers in
            _ = missing?.appended(to: headers, position: position, append) ?? append(headers)
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
        completions: BatchCompletions,
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
            isPiece: true,
            pool: nil,
            charge: 0
        )
        self.listener = listener
    }
}
