import ArgumentParser
import Logging
import Shipping

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read topics back: no gap, no repeat, right order, or where not.",
        discussion: """
            The first record of each file's run in a batch says where it comes from. That proves the
            order, and that no run is there twice. With the state directory and the pipeline, which make
            every record of a file again, it proves that each record is there once.

            Examples:
              forktail verify orders.pipeline -b broker1:9092 --state-dir /var/lib/forktail
              forktail verify -t orders -t payments -b broker1:9092 --json
            """
    )

    @Argument(help: "Pipeline files, or folders of them.")
    var paths: [String] = []

    @OptionGroup var kafka: KafkaOptions
    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var common: CommonOptions

    @Option(
        name: .shortAndLong,
        help:
            "A topic to read; may be repeated. Without it, those of the pipelines and the journal."
    )
    var topic: [String] = []

    @Option(help: "Folder of the checkpoints to hold the topics against.")
    var stateDir: String?

    @Option(help: "Only records from this time on, in milliseconds since 1970.")
    var from: Int64?

    @Option(help: "Only records before this time, in milliseconds since 1970.")
    var to: Int64?

    @Flag(help: "Also what is not committed, or was aborted.")
    var uncommitted = false

    @Option(help: "How long to wait for Kafka without an answer, as 30s.")
    var timeout: TimeInterval = TimeInterval(.seconds(30))

    @Flag(help: "Print the report as one JSON object.")
    var json = false

    func validate() throws {
        if stateDir == "" { throw ValidationError("--state-dir needs a folder") }
        if timeout.duration == .zero { throw ValidationError("--timeout must be over 0") }
        if topic.contains("") { throw ValidationError("--topic needs a name") }
        for time in [from, to].compactMap(\.self) where time < 0 {
            throw ValidationError("--from and --to are in milliseconds since 1970")
        }
        if let from, let to, from >= to { throw ValidationError("--from must be before --to") }
        if topic.isEmpty, paths.isEmpty, stateDir == nil {
            throw ValidationError("name a pipeline, a topic, as -t orders, or a state directory")
        }
    }

    func run() throws {
        try ending {
            let signals = try Signals()
            let deployment = try configuration.deployment(kafka, common)
            let pipelines =
                paths.isEmpty
                ? []
                : try PipelineLoader(for: .atLeastOnce, in: deployment)
                    .load(paths: paths, color: common.isColored(deployment))
            return try VerifyService.verify(
                routes(of: pipelines, deployment),
                hasState: stateDir != nil,
                options: .init(
                    topics: topic,
                    from: from,
                    to: to,
                    readsUncommitted: uncommitted,
                    reportsAsJSON: json,
                    isQuiet: common.quiet,
                    patience: timeout.duration
                ),
                signals: signals,
                logger: common.makeLogger(deployment, fallback: .warning)
            )
        }
    }

    private func routes(of pipelines: [LoadedPipeline], _ deployment: Deployment) throws -> [Route]
    {
        guard pipelines.isEmpty else {
            return try kafka.routes(of: pipelines, deployment, stateDirectory: stateDir ?? "")
        }
        return try [
            .own([], settings: kafka.producer(deployment), stateDirectory: stateDir ?? "")
        ]
    }
}
