package import PipelineLanguage

extension Deployment {
    private typealias Row = (name: String, value: String, origin: String)

    /// Every setting, what it is set to, and who said so; secrets as `(secret)`.
    ///
    /// - Parameter defaults: what settings are when nobody says anything.
    /// - Parameter bootstrapServers: the command line's, as `properties`.
    /// - Throws: `ServiceError` (78) when those cannot be understood.
    package func listing(
        defaults: [Setting: String],
        bootstrapServers: String?,
        properties: [String]
    ) throws -> String {
        let said = try ProducerSettings.said(by: self, bootstrapServers, properties)
        let producer = ProducerSettings.listed(said)
        var parts = [heading, Self.table(settingRows(defaults))]
        for cluster in configuration.clusters where cluster.name != configuration.cluster?.name {
            parts.append("kafka \(cluster.name)\n" + Self.table(cluster.properties.map(Self.row)))
        }
        let name = configuration.cluster.map { " \($0.name)" } ?? ""
        parts.append("kafka\(name), in use\n" + Self.table(producer.map(Self.row)))
        if !configuration.secrets.isEmpty {
            parts.append("secrets\n" + Self.table(configuration.secrets.map(Self.row)))
        }
        if let inherited { parts.append("defaults\n" + Self.table(inherited)) }
        return parts.joined(separator: "\n")
    }

    private var heading: String {
        guard let path else { return "no forktail.conf\n" }
        return path.printable + (profile.map { ", profile \($0.printable)" } ?? "") + "\n"
    }

    private func settingRows(_ defaults: [Setting: String]) -> [Row] {
        Setting.allCases.compactMap { setting in
            if let effective = configuration.settings[setting] { return Self.row(effective) }
            if setting == .cluster {
                return configuration.cluster.map { (setting.rawValue, $0.name, "default") }
            }
            return defaults[setting].map { (setting.rawValue, $0, "default") }
        }
    }

    private var inherited: [Row]? {
        let defaults = configuration.defaults
        var rows: [Row] = []
        if let policy = defaults.errorPolicy {
            let lines = policy.split(separator: "\n")
            let text = lines.count > 1 ? "\(lines[0])…" : policy
            rows.append((text, "", defaults.place ?? ""))
        }
        for header in defaults.headers {
            rows.append(("header " + header.name, header.value, header.place ?? ""))
        }
        return rows.isEmpty ? nil : rows
    }

    private static func row(_ effective: Configuration.Effective) -> Row {
        var origin = effective.origin.description
        if !effective.variables.isEmpty {
            origin += " (" + effective.variables.joined(separator: ", ") + ")"
        }
        return (effective.name, effective.value.description, origin)
    }

    private static func table(_ rows: [Row]) -> String {
        let printable = rows.map { row in
            (name: row.name.printable, value: row.value.printable, origin: row.origin.printable)
        }
        let names = printable.map(\.name.count).max() ?? 0
        let values = min(40, printable.map(\.value.count).max() ?? 0)
        return printable.map { row in
            "  " + row.name.padded(to: names) + "  " + row.value.padded(to: values) + "  "
                + row.origin
                + "\n"
        }.joined()
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
