import Foundation
import Testing

@testable import PipelineLanguage

/// docs/language-coverage.md has a row for all that there is, and names tests that are there.
struct CoverageTests {
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "../..").standardized

    /// For each heading, what stands in backticks in the first column, and in the second.
    private static func sections() throws -> [String: [(item: String, tests: [String])]] {
        let page = try String(
            contentsOf: root.appending(path: "docs/language-coverage.md"),
            encoding: .utf8
        )
        var sections: [String: [(item: String, tests: [String])]] = [:]
        var heading = ""
        for line in page.components(separatedBy: "\n") {
            if line.hasPrefix("## ") { heading = String(line.dropFirst(3)) }
            guard line.hasPrefix("| `") else { continue }
            let cells = line.dropFirst(2).components(separatedBy: " | ")
            let item = cells[0].trimmingPrefix("`").dropLast()
            let pieces = cells.dropFirst().joined().components(separatedBy: "`")
            let tests = pieces.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
            sections[heading, default: []].append((String(item), tests))
        }
        return sections
    }

    private static func testSources() throws -> String {
        let folder = root.appending(path: "Tests")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        var all = ""
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            all += try String(contentsOf: file, encoding: .utf8)
        }
        return all
    }

    @Test func `each test that the page names is there`() throws {
        let sources = try Self.testSources()
        let rows = try Self.sections().values.flatMap(\.self)
        #expect(rows.count > 100)
        for (item, tests) in rows {
            if tests.isEmpty { Issue.record("\(item) has no test") }
            for name in tests where !sources.contains("func `\(name)`(") {
                Issue.record("there is no test \(name)")
            }
        }
    }

    @Test(arguments: [
        ("Statements", Parser.statements), ("Settings of from", Checker.inputSettings),
        ("Types", Checker.typeNames), ("Formats", Parser.formats),
        ("Functions", Function.allCases.map(\.rawValue)),
        ("Metadata", Meta.names.map { "@\($0)" }),
        ("Checks", DiagnosticCode.allCases.map(\.rawValue)),
    ])
    func `everything has a row, and only once`(heading: String, items: [String]) throws {
        let rows = try #require(Self.sections()[heading]).map(\.item)
        #expect(Set(items).subtracting(rows) == [])
        #expect(rows.count == Set(rows).count)
    }
}
