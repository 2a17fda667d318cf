import ArgumentParser
import Shipping

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check pipeline files without running them.",
        discussion: """
            Examples:
              forktail check orders.pipeline
              forktail check --format github --strict /etc/forktail/pipelines
            """
    )

    @Argument(help: "Pipeline files, or folders of them.")
    var paths: [String]

    @Option(help: "text, gcc, json, github (annotations) or sarif.")
    var format: DiagnosticFormat = .text

    @Flag(help: "Warnings fail as well.")
    var strict = false

    @Option(help: "The mode that they shall run in: exactly_once, transactional or at_least_once.")
    var delivery: DeliveryMode = .exactlyOnce

    @Option(help: "What the journal shall keep: positions or bytes.")
    var journal: JournalContent = .positions

    @Option(help: "A file to run through the pipeline: prints what becomes of its lines.")
    var sample: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard sample != nil, format != .text, format != .gcc else { return }
        throw ValidationError("--sample goes with --format text or gcc")
    }

    func run() throws {
        try ending {
            let report = try PipelineLoader(for: delivery).check(
                paths: paths,
                format: format,
                color: common.color.isOn,
                journal: journal,
                version: versionText
            )
            writeToStandardError(report.text)
            try writeToStandardOutput(report.output)
            if report.errorCount > 0 || (strict && report.warningCount > 0) {
                return .configuration
            }
            if !common.quiet, report.output.isEmpty {
                try writeToStandardOutput(
                    "\(report.fileCount) pipeline\(report.fileCount == 1 ? "" : "s") ok\n"
                )
            }
            return try sample.map(run) ?? .success
        }
    }

    /// Runs a sample through the pipeline.
    private func run(sample: String) throws -> ExitStatus {
        let loaded = try PipelineLoader(for: delivery).load(
            paths: paths,
            color: common.color.isOn
        )
        guard let only = loaded.first, loaded.count == 1 else {
            throw ServiceError(.usage, "--sample goes with one pipeline file")
        }
        let failures = try DryRun(pipeline: only, format: .pretty, limit: nil).run(file: sample)
        return failures == 0 ? .success : .dataError
    }
}

extension DiagnosticFormat: ExpressibleByArgument {}
