/// Why a record was not delivered, or a producer could not be set up.
public enum KafkaProducerError: Error, Sendable, Equatable {
    /// A property has a value that cannot work; the text says what would.
    case configuration(String)
    /// The broker refused the record for good.
    case refused(code: Int16, name: String, message: String?)
    /// One record is greater than `max.request.size`, or than its topic's `max.message.bytes`.
    case recordTooLarge(size: Int, limit: Int)
    /// The topic does not have the partition that the record names.
    case invalidPartition(topic: String, partition: Int32)
    /// `delivery.timeout.ms` passed before the record was acknowledged.
    case deliveryTimedOut
    /// `buffer.memory` is spent: wait for acknowledgements, or use `send(_:)`, which does.
    case bufferExhausted
    /// `max.block.ms` passed before there was room for the record, or its topic was known.
    case blockedTooLong
    /// The task that sent the record was cancelled while it still waited for room: it is not sent.
    case cancelled
    /// The record was dropped by ``KafkaProducer/purge(includingInFlight:)``.
    case purged
    /// The producer was closed before the record was acknowledged.
    case closed
    /// A call does not fit the state of the transaction; the text says what would.
    case invalidTransactionState(String)
    /// The transaction cannot be committed, for the reason given: abort it, and begin the next one.
    case transactionAbortable(String)
    /// The record's transaction was aborted before the record was acknowledged.
    case transactionAborted
    /// Another producer has the `transactional.id`, or the transaction took longer than
    /// `transaction.timeout.ms` and was aborted: this producer can only be closed.
    case producerFenced(transactionalID: String, String)
    /// It cannot be known whether the transaction was committed: this producer can only be closed.
    case transactionOutcomeUnknown(String)
    /// The call ended before Kafka had answered: call again for the result.
    case transactionPending
    /// This producer cannot go on, for the reason given, and can only be closed.
    case fatal(String)
}

extension KafkaProducerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .configuration(let text): text
        case .refused(let code, let name, let message):
            "the broker refused it: \(name) (\(code))" + (message.map { ", \($0)" } ?? "")
        case .recordTooLarge(let size, let limit):
            "a record of \(size) bytes is over the limit of \(limit) (max.request.size, or the topic's"
                + " max.message.bytes)"
        case .invalidPartition(let topic, let partition):
            "topic \"\(topic)\" has no partition \(partition)"
        case .deliveryTimedOut: "delivery.timeout.ms passed before it was acknowledged"
        case .bufferExhausted: "buffer.memory is spent; wait for acknowledgements"
        case .blockedTooLong: "max.block.ms passed without room for it, or word of its topic"
        case .cancelled: "its task was cancelled before there was room for it"
        case .purged: "it was purged before it was acknowledged"
        case .closed: "the producer was closed before it was acknowledged"
        case .invalidTransactionState(let text): text
        case .transactionAbortable(let reason): "the transaction has to be aborted: \(reason)"
        case .transactionAborted: "its transaction was aborted"
        case .producerFenced(let id, let reason):
            "another producer took over the transactional.id \"\(id)\", or the transaction was open"
                + " for longer than transaction.timeout.ms (\(reason))"
        case .transactionOutcomeUnknown(let reason):
            "it cannot be known whether the transaction was committed: \(reason)"
        case .transactionPending: "Kafka has not answered yet; call again for the result"
        case .fatal(let reason): "the producer cannot go on: \(reason)"
        }
    }
}
