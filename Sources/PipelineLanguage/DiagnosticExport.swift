/// What was found in several files, in the forms that other programs read.
package struct DiagnosticExport: Sendable {
    /// A pipeline and what is wrong with it.
    package struct File: Sendable {
        package var source: SourceText
        package var diagnostics: [Diagnostic]

        package init(source: SourceText, diagnostics: [Diagnostic]) {
            self.source = source
            self.diagnostics = diagnostics
        }
    }

    private let files: [File]

    package init(files: [File]) {
        self.files = files
    }

    // MARK: JSON

    /// One object: each diagnostic with its place, and what they add up to.
    package var json: String {
        let diagnostics = files.flatMap { file in
            file.diagnostics.map { json($0, in: file.source) }
        }
        let summary: JSONText = .object([
            ("errors", .number(count(.error))),
            ("warnings", .number(count(.warning))),
            ("notes", .number(count(.note))),
            ("files", .number(files.count)),
            ("failedFiles", .number(files.count { $0.has(.error) })),
        ])
        let report: JSONText = .object([("diagnostics", .list(diagnostics)), ("summary", summary)])
        return report.description + "\n"
    }

    private func count(_ severity: Diagnostic.Severity) -> Int {
        files.reduce(0) { $0 + $1.diagnostics.count { $0.severity == severity } }
    }

    private func json(_ diagnostic: Diagnostic, in source: SourceText) -> JSONText {
        let start = source.location(of: diagnostic.span.start)
        let end = source.location(of: diagnostic.span.end)
        var members: [(String, JSONText)] = [
            ("code", .text(diagnostic.code.rawValue)),
            ("severity", .text(diagnostic.severity.rawValue)),
            ("message", .text(diagnostic.message)),
            ("file", .text(source.piece(at: diagnostic.span.start).path)),
            ("line", .number(start.line)),
            ("column", .number(start.column)),
            ("endLine", .number(end.line)),
            ("endColumn", .number(end.column)),
        ]
        if let label = diagnostic.label { members.append(("label", .text(label))) }
        if let help = diagnostic.help { members.append(("help", .text(help))) }
        let includes = source.includes(of: diagnostic.span.start)
        if !includes.isEmpty {
            members.append(("includedFrom", .list(includes.map(JSONText.text))))
        }
        return .object(members)
    }

    // MARK: GitHub

    /// Workflow commands that annotate the lines of a change, one a line.
    package var github: String {
        files.flatMap { file in
            file.diagnostics.map { annotation($0, in: file.source) + "\n" }
        }.joined()
    }

    private func annotation(_ diagnostic: Diagnostic, in source: SourceText) -> String {
        let start = source.location(of: diagnostic.span.start)
        let end = source.location(of: diagnostic.span.end)
        let command = diagnostic.severity == .note ? "notice" : diagnostic.severity.rawValue
        var properties = [
            ("file", source.piece(at: diagnostic.span.start).path), ("line", "\(start.line)"),
            ("endLine", "\(end.line)"),
        ]
        // GitHub takes columns of a single line only, and the last one as part of it.
        if start.line == end.line {
            properties.append(("col", "\(start.column)"))
            properties.append(("endColumn", "\(max(start.column, end.column - 1))"))
        }
        properties.append(("title", "forktail \(diagnostic.code.rawValue)"))
        let list = properties.map { "\($0.0)=\(Self.escaped($0.1, isProperty: true))" }
        let text = Self.escaped(diagnostic.sentence, isProperty: false)
        return "::\(command) \(list.joined(separator: ","))::\(text)"
    }

    private static func escaped(_ text: String, isProperty: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "%": result += "%25"
            case "\r": result += "%0D"
            case "\n": result += "%0A"
            case ":" where isProperty: result += "%3A"
            case "," where isProperty: result += "%2C"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    // MARK: SARIF

    /// A log in the Static Analysis Results Interchange Format 2.1.0.
    ///
    /// - Parameter version: of Forktail.
    package func sarif(version: String) -> String {
        let results = files.flatMap { file in
            file.diagnostics.map { result($0, in: file.source) }
        }
        let driver: JSONText = .object([
            ("name", .text("forktail")), ("version", .text(version)),
            ("rules", .list(DiagnosticCode.allCases.map(rule))),
        ])
        let run: JSONText = .object([
            ("tool", .object([("driver", driver)])),
            ("columnKind", .text("unicodeCodePoints")),
            ("results", .list(results)),
        ])
        let log: JSONText = .object([
            ("$schema", .text("https://json.schemastore.org/sarif-2.1.0.json")),
            ("version", .text("2.1.0")),
            ("runs", .list([run])),
        ])
        return log.description + "\n"
    }

    private func rule(_ code: DiagnosticCode) -> JSONText {
        .object([
            ("id", .text(code.rawValue)),
            ("shortDescription", .object([("text", .text(code.summary))])),
            ("help", .object([("text", .text("forktail explain \(code.rawValue)"))])),
            ("defaultConfiguration", .object([("level", .text(code.severity.rawValue))])),
        ])
    }

    private func result(_ diagnostic: Diagnostic, in source: SourceText) -> JSONText {
        var members: [(String, JSONText)] = [
            ("ruleId", .text(diagnostic.code.rawValue)),
            ("level", .text(diagnostic.severity.rawValue)),
            ("message", .object([("text", .text(diagnostic.sentence))])),
            ("locations", .list([location(of: diagnostic.span, in: source)])),
        ]
        if let index = DiagnosticCode.allCases.firstIndex(of: diagnostic.code) {
            members.insert(("ruleIndex", .number(index)), at: 1)
        }
        let includes = source.includeSpans(of: diagnostic.span.start)
        if !includes.isEmpty {
            let related = includes.map { location(of: $0, in: source, "included from here") }
            members.append(("relatedLocations", .list(related)))
        }
        return .object(members)
    }

    private func location(
        of span: Span,
        in source: SourceText,
        _ message: String? = nil
    ) -> JSONText {
        let start = source.scalarLocation(of: span.start)
        let end = source.scalarLocation(of: span.end)
        let region: JSONText = .object([
            ("startLine", .number(start.line)), ("startColumn", .number(start.column)),
            ("endLine", .number(end.line)), ("endColumn", .number(end.column)),
        ])
        let uri = Self.uri(of: source.piece(at: span.start).path)
        let physical: JSONText = .object([
            ("artifactLocation", .object([("uri", .text(uri))])), ("region", region),
        ])
        var members: [(String, JSONText)] = [("physicalLocation", physical)]
        if let message { members.append(("message", .object([("text", .text(message))]))) }
        return .object(members)
    }

    /// A path as RFC 3986 writes it.
    private static func uri(of path: String) -> String {
        var uri = path.hasPrefix("/") ? "file://" : ""
        for byte in path.utf8 {
            if byte.isDigit || byte.isLetter || "/.-~".utf8.contains(byte) {
                uri.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                uri += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return uri
    }
}

extension DiagnosticExport.File {
    fileprivate func has(_ severity: Diagnostic.Severity) -> Bool {
        diagnostics.contains { $0.severity == severity }
    }
}

extension Diagnostic {
    /// Message, label and help as one text, for readers that show no caret.
    fileprivate var sentence: String {
        var text = message
        if let label { text += " (\(label))" }
        if let help { text += "\n\(help)" }
        return text
    }
}

/// JSON to be written.
private indirect enum JSONText: CustomStringConvertible {
    case text(String)
    case number(Int)
    case list([JSONText])
    case object([(String, JSONText)])

    var description: String {
        switch self {
        case .text(let text): quotedAsJSON(text)
        case .number(let number): "\(number)"
        case .list(let elements): "[\(elements.map(\.description).joined(separator: ","))]"
        case .object(let members):
            "{\(members.map { "\(quotedAsJSON($0.0)):\($0.1)" }.joined(separator: ","))}"
        }
    }
}
