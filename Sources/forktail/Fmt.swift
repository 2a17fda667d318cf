import ArgumentParser
import Shipping

struct Fmt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lay pipeline files out in the one way they have.",
        discussion: """
            Examples:
              forktail fmt orders.pipeline
              forktail fmt --check --diff /etc/forktail/pipelines

            Comments stay where they are, nothing is reordered, the meaning stays the
            same. A file that cannot be read ends it with 65; then nothing is written.
            """
    )

    @Argument(help: "Pipeline files, or folders of them; - reads standard input, prints the text.")
    var paths: [String]

    @Flag(help: "Write nothing; name the files that would change, and end with 1 if there are any.")
    var check = false

    @Flag(help: "Write nothing; show what would change.")
    var diff = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if paths.count > 1, paths.contains("-") {
            throw ValidationError("`-` stands alone: it is standard input")
        }
    }

    func run() throws {
        try ending {
            let formatting = PipelineFormatting()
            let effect: PipelineFormatting.Effect = check || diff ? .report(asDiff: diff) : .write
            let report =
                try paths == ["-"]
                ? formatting.runOnStandardInput(effect: effect)
                : formatting.run(paths: paths, effect: effect)
            try writeToStandardOutput(report.output)
            if !common.quiet { writeToStandardError(summary(of: report)) }
            return check && !report.changed.isEmpty ? .testsFailed : .success
        }
    }

    private func summary(of report: PipelineFormatting.Report) -> String {
        guard paths != ["-"] else { return "" }
        let verb = check || diff ? "would change" : "changed"
        let files = report.fileCount == 1 ? "file" : "files"
        return "\(report.changed.count) of \(report.fileCount) \(files) \(verb)\n"
    }
}
