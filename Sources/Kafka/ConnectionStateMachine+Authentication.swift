internal import KafkaProtocol
internal import NIOCore

extension ConnectionStateMachine {
    /// Tells what to log in with, as ``Action/getCredentials`` asked for.
    ///
    /// - Parameter nonce: Letters and digits that nobody can guess, new each time.
    package mutating func received(
        credentials: SASLCredentials,
        nonce: String,
        now: ContinuousClock.Instant
    ) {
        guard case .waiting = self.authentication.phase else { return }
        let exchange = SASLExchange(credentials, nonce: nonce)
        self.authentication.phase = .handshaking(credentials, exchange)
        let request = SASLHandshakeRequest(mechanism: credentials.mechanism.rawValue)
        self.sendToLogIn(request, version: 1, now: now)
    }

    /// Tells that there is nothing to log in with.
    package mutating func credentialsFailed(_ reason: String, now: ContinuousClock.Instant) {
        guard case .waiting = self.authentication.phase else { return }
        // A session that lasts goes on; there is time to try again.
        if let session = self.authentication.current?.deferred(now: now) {
            self.authentication.current = session
            self.authentication.phase = .done(session)
            return
        }
        self.refuse(reason)
    }

    mutating func askForCredentials(now: ContinuousClock.Instant) {
        self.authentication.phase = .waiting(deadline: now + self.configuration.requestTimeout)
        self.actions.append(.getCredentials)
    }

    /// The session is about to end, or the credentials did not come in time.
    mutating func authenticationIsDue(now: ContinuousClock.Instant) {
        if case .waiting = self.authentication.phase {
            let timeout = self.configuration.requestTimeout
            self.credentialsFailed("no credentials for SASL within \(timeout)", now: now)
        } else {
            self.askForCredentials(now: now)
        }
    }

    mutating func receivedHandshake(
        _ frame: ByteBuffer,
        now: ContinuousClock.Instant
    ) throws {
        guard case .handshaking(let credentials, let exchange) = self.authentication.phase else {
            return
        }
        let body = try Wire.body(of: frame)
        let answer = try SASLHandshakeRequest.response(from: body, version: 1)
        switch answer.errorCode {
        case .none: break
        case .unsupportedSASLMechanism:
            let offered = answer.mechanisms.joined(separator: ", ")
            return self.refuse(
                "the broker does not offer \(credentials.mechanism.rawValue)"
                    + "; it offers \(offered.isEmpty ? "nothing" : offered)"
            )
        case .illegalSASLState:
            let plain = self.configuration.securityProtocol.usesTLS ? "SSL" : "PLAINTEXT"
            return self.refuse(
                "the broker expects no SASL on this port: security.protocol=\(plain) does without"
            )
        default: return self.refuse("the broker refused to log anyone in: \(answer.errorCode)")
        }
        self.authentication.phase = .exchanging(credentials, exchange)
        self.send(authentication: exchange.firstMessage, now: now)
    }

    mutating func receivedAuthentication(
        _ frame: ByteBuffer,
        now: ContinuousClock.Instant
    ) throws {
        guard case .exchanging(let credentials, var exchange) = self.authentication.phase else {
            return
        }
        let answer = try SASLAuthenticateRequest.response(
            from: try Wire.body(of: frame),
            version: self.authenticateVersion
        )
        guard answer.errorCode == .none else {
            let text = answer.errorMessage.map { ": \($0)" } ?? ": \(answer.errorCode)"
            return self.refuse(
                credentials,
                "the broker refused \(credentials.subject)\(text)"
            )
        }
        do throws(SASLError) {
            let reply = try exchange.received(Array(answer.authBytes.readableBytesView))
            self.authentication.phase = .exchanging(credentials, exchange)
            if let reply { return self.send(authentication: reply, now: now) }
        } catch {
            return self.refuse(credentials, error.reason)
        }
        guard exchange.isComplete else {
            return self.refuse("the broker ended the login before it was complete")
        }
        self.loggedIn(lifetimeMilliseconds: answer.sessionLifetimeMilliseconds, now: now)
    }

    private mutating func loggedIn(
        lifetimeMilliseconds: Int64,
        now: ContinuousClock.Instant
    ) {
        let session = Authentication.Session(
            lifetimeMilliseconds: lifetimeMilliseconds,
            // Connections that began together do not all come back together.
            percent: Int.random(in: 85...95, using: &self.generator),
            now: now
        )
        self.authentication.phase = .done(session)
        self.authentication.current = session
        if case .authenticating(let versions) = self.state {
            self.state = .ready(versions)
            self.actions.append(.ready)
        }
        self.sendHeld(now: now)
    }

    private mutating func send(authentication bytes: [UInt8], now: ContinuousClock.Instant) {
        let request = SASLAuthenticateRequest(authBytes: ByteBuffer(bytes: bytes))
        self.sendToLogIn(request, version: self.authenticateVersion, now: now)
    }

    /// Ends the connection for a reason in the broker's words, which may hold what it was sent.
    private mutating func refuse(_ credentials: SASLCredentials, _ reason: String) {
        self.refuse(credentials.secret.redacted(in: reason))
    }

    private var authenticateVersion: Int16 {
        switch self.state {
        case .authenticating(let versions), .ready(let versions): versions.saslAuthenticate ?? 0
        case .connecting, .negotiating, .closed: 0
        }
    }
}
