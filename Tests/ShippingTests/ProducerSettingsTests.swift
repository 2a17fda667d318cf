import Kafka
import Testing

@testable import Shipping

struct ProducerSettingsTests {
    private static let login = [
        "security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=a",
    ]

    private func configuration(_ properties: String...) throws -> KafkaProducerConfiguration {
        try ProducerSettings(
            bootstrapServers: "broker:9092",
            properties: Self.login + properties
        ) { name in name == "PASSWORD" ? "from the environment" : nil }.configuration
    }

    @Test func `a password is text, a file, or an environment variable`() throws {
        #expect(try configuration("sasl.password=a=b(c)").sasl.password == Secret("a=b(c)"))
        for property in [
            "sasl.password=secret.file(\"/run/p\")", "sasl.password=secret.file(/run/p)",
        ] {
            #expect(try configuration(property).sasl.password == .file("/run/p"))
        }
        let property = "sasl.password=secret.env(\"PASSWORD\")"
        #expect(try configuration(property).sasl.password == Secret("from the environment"))
    }

    @Test(arguments: [
        ("sasl.password=secret.env(\"NONE\")", "sasl.password: NONE is not in the environment"),
        ("transactional.id=tx", "Forktail sends without transactions"),
        ("linger.ms=secret.file(\"/x\")", "linger.ms is no secret"),
        ("sasl.password:hunter2", "found \"sasl.password\" without \"=\""),
        ("sasl.pasword=hunter2", "did you mean \"sasl.password\"?"),
        (
            "sasl.jaas.config=password=hunter2",
            "set sasl.mechanism, sasl.username and sasl.password"
        ),
    ])
    func `what cannot be used is named, but not shown`(property: String, text: String) {
        let error = #expect(throws: ServiceError.self) { try configuration(property) }
        #expect(error?.exitCode == .configuration)
        #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("hunter2") == false)
    }
}
