internal import Synchronization

/// A call about a transaction, whose result somebody waits for.
final class TransactionTicket: Sendable {
    typealias Continuation = CheckedContinuation<KafkaProducerError?, Never>

    let id: TransactionCallID
    private let continuation: Mutex<Continuation?>

    init(id: TransactionCallID, _ continuation: Continuation) {
        self.id = id
        self.continuation = Mutex(continuation)
    }

    /// Whether the result is there, or is waited for no more.
    var isOver: Bool { self.continuation.withLock { $0 == nil } }

    /// Gives the result, if it is the first one.
    func end(_ error: KafkaProducerError?) {
        let waiting = self.continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        waiting?.resume(returning: error)
    }
}

/// What the event loop is told of calls.
enum TransactionCall: Sendable {
    case begin(TransactionOperation, TransactionTicket)
    case sendOffsets(GroupOffsets, TransactionTicket)
    case abandon(TransactionCallID)
}
