package import KafkaProtocol
internal import NIOCore

/// A batch that is made again, to be sent under numbers that it had before a crash.
///
/// It holds the records that it held then, however many bytes they take now; so it is closed by who
/// makes it, and not when it is full.
///
///     var batch = RemadeBatch(topic: "orders", partition: 2)
///     for record in records { batch.append(record.key, record.value, …) }
///     engine.remade(try batch.seal(configuration, now: now), row: row)
package struct RemadeBatch {
    private let topic: String
    private let partition: Int32
    private var builder = RecordBatchBuilder(buffer: ByteBuffer())
    private var positions = RecordPositions()
    private var lastSource: UInt64?

    package init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// The same records as a batch that was kept whole; nil if it cannot be read.
    package init?(_ bytes: [UInt8], topic: String, partition: Int32) {
        self.init(topic: topic, partition: partition)
        var buffer = ByteBuffer(bytes: bytes)
        do {
            guard let batch = try RecordBatch(from: &buffer) else { return nil }
            let baseTimestamp = batch.header.baseTimestamp
            try batch.forEachRecord { span in
                span.headers.withUnsafeBufferPointer { headers in
                    self.append(
                        key: span.key,
                        value: span.value,
                        headers: headers,
                        timestamp: baseTimestamp &+ span.timestampDelta,
                        origin: RecordOrigin(owner: 0, position: 0)
                    )
                }
            }
        } catch {
            return nil
        }
    }

    package var recordCount: Int { self.builder.recordCount }

    /// - Parameter beginsRun: nobody can count from the record before it to this one, so it says
    ///   itself where it is from.
    package mutating func append(
        key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?,
        headers: UnsafeBufferPointer<RecordHeaderSpan>,
        timestamp: Int64,
        origin: RecordOrigin,
        beginsRun: Bool = false
    ) {
        let isFirst = beginsRun || origin.header.map { $0.source != self.lastSource } ?? false
        self.lastSource = origin.header?.source
        self.positions.append(
            owner: origin.owner,
            position: origin.position,
            routing: ProducerBatch.Run.answer
        )
        guard isFirst, let header = origin.header else {
            self.builder.append(key: key, value: value, headers: headers, timestamp: timestamp)
            return
        }
        _ = header.appended(to: headers, position: origin.position) { headers in
            self.builder.append(key: key, value: value, headers: headers, timestamp: timestamp)
        }
    }

    /// Closes the batch.
    ///
    /// - Throws: when the compression fails.
    package consuming func seal(
        _ configuration: KafkaProducerConfiguration,
        now: ContinuousClock.Instant
    ) throws -> ProducerBatch {
        let sealed = try self.builder.seal(with: Compressor(configuration))
        return ProducerBatch(
            topic: self.topic,
            topicIndex: .invalid,
            partition: self.partition,
            createdAt: now,
            sealed: sealed,
            positions: self.positions,
            pool: nil,
            charge: 0
        )
    }
}
