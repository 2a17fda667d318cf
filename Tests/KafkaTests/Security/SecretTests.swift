import Testing

@testable import Kafka

@Suite struct SecretTests {
    private static let secrets = ["key-hunter2", "sasl-hunter2", "client-hunter2", "token-hunter2"]

    @Test func `no secret of a configuration is in anything that can be printed`() throws {
        var configuration = testConfiguration()
        configuration.securityProtocol = .saslSSL
        configuration.tls.keyPassword = Secret(Self.secrets[0])
        configuration.sasl.username = "alice"
        configuration.sasl.password = Secret(Self.secrets[1])
        configuration.sasl.oauthBearer.clientSecret = Secret(Self.secrets[2])
        let token = OAuthBearerToken(Secret(Self.secrets[3]))
        configuration.sasl.oauthBearer.provider = OAuthBearerTokenProvider { token }
        let text = Self.allText(of: configuration) + Self.allText(of: token)
        #expect(text.contains("alice"))
        #expect(text.contains("(secret)"))
        #expect(!text.contains("hunter2"))
    }

    @Test func `no secret is in an error about the property that it is set for`() throws {
        for name in KafkaProducerConfiguration.propertyNames + ["sasl.jaas.config", "sasl.pasword"]
        {
            var configuration = testConfiguration()
            let value = "username=\"a\" password=\"hunter2\""
            let error = Result { try configuration.set(name, to: value) }
            guard case .failure(let error) = error else { continue }
            // What is no secret may be shown, or nobody would find the mistake.
            let isShown =
                !name.contains("pas") && !name.contains("secret") && !name.contains("jaas")
            #expect(isShown || !Self.allText(of: error).contains("hunter2"), "\(name)")
        }
    }

    @Test func `no secret is in an error about a combination`() throws {
        for (properties, _) in SecurityConfigurationTests.contradictions {
            var configuration = try SecurityConfigurationTests.configuration(properties)
            if configuration.sasl.password == nil, configuration.sasl.username == nil {
                configuration.sasl.oauthBearer.clientSecret = Secret("hunter2")
            }
            configuration.tls.keyPassword = Secret("hunter2")
            let error = #expect(throws: KafkaProducerError.self) { try configuration.validate() }
            #expect(!Self.allText(of: error as Any).contains("hunter2"))
        }
    }

    @Test func `no secret is in credentials, exchanges or requests that are dumped`() throws {
        let password = Secret("hunter2")
        let all: [SASLCredentials] = [
            .plain(username: "alice", password: password),
            .scramSHA256(username: "alice", password: password),
            .scramSHA512(username: "alice", password: password),
            .oauthBearer(token: password, extensions: [:]),
        ]
        let challenge = "r=nonce1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        for credentials in all {
            var exchange = SASLExchange(credentials, nonce: "nonce")
            #expect(!Self.allText(of: exchange).contains("hunter2"))
            _ = try? exchange.received(Array(challenge.utf8))
            let text = Self.allText(of: credentials) + Self.allText(of: exchange)
            #expect(!text.contains("hunter2"))
        }
        let address = try #require(HTTPSAddress("https://id.example/token"))
        let request = TokenRequest(
            address: address,
            clientID: "me",
            clientSecret: password,
            scope: nil,
            encodesHeader: false
        )
        #expect(request.headers.contains { $0.value == "Basic bWU6aHVudGVyMg==" })
        #expect(!Self.allText(of: request).contains("bWU6aHVudGVyMg"))
    }

    @Test func `a property that is a secret can be set without its text`() throws {
        var configuration = testConfiguration()
        try configuration.set("sasl.password", to: Secret.file("/run/secrets/kafka"))
        #expect(configuration.sasl.password == .file("/run/secrets/kafka"))
        #expect(throws: KafkaProducerError.self) {
            try configuration.set("linger.ms", to: Secret("5"))
        }
    }

    /// What a person, a log or a debugger can make of a value.
    private static func allText(of value: Any) -> String {
        var dumped = ""
        dump(value, to: &dumped)
        return
            "\(value) \(String(reflecting: value)) \(dumped) \(self.children(of: value, depth: 0))"
    }

    private static func children(of value: Any, depth: Int) -> String {
        guard depth < 20 else { return "" }
        return Mirror(reflecting: value).children.map { label, child in
            "\(label ?? "") \(child) \(self.children(of: child, depth: depth + 1))"
        }.joined(separator: " ")
    }
}
