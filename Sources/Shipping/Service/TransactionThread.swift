internal import Checkpointing
internal import Kafka
internal import Logging
internal import Synchronization

/// The thread that ends transactions and begins them.
///
/// Others speak to it through its inbox only.
final class TransactionThread: TransactionTelling {
    struct Status: Sendable {
        /// Whether the checkpoints are the latest, and files may be read from them.
        var isResolved = false
        var isIdle = false
        var isFinished = false
        var hasUncommitted = false
        var isStoreFailing = false
        var failure: TransactionFailure?
    }

    private struct State {
        var status = Status()
        /// Whether something was sent or saved since the last cut.
        var isChanged = false
    }

    private let state = Mutex(State())
    private let mailbox: Mailbox<TransactionMessage>

    init() throws {
        mailbox = try Mailbox()
    }

    func start(_ worker: TransactionWorker) throws {
        try mailbox.startThread(name: "transactions") { [self] in run(worker) }
    }

    /// Ends the thread; what is open stays so.
    func stop() { mailbox.stop() }

    var status: Status {
        state.withLock { state in
            var status = state.status
            status.isIdle = status.isIdle && !state.isChanged
            return status
        }
    }

    func post(_ message: TransactionMessage) { mailbox.post(message) }

    /// Notes that there is something to be committed.
    func noteChange() {
        let isFirst = state.withLock { state in
            defer { state.isChanged = true }
            return !state.isChanged
        }
        if isFirst { post(.changed(at: .now)) }
    }

    /// What changes from now on belongs to the next transaction.
    func beginCut() { state.withLock { $0.isChanged = false } }

    func rested(round: Int, hasSent: Bool) { post(.rested(round: round, hasSent: hasSent)) }

    func failed(because reason: String, isKnown: Bool) {
        post(.failed(because: reason, isKnown: isKnown))
    }

    // MARK: For its own thread

    private func run(_ first: TransactionWorker) {
        var worker = first
        while true {
            let (messages, isStopping) = mailbox.take()
            if isStopping { break }
            worker.step(messages, now: .now)
            publish(worker)
            mailbox.sleep(until: worker.cycle.nextDeadline)
        }
    }

    private func publish(_ worker: TransactionWorker) {
        let status = Status(
            isResolved: worker.cycle.isResolved,
            isIdle: worker.cycle.isIdle,
            isFinished: worker.cycle.isFinished,
            hasUncommitted: worker.cycle.hasUncommitted,
            isStoreFailing: worker.isStoreFailing,
            failure: worker.failure
        )
        state.withLock { $0.status = status }
    }
}

/// Notes that there is something to be committed before records are handed over.
struct TransactionSink: BatchSink {
    let engine: ProducerEngine
    let transactions: TransactionThread

    func submit(_ batches: [ProducerBatch], for listener: any DeliveryListener) {
        transactions.noteChange()
        engine.submit(batches, for: listener)
    }

    func requestMetadata(topics: [String]) { engine.requestMetadata(topics: topics) }
}
