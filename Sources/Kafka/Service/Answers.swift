internal import Synchronization

/// What became of many records that one task waits for.
final class Answers: Sendable {
    private struct State {
        var answers: [RecordWaiter.Answer]
        var missing: Int
    }

    private let state: Mutex<State>
    private let continuation: UnsafeContinuation<[RecordWaiter.Answer], Never>

    init(count: Int, _ continuation: UnsafeContinuation<[RecordWaiter.Answer], Never>) {
        let unanswered = Array(repeating: RecordWaiter.Answer.failure(.closed), count: count)
        self.state = Mutex(State(answers: unanswered, missing: count))
        self.continuation = continuation
    }

    /// Notes one, and resumes the task after the last.
    func note(_ answer: RecordWaiter.Answer, at index: Int) {
        let complete = self.state.withLock { state -> [RecordWaiter.Answer]? in
            state.answers[index] = answer
            state.missing -= 1
            return state.missing == 0 ? state.answers : nil
        }
        // Safe: each record is answered once, so the last answer comes once.
        if let complete { self.continuation.resume(returning: complete) }
    }
}
