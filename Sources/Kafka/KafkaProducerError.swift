/// Why a record was not delivered, or a producer could not be set up.
public enum KafkaProducerError: Error, Sendable, Equatable {
    /// A property has a value that cannot work; the text says what would.
    case configuration(String)
    /// The broker refused the record for good.
    case refused(code: Int16, name: String, message: String?)
    /// One record is greater than `max.request.size`.
    case recordTooLarge(size: Int, limit: Int)
    /// The topic does not have the partition that the record names.
    case invalidPartition(topic: String, partition: Int32)
    /// `delivery.timeout.ms` passed before the record was acknowledged.
    case deliveryTimedOut
    /// `buffer.memory` is spent: wait for acknowledgements, or use `send(_:)`, which does.
    case bufferExhausted
    /// The producer was closed before the record was acknowledged.
    case closed
}

extension KafkaProducerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .configuration(let text): text
        case .refused(let code, let name, let message):
            "the broker refused it: \(name) (\(code))" + (message.map { ", \($0)" } ?? "")
        case .recordTooLarge(let size, let limit):
            "a record of \(size) bytes is over max.request.size (\(limit))"
        case .invalidPartition(let topic, let partition):
            "topic \"\(topic)\" has no partition \(partition)"
        case .deliveryTimedOut: "delivery.timeout.ms passed before it was acknowledged"
        case .bufferExhausted: "buffer.memory is spent; wait for acknowledgements"
        case .closed: "the producer was closed before it was acknowledged"
        }
    }
}
