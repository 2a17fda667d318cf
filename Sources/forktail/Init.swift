import ArgumentParser
import Shipping

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a pipeline file to begin with.",
        discussion: """
            Examples:
              forktail init orders --from /var/log/shop/orders-7.csv
              forktail init app
            """
    )

    @Argument(help: "The name of the pipeline; its file is NAME.pipeline.")
    var name: String

    @Option(
        help: ArgumentHelp(
            "Guess format, columns and types from this file (- is standard input), and test the first"
                + " three rows.",
            valueName: "sample"
        )
    )
    var from: String?

    @OptionGroup var common: CommonOptions

    func run() throws {
        try ending {
            let pipeline = try PipelineInit(name: name)
            let report = try from.map { try pipeline.write(from: $0) } ?? pipeline.writeStarter()
            if !common.quiet { writeToStandardError(report) }
            return .success
        }
    }
}
