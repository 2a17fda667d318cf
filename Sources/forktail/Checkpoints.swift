import ArgumentParser
import Shipping

struct Checkpoints: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See how far each file has been shipped.",
        subcommands: [List.self],
        defaultSubcommand: List.self
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One line for each file: pipeline, offset, line, state, path."
        )

        @OptionGroup var state: StateOptions
        @OptionGroup var configuration: ConfigurationOptions

        @Flag(help: "One JSON object a line.")
        var json = false

        func run() throws {
            try ending {
                let listing = try CheckpointListing(
                    stateDirectory: configuration.deployment(state).stateDirectory
                )
                try writeToStandardOutput(json ? listing.json : listing.table)
                return .success
            }
        }
    }
}
