import Foundation
import KafkaDevBroker
import KafkaProtocol
import Logging
import Testing

@testable import Kafka

/// A cluster is asked over sockets.
struct ClusterInquiryTests {
    private static func ask(
        port: Int,
        topics: [String],
        transactionalID: String? = nil,
        _ properties: [String: String] = [:]
    ) async throws -> ClusterStanding {
        var configuration = KafkaProducerConfiguration(bootstrapServers: ["127.0.0.1:\(port)"])
        for (name, value) in properties { try configuration.set(name, to: value) }
        let asked = configuration
        // It waits, for which it needs a thread of its own.
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        try ClusterInquiry.ask(
                            asked,
                            topics: topics,
                            transactionalID: transactionalID,
                            patience: .seconds(60),
                            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                        )
                    }
                )
            }
        }
    }

    @Test func `topics and rights are as the broker has them, and nothing is made`() async throws {
        var settings = DevBroker.Configuration()
        settings.denials = [
            Denial(.write, .topic("shut")), Denial(.read, .topic("open")),
            Denial(.describe, .topic("hidden")), Denial(.describe, .transactionalID("tx")),
        ]
        let broker = DevBroker(configuration: settings)
        let port = try await broker.start()
        try await broker.createTopic("open", partitions: 3)
        try await broker.createTopic("shut", partitions: 1)
        let topics = ["open", "shut", "hidden", "absent"]
        let standing = try await Self.ask(port: port, topics: topics, transactionalID: "tx")
        #expect(standing.topics["open"]?.partitionCount == 3)
        let rights = topics.map { standing.topics[$0]?.rights?.intersection([.read, .write]) }
        #expect(rights == [.write, .read, nil, nil])
        #expect(standing.topics["hidden"]?.error == .topicAuthorizationFailed)
        #expect(standing.topics["absent"]?.error == .unknownTopicOrPartition)
        #expect(standing.allowsTransactionalID == false)
        let again = try await Self.ask(port: port, topics: ["absent"], transactionalID: "ty")
        #expect(again.topics["absent"]?.error == .unknownTopicOrPartition)
        #expect(again.allowsTransactionalID == true)
        await broker.stop()
    }

    @Test func `a broker that does not let the client in refuses at once`() async throws {
        var settings = DevBroker.Configuration()
        settings.sasl = .init(users: ["alice": "secret"])
        let broker = DevBroker(configuration: settings)
        let port = try await broker.start()
        let error = await #expect(throws: ReaderError.self) {
            try await Self.ask(
                port: port,
                topics: ["t"],
                [
                    "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                    "sasl.username": "alice", "sasl.password": "guess",
                ]
            )
        }
        guard case .refused(let reason)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("Invalid username or password"), "\(reason)")
        await broker.stop()
    }
}
