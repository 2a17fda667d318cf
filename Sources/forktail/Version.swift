import ArgumentParser
import Shipping

let versionText = "0.1.0"

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() throws {
        try ending {
            try writeToStandardOutput("forktail \(versionText)\n")
            return .success
        }
    }
}
