import Foundation
import Testing

@testable import PipelineLanguage

struct KnownFormatTests {
    @Test(arguments: KnownFormat.allCases)
    func `the reference names the columns of each format`(format: KnownFormat) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let page = try String(contentsOf: root.appending(path: "docs/language.md"), encoding: .utf8)
        let columns = format.columns.map { $0.name + ($0.type.isOptional ? "?" : "") }
        let row = "| `\(format.rawValue)` | `\(columns.joined(separator: " "))`"
        #expect(page.contains(row), "docs/language.md has no row that begins with \(row)")
    }

    @Test func `the reference names facilities and severities in their order`() throws {
        #expect(KnownFormat.facilities.count == 24)
        #expect(KnownFormat.facilities[3] == "daemon" && KnownFormat.facilities[16] == "local0")
        #expect(
            KnownFormat.severities.joined(separator: " ").hasSuffix("err warning notice info debug")
        )
    }

    @Test func `the columns of syslog are known to the checker`() {
        let marked = MarkedText(
            """
            from "/var/log/a"
            parse syslog
            drop if severity == "debug"
            set kind = match severity { "emerg", "alert", "crit" => "bad", else => "fine" }
            drop if facility == «E304:"kernel"»
            send { topic = "t"  key = host ?? null  value = json(*) }
            on error skip
            """
        )
        #expect(marked.found == marked.marks)
    }
}
