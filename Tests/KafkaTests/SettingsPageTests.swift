import Foundation
import Kafka
import Testing

/// The page that lists the properties says what the code does.
struct SettingsPageTests {
    /// A line of the table in Settings.md.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let initial: String
        let range: String

        var testDescription: String { self.name }
        var isQuoted: Bool { self.initial.hasPrefix("`") }

        /// The ends of a range of numbers.
        var bounds: (Int64, Int64)? {
            let ends = self.range.components(separatedBy: " to ")
            guard ends.count == 2, let low = Int64(ends[0]), let high = Int64(ends[1]) else {
                return nil
            }
            return (low, high)
        }

        /// The values that are listed.
        var choices: [String] {
            self.range.split(separator: " ").filter { $0.hasPrefix("`") }.map { unquoted($0) }
        }
    }

    private static func unquoted(_ text: some StringProtocol) -> String {
        String(text.filter { $0 != "`" })
    }

    static func rows() throws -> [Row] {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/Kafka/Kafka.docc/Settings.md")
        let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
        return lines.filter { $0.hasPrefix("| `") }.map { line in
            let cells = line.split(separator: "|").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            return Row(name: Self.unquoted(cells[0]), initial: cells[3], range: cells[4])
        }
    }

    private var configuration: KafkaProducerConfiguration {
        KafkaProducerConfiguration(bootstrapServers: ["broker1:9092"])
    }

    @Test func `each property has its row, and each row its property`() throws {
        let names = try Self.rows().map(\.name)
        #expect(names.sorted() == KafkaProducerConfiguration.propertyNames.sorted())
    }

    @Test(arguments: try Self.rows().filter(\.isQuoted))
    func `a default is what is there when nothing is set`(row: Row) throws {
        var configuration = self.configuration
        try configuration.set(row.name, to: Self.unquoted(row.initial))
        #expect(configuration == self.configuration)
    }

    @Test(arguments: try Self.rows().filter { $0.bounds != nil })
    func `a range ends where values are refused`(row: Row) throws {
        let (low, high) = try #require(row.bounds)
        var configuration = self.configuration
        for value in [low, high] { try configuration.set(row.name, to: "\(value)") }
        for value in [low - 1, high + 1] {
            #expect(throws: KafkaProducerError.self) {
                try configuration.set(row.name, to: "\(value)")
            }
        }
    }

    @Test(arguments: try Self.rows().filter { !$0.choices.isEmpty })
    func `each value that is listed can be set, and no other`(row: Row) throws {
        var configuration = self.configuration
        for value in row.choices { try configuration.set(row.name, to: value) }
        #expect(throws: KafkaProducerError.self) {
            try configuration.set(row.name, to: "something")
        }
    }
}
