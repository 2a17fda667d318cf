import Testing

@testable import Kafka

@Suite struct SecurityConfigurationTests {
    private static let password = "correct horse"

    @Test func `the properties have the names of Java and of librdkafka`() throws {
        let configuration = try Self.configuration([
            ("security.protocol", "sasl_ssl"), ("ssl.truststore.location", "/ca.pem"),
            ("ssl.truststore.type", "PEM"), ("ssl.keystore.location", "/both.pem"),
            ("ssl.key.password", "k"), ("ssl.endpoint.identification.algorithm", ""),
            ("ssl.enabled.protocols", "TLSv1.3"), ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.username", "alice"), ("sasl.password", Self.password),
        ])
        try configuration.validate()
        #expect(configuration.securityProtocol == .saslSSL)
        #expect(configuration.tls.caLocation == "/ca.pem")
        #expect(configuration.tls.certificateLocation == "/both.pem")
        #expect(configuration.tls.keyLocation == "/both.pem")
        #expect(configuration.tls.keyPassword == Secret("k"))
        #expect(!configuration.tls.verifiesHostname)
        #expect(configuration.tls.enabledVersions == [.tls13])
        #expect(configuration.sasl.mechanism == .scramSHA512)
        #expect(configuration.sasl.password == Secret(Self.password))
    }

    @Test func `a token comes from a file, an endpoint or a function`() throws {
        let file = try Self.configuration([
            ("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.oauthbearer.token.endpoint.url", "file:///run/token"),
            ("sasl.oauthbearer.extensions", "logicalCluster=c1, pool=p=2"),
        ])
        try file.validate()
        #expect(file.sasl.oauthBearer.tokenFile == "/run/token")
        #expect(file.sasl.oauthBearer.extensions == ["logicalCluster": "c1", "pool": "p=2"])
        let endpoint = try Self.configuration([
            ("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.oauthbearer.token.endpoint.url", "https://id.example/token"),
            ("sasl.oauthbearer.client.credentials.client.id", "me"),
            ("sasl.oauthbearer.client.secret", "s"), ("sasl.oauthbearer.scope", "kafka"),
        ])
        try endpoint.validate()
        var function = try Self.configuration([
            ("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER"),
        ])
        function.sasl.oauthBearer.provider = .init { OAuthBearerToken(Secret("t")) }
        try function.validate()
        let copy = function
        #expect(copy == function)
    }

    /// What is wrong, by what it is set to, and what the error has to name.
    static let contradictions: [([(String, String)], String)] = [
        (
            [("security.protocol", "SASL_SSL")],
            "security.protocol=SASL_SSL needs sasl.mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512,"
                + " OAUTHBEARER"
        ),
        (
            [("security.protocol", "SASL_SSL"), ("sasl.mechanism", "PLAIN")],
            "sasl.mechanism=PLAIN needs sasl.username and sasl.password"
        ),
        (
            [
                ("security.protocol", "SASL_SSL"), ("sasl.mechanism", "SCRAM-SHA-256"),
                ("sasl.username", "a"),
            ], "sasl.mechanism=SCRAM-SHA-256 needs sasl.password"
        ),
        (
            [("sasl.username", "a")],
            "sasl.* is set, but security.protocol is PLAINTEXT: SASL_PLAINTEXT uses it"
        ),
        (
            [("security.protocol", "SSL"), ("sasl.username", "a")],
            "sasl.* is set, but security.protocol is SSL: SASL_SSL uses it"
        ),
        (
            [("ssl.ca.location", "/ca.pem")],
            "ssl.* is set, but security.protocol is PLAINTEXT: SSL uses it"
        ),
        (
            [("security.protocol", "SSL"), ("ssl.certificate.location", "/c")],
            "ssl.certificate.location needs ssl.key.location"
        ),
        (
            [("security.protocol", "SSL"), ("ssl.key.location", "/k")],
            "ssl.key.location needs ssl.certificate.location"
        ),
        (
            [("security.protocol", "SSL"), ("ssl.key.password", "x")],
            "ssl.key.password needs ssl.key.location"
        ),
        (
            [("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER")],
            "sasl.mechanism=OAUTHBEARER needs either sasl.oauthbearer.token.file or"
                + " sasl.oauthbearer.token.endpoint.url"
        ),
        (
            [
                ("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER"),
                ("sasl.oauthbearer.token.endpoint.url", "https://id/t"),
            ],
            "sasl.oauthbearer.token.endpoint.url needs sasl.oauthbearer.client.id and"
                + " sasl.oauthbearer.client.secret"
        ),
    ]

