/// Tells the time of day that a moment has, for timestamps of records and their age.
struct WallClock: Sendable {
    /// Until it is set, the first moment that it is asked about has this time.
    private var milliseconds: Int64 = 1_700_000_000_000
    private var anchor: ContinuousClock.Instant?

    mutating func set(milliseconds: Int64, at now: ContinuousClock.Instant) {
        self.milliseconds = milliseconds
        self.anchor = now
    }

    /// Milliseconds since 1970.
    mutating func milliseconds(at now: ContinuousClock.Instant) -> Int64 {
        guard let anchor else {
            self.anchor = now
            return self.milliseconds
        }
        return self.milliseconds + Int64((now - anchor) / .milliseconds(1))
    }
}
