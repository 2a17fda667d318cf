internal import Synchronization

/// Messages for a thread that sleeps while there are none.
///
///     while true {
///         let (messages, isStopping) = mailbox.take()
///         …
///         mailbox.sleep(until: worker.nextDeadline)
///     }
final class Mailbox<Message: Sendable>: Sendable {
    private struct State: Sendable {
        var messages: [Message] = []
        var isSleeping = false
        var isStopping = false
        var isRunning = false
    }

    private let state = Mutex(State())
    private let wakeUp: WakePipe

    /// - Throws: `ServiceError` when the process has no descriptors left.
    init() throws {
        wakeUp = try WakePipe()
    }

    // MARK: For any thread

    /// Appends a message, and wakes the thread if it sleeps.
    func post(_ message: Message) {
        let mustWake = state.withLock { state in
            state.messages.append(message)
            defer { state.isSleeping = false }
            return state.isSleeping
        }
        if mustWake { wakeUp.wake() }
    }

    /// Ends the sleep of the thread: there is something else for it to see.
    func wake() { wakeUp.wake() }

    /// Starts the thread.
    ///
    /// - Throws: `ServiceError` when the process may have no more threads.
    func startThread(name: String, _ body: @escaping @Sendable () -> Void) throws {
        state.withLock { $0.isRunning = true }
        do {
            try Shipping.startThread(name: name) { [self] in
                body()
                state.withLock { $0.isRunning = false }
            }
        } catch {
            state.withLock { $0.isRunning = false }
            throw error
        }
    }

    var isRunning: Bool { state.withLock { $0.isRunning } }

    /// Asks the thread to end; returns when it has.
    func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.wake()
        while isRunning { waitForInput([], until: .now + .milliseconds(1), now: .now) }
    }

    // MARK: For the thread itself

    /// What has come since the last call, and whether the thread is to end.
    func take() -> (messages: [Message], isStopping: Bool) {
        state.withLock { state in
            if state.messages.isEmpty { return ([], state.isStopping) }
            return (exchange(&state.messages, with: []), state.isStopping)
        }
    }

    /// Sleeps until a message comes or the deadline has passed.
    func sleep(until deadline: ContinuousClock.Instant?) {
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
