import ArgumentParser
import Shipping

struct Try: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Dry run: print the Kafka records that would be sent.",
        discussion: """
            Examples:
              forktail try orders.pipeline orders-7.csv
              tail -n 100 app.log | forktail try app.pipeline - --stage all --limit 5
            """
    )

    @Argument(help: "The pipeline file.")
    var pipeline: String

    @Argument(help: "The file to read; - or nothing reads standard input.")
    var file: String = "-"

    @Option(
        help: ArgumentHelp(
            "raw shows the lines that are one event, parsed their fields, sent what becomes of them,"
                + " all each of these.",
            valueName: "stage"
        )
    )
    var stage: DryRun.Stage = .sent

    @Option(
        help: ArgumentHelp(
            "pretty, json (one object a line, one line an outcome), or kcat (the records as kcat -J"
                + " prints them).",
            valueName: "format"
        )
    )
    var format: DryRun.Format = .pretty

    @Option(help: "Stop after this many outcomes.")
    var limit: Int?

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if format == .kcat, stage != .sent {
            let message = "--format kcat shows records: leave out --stage \(stage.rawValue)"
            throw ValidationError(message)
        }
        if let limit, limit < 1 { throw ValidationError("--limit takes 1 or more") }
    }

    func run() throws {
        try ending {
            let deployment = try configuration.deployment(common)
            let loaded = try PipelineLoader(for: .atLeastOnce, in: deployment).load(
                paths: [pipeline],
                color: common.isColored(deployment)
            )
            guard let only = loaded.first, loaded.count == 1 else {
                throw ServiceError(.configuration, "`try` takes one pipeline file, not a folder")
            }
            let dryRun = DryRun(pipeline: only, format: format, stage: stage, limit: limit)
            let failures = try dryRun.run(file: file)
            return failures == 0 ? .success : .dataError
        }
    }
}

extension DryRun.Format: ExpressibleByArgument {}
extension DryRun.Stage: ExpressibleByArgument {}
