internal import Logging

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
        var line = "{\"ts\":\(Self.quoted(timestamp)),\"level\":\"\(level.rawValue)\""
        line += ",\"msg\":\(Self.quoted(message))"
        for (key, value) in pairs {
            line += ",\(Self.quoted(key)):\(Self.quoted(value))"
        }
        return line + "}"
    }

    /// `text` as a JSON string.
    package static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.controlsTerminal:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
