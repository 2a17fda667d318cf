internal import Glibc
internal import Kafka
package import PipelineLanguage

/// How this process is set up: `forktail.conf`, a profile of it, the environment, the command line.
package struct Deployment: Sendable {
    /// The file that is in use, as it was named; nil without one.
    package let path: String?
    package let profile: String?
    let configuration: Configuration
    /// The keys of `hmac`, as far as they can be read.
    let secrets: [String: SecretBytes]
    let source: SourceText
    /// What might go wrong with the file.
    let warnings: [Diagnostic]

    /// - Parameter file: the file that the command line names.
    /// - Parameter profile: the profile that it names.
    /// - Throws: `ServiceError`: 66 when the file cannot be read, 78 with all that is wrong with it.
    package init(file: String?, profile: String?, flags: Configuration.Flags) throws {
        let environment = environmentVariables()
        let found = try Self.find(file, environment)
        let chosen = profile ?? environment["FORKTAIL_PROFILE"].flatMap { $0.isEmpty ? nil : $0 }
        let (read, mistakes) =
            found.map { ConfigurationFile.read($0, rules: .kafka) } ?? (.none, [])
        let (configuration, others, problems) = read.resolved(
            profile: chosen,
            environment: environment,
            flags: flags,
            rules: .kafka
        )
        path = found?.path
        self.profile = chosen
        self.configuration = configuration
        source = read.source
        try Self.refuse(mistakes + others, in: source, problems)
        try Self.refuseUnknown(chosen, read, path: path)
        let reader = SecretReader(environment: environment)
        secrets = reader.bytes(of: configuration.secrets)
        warnings = reader.warnings(about: configuration)
        try Self.refuse(Self.contradictions(in: configuration), in: source, [])
    }

    /// What a setting is set to; nil where it is left to Forktail.
    package func text(of setting: Setting) -> String? { configuration.text(of: setting) }

    /// Where pipelines stand, for a command that is given none.
    ///
    /// - Throws: `ServiceError` (64) when the file does not say it either.
    package func paths(_ given: [String]) throws -> [String] {
        if !given.isEmpty { return given }
        if let pipelines = text(of: .pipelines) { return [pipelines] }
        throw ServiceError(
            .usage,
            "no pipeline: name a file or a folder, or set `pipelines` in forktail.conf"
        )
    }

    // MARK: The file

    private static func find(
        _ named: String?,
        _ environment: [String: String]
    ) throws -> SourceText? {
        let variable = environment["FORKTAIL_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        if let path = named ?? variable {
            return SourceText(path: path, bytes: try readFile(path))
        }
        for path in ["forktail.conf", "/etc/forktail/forktail.conf"]
        where access(path, F_OK) == 0 {
            return SourceText(path: path, bytes: try readFile(path))
        }
        return nil
    }

    private static func refuse(
        _ diagnostics: [Diagnostic],
        in source: SourceText,
        _ problems: [String]
    ) throws {
        guard !diagnostics.isEmpty else {
            if problems.isEmpty { return }
            throw ServiceError(.configuration, problems.joined(separator: "; "))
        }
        let sorted = diagnostics.sorted { $0.span.start < $1.span.start }
        let text = DiagnosticRenderer(source: source).text(sorted)
        throw ServiceError(
            .configuration,
            "\(source.path) is wrong",
            details: "\n\n" + text + problems.map { "\n\($0)\n" }.joined()
        )
    }

    private static func refuseUnknown(
        _ profile: String?,
        _ file: ConfigurationFile,
        path: String?
    ) throws {
        guard let profile, !file.profileNames.contains(profile) else { return }
        let names = file.profileNames.joined(separator: ", ")
        let known = path == nil ? "there is no forktail.conf" : "\(path ?? "") has \(names)"
        throw ServiceError(
            .configuration,
            "there is no profile \"\(profile)\": "
                + (path != nil && names.isEmpty ? "\(path ?? "") has none" : known)
        )
    }

    /// Properties that are well by themselves, and not with each other.
    private static func contradictions(in configuration: Configuration) -> [Diagnostic] {
        configuration.clusters.compactMap { cluster in
            do {
                try ProducerSettings.check(cluster)
                return nil
            } catch {
                return Diagnostic(.unknownSetting, "\(error)", at: cluster.span)
            }
        }
    }
}

/// Reads secrets from where they are kept.
private struct SecretReader {
    let environment: [String: String]

    func bytes(of secrets: [Configuration.Effective]) -> [String: SecretBytes] {
        var bytes: [String: SecretBytes] = [:]
        for secret in secrets { bytes[secret.name] = self.bytes(of: secret.value) }
        return bytes
    }

    private func bytes(of value: Configuration.Value) -> SecretBytes? {
        switch value {
        case .text: nil
        case .secretVariable(let name): environment[name].map { SecretBytes(Array($0.utf8)) }
        case .secretFile(let path):
            (try? readFile(path)).map { bytes in
                // Editors end a file with a line break, which belongs to no key.
                SecretBytes(bytes.reversed().drop { $0 == 0x0A || $0 == 0x0D }.reversed())
            }
        }
    }

    func warnings(about configuration: Configuration) -> [Diagnostic] {
        let properties = configuration.clusters.flatMap { ProducerSettings.useful($0.properties) }
        return
            (configuration.secrets.compactMap(absence)
            + (configuration.secrets + properties).compactMap(exposure)).sorted {
                $0.span.start < $1.span.start
            }
    }

    private func absence(_ secret: Configuration.Effective) -> Diagnostic? {
        guard case .secretFile(let path) = secret.value, let span = secret.span else { return nil }
        guard access(path, R_OK) != 0 else { return nil }
        let message = "\(path.printable) cannot be read: \(systemErrorText(errno))"
        return Diagnostic(.doubtful, message, at: span)
    }

    private func exposure(_ secret: Configuration.Effective) -> Diagnostic? {
        guard case .secretFile(let path) = secret.value, let span = secret.span else { return nil }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IROTH != 0 else {
            return nil
        }
        return Diagnostic(
            .doubtful,
            "\(path.printable) can be read by every user of this host",
            at: span,
            label: "a secret is in it",
            help: "`chmod o= \(path.printable)`"
        )
    }
}
