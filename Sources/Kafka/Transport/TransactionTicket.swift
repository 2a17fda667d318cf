internal import Synchronization

/// How a call about a transaction ended.
package struct TransactionResult: Sendable {
    /// Nil if it ended well.
    package var error: KafkaProducerError?
    /// Under which the producer goes on, where it has one.
    package var identity: ProducerIdentity?
}

/// A call about a transaction, whose result somebody waits for.
final class TransactionTicket: Sendable {
    let id: TransactionCallID
    private let receiver: Mutex<Receiver?>

    /// A bare closure that is kept in a generic type is wrapped anew each time it is taken out.
    private struct Receiver {
        let take: @Sendable (TransactionResult) -> Void
    }

    init(id: TransactionCallID, _ then: @escaping @Sendable (TransactionResult) -> Void) {
        self.id = id
        self.receiver = Mutex(Receiver(take: then))
    }

    /// Whether the result is there, or is waited for no more.
    var isOver: Bool { self.receiver.withLock { $0 == nil } }

    /// Gives the result, if it is the first one.
    func end(_ result: TransactionResult) {
        let receiver = self.receiver.withLock { receiver in
            defer { receiver = nil }
            return receiver
        }
        receiver?.take(result)
    }

    /// Gives the reason why there is no result.
    func end(_ error: KafkaProducerError) {
        self.end(TransactionResult(error: error))
    }
}

/// What the event loop is told of calls.
enum TransactionCall: Sendable {
    case begin(TransactionOperation, TransactionTicket)
    case sendOffsets(GroupOffsets, TransactionTicket)
    case abandon(TransactionCallID)
}
