internal import KafkaProtocol

/// Where a connection stands with its login, and when that has to be done again.
///
/// Credentials are asked for first: while they come, a session that still lasts goes on with its
/// work. Then handshake and exchange follow each other without a request between them.
struct Authentication {
    enum Phase {
        case unneeded
        /// Credentials are asked for until then.
        case waiting(deadline: ContinuousClock.Instant)
        case handshaking(SASLCredentials, SASLExchange)
        case exchanging(SASLCredentials, SASLExchange)
        case done(Session?)
    }

    /// What a broker allows for a time (KIP-368).
    struct Session: Equatable {
        let renewAt: ContinuousClock.Instant
        let end: ContinuousClock.Instant

        /// - Parameter percent: 85 to 95, not the same for all connections.
        init?(lifetimeMilliseconds: Int64, percent: Int, now: ContinuousClock.Instant) {
            guard lifetimeMilliseconds > 0 else { return nil }
            let lifetime = Duration.milliseconds(lifetimeMilliseconds)
            self.end = now + lifetime
            self.renewAt = now + lifetime * percent / 100
        }

        private init(renewAt: ContinuousClock.Instant, end: ContinuousClock.Instant) {
            self.renewAt = renewAt
            self.end = end
        }

        /// The same session, to be renewed after a quarter of what is left of it; nil once that is
        /// too short for an attempt.
        func deferred(now: ContinuousClock.Instant) -> Session? {
            let left = self.end - now
            guard left > .seconds(1) else { return nil }
            return Session(renewAt: now + left / 4, end: self.end)
        }
    }

    var phase = Phase.unneeded
    /// The session that goes on while credentials for the next one are fetched.
    var current: Session?

    /// Whether requests have to wait.
    var holdsRequests: Bool {
        switch self.phase {
        case .handshaking, .exchanging: true
        case .unneeded, .waiting, .done: false
        }
    }

    var deadline: ContinuousClock.Instant? {
        switch self.phase {
        case .waiting(let deadline): deadline
        case .done(let session): session?.renewAt
        case .unneeded, .handshaking, .exchanging: nil
        }
    }
}
