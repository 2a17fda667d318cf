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
        let start = diagnostic.span.start
        let number = "\(source.location(of: start).line)"
        let margin = String(repeating: " ", count: number.count)
        var lines = ["\(head(diagnostic))", "\(margin)--> \(source.place(of: start))"]
        lines += source.includes(of: start).map { "\(margin)::: included from \($0)" }
        lines.append("\(margin) |")
        let lineSpan = source.lineSpan(source.lineNumber(of: start))
        lines.append("\(number) | \(printable(source.text(in: lineSpan)))")
        lines.append("\(margin) | \(caret(of: diagnostic, in: lineSpan))")
        if let help = diagnostic.help { lines.append("\(margin) = help: \(help)") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `file:line:col: error: message [E201]`, as compilers print it and editors read it.
    ///
    /// A line for each `include` on the way follows, as a note.
    package func compilerLines(_ diagnostic: Diagnostic) -> [String] {
        let start = diagnostic.span.start
        let message = "\(diagnostic.severity.rawValue): \(diagnostic.message)"
        return ["\(source.place(of: start)): \(message) [\(diagnostic.code.rawValue)]"]
            + source.includes(of: start).map { "\($0): note: included from here" }
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

extension SourceText {
    /// Where the file of an offset was included, the nearest `include` first.
    package func includes(of offset: Int) -> [String] {
        includeSpans(of: offset).map { place(of: $0.start) }
    }

    func includeSpans(of offset: Int) -> [Span] {
        var spans: [Span] = []
        var piece = piece(at: offset)
        while let include = piece.includedAt {
            spans.append(include)
            piece = self.piece(at: include.start)
        }
        return spans
    }
}
