import ArgumentParser
import Shipping

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See how the service of a state directory stands.",
        discussion: """
            Says whether it runs, what it promises across a crash, what is on its way, and how far it is
            known what a crash left. Exit code 0: healthy; 1: that is still being found out; 2: it does
            not run, or cannot send to some partition.

            Examples:
              forktail status --state-dir /var/lib/forktail
            """
    )

    @OptionGroup var state: StateOptions
    @OptionGroup var configuration: ConfigurationOptions

    @Flag(help: "One JSON object.")
    var json = false

    func run() throws {
        try ending {
            let report = try StatusReport(
                stateDirectory: configuration.deployment(state).stateDirectory
            )
            try writeToStandardOutput(json ? report.json : report.text)
            return report.status
        }
    }
}
