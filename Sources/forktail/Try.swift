import ArgumentParser
import Shipping

struct Try: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Dry run: print the Kafka records that would be sent.",
        discussion: """
            Examples:
              forktail try orders.pipeline orders-7.csv
              tail -n 100 app.log | forktail try app.pipeline - --format json
            """
    )

    @Argument(help: "The pipeline file.")
    var pipeline: String

    @Argument(help: "The file to read; - or nothing reads standard input.")
    var file: String = "-"

    @Option(help: "pretty or json (one object a line, one line an outcome).")
    var format: DryRun.Format = .pretty

    @Option(help: "Stop after this many outcomes.")
    var limit: Int?

    @OptionGroup var common: CommonOptions

    func run() throws {
        try ending {
            let loaded = try PipelineLoader(for: .atLeastOnce).load(
                paths: [pipeline],
                color: common.color.isOn
            )
            guard let only = loaded.first, loaded.count == 1 else {
                throw ServiceError(.configuration, "`try` takes one pipeline file, not a folder")
            }
            let failures = try DryRun(pipeline: only, format: format, limit: limit).run(file: file)
            return failures == 0 ? .success : .dataError
        }
    }
}

extension DryRun.Format: ExpressibleByArgument {}
