import Testing

@testable import Kafka

@Suite struct KafkaProducerConfigurationTests {
    @Test func `properties have Kafka's names`() throws {
        var configuration = testConfiguration()
        for (name, value) in [
            ("bootstrap.servers", "a:1, [::1]:9093"), ("linger.ms", "20"), ("acks", "all"),
            ("compression.type", "zstd"), ("compression.zstd.level", "3"),
            ("delivery.timeout.ms", "120000"), ("batch.size", "1000000"),
        ] {
            try configuration.set(name, to: value)
        }
        #expect(configuration.bootstrapServers == ["a:1", "[::1]:9093"])
        #expect(configuration.linger == .milliseconds(20))
        #expect(configuration.compressionLevel == 3)
        #expect(configuration.deliveryTimeout == .seconds(120))
        try configuration.validate()
    }

    @Test(arguments: [
        ("linger", "5", "\"linger\" is not a producer property"),
        ("linger.sm", "5", "\"linger.sm\" is not a producer property, did you mean \"linger.ms\"?"),
        ("linger.ms", "soon", "linger.ms must be milliseconds from 0, not \"soon\""),
        ("acks", "2", "acks must be all, 1 or 0, not \"2\""),
        ("bootstrap.servers", "a:0", "bootstrap.servers must be a list of host:port, not \"a:0\""),
    ])
    func `a wrong property says what would be right`(name: String, value: String, text: String) {
        var configuration = testConfiguration()
        #expect(throws: KafkaProducerError.configuration(text)) {
            try configuration.set(name, to: value)
        }
    }

    @Test func `values that contradict each other are refused`() {
        let wrong: [(inout KafkaProducerConfiguration) -> Void] = [
            { $0.acknowledgements = .leader },
            { $0.maxInFlightRequests = 6 },
            { $0.bootstrapServers = [] },
            { $0.batchSize = $0.bufferMemory + 1 },
            { $0.maxRequestSize = $0.bufferMemory + 1 },
        ]
        for change in wrong {
            #expect(throws: KafkaProducerError.self) { try testConfiguration(change).validate() }
        }
        #expect(throws: Never.self) {
            try testConfiguration {
                $0.acknowledgements = .leader
                $0.isIdempotenceEnabled = false
            }.validate()
        }
    }

    @Test(arguments: [
        ("host", "host:9092"), ("host:1", "host:1"), ("[::1]", "[::1]:9092"),
        ("[::1]:7", "[::1]:7"),
    ])
    func `addresses are read`(text: String, expected: String) throws {
        #expect(try BrokerAddress(parsing: text).description == expected)
    }

    @Test(arguments: ["", ":1", "host:", "host:x", "host:65536", "::1", "[::1", "[::1]x"])
    func `what is no address is refused`(text: String) {
        #expect(throws: KafkaProducerError.self) { try BrokerAddress(parsing: text) }
    }
}
