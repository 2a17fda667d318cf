/// How long to wait before the next attempt: twice as long each time, give or take a fifth.
package struct Backoff: Sendable, Equatable {
    package let base: Duration
    package let limit: Duration
    /// Failures in a row.
    package private(set) var failures = 0

    package init(base: Duration, limit: Duration) {
        self.base = base
        self.limit = limit
    }

    package mutating func reset() {
        self.failures = 0
    }

    /// Counts a failure and tells how long to wait after it.
    package mutating func next(using generator: inout SeededGenerator) -> Duration {
        let doublings = min(self.failures, 20)  // 2^20 base units are over any limit
        self.failures &+= 1
        let percent = Int.random(in: 80...120, using: &generator)
        return min(self.base * (1 << doublings), self.limit) * percent / 100
    }
}
