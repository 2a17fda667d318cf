/// A setting of a deployment that is not one of Kafka's properties.
package enum Setting: String, CaseIterable, Sendable {
    case language
    case stateDirectory = "state_dir"
    case pipelines
    case cluster
    case delivery
    case journal
    case synchronous
    case positionHeaders = "position_headers"
    case transactionInterval = "transaction_interval"
    case logLevel = "log_level"
    case logFormat = "log_format"
    case color

    /// The variable of the environment that sets it.
    package var variable: String? {
        switch self {
        case .language, .pipelines: nil
        default: "FORKTAIL_" + rawValue.uppercased()
        }
    }

    /// The flag that sets it.
    package var flag: String? {
        switch self {
        case .language, .pipelines: nil
        default: "--" + rawValue.replacing("_", with: "-")
        }
    }

    /// True when its value is a path.
    var isPath: Bool { self == .stateDirectory || self == .pipelines }

    /// The values it can have, if they can be listed.
    package var choices: [String]? {
        switch self {
        case .language: ["1"]
        case .delivery: ["exactly_once", "transactional", "at_least_once"]
        case .journal: ["positions", "bytes"]
        case .synchronous: ["full", "normal"]
        case .positionHeaders: ["true", "false"]
        case .logLevel: ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        case .logFormat: ["text", "json"]
        case .color: ["auto", "always", "never"]
        case .stateDirectory, .pipelines, .cluster, .transactionInterval: nil
        }
    }

    /// What a text should be that it cannot be set to.
    package func problem(with text: String) -> String? {
        if let choices {
            return choices.contains(text) ? nil : Self.list(choices)
        }
        switch self {
        case .transactionInterval: return Self.isTime(text) ? nil : "a time, such as 500ms or 2s"
        default: return text.isEmpty || text.utf8.contains(0) ? "a text that is not empty" : nil
        }
    }

    private static func list(_ choices: [String]) -> String {
        guard choices.count > 1, let last = choices.last else { return choices.joined() }
        return choices.dropLast().joined(separator: ", ") + " or " + last
    }

    private static func isTime(_ text: String) -> Bool {
        let digits = text.utf8.prefix { $0.isDigit }
        guard let count = Int64(String(decoding: Array(digits), as: UTF8.self)) else {
            return false
        }
        let unit = text.utf8.dropFirst(digits.count)
        return (0...1_000_000).contains(count)
            && ["ms", "s", "m", "h"].contains { unit.elementsEqual($0.utf8) }
    }
}
