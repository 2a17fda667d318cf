internal import PipelineLanguage

/// Tables of docs/language.md, made from the same catalogue as `forktail explain`.
package enum ManualTable: String, CaseIterable, Sendable {
    case functions, checks, events

    private var start: String { "<!-- \(rawValue): made by `forktail explain --markdown` -->\n" }
    private var end: String { "<!-- end of \(rawValue) -->" }

    /// The rows, in Markdown.
    package var markdown: String {
        switch self {
        case .functions:
            "| function | what it does | example |\n| --- | --- | --- |\n"
                + FunctionSignature.Group.allCases.map(Self.rows).joined()
        case .checks:
            "| code | what it is about |\n| --- | --- |\n"
                + DiagnosticCode.allCases.sorted { $0.rawValue < $1.rawValue }
                .map { "| \($0.rawValue) | \(Self.cell($0.summary)) |\n" }.joined()
        case .events:
            "| event | when |\n| --- | --- |\n"
                + EventPages.all.map { "| `\($0.name)` | \(Self.cell($0.meaning)) |\n" }.joined()
        }
    }

    private static func rows(_ group: FunctionSignature.Group) -> String {
        let functions = Function.allCases.filter { $0.signature.group == group }
        let rows = functions.map { function in
            let signature = function.signature
            let example = signature.examples.first.map(self.example) ?? ""
            return "| `\(cell(function.usage))` | \(cell(signature.summary)) | \(example) |\n"
        }
        return "| **\(group.rawValue)** | | |\n" + rows.joined()
    }

    private static func example(_ example: FunctionSignature.Example) -> String {
        let outcome =
            switch example.outcome {
            case .value(let value): value
            case .failure(let message): "fails: \(message)"
            }
        // A code span with a backtick would end there.
        let expression = example.expression.replacing("`", with: "'")
        return "`\(cell(expression))` → `\(cell(outcome))`"
    }

    private static func cell(_ text: String) -> String {
        text.replacing("|", with: "\\|").replacing("\n", with: " ")
    }

    /// The text with each table between its marks made anew; nil when a mark is missing.
    package static func refreshed(_ document: String, _ tables: [ManualTable]) -> String? {
        var document = document
        for table in tables {
            guard let start = document.firstRange(of: table.start),
                let end = document[start.upperBound...].firstRange(of: table.end)
            else { return nil }
            document.replaceSubrange(start.upperBound..<end.lowerBound, with: table.markdown)
        }
        return document
    }
}
