internal import Synchronization

/// Runs asynchronous work to its end on a thread that is not part of any event loop.
package func waiting<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) throws -> T {
    let result = Mutex<Result<T, any Error>?>(nil)
    let done = try WakePipe()
    let shared = WaitingResult(result: result, done: done)
    Task.detached {
        do { shared.finish(.success(try await work())) } catch { shared.finish(.failure(error)) }
    }
    return try shared.wait()
}

private final class WaitingResult<T: Sendable>: Sendable {
    private let result: Mutex<Result<T, any Error>?>
    private let done: WakePipe

    init(result: consuming Mutex<Result<T, any Error>?>, done: WakePipe) {
        self.result = result
        self.done = done
    }

    func finish(_ value: Result<T, any Error>) {
        result.withLock { $0 = value }
        done.wake()
    }

    func wait() throws -> T {
        while true {
            if let value = result.withLock({ $0 }) { return try value.get() }
            waitForInput([done.descriptor], until: nil, now: .now)
        }
    }
}
