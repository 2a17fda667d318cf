internal import PipelineLanguage
internal import RecordProcessing

/// What came of the tests of some pipelines.
package struct TestReport {
    package enum Format: String, CaseIterable, Sendable {
        case text, json, junit
    }

    struct Suite {
        var pipeline: String
        var path: String
        var results: [PipelineTestResult]
    }

    /// A place that tests should reach.
    struct Place {
        var path: String
        var line: Int
        var column: Int
        var kind: String
        var text: String
        var isReached: Bool
    }

    var suites: [Suite] = []
    /// Nil when it was not measured.
    var coverage: [Place]?

    private var results: [PipelineTestResult] { suites.flatMap(\.results) }

    package var passed: Int { results.count { $0.passed } }
    package var failed: Int { results.count { !$0.passed } }

    package func rendered(as format: Format) -> String {
        switch format {
        case .text: text
        case .json: json
        case .junit: junit
        }
    }

    // MARK: For people

    private var text: String {
        var lines: [String] = []
        for suite in suites {
            for result in suite.results {
                let name = "\(suite.pipeline): \(result.name)".printable
                lines.append("\(result.passed ? "ok  " : "FAIL")  \(name)")
                lines += result.failures.flatMap { failureLines($0, suite) }
            }
        }
        lines += coverageLines
        lines.append("\(passed) passed, \(failed) failed")
        return lines.joined(separator: "\n") + "\n"
    }

    private func failureLines(_ failure: PipelineTestResult.Failure, _ suite: Suite) -> [String] {
        [
            "      \(suite.path):\(failure.line): \(failure.subject)".printable,
            "        expected \(failure.expected)".printable,
            "        found    \(failure.found)".printable,
        ]
    }

    private var coverageLines: [String] {
        guard let coverage else { return [] }
        let reached = coverage.count { $0.isReached }
        let unreached = coverage.filter { !$0.isReached }.map { place in
            "  \(place.path):\(place.line):\(place.column): no test reaches \(place.title)"
                .printable
        }
        return unreached + ["reached \(reached) of \(coverage.count) places"]
    }

    // MARK: For programs

    private var json: String {
        let tests = suites.flatMap { suite in suite.results.map { json($0, suite) } }
        var members = [
            "\"passed\":\(passed)", "\"failed\":\(failed)",
            "\"tests\":[\(tests.joined(separator: ","))]",
        ]
        if let coverage {
            members.append("\"coverage\":[\(coverage.map(json).joined(separator: ","))]")
        }
        return "{\(members.joined(separator: ","))}\n"
    }

    private func json(_ result: PipelineTestResult, _ suite: Suite) -> String {
        let failures = result.failures.map { failure in
            "{\"line\":\(failure.line),\"subject\":\(quotedAsJSON(failure.subject)),"
                + "\"expected\":\(quotedAsJSON(failure.expected)),"
                + "\"found\":\(quotedAsJSON(failure.found))}"
        }
        return "{\"pipeline\":\(quotedAsJSON(suite.pipeline)),"
            + "\"file\":\(quotedAsJSON(suite.path)),\"line\":\(result.line),"
            + "\"name\":\(quotedAsJSON(result.name)),\"passed\":\(result.passed),"
            + "\"failures\":[\(failures.joined(separator: ","))]}"
    }

    private func json(_ place: Place) -> String {
        "{\"file\":\(quotedAsJSON(place.path)),\"line\":\(place.line),"
            + "\"column\":\(place.column),\"kind\":\"\(place.kind)\","
            + "\"text\":\(quotedAsJSON(place.text)),\"reached\":\(place.isReached)}"
    }

    // MARK: For build servers

    private var junit: String {
        let suites = suites.map(junit).joined()
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            + "<testsuites name=\"forktail\" tests=\"\(passed + failed)\" failures=\"\(failed)\">\n"
            + "\(suites)</testsuites>\n"
    }

    private func junit(_ suite: Suite) -> String {
        let failed = suite.results.count { !$0.passed }
        return "  <testsuite name=\(attribute(suite.pipeline)) tests=\"\(suite.results.count)\""
            + " failures=\"\(failed)\" file=\(attribute(suite.path))>\n"
            + suite.results.map { junit($0, suite) }.joined() + "  </testsuite>\n"
    }

    private func junit(_ result: PipelineTestResult, _ suite: Suite) -> String {
        let start =
            "    <testcase classname=\(attribute(suite.pipeline)) name=\(attribute(result.name))"
            + " file=\(attribute(suite.path)) line=\"\(result.line)\""
        guard let first = result.failures.first else { return start + "/>\n" }
        let message = "\(first.subject): expected \(first.expected), found \(first.found)"
        let details = result.failures.flatMap { failureLines($0, suite) }
        return start + ">\n      <failure message=\(attribute(message))>\n"
            + escaped(details.joined(separator: "\n")) + "\n      </failure>\n    </testcase>\n"
    }

    private func attribute(_ text: String) -> String { "\"\(escaped(text.printable))\"" }

    private func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            // XML 1.0 has no way to write these two.
            case "\u{FFFE}", "\u{FFFF}": out += "\u{FFFD}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

extension TestReport.Place {
    fileprivate var title: String {
        switch kind {
        case "send": "the send to \(text)"
        case "if": "`if \(text)`"
        default: "`\(text)`"
        }
    }
}
