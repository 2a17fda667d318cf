import Kafka
import KafkaProtocol
import PipelineLanguage
import Testing

@testable import Shipping

/// A pipeline held against what a cluster says.
struct ClusterCheckTests {
    private static let text = """
        from "/var/log/*.log"
        parse csv {
          region: enum("eu", "us")
          shop:   string
        }
        if shop == "one" {
          send { topic = "orders.${region}"  partition = 2  value = @raw }
        } else {
          send { topic = "shops.${shop}"  value = @raw }
        }
        on error dead_letter "orders.dead"
        """

    private static let whole = ["orders.eu", "orders.us", "orders.dead"].map {
        TopicStanding(name: $0, partitionCount: 3, rights: [.read, .write, .describe])
    }

    /// Each finding as `code:text at the caret: message`.
    private static func findings(
        _ change: TopicStanding...,
        mode: DeliveryMode = .exactlyOnce,
        text: String = text,
        defaults: PipelineDefaults = PipelineDefaults()
    ) throws -> [String] {
        let source = SourceText(path: "a.pipeline", text: text)
        var context = PipelineContext()
        context.defaults = defaults
        let plan = try #require(PipelineCompiler.compile(source, in: context).plan)
        let found = check(change, mode: mode).diagnostics(of: plan)
        return found.map { "\($0.code.rawValue):\(source.text(in: $0.span)): \($0.message)" }
    }

    private static func check(
        _ change: [TopicStanding] = [],
        mode: DeliveryMode = .exactlyOnce,
        destination: Destination = .own
    ) -> ClusterCheck {
        var standing = ClusterStanding()
        for topic in whole + change { standing.topics[topic.name] = topic }
        standing.allowsTransactionalID = mode == .transactional ? false : nil
        return ClusterCheck(
            destination: destination,
            standing: standing,
            mode: mode,
            mayCreateTopics: true,
            transactionalID: mode == .transactional ? "shop" : nil
        )
    }

    private static let note =
        "N601:\"shops.${shop}\": `shops.*` cannot be looked up in the cluster"

    @Test func `a topic that only the data tells is noted, with its pattern`() throws {
        #expect(try Self.findings() == [Self.note])
    }

    @Test func `a topic that is not there is an error at each place that names it`() throws {
        let absent = ["orders.eu", "orders.us", "orders.dead"].map {
            TopicStanding(name: $0, error: .unknownTopicOrPartition)
        }
        #expect(
            try Self.findings(absent[0], absent[1], absent[2]) == [
                "E604:\"orders.${region}\": there are no topics `orders.eu`, `orders.us`",
                Self.note, "E604:\"orders.dead\": there is no topic `orders.dead`",
            ]
        )
    }

    @Test(arguments: ["2", "7", "-1"])
    func `a partition that its topic does not have is an error`(partition: String) throws {
        let text = Self.text.replacing("partition = 2", with: "partition = \(partition)")
        let us = TopicStanding(name: "orders.us", partitionCount: 2)
        let both = partition == "2" ? "" : "`orders.eu`, "
        #expect(
            try Self.findings(us, text: text) == [
                "E605:\(partition): there is no partition \(partition) in \(both)`orders.us`",
                Self.note,
            ]
        )
    }

    @Test func `a topic that may not be written to is an error`() throws {
        let eu = TopicStanding(name: "orders.eu", partitionCount: 3, rights: [.read, .describe])
        let dead = TopicStanding(name: "orders.dead", error: .topicAuthorizationFailed)
        #expect(
            try Self.findings(eu, dead) == [
                "E606:\"orders.${region}\": this client may not write to `orders.eu`", Self.note,
                "E606:\"orders.dead\": this client may not write to `orders.dead`, and not even"
                    + " look at it",
            ]
        )
    }

    @Test(arguments: DeliveryMode.allCases)
    func `a topic that may not be read is a warning where recovery may have to`(
        mode: DeliveryMode
    ) throws {
        let eu = TopicStanding(name: "orders.eu", partitionCount: 3, rights: [.write, .describe])
        let warning = "W605:\"orders.${region}\": this client may not read `orders.eu`"
        let expected = mode == .exactlyOnce ? [warning, Self.note] : [Self.note]
        #expect(try Self.findings(eu, mode: mode) == expected)
    }

    @Test func `a name that the cluster refuses is an error`() throws {
        let dead = TopicStanding(name: "orders.dead", error: .invalidTopicException)
        let error = "E601:\"orders.dead\": the cluster refuses the name `orders.dead`"
        #expect(try Self.findings(dead) == [Self.note, error])
    }

    @Test func `what the defaults name stands at from`() throws {
        var defaults = PipelineDefaults()
        defaults.errorPolicy = "on error dead_letter \"all.dead\""
        let text = Self.text.replacing("on error dead_letter \"orders.dead\"", with: "")
        let dead = TopicStanding(name: "all.dead", error: .unknownTopicOrPartition)
        let error = "E604:\"/var/log/*.log\": there is no topic `all.dead`"
        #expect(try Self.findings(dead, text: text, defaults: defaults) == [Self.note, error])
    }

    @Test func `a transactional id that may not be used is an error`() throws {
        let span = Span(0, 4)
        let found = Self.check(mode: .transactional).diagnosticOfTransactionalID(at: span)
        #expect(found?.code == .noRight)
        #expect(found?.message == "this client may not use the transactional id `shop`")
        #expect(Self.check().diagnosticOfTransactionalID(at: span) == nil)
    }

    private static let archiving = """
        from "/var/log/*.log"
        parse text
        send { topic = "orders.eu"  value = @raw }
        send to archive { topic = "orders.us"  value = @raw }
        on error dead_letter "orders.dead"
        """

    @Test(arguments: [
        (Destination.own, ["orders.eu", "orders.dead"], "not in the cluster"),
        (.other("archive"), ["orders.us", "orders.dead"], "not there, in the cluster `archive`"),
        (.other("attic"), [], ""),
    ])
    func `a cluster is asked for its own topics, and for dead letters of what it refuses`(
        destination: Destination,
        topics: [String],
        label: String
    ) throws {
        var context = PipelineContext()
        context.clusters = ["main", "archive"]
        context.cluster = "main"
        let source = SourceText(path: "a.pipeline", text: Self.archiving)
        let plan = try #require(PipelineCompiler.compile(source, in: context).plan)
        let absent = Self.whole.map {
            TopicStanding(name: $0.name, error: .unknownTopicOrPartition)
        }
        let found = Self.check(absent, destination: destination).diagnostics(of: plan)
        #expect(found.map(\.message) == topics.map { "there is no topic `\($0)`" })
        #expect(found.allSatisfy { $0.label == label })
    }

    @Test func `topics of another cluster have its name with them`() {
        let lines = Self.check(destination: .other("archive")).lines
        #expect(lines[0] == "orders.dead in archive: 3 partitions, may be written and read")
    }

    @Test func `topics that can be written to have a line each`() {
        let others = [
            TopicStanding(name: "orders.eu", partitionCount: 1, rights: [.write, .describe]),
            TopicStanding(name: "orders.us", partitionCount: 12),
            TopicStanding(name: "shut", partitionCount: 1, rights: [.describe]),
            TopicStanding(name: "absent", error: .unknownTopicOrPartition),
        ]
        #expect(
            Self.check(others).lines == [
                "orders.dead: 3 partitions, may be written and read",
                "orders.eu: 1 partition, may be written, not read",
                "orders.us: 12 partitions, rights are not told",
            ]
        )
    }
}
