internal import KafkaProtocol
internal import NIOCore

extension BrokerStateMachine {
    /// Who may use the broker; without it everybody may.
    package struct SASLConfiguration: Sendable {
        package var mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
        /// Names and their passwords.
        package var users: [String: String]
        /// What OAUTHBEARER takes.
        package var tokens: Set<String>
        /// After it a client has to log in anew, or is disconnected (KIP-368).
        package var sessionLifetime: Duration?

        package init(
            users: [String: String] = [:],
            tokens: Set<String> = [],
            sessionLifetime: Duration? = nil
        ) {
            self.users = users
            self.tokens = tokens
            self.sessionLifetime = sessionLifetime
        }
    }

    /// Where a connection stands with its login.
    struct Login {
        var exchange: SASLServer?
        var mechanism = ""
        /// Who logged in, and how.
        var identity: Identity?
        var sessionEnd: Instant?
        var attempts = 0
    }

    struct Identity: Equatable {
        var mechanism: String
        var user: String
    }

    /// Serves a request of a login, and ends a connection that needs one.
    ///
    /// - Returns: Whether there is nothing left to do for the request.
    mutating func serveLogin(
        _ header: RequestHeader,
        _ body: ByteBuffer,
        _ to: ReplyAddress,
        now: Instant
    ) throws -> Bool {
        switch header.apiKey {
        case .saslHandshake:
            self.handshake(try .init(body: body, version: header.apiVersion), to, now: now)
            return true
        case .saslAuthenticate:
            self.authenticate(try .init(body: body, version: header.apiVersion), to, now: now)
            return true
        default:
            let needsNone = self.configuration.sasl == nil || header.apiKey == .apiVersions
            if needsNone || self.isLoggedIn(to.connection, now: now) { return false }
            self.close(to.connection, reason: "a request without a login")
            return true
        }
    }

    private func isLoggedIn(_ id: ConnectionID, now: Instant) -> Bool {
        guard let login = self.connections[id]?.login, login.exchange == nil else { return false }
        return login.identity != nil && (login.sessionEnd.map { now < $0 } ?? true)
    }

    private mutating func handshake(
        _ request: SASLHandshakeRequest,
        _ to: ReplyAddress,
        now: Instant
    ) {
        guard let sasl = self.configuration.sasl, var login = self.connections[to.connection]?.login
        else {
            let refusal = SASLHandshakeResponse(errorCode: .illegalSASLState)
            return self.answer(to, SASLHandshakeRequest.self, refusal, now: now)
        }
        login.attempts += 1
        let random = BrokerRandom(
            seed: self.configuration.seed,
            connection: to.connection.number,
            attempt: login.attempts
        )
        guard sasl.mechanisms.contains(request.mechanism),
            let exchange = SASLServer(mechanism: request.mechanism, random: random)
        else {
            let refusal = SASLHandshakeResponse(
                errorCode: .unsupportedSASLMechanism,
                mechanisms: sasl.mechanisms
            )
            self.answer(to, SASLHandshakeRequest.self, refusal, now: now)
            return self.close(to.connection, reason: "an unknown mechanism")
        }
        login.mechanism = request.mechanism
        login.exchange = exchange
        self.connections[to.connection]?.login = login
        let answer = SASLHandshakeResponse(mechanisms: sasl.mechanisms)
        self.answer(to, SASLHandshakeRequest.self, answer, now: now)
    }

    private mutating func authenticate(
        _ request: SASLAuthenticateRequest,
        _ to: ReplyAddress,
        now: Instant
    ) {
        guard let sasl = self.configuration.sasl,
            var exchange = self.connections[to.connection]?.login.exchange
        else {
            let refusal = SASLAuthenticateResponse(errorCode: .illegalSASLState)
            return self.answer(to, SASLAuthenticateRequest.self, refusal, now: now)
        }
        let outcome = exchange.received(Array(request.authBytes.readableBytesView), sasl)
        self.connections[to.connection]?.login.exchange = exchange
        switch outcome {
        case .next(let bytes):
            let answer = SASLAuthenticateResponse(authBytes: ByteBuffer(bytes: bytes))
            self.answer(to, SASLAuthenticateRequest.self, answer, now: now)
        case .accepted(let user, let bytes): self.accept(user, bytes, to, now: now)
        case .refused(let reason): self.refuse(reason, to, now: now)
        }
    }

    private mutating func accept(
        _ user: String,
        _ bytes: [UInt8],
        _ to: ReplyAddress,
        now: Instant
    ) {
        guard var login = self.connections[to.connection]?.login else { return }
        let identity = Identity(mechanism: login.mechanism, user: user)
        guard login.identity == nil || login.identity == identity else {
            return self.refuse("Cannot change principals during re-authentication", to, now: now)
        }
        login.identity = identity
        login.exchange = nil
        let lifetime = self.configuration.sasl?.sessionLifetime
        login.sessionEnd = lifetime.map { now + $0 }
        self.connections[to.connection]?.login = login
        self.loginCount += 1
        let answer = SASLAuthenticateResponse(
            authBytes: ByteBuffer(bytes: bytes),
            sessionLifetimeMilliseconds: lifetime.map { Int64($0 / .milliseconds(1)) } ?? 0
        )
        self.answer(to, SASLAuthenticateRequest.self, answer, now: now)
    }

    private mutating func refuse(_ reason: String, _ to: ReplyAddress, now: Instant) {
        let answer = SASLAuthenticateResponse(
            errorCode: .saslAuthenticationFailed,
            errorMessage: reason
        )
        self.answer(to, SASLAuthenticateRequest.self, answer, now: now)
        self.close(to.connection, reason: reason)
    }
}
