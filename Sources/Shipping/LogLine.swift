internal import Logging
internal import PipelineLanguage

/// One log line, as text for people or JSON for machines.
package struct LogLine {
    package enum Format: String, CaseIterable, Sendable {
        case text, json
    }

    let timestamp: String
    let level: Logger.Level
    let message: String
    let metadata: Logger.Metadata

    func rendered(as format: Format) -> String {
        switch format {
        case .text: text
        case .json: json
        }
    }

    private var pairs: [(key: String, value: String)] {
        metadata.map { ($0.key, "\($0.value)") }.sorted { $0.key < $1.key }
    }

    private var text: String {
        var line = "\(timestamp) \(level.rawValue) \(message.printable)"
        for (key, value) in pairs { line += " \(key)=\(textValue(value))" }
        return line
    }

    private func textValue(_ value: String) -> String {
        let needsQuotes = value.isEmpty || value.contains(" ") || value.contains("\"")
        guard needsQuotes else { return value.printable }
        let escaped = value.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }
        return "\"\(escaped.joined().printable)\""
    }

    private var json: String {
        var line = "{\"ts\":\(quotedAsJSON(timestamp)),\"level\":\"\(level.rawValue)\""
        line += ",\"msg\":\(quotedAsJSON(message))"
        for (key, value) in pairs {
            line += ",\(quotedAsJSON(key)):\(quotedAsJSON(value))"
        }
        return line + "}"
    }
}
