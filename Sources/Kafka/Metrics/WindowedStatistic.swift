/// What was measured lately, over two windows of 30 seconds, and in all.
///
/// The windows are those of Kafka's clients (`metrics.sample.window.ms` 30,000 and
/// `metrics.num.samples` 2): one is being filled, the one before it still counts, and what is older
/// than a minute does not. Times do not go back.
struct WindowedStatistic: Sendable, Equatable {
    static let window = Duration.seconds(30)

    /// How old a window may be that counts.
    static let memory = window * 2

    private struct Sample: Sendable, Equatable {
        var start: ContinuousClock.Instant
        var sum = 0.0
        var count: Int64 = 0
        var maximum = -Double.infinity
    }

    private var current: Sample?
    private var previous: Sample?
    /// All values added up, since the beginning.
    private(set) var total = 0.0
    /// How many values there were, since the beginning.
    private(set) var count: Int64 = 0

    /// Takes a value.
    mutating func record(_ value: Double, now: ContinuousClock.Instant) {
        self.record(sum: value, count: 1, maximum: value, now: now)
    }

    /// Takes several values at once.
    mutating func record(
        sum: Double,
        count: Int64,
        maximum: Double,
        now: ContinuousClock.Instant
    ) {
        var sample = self.current ?? Sample(start: now)
        if now - sample.start >= Self.window {
            self.previous = sample
            sample = Sample(start: now)
        }
        sample.sum += sum
        sample.count += count
        sample.maximum = max(sample.maximum, maximum)
        self.current = sample
        self.total += sum
        self.count += count
    }

    /// The sum of the values for each second.
    func rate(now: ContinuousClock.Instant) -> Double {
        self.perSecond(now) { $0.sum }
    }

    /// How many values came in a second.
    func countRate(now: ContinuousClock.Instant) -> Double {
        self.perSecond(now) { Double($0.count) }
    }

    /// NaN if there was none.
    func average(now: ContinuousClock.Instant) -> Double {
        let live = self.live(now)
        let count = live.reduce(0) { $0 + $1.count }
        return count == 0 ? .nan : live.reduce(0) { $0 + $1.sum } / Double(count)
    }

    /// NaN if there was none.
    func maximum(now: ContinuousClock.Instant) -> Double {
        self.live(now).map(\.maximum).max() ?? .nan
    }

    private func live(_ now: ContinuousClock.Instant) -> [Sample] {
        [self.previous, self.current].compactMap { $0 }.filter {
            now - $0.start < Self.memory
        }
    }

    private func perSecond(_ now: ContinuousClock.Instant, _ part: (Sample) -> Double) -> Double {
        let live = self.live(now)
        guard let first = live.first else { return 0 }
        var elapsed = now - first.start
        // A first window that is not full yet would make a rate of a moment: an empty one before
        // it is taken to have passed.
        if elapsed < Self.window { elapsed += Self.window }
        return live.reduce(0) { $0 + part($1) } / (elapsed / .seconds(1))
    }
}
