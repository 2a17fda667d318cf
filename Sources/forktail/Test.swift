import ArgumentParser
import Shipping

struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the test blocks of pipeline files.",
        discussion: """
            Examples:
              forktail test --coverage orders.pipeline
              forktail test --filter 'masked|routed' --format junit /etc/forktail/pipelines
            """
    )

    @Argument(help: "Pipeline files, or folders of them; without any, what forktail.conf says.")
    var paths: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only tests with a name that this regular expression (PCRE2) matches somewhere.",
            valueName: "regex"
        )
    )
    var filter: String?

    @Flag(help: "Write into each empty `expect { }` what came there, in the file.")
    var update = false

    @Flag(help: "Also list the sends, drops, rejects, branches and arms that no test reached.")
    var coverage = false

    @Option(help: "text, json (one object) or junit.")
    var format: TestReport.Format = .text

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
        try ending {
            if update { try updateFiles() }
            let report = try tests().run()
            try writeToStandardOutput(report.rendered(as: format))
            return report.failed == 0 ? .success : .testsFailed
        }
    }

    private func tests() throws -> PipelineTests {
        let deployment = try configuration.deployment(common)
        let loader = PipelineLoader(for: .atLeastOnce, in: deployment, isForTests: true)
        let pipelines = try loader.load(
            paths: deployment.paths(paths),
            color: common.isColored(deployment)
        )
        return try PipelineTests(
            pipelines: pipelines,
            filter: filter,
            measuresCoverage: coverage
        )
    }

    private func updateFiles() throws {
        for update in try tests().updates() {
            try ReplacedFile.replace(update.path, with: update.text)
            let expects = update.count == 1 ? "expect" : "expects"
            writeToStandardError("updated \(update.count) \(expects) in \(update.path.printable)\n")
        }
    }
}

extension TestReport.Format: ExpressibleByArgument {}
