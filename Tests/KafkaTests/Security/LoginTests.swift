import KafkaProtocol
import NIOCore
import Testing

@testable import Kafka

@Suite struct LoginTests {
    private static let credentials = SASLCredentials.plain(
        username: "alice",
        password: Secret("hunter2")
    )

    @Test func `versions, credentials, handshake and authentication come before the first request`()
        throws
    {
        var talk = try Talk()
        #expect(talk.machine.nextAction() == .getCredentials)
        talk.machine.received(credentials: Self.credentials, nonce: "n", now: beginning)
        let handshake = try talk.asked(SASLHandshakeRequest.self, version: 1)
        #expect(handshake.mechanism == "PLAIN")
        try talk.answer(SASLHandshakeRequest.self, .init(mechanisms: ["PLAIN"]), version: 1)
        let request = try talk.asked(SASLAuthenticateRequest.self, version: 2)
        #expect(request.authBytes == ByteBuffer(string: "\0alice\0hunter2"))
        try talk.answer(SASLAuthenticateRequest.self, .init(), version: 2)
        #expect(talk.machine.nextAction() == .ready)
        #expect(talk.machine.nextDeadline == nil)
    }

    @Test func `a mechanism that is not offered is refused with those that are`() throws {
        var talk = try Talk()
        _ = talk.machine.nextAction()
        talk.machine.received(
            credentials: .scramSHA512(username: "a", password: Secret("b")),
            nonce: "n",
            now: beginning
        )
        #expect(try talk.asked(SASLHandshakeRequest.self, version: 1).mechanism == "SCRAM-SHA-512")
        let answer = SASLHandshakeResponse(
            errorCode: .unsupportedSASLMechanism,
            mechanisms: ["PLAIN", "SCRAM-SHA-256"]
        )
        try talk.answer(SASLHandshakeRequest.self, answer, version: 1)
        let reason = "the broker does not offer SCRAM-SHA-512; it offers PLAIN, SCRAM-SHA-256"
        #expect(talk.machine.nextAction() == .refuse(reason: reason))
    }

    @Test func `a port without SASL is told from one with it`() throws {
        var talk = try Talk()
        _ = talk.machine.nextAction()
        talk.machine.received(credentials: Self.credentials, nonce: "n", now: beginning)
        _ = try talk.asked(SASLHandshakeRequest.self, version: 1)
        let refusal = SASLHandshakeResponse(errorCode: .illegalSASLState)
        try talk.answer(SASLHandshakeRequest.self, refusal, version: 1)
        let reason =
            "the broker expects no SASL on this port: security.protocol=PLAINTEXT does without"
        #expect(talk.machine.nextAction() == .refuse(reason: reason))
        var other = try Talk(offering: Array(Talk.offered.dropLast(2)))
        let text = "it offers no SASL on this port: security.protocol=PLAINTEXT does without"
        #expect(other.machine.nextAction() == .close(reason: text))
    }

    @Test func `a refusal names the user, and never shows the password`() throws {
        var talk = try Talk()
        try talk.logIn { answer in
            answer.errorCode = .saslAuthenticationFailed
            answer.errorMessage = "hunter2 is\u{1B} wrong"
        }
        let reason = "the broker refused user \"alice\" (PLAIN): (secret) is  wrong"
        #expect(talk.machine.nextAction() == .refuse(reason: reason))
        #expect(talk.machine.nextAction() == nil)
    }

