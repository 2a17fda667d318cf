import Foundation
import Testing

@testable import PipelineTools

/// The documents say what the catalogue says.
struct DocumentTests {
    private static let repository = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let hasAllSources = FileManager.default.fileExists(
        atPath: repository.appending(path: "Sources/Shipping").path
    )

    @Test(arguments: [
        ("docs/language.md", [ManualTable.functions, .checks]),
        ("docs/operating.md", [ManualTable.events]),
    ])
    func `the tables of the documents are those of the catalogue`(
        path: String,
        tables: [ManualTable]
    ) throws {
        let file = Self.repository.appending(path: path)
        let document = try String(contentsOf: file, encoding: .utf8)
        let fresh = try #require(
            ManualTable.refreshed(document, tables),
            "\(path) has lost the marks around a table"
        )
        if ProcessInfo.processInfo.environment["FORKTAIL_WRITE_DOCS"] != nil {
            try fresh.write(to: file, atomically: true, encoding: .utf8)
        } else {
            #expect(
                fresh == document,
                "\(path) is old: FORKTAIL_WRITE_DOCS=1 swift test --filter DocumentTests writes it"
            )
        }
    }

    @Test(.enabled(if: hasAllSources, "these are not all sources of Forktail"))
    func `every event of the log has an entry, and every entry an event`() throws {
        let sources = Self.repository.appending(path: "Sources")
        let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        var found: Set<String> = []
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            for line in text.split(separator: "\n") {
                guard let start = line.firstRange(of: "\"event\": ") else { continue }
                for match in line[start.upperBound...].matches(of: /"([a-z_]+\.[a-z_]+)"/) {
                    found.insert(String(match.1))
                }
            }
        }
        #expect(found == Set(EventPages.all.map(\.name)))
    }
}
