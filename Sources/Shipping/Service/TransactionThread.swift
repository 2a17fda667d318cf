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
        var messages: [TransactionMessage] = []
        var status = Status()
        /// Whether something was sent or saved since the last cut.
        var isChanged = false
        var isSleeping = false
        var isStopping = false
        var isRunning = false
    }

    private let state = Mutex(State())
    private let wakeUp: WakePipe

    init() throws {
        wakeUp = try WakePipe()
    }

    func start(_ worker: TransactionWorker) throws {
        state.withLock { $0.isRunning = true }
        try startThread(name: "transactions") { [self] in run(worker) }
    }

    /// Ends the thread; what is open stays so.
    func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.wake()
        while state.withLock({ $0.isRunning }) {
            waitForInput([], until: .now + .milliseconds(1), now: .now)
        }
    }

    var status: Status {
        state.withLock { state in
            var status = state.status
            status.isIdle = status.isIdle && !state.isChanged
            return status
        }
    }

    func post(_ message: TransactionMessage) {
        let mustWake = state.withLock { state in
            state.messages.append(message)
            defer { state.isSleeping = false }
            return state.isSleeping
        }
        if mustWake { wakeUp.wake() }
    }

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
            let (messages, isStopping) = state.withLock { state in
                (exchange(&state.messages, with: []), state.isStopping)
            }
            if isStopping { break }
            worker.step(messages, now: .now)
            publish(worker)
            sleep(until: worker.cycle.nextDeadline)
        }
        state.withLock { $0.isRunning = false }
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

    /// Sleeps until a message comes or the deadline has passed.
    private func sleep(until deadline: ContinuousClock.Instant?) {
        let mustSleep = state.withLock { state in
            state.isSleeping = state.messages.isEmpty && !state.isStopping
            return state.isSleeping
        }
        guard mustSleep else { return }
        waitForInput([wakeUp.descriptor], until: deadline, now: .now)
        state.withLock { $0.isSleeping = false }
        wakeUp.drain()
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