    @Test func `SCRAM is not done before the broker has proven itself`() throws {
        var talk = try Talk()
        _ = talk.machine.nextAction()
        talk.machine.received(
            credentials: .scramSHA256(username: "user", password: Secret("pencil")),
            nonce: "rOprNGfwEbeRWgbNEkqO",
            now: beginning
        )
        _ = try talk.asked(SASLHandshakeRequest.self, version: 1)
        try talk.answer(SASLHandshakeRequest.self, .init(), version: 1)
        _ = try talk.asked(SASLAuthenticateRequest.self, version: 2)
        let challenge =
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        let first = SASLAuthenticateResponse(authBytes: ByteBuffer(string: challenge))
        try talk.answer(SASLAuthenticateRequest.self, first, version: 2)
        let proof = try talk.asked(SASLAuthenticateRequest.self, version: 2).authBytes
        #expect(String(buffer: proof).hasSuffix("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
        let last = ByteBuffer(string: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        try talk.answer(SASLAuthenticateRequest.self, .init(authBytes: last), version: 2)
        #expect(talk.machine.nextAction() == .ready)
    }

    @Test func `a broker that lets the client in without a proof of its own is not believed`()
        throws
    {
        var talk = try Talk()
        _ = talk.machine.nextAction()
        talk.machine.received(
            credentials: .scramSHA256(username: "user", password: Secret("pencil")),
            nonce: "n",
            now: beginning
        )
        _ = try talk.asked(SASLHandshakeRequest.self, version: 1)
        try talk.answer(SASLHandshakeRequest.self, .init(), version: 1)
        _ = try talk.asked(SASLAuthenticateRequest.self, version: 2)
        try talk.answer(SASLAuthenticateRequest.self, .init(), version: 2)
        let reason = "the broker's SCRAM message does not read"
        #expect(talk.machine.nextAction() == .refuse(reason: reason))
    }

    // MARK: Sessions

    @Test func `a session is renewed between requests, and none is lost`() throws {
        var talk = try Talk()
        try talk.logIn { $0.sessionLifetimeMilliseconds = 10_000 }
        #expect(talk.machine.nextAction() == .ready)
        let due = try #require(talk.machine.nextDeadline)
        #expect((.milliseconds(8500) ... .milliseconds(9500)).contains(due - beginning))
        // One request is on its way, and one comes while credentials are fetched.
        talk.machine.send(.producerID, id: 1, now: due)
        _ = try talk.asked(InitProducerIDRequest.self, version: 4)
        talk.machine.timePassed(now: due)
        #expect(talk.machine.nextAction() == .getCredentials)
        talk.machine.send(.producerID, id: 2, now: due)
        _ = try talk.asked(InitProducerIDRequest.self, version: 4)
        talk.machine.received(credentials: Self.credentials, nonce: "n", now: due)
        _ = try talk.asked(SASLHandshakeRequest.self, version: 1)
        // From here on requests wait; answers still come.
        talk.machine.send(.producerID, id: 3, now: due)
        #expect(talk.machine.nextAction() == nil)
        for id in 1...2 {
            try talk.answer(InitProducerIDRequest.self, .init(producerID: 5), version: 4)
            guard case .answered(RequestID(id), _)? = talk.machine.nextAction() else {
                Issue.record("request \(id) was not answered")
                return
            }
        }
        try talk.answer(SASLHandshakeRequest.self, .init(), version: 1)
        _ = try talk.asked(SASLAuthenticateRequest.self, version: 2)
        let answer = SASLAuthenticateResponse(sessionLifetimeMilliseconds: 20_000)
        try talk.answer(SASLAuthenticateRequest.self, answer, version: 2)
        // No second `.ready`: what waited goes on its way.
        _ = try talk.asked(InitProducerIDRequest.self, version: 4)
        try talk.answer(InitProducerIDRequest.self, .init(producerID: 5), version: 4)
        guard case .answered(3, _)? = talk.machine.nextAction() else { throw UnexpectedAction() }
        let next = try #require(talk.machine.nextDeadline)
        #expect(next - beginning >= .seconds(17))
    }

    @Test func `a session that lasts goes on when there are no credentials to renew it`() throws {
        var talk = try Talk()
        try talk.logIn { $0.sessionLifetimeMilliseconds = 100_000 }
        _ = talk.machine.nextAction()
        let due = try #require(talk.machine.nextDeadline)
        talk.machine.timePassed(now: due)
        #expect(talk.machine.nextAction() == .getCredentials)
        talk.machine.credentialsFailed("no token", now: due)
        #expect(talk.machine.nextAction() == nil)
        let left = beginning + .seconds(100) - due
        #expect(talk.machine.nextDeadline == due + left / 4)
        talk.machine.timePassed(now: due + left / 4)
        #expect(talk.machine.nextAction() == .getCredentials)
        talk.machine.credentialsFailed("no token", now: beginning + .milliseconds(99_500))
        #expect(talk.machine.nextAction() == .refuse(reason: "no token"))
    }

    @Test func `a login that is refused when the session is renewed ends the connection`() throws {
        var talk = try Talk()
        try talk.logIn { $0.sessionLifetimeMilliseconds = 10_000 }
        _ = talk.machine.nextAction()
        talk.machine.timePassed(now: try #require(talk.machine.nextDeadline))
        try talk.logIn { $0.errorCode = .saslAuthenticationFailed }
        let reason = "the broker refused user \"alice\" (PLAIN): SASL_AUTHENTICATION_FAILED (58)"
        #expect(talk.machine.nextAction() == .refuse(reason: reason))
    }

    @Test func `credentials that do not come in time refuse the connection`() throws {
        var talk = try Talk()
        #expect(talk.machine.nextAction() == .getCredentials)
        talk.machine.timePassed(now: try #require(talk.machine.nextDeadline))
        let reason = "no credentials for SASL within 30.0 seconds"
        #expect(talk.machine.nextAction() == .refuse(reason: reason))
        // They come all the same.
        talk.machine.received(credentials: Self.credentials, nonce: "n", now: beginning)
        #expect(talk.machine.nextAction() == nil)
    }

    // MARK: Ends

    @Test func `a connection that the broker ends says what may be wrong`() throws {
        var plain = ConnectionStateMachine(configuration: testConfiguration())
        plain.connected(now: beginning)
        plain.opened(now: beginning)
        _ = plain.nextAction()
        plain.ended()
        let first =
            "the broker closed the connection at the first request: is the port for TLS"
            + " (security.protocol)?"
        #expect(plain.nextAction() == .close(reason: first))
        let configuration = testConfiguration { $0.securityProtocol = .ssl }
        var encrypted = ConnectionStateMachine(configuration: configuration)
        encrypted.connected(now: beginning)
        #expect(encrypted.nextDeadline == beginning + .seconds(10))
        encrypted.ended()
        let second =
            "the broker closed the connection before TLS was agreed on: is the port for"
            + " TLS (security.protocol)?"
        #expect(encrypted.nextAction() == .close(reason: second))
        encrypted.ended()
        #expect(encrypted.nextAction() == nil)
        var stranger = ConnectionStateMachine(configuration: configuration)
        stranger.opened(now: beginning)
        _ = stranger.nextAction()
        stranger.ended("the broker reset the connection")
        let third =
            "the broker reset the connection at the first request: does it want a"
            + " certificate (ssl.certificate.location)?"
        #expect(stranger.nextAction() == .close(reason: third))
    }

    @Test func `TLS that is not agreed on in time ends the connection`() {
        let configuration = testConfiguration { $0.securityProtocol = .ssl }
        var machine = ConnectionStateMachine(configuration: configuration)
        machine.connected(now: beginning)
        machine.timePassed(now: beginning + .seconds(10))
        #expect(machine.nextAction() == .close(reason: "no TLS within 10.0 seconds"))
    }

    @Test func `a broker that refuses is asked again after a second, a minute in the end`() throws {
        var talk = try Conversation()
        talk.machine.requestMetadata(topics: ["t"], now: talk.now)
        var waits: [Duration] = []
        for _ in 0..<10 {
            guard case .connect? = talk.next() else { throw UnexpectedAction() }
            let reason = "the broker refused user \"alice\" (PLAIN)"
            talk.machine.connectionClosed(-1, reason: reason, isRefusal: true, now: talk.now)
            #expect(talk.machine.statistics.isRefused)
            #expect(talk.machine.statistics.lastError == "seed:9092: \(reason)")
            #expect(talk.next() == nil)
            let due = try #require(talk.machine.brokers[-1]?.notBefore)
            waits.append(due - talk.now)
            while talk.now < due {
                #expect(talk.next() == nil)
                try talk.wait()
            }
        }
        #expect((.milliseconds(800) ... .milliseconds(1200)).contains(waits[0]))
        #expect((.seconds(48) ... .seconds(72)).contains(waits[9]))
    }
}

/// A client that has to log in, and its broker's side.
private struct Talk {
    static let offered =
        ConnectionStateMachineTests.offered + [
            .init(apiKey: .saslHandshake, minVersion: 0, maxVersion: 1),
            .init(apiKey: .saslAuthenticate, minVersion: 0, maxVersion: 2),
        ]

    var machine: ConnectionStateMachine
    private var correlationIDs: [Int32] = []

    /// The versions are agreed on.
    init(offering versions: [ApiVersionsResponse.ApiVersion] = Self.offered) throws {
        let configuration = testConfiguration { $0.securityProtocol = .saslPlaintext }
        self.machine = ConnectionStateMachine(configuration: configuration, seed: 3)
        self.machine.opened(now: beginning)
        _ = try self.asked(ApiVersionsRequest.self, version: 3)
        try self.answer(ApiVersionsRequest.self, .init(apiKeys: versions), version: 3)
    }

    /// Logs in with PLAIN; the last answer is changed by `change`.
    mutating func logIn(_ change: (inout SASLAuthenticateResponse) -> Void) throws {
        #expect(self.machine.nextAction() == .getCredentials)
        let credentials = SASLCredentials.plain(username: "alice", password: Secret("hunter2"))
        self.machine.received(credentials: credentials, nonce: "n", now: beginning)
        _ = try self.asked(SASLHandshakeRequest.self, version: 1)
        try self.answer(SASLHandshakeRequest.self, .init(), version: 1)
        _ = try self.asked(SASLAuthenticateRequest.self, version: 2)
        var answer = SASLAuthenticateResponse()
        change(&answer)
        try self.answer(SASLAuthenticateRequest.self, answer, version: 2)
    }

    /// The request that is written next.
    mutating func asked<Request: KafkaRequest>(
        _ type: Request.Type,
        version: Int16
    ) throws -> Request {
        let action = self.machine.nextAction()
        guard case .write(let pieces)? = action else {
            Issue.record("\(String(describing: action))")
            throw UnexpectedAction()
        }
        var frame = ByteBuffer()
        for piece in pieces { frame.writeImmutableBuffer(piece) }
        frame.moveReaderIndex(forwardBy: 4)
        let header = try RequestHeader(from: &frame) { _, version in Request.isFlexible(version) }
        #expect(header.apiKey == Request.apiKey)
        #expect(header.apiVersion == version)
        self.correlationIDs.append(header.correlationID)
        return try Request(body: frame, version: version)
    }

    /// Answers the oldest request.
    mutating func answer<Request: KafkaRequest>(
        _ type: Request.Type,
        _ response: Request.Response,
        version: Int16
    ) throws {
        let pieces = try Request.frame(
            response,
            version: version,
            correlationID: self.correlationIDs.removeFirst()
        )
        var frame = ByteBuffer()
        for piece in pieces { frame.writeImmutableBuffer(piece) }
        frame.moveReaderIndex(forwardBy: 4)
        self.machine.received(frame.slice(), now: beginning)
    }
}
