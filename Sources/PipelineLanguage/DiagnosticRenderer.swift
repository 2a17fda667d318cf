/// Diagnostics as text: for people with the source line and a caret, for tools one line each.
package struct DiagnosticRenderer: Sendable {
    package var source: SourceText

    package init(source: SourceText) {
        self.source = source
    }

    /// All diagnostics in the form for people, with an empty line between two.
    package func text(_ diagnostics: [Diagnostic]) -> String {
        diagnostics.map(text).joined(separator: "\n")
    }

    /// One diagnostic with its source line; ends with a line feed.
    package func text(_ diagnostic: Diagnostic) -> String {
        let location = source.location(of: diagnostic.span.start)
        let number = "\(location.line)"
        let margin = String(repeating: " ", count: number.count)
        var lines = [
            "\(head(diagnostic))",
            "\(margin)--> \(source.path):\(location.line):\(location.column)",
            "\(margin) |",
        ]
        let lineSpan = source.lineSpan(location.line)
        lines.append("\(number) | \(printable(source.text(in: lineSpan)))")
        lines.append("\(margin) | \(caret(of: diagnostic, in: lineSpan))")
        if let help = diagnostic.help { lines.append("\(margin) = help: \(help)") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `file:line:col: error: message [E201]`, as compilers print it and editors read it.
    package func compilerLine(_ diagnostic: Diagnostic) -> String {
        let location = source.location(of: diagnostic.span.start)
        let place = "\(source.path):\(location.line):\(location.column)"
        let message = "\(diagnostic.severity.rawValue): \(diagnostic.message)"
        return "\(place): \(message) [\(diagnostic.code.rawValue)]"
    }

    /// The last line of a check: `3 errors in 1 of 6 files`.
    package static func summary(errors: Int, inFiles failed: Int, of files: Int) -> String {
        let noun = errors == 1 ? "error" : "errors"
        return "\(errors) \(noun) in \(failed) of \(files) \(files == 1 ? "file" : "files")"
    }

    private func head(_ diagnostic: Diagnostic) -> String {
        "\(diagnostic.severity.rawValue)[\(diagnostic.code.rawValue)]: \(diagnostic.message)"
    }

    private func caret(of diagnostic: Diagnostic, in lineSpan: Span) -> String {
        let start = min(diagnostic.span.start, lineSpan.end)
        let end = max(start, min(diagnostic.span.end, lineSpan.end))
        // A tab stays a tab, so that the caret stands where the text above it does.
        let indent = source.text(in: Span(lineSpan.start, start)).map { $0 == "\t" ? "\t" : " " }
        let width = max(1, source.text(in: Span(start, end)).count)
        let marks = indent.joined() + String(repeating: "^", count: width)
        guard let label = diagnostic.label else { return marks }
        return "\(marks) \(label)"
    }

    private func printable(_ line: String) -> String {
        // Control characters would move the cursor of the terminal.
        var scalars = String.UnicodeScalarView()
        for scalar in line.unicodeScalars {
            let isControl = (scalar.value < 0x20 && scalar != "\t") || scalar.value == 0x7F
            scalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return String(scalars)
    }
}
