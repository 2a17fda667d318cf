import ArgumentParser
import PipelineTools
import Shipping

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The manual, one entry at a time: a code, a function, a word.",
        discussion: """
            Without a word it lists all entries. `events` lists the events of the log.

            Examples:
              forktail explain E301
              forktail explain mask
            """
    )

    @Argument(help: "A code of a check, a function, a statement, a type, a format, an @name.")
    var words: [String] = []

    @Flag(help: "Print the tables of docs/language.md instead.")
    var markdown = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        try ending {
            if markdown {
                try writeToStandardOutput(
                    ManualTable.allCases.map { "\($0.markdown)\n" }.joined()
                )
                return .success
            }
            // `on error` is one word of two.
            let word = words.joined(separator: " ")
            guard !word.isEmpty else {
                try writeToStandardOutput(Manual.contents)
                return .success
            }
            guard let page = Manual.page(for: word) else { throw unknown(word) }
            try writeToStandardOutput(page)
            return .success
        }
    }

    private func unknown(_ word: String) -> ServiceError {
        let help =
            Manual.suggestion(for: word).map { "did you mean \"\($0)\"?" }
            ?? "\"forktail explain\" lists all entries"
        return ServiceError(.usage, "there is no entry \"\(word.printable)\"; \(help)")
    }
}
