import Foundation
import Testing

@testable import Kafka

/// The page of features names tests that are there.
struct FeaturesPageTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardized

    /// The rows of the page's tables whose last column tells a test: the first column and that one.
    static func rows() throws -> [(title: String, tests: [String])] {
        let page = try String(
            contentsOf: Self.root.appending(path: "docs/producer-features.md"),
            encoding: .utf8
        )
        return page.components(separatedBy: "\n").compactMap { line in
            let cells = line.components(separatedBy: " | ")
            guard line.hasPrefix("| "), cells.count >= 3, let last = cells.last else { return nil }
            // Every second piece stands between backticks.
            let pieces = last.components(separatedBy: "`")
            let quoted = pieces.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
            return (cells[0], quoted.filter { $0.contains(" ") })
        }
    }

    private static let folders = [
        "KafkaTests", "KafkaTests/Security", "KafkaTests/Transactions", "KafkaProtocolTests",
    ]

    private static func testSources() throws -> String {
        var all = ""
        for folder in Self.folders {
            let url = Self.root.appending(path: "Tests/\(folder)")
            let files = try FileManager.default.contentsOfDirectory(
                at: url,
                includingPropertiesForKeys: nil
            )
            for file in files where file.pathExtension == "swift" {
                all += try String(contentsOf: file, encoding: .utf8)
            }
        }
        return all
    }

    @Test func `each test that the page names is there`() throws {
        let sources = try Self.testSources()
        let named = try Self.rows().flatMap(\.tests)
        #expect(named.count > 100)
        for name in named where !sources.contains("func `\(name)`(") {
            Issue.record("there is no test \(name)")
        }
    }

    @Test func `the producer's scenarios have a row each`() throws {
        let numbers = try Self.rows().compactMap { Int($0.title.dropFirst(2)) }
        // The others are the embedded broker's, the shipper's, and telemetry's, which is not there.
        let expected = Array(1...53) + [57] + Array(60...74) + Array(76...78) + [80]
        #expect(numbers == expected)
    }

    @Test func `the client id names the host`() {
        let configuration = KafkaProducerConfiguration(bootstrapServers: ["b:9092"])
        let parts = configuration.clientID.split(separator: "-", maxSplits: 1)
        #expect(parts.first == "forktail")
        #expect(parts.last?.isEmpty == false && parts.last?.contains(".") == false)
    }
}
