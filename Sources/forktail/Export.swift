import ArgumentParser
import Shipping

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the tree of a pipeline file as JSON, or a pipeline from such JSON.",
        discussion: """
            Examples:
              forktail export orders.pipeline | jq '.steps[].do'
              forktail export --from-json orders.json > orders.pipeline

            The form is described in docs/language.md. Comments are not in it.
            """
    )

    @Argument(help: "The pipeline file; - reads standard input.")
    var pipeline: String?

    @Option(help: "Print the pipeline that this file holds as JSON; - reads standard input.")
    var fromJson: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (pipeline == nil) != (fromJson == nil) else {
            throw ValidationError("name a pipeline file, or a JSON file with --from-json")
        }
    }

    func run() throws {
        try ending {
            if let pipeline {
                try writeToStandardOutput(PipelineExporting().json(of: pipeline))
            } else if let fromJson {
                try writeToStandardOutput(PipelineExporting().text(fromJSON: fromJson))
            }
            return .success
        }
    }
}
