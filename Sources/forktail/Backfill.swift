import ArgumentParser
import Logging
import Shipping

struct Backfill: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read files once, ship them, report, exit.",
        discussion: """
            Without FILE the pipeline's own globs say what to read. A job that was interrupted goes on
            where it stopped; its name is the pipeline's and the day's unless --job gives one.

            Examples:
              forktail backfill orders.pipeline -b broker1:9092
              forktail backfill orders.pipeline --profile dev
              forktail backfill orders.pipeline /archive/orders-*.csv -b broker1:9092 --job october
            """
    )

    @Argument(help: "The pipeline file.")
    var pipeline: String

    @Argument(help: "Files to read.")
    var files: [String] = []

    @OptionGroup var kafka: KafkaOptions
    @OptionGroup var state: StateOptions
    @OptionGroup var delivery: DeliveryArguments
    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var common: CommonOptions

    @Option(help: "Name of the job, under which it resumes.")
    var job: String?

    @Flag(help: "Forget what the job has done, and begin again.")
    var restart = false

    @Flag(help: "Go on where the job stopped (the default).")
    var resume = false

    @Option(help: "auto, bar, plain, json or none.")
    var progress: ProgressStyle = .auto

    @Option(help: "Failed records to accept before the exit code is 65, as 10 or 1%.")
    var maxErrors: ErrorAllowance = .count(0)

    @Option(help: "How long to wait for Kafka at the start, as 30s.")
    var connectTimeout: TimeInterval = TimeInterval(.seconds(30))

    @Flag(help: "Print the summary as one JSON object on standard output.")
    var json = false

    @Flag(name: [.customShort("y"), .long], help: "Do not ask before starting.")
    var yes = false

    func validate() throws {
        if job == "" {
            throw ValidationError(
                "--job needs a name; without one it is the pipeline's and the date"
            )
        }
        // Kafka never answers in no time.
        if connectTimeout.duration == .zero {
            throw ValidationError("--connect-timeout takes a time from 1ms to 1000000h, as 30s")
        }
        if restart && resume { throw ValidationError("--restart and --resume exclude each other") }
    }

    func run() throws {
        try ending {
            let signals = try Signals()
            let deployment = try configuration.deployment(kafka, state, delivery, common)
            let delivery = DeliveryOptions(deployment)
            let isColored = common.isColored(deployment)
            let loaded = try PipelineLoader(for: delivery.mode, in: deployment)
                .load(paths: [pipeline], color: isColored)
            guard let only = loaded.first, loaded.count == 1 else {
                throw ServiceError(
                    .configuration,
                    "`backfill` takes one pipeline file, not a folder"
                )
            }
            return try BackfillService.ship(
                files,
                to: kafka.routes(
                    of: [only],
                    deployment,
                    stateDirectory: deployment.stateDirectory,
                    allowsTransactions: true
                ),
                delivery: delivery,
                options: .init(
                    job: job,
                    restarts: restart,
                    progress: progress,
                    maxErrors: maxErrors,
                    connectTimeout: connectTimeout.duration,
                    summaryAsJSON: json,
                    asksFirst: !yes,
                    color: isColored,
                    resume: ResumeCommand(
                        arguments: CommandLine.arguments,
                        job: job,
                        stateDirectory: state.stateDir == nil ? deployment.stateDirectory : nil
                    )
                ),
                signals: signals,
                logger: common.makeLogger(deployment)
            )
        }
    }
}

extension ProgressStyle: ExpressibleByArgument {}

extension ErrorAllowance: ExpressibleByArgument {
    public init?(argument: String) { self.init(text: argument) }
}
