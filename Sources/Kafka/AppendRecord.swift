internal import KafkaProtocol

/// Appends a record that owns its bytes, to `partition` unless it names one itself.
package func appendRecord(
    _ record: KafkaProducerRecord,
    _ topic: TopicIndex,
    _ timestamp: Int64,
    partition: Int32? = nil,
    owner: UInt64 = 0,
    position: Int64,
    now: ContinuousClock.Instant,
    to accumulator: RecordAccumulator
) -> AppendResult {
    appendRecord(
        record,
        topic,
        timestamp,
        partition: partition,
        owner: owner,
        position: position,
        waiter: nil,
        now: now,
        to: accumulator
    )
}

/// The same, for somebody who waits for it; the time is only asked for when a batch is begun.
func appendRecord(
    _ record: KafkaProducerRecord,
    _ topic: TopicIndex,
    _ timestamp: Int64,
    partition: Int32? = nil,
    owner: UInt64 = 0,
    position: Int64,
    waiter: RecordWaiter?,
    now: @autoclosure () -> ContinuousClock.Instant,
    to accumulator: RecordAccumulator
) -> AppendResult {
    withHeaderSpans(of: record) { headers in
        withOptionalBytes(record.key) { key in
            withOptionalBytes(record.value) { value in
                accumulator.append(
                    topic: topic,
                    partition: record.partition ?? partition,
                    key: key,
                    value: value,
                    headers: headers,
                    timestamp: timestamp,
                    origin: RecordOrigin(owner: owner, position: position),
                    waiter: waiter,
                    now: now()
                )
            }
        }
    }
}

@inline(__always)
private func withHeaderSpans<Result>(
    of record: KafkaProducerRecord,
    _ body: (UnsafeBufferPointer<RecordHeaderSpan>) -> Result
) -> Result {
    guard !record.headers.headers.isEmpty else { return body(.init(start: nil, count: 0)) }
    // One buffer for all headers, so that their pointers live as long as one call.
    var names: [UInt8] = []
    for header in record.headers.headers {
        names.append(contentsOf: header.name.utf8)
        names.append(contentsOf: header.value ?? [])
    }
    return names.withUnsafeBytes { bytes in
        var start = 0
        let headers = record.headers.headers.map { header in
            let name = UnsafeRawBufferPointer(
                rebasing: bytes[start..<start + header.name.utf8.count]
            )
            start += name.count
            let value = header.value.map { value in
                UnsafeRawBufferPointer(rebasing: bytes[start..<start + value.count])
            }
            start += value?.count ?? 0
            return RecordHeaderSpan(name: name, value: value)
        }
        return headers.withUnsafeBufferPointer { body($0) }
    }
}

@inline(__always)
private func withOptionalBytes<Result>(
    _ bytes: [UInt8]?,
    _ body: (UnsafeRawBufferPointer?) -> Result
) -> Result {
    guard let bytes else { return body(nil) }
    return bytes.withUnsafeBytes { body($0) }
}
