/// Something that is looked at now and then, and not at every moment.
///
/// It needs no timer: what a check would have found is made good before the next request is
/// served, with the time that the check would have had.
struct PeriodicCheck: Sendable {
    typealias Instant = ContinuousClock.Instant

    var interval: Duration
    private var last: Instant?

    init(every interval: Duration) {
        self.interval = interval
    }

    /// When the latest check was due that was not made yet; the first moment begins the count.
    mutating func takeDue(now: Instant) -> Instant? {
        guard let last else {
            self.last = now
            return nil
        }
        let count = Int((now - last) / self.interval)
        guard count > 0 else { return nil }
        let due = last + self.interval * count
        self.last = due
        return due
    }
}
