import ArgumentParser
import Shipping

struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the test blocks of pipeline files.",
        discussion: """
            Examples:
              forktail test orders.pipeline
              forktail test --filter masked /etc/forktail/pipelines
            """
    )

    @Argument(help: "Pipeline files, or folders of them.")
    var paths: [String]

    @Option(help: "Only tests whose name contains this.")
    var filter: String?

    @OptionGroup var common: CommonOptions

    func run() throws {
        try ending {
            let pipelines = try PipelineLoader(for: .atLeastOnce).load(
                paths: paths,
                color: common.color.isOn
            )
            let report = try PipelineTests(pipelines: pipelines, filter: filter).run()
            try writeToStandardOutput(report.text)
            return report.failed == 0 ? .success : .testsFailed
        }
    }
}
