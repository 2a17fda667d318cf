import ArgumentParser
import Shipping

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check pipeline files without running them.",
        discussion: """
            Examples:
              forktail check orders.pipeline
              forktail check --format gcc /etc/forktail/pipelines
            """
    )

    @Argument(help: "Pipeline files, or folders of them.")
    var paths: [String]

    @Option(help: "text or gcc.")
    var format: DiagnosticFormat = .text

    @Flag(help: "Warnings fail as well.")
    var strict = false

    @Option(help: "The mode that they shall run in: exactly_once, transactional or at_least_once.")
    var delivery: DeliveryMode = .exactlyOnce

    @Option(help: "What the journal shall keep: positions or bytes.")
    var journal: JournalContent = .positions

    @OptionGroup var common: CommonOptions

    func run() throws {
        try ending {
            let report = try PipelineLoader(for: delivery).check(
                paths: paths,
                format: format,
                color: common.color.isOn,
                journal: journal
            )
            writeToStandardError(report.text)
            if report.errorCount > 0 || (strict && report.warningCount > 0) {
                return .configuration
            }
            if !common.quiet {
                try writeToStandardOutput(
                    "\(report.fileCount) pipeline\(report.fileCount == 1 ? "" : "s") ok\n"
                )
            }
            return .success
        }
    }
}

extension DiagnosticFormat: ExpressibleByArgument {}
