import KafkaDevBroker
import KafkaProtocol
import NIOCore
import Testing

@Suite struct LoginTests {
    private static func conversation(session: Duration? = nil) -> Conversation {
        let talk = Conversation()
        talk.broker.configuration.sasl = .init(
            users: ["alice": "secret", "bob": "secret"],
            tokens: ["token-1"],
            sessionLifetime: session
        )
        return talk
    }

    private static func plain(_ user: String, _ password: String) -> SASLAuthenticateRequest {
        SASLAuthenticateRequest(authBytes: ByteBuffer(string: "\0\(user)\0\(password)"))
    }

    private static func logIn(
        _ talk: Conversation,
        as user: String = "alice",
        _ password: String = "secret"
    ) throws -> SASLAuthenticateResponse {
        let handshake = try talk.ask(SASLHandshakeRequest(mechanism: "PLAIN"))
        #expect(handshake.errorCode == .none)
        return try talk.ask(self.plain(user, password))
    }

    @Test func `a request without a login ends the connection, but for ApiVersions`() throws {
        let talk = Self.conversation()
        let request = ApiVersionsRequest(
            clientSoftwareName: "test",
            clientSoftwareVersion: "1"
        )
        let versions = try talk.ask(request, version: 3)
        #expect(versions.versions(of: .saslHandshake) == 1...1)
        #expect(versions.versions(of: .saslAuthenticate) == 0...2)
        try talk.send(MetadataRequest(topics: []))
        #expect(talk.next() == .close(talk.connection, reason: "a request without a login"))
    }

    @Test func `after a login requests are answered`() throws {
        let talk = Self.conversation()
        let answer = try Self.logIn(talk)
        #expect(answer.errorCode == .none)
        #expect(answer.sessionLifetimeMilliseconds == 0)
        #expect(try talk.ask(MetadataRequest(topics: [])).brokers.count == 1)
        // Nobody else is logged in by that.
        try talk.send(MetadataRequest(topics: []), from: talk.other)
        #expect(talk.next() == .close(talk.other, reason: "a request without a login"))
    }

    @Test(arguments: [("alice", "guess"), ("mallory", "secret"), ("", "")])
    func `a wrong name or password is refused, and the connection ended`(
        user: String,
        password: String
    ) throws {
        let talk = Self.conversation()
        let answer = try Self.logIn(talk, as: user, password)
        #expect(answer.errorCode == .saslAuthenticationFailed)
        let text = "Authentication failed: Invalid username or password"
        #expect(answer.errorMessage == text)
        #expect(talk.next() == .close(talk.connection, reason: text))
    }

    @Test func `a mechanism that is not there is refused with those that are`() throws {
        let talk = Self.conversation()
        let answer = try talk.ask(SASLHandshakeRequest(mechanism: "GSSAPI"))
        #expect(answer.errorCode == .unsupportedSASLMechanism)
        let names = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
        #expect(answer.mechanisms == names)
    }

    @Test func `a session that has ended ends the connection, unless it was renewed`() throws {
        let talk = Self.conversation(session: .seconds(10))
        #expect(try Self.logIn(talk).sessionLifetimeMilliseconds == 10_000)
        talk.now += .seconds(9)
        #expect(try Self.logIn(talk).errorCode == .none)
        talk.now += .seconds(9)
        #expect(try talk.ask(MetadataRequest(topics: [])).brokers.count == 1)
        talk.now += .seconds(1)
        try talk.send(MetadataRequest(topics: []))
        #expect(talk.next() == .close(talk.connection, reason: "a request without a login"))
    }

    @Test func `a session is not renewed for another user`() throws {
        let talk = Self.conversation(session: .seconds(10))
        _ = try Self.logIn(talk)
        let answer = try Self.logIn(talk, as: "bob")
        #expect(answer.errorCode == .saslAuthenticationFailed)
        let text = "Cannot change principals during re-authentication"
        #expect(answer.errorMessage == text)
    }

    @Test func `without users a login is an error, as on Kafka's listeners without SASL`() throws {
        let talk = Conversation()
        let handshake = try talk.ask(SASLHandshakeRequest(mechanism: "PLAIN"))
        #expect(handshake.errorCode == .illegalSASLState)
        let answer = try talk.ask(Self.plain("alice", "secret"))
        #expect(answer.errorCode == .illegalSASLState)
    }

    @Test func `a token is taken or refused in two steps`() throws {
        let talk = Self.conversation()
        func bearer(_ token: String) -> SASLAuthenticateRequest {
            let text = "n,,\u{1}auth=Bearer \(token)\u{1}\u{1}"
            return SASLAuthenticateRequest(authBytes: ByteBuffer(string: text))
        }
        _ = try talk.ask(SASLHandshakeRequest(mechanism: "OAUTHBEARER"))
        #expect(try talk.ask(bearer("token-1")) == SASLAuthenticateResponse())
        _ = try talk.ask(SASLHandshakeRequest(mechanism: "OAUTHBEARER"), from: talk.other)
        let first = try talk.ask(bearer("token-2"), from: talk.other)
        #expect(first.errorCode == .none)
        #expect(String(buffer: first.authBytes) == "{\"status\":\"invalid_token\"}")
        let end = SASLAuthenticateRequest(authBytes: ByteBuffer(string: "\u{1}"))
        let second = try talk.ask(end, from: talk.other)
        #expect(second.errorCode == .saslAuthenticationFailed)
    }
}
