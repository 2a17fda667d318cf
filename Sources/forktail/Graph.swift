import ArgumentParser
import Shipping

struct Graph: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what pipelines do: files, steps, topics.",
        discussion: """
            Examples:
              forktail graph orders.pipeline
              forktail graph /etc/forktail/pipelines --format dot | dot -Tsvg > pipelines.svg
            """
    )

    @Argument(help: "Pipeline files, or folders of them; without any, what forktail.conf says.")
    var paths: [String] = []

    @Option(help: "text, mermaid, dot (for Graphviz) or json (one object).")
    var format: PipelineGraph.Format = .text

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
        try ending {
            let deployment = try configuration.deployment(common)
            let pipelines = try PipelineLoader(for: .atLeastOnce, in: deployment).load(
                paths: deployment.paths(paths),
                color: common.isColored(deployment)
            )
            let graph = PipelineGraph(pipelines: pipelines)
            try writeToStandardOutput(graph.rendered(as: format))
            return .success
        }
    }
}

extension PipelineGraph.Format: ExpressibleByArgument {}
