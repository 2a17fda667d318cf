/// Chooses partitions in place of the producer's own rule.
///
/// ```swift
/// struct ByTenant: KafkaPartitioner {
///     func partition(for record: KafkaProducerRecord, partitionCount: Int) -> Int? {
///         record.headers.headers.first { $0.name == "vip" } == nil ? nil : 0
///     }
/// }
/// ```
public protocol KafkaPartitioner: Sendable {
    /// The partition for a record that names none, from 0 up to `partitionCount`; nil leaves it to the
    /// producer, which goes by the key, and without one by what is least busy.
    ///
    /// Called under a lock, once or more for a record: it has to be quick. A partition that is not
    /// there fails the record with ``KafkaProducerError/invalidPartition(topic:partition:)``.
    func partition(for record: KafkaProducerRecord, partitionCount: Int) -> Int?
}