    @Test(arguments: Self.contradictions)
    func `a combination that cannot work says what is missing`(
        properties: [(String, String)],
        text: String
    ) throws {
        let configuration = try Self.configuration(properties)
        #expect(throws: KafkaProducerError.configuration(text)) { try configuration.validate() }
    }

    @Test(arguments: [
        ("security.protocol", "TLS", "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("sasl.mechanism", "GSSAPI", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"),
        ("ssl.enabled.protocols", "TLSv1.1", "TLSv1.2, TLSv1.3 or both"),
        ("ssl.endpoint.identification.algorithm", "ldaps", "https, or empty"),
        ("ssl.truststore.type", "JKS", "PEM"),
        ("ssl.truststore.password", "changeit", "give PEM files"),
        ("sasl.oauthbearer.token.endpoint.url", "http://id/t", "https://host/path"),
        ("sasl.oauthbearer.extensions", "auth=x", "other than \"auth\""),
        ("sasl.jaas.config", "x", "set sasl.mechanism, sasl.username and sasl.password"),
    ])
    func `a wrong value says what would be right`(name: String, value: String, text: String) {
        var configuration = testConfiguration()
        let error = #expect(throws: KafkaProducerError.self) {
            try configuration.set(name, to: value)
        }
        #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("https://id.example/token?a=1#x", "id.example", 443, "/token?a=1", "id.example"),
        ("https://id.example:8443", "id.example", 8443, "/", "id.example:8443"),
        ("https://[::1]:8443/t", "::1", 8443, "/t", "[::1]:8443"),
        ("https://[::1]?a", "::1", 443, "/?a", "[::1]"),
    ])
    func `an endpoint's address is taken apart`(
        text: String,
        host: String,
        port: Int,
        target: String,
        authority: String
    ) throws {
        let address = try #require(HTTPSAddress(text))
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(address.target == target)
        #expect(address.authority == authority)
    }

    @Test(arguments: ["https://", "https://a b/", "https://u:p@host/", "https://host:0/", "x"])
    func `what is no address of an endpoint is refused`(text: String) {
        #expect(HTTPSAddress(text) == nil)
    }

    @Test func `a token is asked for as RFC 6749 has it`() throws {
        let address = try #require(HTTPSAddress("https://id.example/token"))
        func request(_ encodes: Bool) -> TokenRequest {
            TokenRequest(
                address: address,
                clientID: "my id",
                clientSecret: Secret("a+b"),
                scope: "kafka write",
                encodesHeader: encodes
            )
        }
        let plain = request(false)
        let body = "grant_type=client_credentials&scope=kafka+write"
        #expect(plain.body == Array(body.utf8))
        func authorization(_ request: TokenRequest) -> String? {
            request.headers.first { $0.name == "Authorization" }?.value
        }
        #expect(authorization(plain) == "Basic bXkgaWQ6YSti")
        #expect(authorization(request(true)) == "Basic bXkraWQ6YSUyQmI=")
        #expect(plain.headers.first { $0.name == "Content-Length" }?.value == "\(body.utf8.count)")
    }

    static func configuration(
        _ properties: [(String, String)]
    ) throws -> KafkaProducerConfiguration {
        var configuration = testConfiguration()
        for (name, value) in properties { try configuration.set(name, to: value) }
        return configuration
    }
}
