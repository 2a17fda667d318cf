import Synchronization

/// Keeps the records that are on their way within a limit.
///
/// One task sends; records are settled on any thread.
final class Window: Sendable {
    private struct Waiter {
        let target: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    let limit: Int
    private let settledSoFar = Atomic(0)
    /// What a waiter waits for, or never.
    private let target = Atomic(Int.max)
    private let waiter = Mutex<Waiter?>(nil)

    init(limit: Int) {
        self.limit = limit
    }

    var settledCount: Int { self.settledSoFar.load(ordering: .sequentiallyConsistent) }

    func isFull(after sent: Int) -> Bool {
        sent - self.settledSoFar.load(ordering: .relaxed) >= self.limit
    }

    func settled() {
        let count = self.settledSoFar.add(1, ordering: .sequentiallyConsistent).newValue
        guard count >= self.target.load(ordering: .sequentiallyConsistent) else { return }
        self.resume()
    }

    /// Waits until half of the limit is free, for a sender that goes on record by record would be
    /// woken for each.
    func makeRoom(after sent: Int) async {
        let target = sent - self.limit / 2
        await withCheckedContinuation { continuation in
            self.waiter.withLock { $0 = Waiter(target: target, continuation: continuation) }
            self.target.store(target, ordering: .sequentiallyConsistent)
            if self.settledCount >= target { self.resume() }
        }
    }

    private func resume() {
        let continuation = self.waiter.withLock { waiter -> CheckedContinuation<Void, Never>? in
            guard let ready = waiter, ready.target <= self.settledCount else { return nil }
            self.target.store(.max, ordering: .sequentiallyConsistent)
            waiter = nil
            return ready.continuation
        }
        continuation?.resume()
    }
}
