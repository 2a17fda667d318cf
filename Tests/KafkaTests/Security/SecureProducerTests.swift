import KafkaDevBroker
import KafkaProtocol
import Logging
import Synchronization
import Testing

@testable import Kafka

/// The producer and the embedded broker over real sockets, with certificates made by openssl.
@Suite struct SecureProducerTests {
    private static let files = TestCertificates.all
    private static let user = ["sasl.username": "alice", "sasl.password": "p,=w \u{1F980}"]

    struct Setting: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var broker = DevBroker.Configuration()
        var properties: [String: String] = [:]
    }

    // MARK: What works

    static let good: [Setting] = [
        tls("TLS 1.2") { $0.version = .tls12 },
        tls("TLS 1.3") { $0.version = .tls13 },
        tls("a host by its address", ["bootstrap.servers": "127.0.0.1"]),
        tls(
            "any host",
            certificate: "wrong-host",
            ["ssl.endpoint.identification.algorithm": ""]
        ),
        tls("a client certificate", Self.clientCertificate) {
            $0.clientCA = Self.files.path("ca.pem")
        },
        tls("a client's encrypted key", Self.encryptedKey) {
            $0.clientCA = Self.files.path("ca.pem")
        },
        sasl("PLAIN", Self.user),
        sasl("SCRAM-SHA-256", Self.user),
        sasl("SCRAM-SHA-512", Self.user),
        saslOverTLS("SCRAM-SHA-512", Self.user),
    ]

    private static var clientCertificate: [String: String] {
        [
            "ssl.certificate.location": self.files.path("client.pem"),
            "ssl.key.location": self.files.path("client.key"),
        ]
    }

    private static var encryptedKey: [String: String] {
        [
            "ssl.certificate.location": self.files.path("client.pem"),
            "ssl.key.location": self.files.path("client-encrypted.key"),
            "ssl.key.password": "key password",
        ]
    }

    @Test(arguments: Self.good) func `records arrive`(setting: Setting) async throws {
        try await Self.withProducer(setting) { producer, broker, _ in
            let metadata = try await producer.send(.init(topic: "t", value: "v"))
            #expect(metadata.offset == 0)
            #expect(try await broker.records(topic: "t", partition: 0).count == 1)
        }
    }

    @Test func `a token comes from a file or a function`() async throws {
        var broker = DevBroker.Configuration()
        broker.sasl = .init(tokens: ["token-1"])
        let file = try TestCertificates.makeFile(Array("token-1\n".utf8))
        let bearer = [
            "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER",
        ]
        let fromFile = Setting(
            testDescription: "file",
            broker: broker,
            properties: bearer.merging(["sasl.oauthbearer.token.file": file]) { $1 }
        )
        try await Self.withProducer(fromFile) { producer, _, _ in
            _ = try await producer.send(.init(topic: "t", value: "v"))
        }
        let fromFunction = Setting(
            testDescription: "function",
            broker: broker,
            properties: bearer
        )
        try await Self.withProducer(fromFunction) {
            $0.sasl.oauthBearer.provider = .init {
                OAuthBearerToken(Secret("token-1"), lifetime: .seconds(60))
            }
        } body: { producer, _, _ in
            _ = try await producer.send(.init(topic: "t", value: "v"))
        }
    }

    // MARK: What does not, and what is said

    static let bad: [(Setting, String)] = [
        (tls("an expired certificate", certificate: "expired"), "certificate expired"),
        (tls("another host", certificate: "wrong-host"), "certificate is not for \"localhost\""),
        (
            tls("a stranger's certificate", certificate: "renewed"),
            "not signed by whom ssl.ca.location trusts"
        ),
        (
            tls("a self-signed certificate", certificate: "self-signed"),
            "not signed by whom ssl.ca.location trusts"
        ),
        (
            tls("no client certificate") { $0.clientCA = Self.files.path("ca.pem") },
            // By an alert, or by the end of the connection if that overtakes it.
            "a certificate"
        ),
        (
            tls(
                "a stranger as client",
                [
                    "ssl.certificate.location": Self.files.path("stranger.pem"),
                    "ssl.key.location": Self.files.path("stranger.key"),
                ]
            ) { $0.clientCA = Self.files.path("ca.pem") }, "ssl.certificate.location"
        ),
        (
            tls("TLS of another version", ["ssl.enabled.protocols": "TLSv1.2"]) {
                $0.version = .tls13
            }, "ssl.enabled.protocols"
        ),
        (
            tls("no TLS to a port with it", ["security.protocol": "PLAINTEXT"]),
            "for TLS (security.protocol)"
        ),
        (
            Setting(
                testDescription: "TLS to a port without it",
                properties: ["security.protocol": "SSL"]
            ), "is the port for TLS (security.protocol)?"
        ),
        (
            sasl("PLAIN", ["sasl.username": "alice", "sasl.password": "guess"]),
            "the broker refused user \"alice\" (PLAIN): Authentication failed"
        ),
        (
            sasl("SCRAM-SHA-256", ["sasl.username": "alice", "sasl.password": "guess"]),
            "the broker refused user \"alice\" (SCRAM-SHA-256): Authentication failed"
        ),
        (
            sasl("SCRAM-SHA-512", ["sasl.username": "mallory", "sasl.password": "guess"]),
            "the broker refused user \"mallory\" (SCRAM-SHA-512): Authentication failed"
        ),
        (
            sasl("SCRAM-SHA-512", Self.user, offering: ["PLAIN", "SCRAM-SHA-256"]),
            "does not offer SCRAM-SHA-512; it offers PLAIN, SCRAM-SHA-256"
        ),
        (
            Setting(
                testDescription: "SASL to a port without it",
                properties: Self.user.merging(
                    ["security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"]
                ) { $1 }
            ), "the broker expects no SASL on this port"
        ),
        (
            sasl("no SASL to a port with it", ["security.protocol": "PLAINTEXT"]),
            "is the port for SASL (security.protocol)?"
        ),
        (
            Setting(
                testDescription: "a token that is not taken",
                broker: sasl("PLAIN", Self.user).broker,
                properties: [
                    "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER",
                    "sasl.oauthbearer.token.file": Self.wrongToken,
                ]
            ), "the broker refused the token (OAUTHBEARER): {\"status\":\"invalid_token\"}"
        ),
        (
            Setting(
                testDescription: "a token that is none",
                broker: sasl("PLAIN", Self.user).broker,
                properties: [
                    "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER",
                    "sasl.oauthbearer.token.file": Self.files.path("ca.pem"),
                ]
            ), "the token is not one word"
        ),
    ]

    private static var wrongToken: String {
        (try? TestCertificates.makeFile(Array("token-2".utf8))) ?? "not made"
    }

    @Test(arguments: Self.bad)
    func `what goes wrong is said in words`(setting: Setting, text: String) async throws {
        try await Self.withProducer(setting) { producer, _, log in
            producer.enqueue(.init(topic: "t", value: "v"))
            let reason = await log.firstReason()
            #expect(reason.contains(text), "\(reason)")
        }
    }

    static let unusable: [([String: String], String)] = [
        (["ssl.ca.location": "/not/there"], "ssl.ca.location: /not/there: No such file"),
        (["ssl.ca.location": #filePath], "there is no PEM certificate in it"),
        (
            Self.encryptedKey.merging(["ssl.key.password": "guess"]) { $1 },
            "ssl.key.password does not open it"
        ),
        (
            Self.encryptedKey.filter { $0.key != "ssl.key.password" },
            "it is encrypted, and ssl.key.password is not set"
        ),
        (
            Self.clientCertificate.merging(["ssl.key.location": Self.files.path("server.key")]) {
                $1
            }, "ssl.key.location is not the key of ssl.certificate.location"
        ),
    ]

    @Test(arguments: Self.unusable)
    func `files that cannot be used do not start`(
        properties: [String: String],
        text: String
    ) async throws {
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["localhost"])
        try configuration.set("security.protocol", to: "SSL")
        for (name, value) in properties { try configuration.set(name, to: value) }
        let producer = KafkaProducer(configuration: configuration)
        let error = await #expect(throws: KafkaProducerError.self) { try await producer.run() }
        #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }

    // MARK: What changes while it runs

    @Test func `a session is renewed while records are sent, on the same connection`() async throws
    {
        var setting = Self.sasl("SCRAM-SHA-256", Self.user)
        // Long enough that a busy machine renews it within the last twentieth.
        setting.broker.sasl?.sessionLifetime = .seconds(4)
        try await Self.withProducer(setting) { producer, broker, _ in
            var sent = 0
            while try await broker.loginCount() < 4 {
                _ = try await producer.send(.init(topic: "t", value: "\(sent)"))
                sent += 1
            }
            let values = try await broker.records(topic: "t", partition: 0).map(\.value)
            #expect(values == (0..<sent).map { Array("\($0)".utf8) })
            // One to ask for the cluster, one to send on.
            #expect(try await broker.connectionCount() == 2)
        }
    }

    @Test func `renewed certificates are taken without a restart`() async throws {
        let names = (ca: "ca.pem", certificate: "server.pem", key: "server.key")
        let authority = try TestCertificates.makeFile(Self.files.bytes(names.ca))
        let certificate = try TestCertificates.makeFile(Self.files.bytes(names.certificate))
        let key = try TestCertificates.makeFile(Self.files.bytes(names.key))
        var setting = Setting(
            testDescription: "",
            properties: ["security.protocol": "SSL", "ssl.ca.location": authority]
        )
        setting.broker.tls = .init(certificate: certificate, key: key)
        try await Self.withProducer(setting) { producer, broker, _ in
            _ = try await producer.send(.init(topic: "t", value: "before"))
            try await broker.pause()
            try TestCertificates.replace(authority, Self.files.bytes("renewed-ca.pem"))
            try TestCertificates.replace(certificate, Self.files.bytes("renewed.pem"))
            try TestCertificates.replace(key, Self.files.bytes("renewed.key"))
            _ = try await broker.start()
            let metadata = try await producer.send(.init(topic: "t", value: "after"))
            #expect(metadata.offset == 1)
        }
    }

    @Test func `a password that is mended in its file is taken without a restart`() async throws {
        let file = try TestCertificates.makeFile(Array("guess".utf8))
        let setting = Self.sasl("PLAIN", Self.user)
        try await Self.withProducer(setting) {
            $0.sasl.password = .file(file)
        } body: { producer, _, log in
            async let metadata = producer.send(.init(topic: "t", value: "v"))
            let reason = await log.firstReason()
            #expect(reason.contains("the broker refused user \"alice\""))
            try TestCertificates.replace(file, Array("\(Self.user["sasl.password"] ?? "")\n".utf8))
            #expect(try await metadata.offset == 0)
        }
    }

    // MARK: Helpers

    private static func tls(
        _ name: String,
        certificate: String = "server",
        _ properties: [String: String] = [:],
        _ change: (inout DevBroker.TLS) -> Void = { _ in }
    ) -> Setting {
        var setting = Setting(testDescription: name)
        var tls = DevBroker.TLS(
            certificate: self.files.path("\(certificate).pem"),
            key: self.files.path("\(certificate).key")
        )
        change(&tls)
        setting.broker.tls = tls
        setting.properties = [
            "security.protocol": "SSL", "ssl.ca.location": self.files.path("ca.pem"),
        ]
        setting.properties.merge(properties) { $1 }
        if setting.properties["security.protocol"] == "PLAINTEXT" {
            setting.properties["ssl.ca.location"] = nil
        }
        return setting
    }

    private static func sasl(
        _ mechanism: String,
        _ properties: [String: String],
        offering mechanisms: [String]? = nil
    ) -> Setting {
        var setting = Setting(testDescription: mechanism)
        let password = self.user["sasl.password"] ?? ""
        setting.broker.sasl = .init(users: ["alice": password], tokens: ["token-1"])
        if let mechanisms { setting.broker.sasl?.mechanisms = mechanisms }
        setting.properties = properties
        if properties["security.protocol"] == nil {
            setting.properties["security.protocol"] = "SASL_PLAINTEXT"
            setting.properties["sasl.mechanism"] = mechanism
        }
        return setting
    }

    private static func saslOverTLS(
        _ mechanism: String,
        _ properties: [String: String]
    ) -> Setting {
        var setting = self.sasl(mechanism, properties)
        let encrypted = self.tls(mechanism)
        setting.broker.tls = encrypted.broker.tls
        setting.properties.merge(encrypted.properties) { $1 }
        setting.properties["security.protocol"] = "SASL_SSL"
        return setting
    }

    private static func withProducer(
        _ setting: Setting,
        _ change: (inout KafkaProducerConfiguration) -> Void = { _ in },
        body: (KafkaProducer, DevBroker, ReasonLog) async throws -> Void
    ) async throws {
        var address = setting.broker
        let host = setting.properties["bootstrap.servers"] ?? "localhost"
        address.host = host
        let broker = DevBroker(configuration: address)
        let port = try await broker.start()
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["\(host):\(port)"])
        for (name, value) in setting.properties where name != "bootstrap.servers" {
            try configuration.set(name, to: value)
        }
        if setting.properties["sasl.mechanism"] == "OAUTHBEARER" {
            configuration.sasl.username = nil
        }
        change(&configuration)
        let log = ReasonLog()
        let producer = KafkaProducer(configuration: configuration, logger: log.logger)
        let running = Task { try await producer.run() }
        do {
            try await body(producer, broker, log)
        } catch {
            Issue.record(error)
        }
        running.cancel()
        try await running.value
        await broker.stop()
    }
}

/// Waits for what the producer says is wrong.
private final class ReasonLog: Sendable {
    private let reasons: AsyncStream<String>
    let logger: Logger

    init() {
        let (reasons, continuation) = AsyncStream<String>.makeStream()
        self.reasons = reasons
        self.logger = Logger(label: "test") { _ in Handler(continuation: continuation) }
    }

    func firstReason() async -> String {
        for await reason in self.reasons { return reason }
        return ""
    }

    private struct Handler: LogHandler {
        let continuation: AsyncStream<String>.Continuation
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.warning

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            if let reason = event.metadata?["reason"] { self.continuation.yield("\(reason)") }
        }
    }
}
