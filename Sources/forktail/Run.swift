import ArgumentParser
import Logging
import Shipping

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tail files and ship them (the service).",
        discussion: """
            Examples:
              forktail run orders.pipeline -b broker1:9092
              forktail run --config /etc/forktail/forktail.conf --profile prod
              forktail run /etc/forktail/pipelines -b broker1:9092 -X linger.ms=20 --state-dir /var/lib/forktail
            """
    )

    @Argument(help: "Pipeline files, or folders of them; without any, what forktail.conf says.")
    var paths: [String] = []

    @OptionGroup var kafka: KafkaOptions
    @OptionGroup var state: StateOptions
    @OptionGroup var delivery: DeliveryArguments
    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var common: CommonOptions

    @Option(help: "Where to begin in files that have no checkpoint: beginning or end.")
    var start: StartPosition?

    @Flag(help: "Read to the end of every file, wait until all is acknowledged, and exit.")
    var once = false

    @Option(help: "How long to wait for acknowledgements when stopping, as 30s or 500ms.")
    var drainTimeout: TimeInterval = TimeInterval(.seconds(30))

    @Flag(help: "Exit with 69 when Kafka cannot be reached at the start.")
    var requireKafka = false

    func run() throws {
        try ending {
            let signals = try Signals()
            let deployment = try configuration.deployment(kafka, state, delivery, common)
            let options = DeliveryOptions(deployment)
            let logger = common.makeLogger(deployment)
            let pipelines = try PipelineLoader(for: options.mode, in: deployment)
                .load(paths: deployment.paths(paths), color: common.isColored(deployment))
            let service = try ShippingService(
                deployment: deployment,
                routes: kafka.routes(
                    of: pipelines,
                    deployment,
                    stateDirectory: deployment.stateDirectory,
                    allowsTransactions: true
                ),
                delivery: options,
                options: .init(
                    start: start,
                    stopsAtEnd: once,
                    drainTimeout: drainTimeout.duration,
                    requiresKafka: requireKafka
                ),
                version: versionText,
                logger: logger
            )
            return try service.run(signals: signals)
        }
    }
}

extension StartPosition: ExpressibleByArgument {}

/// A duration on the command line: `30s`, `500ms`, `2m`.
struct TimeInterval: ExpressibleByArgument {
    let duration: Duration
    /// As it was written.
    let text: String

    init(_ duration: Duration) {
        self.duration = duration
        text = "\(duration)"
    }

    init?(argument: String) {
        let units: [(String, Int64)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        for (suffix, factor) in units where argument.hasSuffix(suffix) {
            guard let count = Int64(argument.dropLast(suffix.count)),
                (0...1_000_000).contains(count)
            else { return nil }
            duration = .milliseconds(count * factor)
            text = argument
            return
        }
        return nil
    }

    var defaultValueDescription: String { "\(duration)" }
}
