/// How often each latency was met lately, in memory that does not grow.
///
/// Latencies are counted in microseconds: up to 15 exactly, above that in 16 steps for each power of
/// two, so a percentile is at most a sixteenth too high. What takes over 71 minutes counts as that.
/// The windows are those of ``WindowedStatistic``.
struct LatencyHistogram: Sendable, Equatable {
    private static let stepBits = 4
    private static let steps = 1 << stepBits
    private static let longest: UInt64 = (1 << 32) - 1
    static let bucketCount = bucket(of: longest) + 1

    private var current = [UInt32](repeating: 0, count: bucketCount)
    private var previous = [UInt32](repeating: 0, count: bucketCount)
    private var currentStart: ContinuousClock.Instant?
    private var previousStart: ContinuousClock.Instant?

    mutating func record(_ latency: Duration, now: ContinuousClock.Instant) {
        let start = self.currentStart ?? now
        if now - start >= WindowedStatistic.window {
            swap(&self.current, &self.previous)
            for index in self.current.indices { self.current[index] = 0 }
            self.previousStart = start
            self.currentStart = now
        } else {
            self.currentStart = start
        }
        self.current[Self.bucket(of: Self.microseconds(latency))] &+= 1
    }

    /// The latency that `fraction` of all were not above; nil if there was none.
    func percentile(_ fraction: Double, now: ContinuousClock.Instant) -> Duration? {
        let live = self.live(now)
        let total = live.reduce(UInt64(0)) { sum, counts in
            counts.reduce(sum) { $0 + UInt64($1) }
        }
        guard total > 0 else { return nil }
        let rank = max(1, UInt64((Double(total) * fraction).rounded(.up)))
        var seen: UInt64 = 0
        for bucket in 0..<Self.bucketCount {
            for counts in live { seen += UInt64(counts[bucket]) }
            if seen >= rank { return .microseconds(Self.highest(in: bucket)) }
        }
        preconditionFailure("\(total) latencies were counted and \(seen) found")
    }

    private func live(_ now: ContinuousClock.Instant) -> [[UInt32]] {
        var live: [[UInt32]] = []
        if let start = self.previousStart, now - start < WindowedStatistic.memory {
            live.append(self.previous)
        }
        if let start = self.currentStart, now - start < WindowedStatistic.memory {
            live.append(self.current)
        }
        return live
    }

    private static func microseconds(_ latency: Duration) -> UInt64 {
        let (seconds, attoseconds) = latency.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds <= longest / 1_000_000 else { return longest }
        return min(longest, UInt64(seconds) * 1_000_000 + UInt64(attoseconds) / 1_000_000_000_000)
    }

    private static func bucket(of microseconds: UInt64) -> Int {
        guard microseconds >= steps else { return Int(microseconds) }
        let power = 63 - microseconds.leadingZeroBitCount
        let step = microseconds >> UInt64(power - stepBits) & UInt64(steps - 1)
        return (power - stepBits + 1) * steps + Int(step)
    }

    private static func highest(in bucket: Int) -> UInt64 {
        guard bucket >= steps else { return UInt64(bucket) }
        let shift = UInt64(bucket / steps - 1)
        return (UInt64(steps + bucket % steps + 1) << shift) - 1
    }
}
