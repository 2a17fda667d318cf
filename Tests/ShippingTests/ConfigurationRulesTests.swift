import Checkpointing
import Kafka
import Logging
import PipelineLanguage
import Testing

@testable import Shipping

struct ConfigurationRulesTests {
    @Test func `the file takes the values that the flags take`() {
        #expect(Setting.delivery.choices == DeliveryMode.allCases.map(\.rawValue))
        #expect(Setting.journal.choices == JournalContent.allCases.map(\.rawValue))
        #expect(Setting.synchronous.choices == JournalDurability.allCases.map(\.rawValue))
        #expect(Setting.logLevel.choices == Logger.Level.allCases.map(\.rawValue))
    }

    @Test(
        arguments: [
            ("acks", "all", nil),
            ("acks", "most", "acks must be all, 1 or 0, not \"most\""),
            ("linger.ms", "20ms", "linger.ms must be milliseconds from 0, not \"20ms\""),
            ("linger", "20", nil),
            (
                "sasl.jaas.config", "",
                "sasl.jaas.config is for Java: set sasl.mechanism, sasl.username and sasl.password"
            ),
        ] as [(String, String, String?)]
    )
    func `a property is checked by the producer itself`(
        name: String,
        value: String,
        problem: String?
    ) {
        #expect(PropertyRules.kafka.problem(name, value) == problem)
    }

    @Test func `properties of a cluster must fit together`() throws {
        let text = "kafka main {\n  security.protocol = SASL_SSL\n}\n"
        let source = SourceText(path: "forktail.conf", text: text)
        let cluster = try #require(
            ConfigurationFile.read(source, rules: .kafka).file.resolved(
                profile: nil,
                environment: [:],
                flags: Configuration.Flags(),
                rules: .kafka
            ).configuration.cluster
        )
        #expect(throws: KafkaProducerError.self) { try ProducerSettings.check(cluster) }
    }

    @Test(arguments: [
        ("PLAINTEXT", ["bootstrap.servers", "security.protocol"]),
        ("SSL", ["bootstrap.servers", "ssl.ca.location", "security.protocol"]),
        ("SASL_PLAINTEXT", ["bootstrap.servers", "sasl.username", "security.protocol"]),
    ])
    func `a profile without login or encryption has no use for the file's`(
        name: String,
        left: [String]
    ) {
        let file = Configuration.Origin.file(place: "f:1")
        let said = [
            ("bootstrap.servers", "b:1"), ("sasl.username", "a"), ("ssl.ca.location", "/c"),
        ].map { Configuration.Effective(name: $0.0, value: .text($0.1), origin: file) }
        let last = Configuration.Effective(
            name: "security.protocol",
            value: .text(name),
            origin: .profile("dev", place: "f:2")
        )
        #expect(ProducerSettings.useful(said + [last]).map(\.name) == left)
        var same = last
        same.origin = file
        #expect(ProducerSettings.useful(said + [same]).count == 4)
    }

    @Test func `the journal makes a pipeline again with the defaults that it had`() throws {
        let text = "from \"a\"\nparse text\nsend { topic = \"t\"  value = @raw }\n"
        var context = PipelineContext()
        context.defaults = PipelineDefaults(
            errorPolicy: "on error dead_letter \"dead\"",
            headers: [.init(name: "team", value: "\"till\"")]
        )
        let source = SourceText(path: "/p/a.pipeline", text: text)
        let plan = try #require(PipelineCompiler.compile(source, in: context).plan)
        let loaded = try LoadedPipeline(plan: plan, context: context)
        let journaled = PipelineText(
            version: 1,
            name: "a",
            path: "/p/a.pipeline",
            text: loaded.journaledText
        )
        var other = context
        other.defaults = PipelineDefaults(errorPolicy: "on error stop")
        let today = try LoadedPipeline(plan: plan, context: other)
        let again = try #require(PipelineLoader.pipeline(journaled, today: today))
        #expect(again.plan.topicUses.map(\.names.pattern) == ["t", "dead"])
        #expect(again.plan.steps.flatMap(\.sends).flatMap(\.headers).map(\.name) == ["team"])
        #expect(again.journaledText == loaded.journaledText)
    }

    @Test func `an earlier text goes on to the clusters that it named`() throws {
        let text = """
            from "a"
            parse text
            send to main { topic = "t"  value = @raw }
            send to archive { topic = "t"  value = @raw }
            on error stop
            """
        var context = PipelineContext()
        context.clusters = ["main", "archive"]
        context.cluster = "main"
        let source = SourceText(path: "/p/a.pipeline", text: text)
        let plan = try #require(PipelineCompiler.compile(source, in: context).plan)
        let journaled = PipelineText(
            version: 1,
            name: "a",
            path: "/p/a.pipeline",
            text: try LoadedPipeline(plan: plan, context: context).journaledText
        )
        // `main` has another name now, and `archive` is gone.
        context.clusters = ["prod"]
        context.cluster = "prod"
        for destination in [Destination.own, .other("archive")] {
            let today = try LoadedPipeline(plan: plan, context: context, destination: destination)
            let again = try #require(PipelineLoader.pipeline(journaled, today: today))
            #expect(again.destination == destination)
            #expect(again.plan.destinations == [.own, .other("archive")])
            #expect(again.journaledText == journaled.text)
        }
    }
}
