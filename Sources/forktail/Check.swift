import ArgumentParser
import Logging
import PipelineLanguage
import Shipping

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check pipeline files without running them.",
        discussion: """
            Examples:
              forktail check orders.pipeline
              forktail check --format github --strict /etc/forktail/pipelines
              forktail check orders.pipeline --kafka -b broker1:9092
              forktail check --show-config --profile prod
            """
    )

    @Argument(help: "Pipeline files, or folders of them; without any, what forktail.conf says.")
    var paths: [String] = []

    @Option(help: "text, gcc, json, github (annotations) or sarif.")
    var format: DiagnosticFormat = .text

    @Flag(help: "Warnings fail as well.")
    var strict = false

    @Flag(help: "Print every setting, and where it is from; pipelines are not looked at.")
    var showConfig = false

    @Option(help: "A file to run through the pipeline: prints what becomes of its lines.")
    var sample: String?

    @Flag(
        name: .customLong("kafka"),
        help:
            "Ask the clusters whether the topics are there and may be written to; nothing is made."
    )
    var asksKafka = false

    @Option(help: "How long --kafka waits for a cluster that does not answer, as 30s.")
    var timeout: TimeInterval = TimeInterval(.seconds(30))

    @OptionGroup var kafka: KafkaOptions
    @OptionGroup var state: StateOptions
    @OptionGroup var delivery: DeliveryArguments
    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if timeout.duration == .zero { throw ValidationError("--timeout must be over 0") }
        guard sample != nil, format != .text, format != .gcc else { return }
        throw ValidationError("--sample goes with --format text or gcc")
    }

    func run() throws {
        try ending {
            let deployment = try configuration.deployment(kafka, state, delivery, common)
            guard !showConfig else {
                try writeToStandardOutput(
                    deployment.listing(
                        defaults: Self.defaults,
                        bootstrapServers: kafka.bootstrapServer,
                        properties: kafka.properties
                    )
                )
                return .success
            }
            let options = DeliveryOptions(deployment)
            let report = try PipelineLoader(for: options.mode, in: deployment).check(
                paths: deployment.paths(paths),
                format: format,
                color: common.isColored(deployment),
                journal: options.journal,
                clusters: asksKafka ? question(deployment) : nil,
                version: versionText
            )
            writeToStandardError(report.text)
            try writeToStandardOutput(report.output)
            if let failure = report.failure { throw failure }
            if format == .text, !common.quiet {
                try writeToStandardOutput(report.topics.map { $0 + "\n" }.joined())
            }
            if report.errorCount > 0 || (strict && report.warningCount > 0) {
                return .configuration
            }
            if !common.quiet, report.output.isEmpty {
                try writeToStandardOutput(
                    "\(report.fileCount) pipeline\(report.fileCount == 1 ? "" : "s") ok\n"
                )
            }
            return try sample.map { try run(sample: $0, deployment) } ?? .success
        }
    }

    private func question(_ deployment: Deployment) -> ClusterQuestion {
        ClusterQuestion(
            delivery: DeliveryOptions(deployment),
            patience: timeout.duration,
            logger: common.makeLogger(deployment, fallback: .warning)
        ) { pipelines in
            try kafka.routes(
                of: pipelines,
                deployment,
                stateDirectory: deployment.stateDirectory,
                allowsTransactions: true
            )
        }
    }

    /// Runs a sample through the pipeline.
    private func run(sample: String, _ deployment: Deployment) throws -> ExitStatus {
        let mode = DeliveryOptions(deployment).mode
        let loaded = try PipelineLoader(for: mode, in: deployment).load(
            paths: deployment.paths(paths),
            color: common.isColored(deployment)
        )
        guard let only = loaded.first, loaded.count == 1 else {
            throw ServiceError(.usage, "--sample goes with one pipeline file")
        }
        let failures = try DryRun(pipeline: only, format: .pretty, limit: nil).run(file: sample)
        return failures == 0 ? .success : .dataError
    }
}

extension Check {
    /// What settings are when nobody says anything.
    fileprivate static var defaults: [Setting: String] {
        let delivery = DeliveryOptions()
        return [
            .language: "1", .stateDirectory: defaultStateDirectory(),
            .delivery: delivery.mode.rawValue, .journal: delivery.journal.rawValue,
            .synchronous: delivery.durability.rawValue,
            .positionHeaders: "\(delivery.marksPositions)",
            .transactionInterval: "500ms",
            .logLevel: "info", .logFormat: "text on a terminal, else json",
            .color: ColorChoice.auto.rawValue,
        ]
    }
}

extension DiagnosticFormat: ExpressibleByArgument {}
