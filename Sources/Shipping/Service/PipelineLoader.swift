internal import Checkpointing
internal import Glibc
internal import PipelineLanguage
internal import RecordProcessing

/// How diagnostics are printed.
package enum DiagnosticFormat: String, CaseIterable, Sendable {
    /// For people and for editors, on standard error.
    case text, gcc
    /// For programs, on standard output.
    case json, github, sarif
}

/// Reads pipeline files, checks them, and refuses wrong ones with every error they have.
package struct PipelineLoader {
    /// What `forktail check` found.
    package struct Report {
        /// For standard error.
        package var text = ""
        /// For standard output.
        package var output = ""
        package var errorCount = 0
        package var warningCount = 0
        package var fileCount = 0
        /// Topics of the cluster that can be written to, a line each.
        package var topics: [String] = []
        /// Why the cluster could not be asked, if it was to be.
        package var failure: ServiceError?
    }

    private struct Compiled {
        let source: SourceText
        let plan: Plan?
        var diagnostics: [Diagnostic]
        /// Made of the plan where more is to be found out than the text says.
        var pipeline: LoadedPipeline?
    }

    private let mode: DeliveryMode
    private let deployment: Deployment
    private let isForTests: Bool

    /// - Parameter mode: under which the pipelines are to run: exactly once, records must come out
    ///   the same when they are made again.
    /// - Parameter deployment: what the pipelines may take from it.
    /// - Parameter isForTests: whether environment variables may be missing that tests give.
    package init(for mode: DeliveryMode, in deployment: Deployment, isForTests: Bool = false) {
        self.mode = mode
        self.deployment = deployment
        self.isForTests = isForTests
    }

    /// Checks files and folders of them.
    ///
    /// - Parameter journal: what it keeps of batches on their way.
    /// - Parameter clusters: asks those that pipelines send to for their topics, if no pipeline is
    ///   wrong; nil to ask none.
    /// - Parameter version: of Forktail, for the log that SARIF makes.
    /// - Throws: `ServiceError` (66) when a file cannot be read.
    package func check(
        paths: [String],
        format: DiagnosticFormat,
        color: Bool,
        journal: JournalContent = .positions,
        clusters: ClusterQuestion? = nil,
        version: String
    ) throws -> Report {
        var compiled = try compile(paths)
        var readers = FileReaders()
        for index in compiled.indices {
            guard let plan = compiled[index].plan else { continue }
            let pipeline = try load(plan)
            compiled[index].pipeline = pipeline
            compiled[index].diagnostics += try pipeline.emptyGlobWarnings()
            compiled[index].diagnostics += try readers.warnings(adding: pipeline)
            if mode == .exactlyOnce, journal == .positions {
                compiled[index].diagnostics += try pipeline.truncationWarnings()
            }
        }
        var failure: ServiceError?
        var topics: [String] = []
        do {
            if let clusters { topics = try ask(clusters, about: &compiled) }
        } catch let error as ServiceError {
            failure = error
        }
        for index in compiled.indices {
            compiled[index].diagnostics.sort { $0.span.start < $1.span.start }
        }
        let pipelines = compiled.count
        if !deployment.warnings.isEmpty {
            let warnings = deployment.warnings
            let own = Compiled(source: deployment.source, plan: nil, diagnostics: warnings)
            compiled.insert(own, at: 0)
        }
        var report = report(compiled, format: format, color: color, version: version)
        report.fileCount = pipelines
        report.topics = topics
        report.failure = failure
        return report
    }

    /// Holds pipelines against their clusters, unless one of them is wrong.
    ///
    /// - Returns: A line for each topic that can be written to.
    private func ask(
        _ clusters: ClusterQuestion,
        about compiled: inout [Compiled]
    ) throws -> [String] {
        let diagnostics = compiled.flatMap(\.diagnostics)
        guard !diagnostics.contains(where: { $0.severity == .error }) else { return [] }
        let checks = try clusters.ask(for: compiled.compactMap(\.pipeline))
        for check in checks { apply(check, to: &compiled) }
        return checks.flatMap(\.lines)
    }

    private func apply(_ check: ClusterCheck, to compiled: inout [Compiled]) {
        var isTransactionalIDNamed = false
        for index in compiled.indices {
            guard let plan = compiled[index].plan else { continue }
            compiled[index].diagnostics += check.diagnostics(of: plan)
            let uses = plan.topicUses(at: check.destination)
            guard !isTransactionalIDNamed, let first = uses.first else { continue }
            isTransactionalIDNamed = true
            if let found = check.diagnosticOfTransactionalID(at: first.span) {
                compiled[index].diagnostics.append(found)
            }
        }
    }

    /// Loads pipelines that are free of errors.
    ///
    /// - Throws: `ServiceError`: 66 when a file cannot be read, 78 with all diagnostics when one
    ///   is wrong.
    package func load(paths: [String], color: Bool) throws -> [LoadedPipeline] {
        let compiled = try compile(paths)
        let report = report(compiled, format: .text, color: color, version: "")
        guard report.errorCount == 0 else {
            throw ServiceError(
                .configuration,
                "the pipeline does not start",
                details: "\n\n" + report.text
            )
        }
        let pipelines = try compiled.compactMap { compiled in
            try compiled.plan.map(load)
        }
        try refuseEqualNames(pipelines)
        return pipelines
    }

    private func load(_ plan: Plan) throws -> LoadedPipeline {
        try LoadedPipeline(
            plan: plan,
            context: context,
            secrets: deployment.secrets,
            isForTests: isForTests
        )
    }

    private func refuseEqualNames(_ pipelines: [LoadedPipeline]) throws {
        var seen: [String: String] = [:]
        for pipeline in pipelines {
            if let other = seen.updateValue(pipeline.path, forKey: pipeline.name) {
                throw ServiceError(
                    .configuration,
                    "two pipelines are called \"\(pipeline.name)\": \(other) and \(pipeline.path);"
                        + " checkpoints go by the name, so rename one"
                )
            }
        }
    }

    private func report(
        _ compiled: [Compiled],
        format: DiagnosticFormat,
        color: Bool,
        version: String
    ) -> Report {
        var report = Report()
        let export = DiagnosticExport(
            files: compiled.map { .init(source: $0.source, diagnostics: $0.diagnostics) }
        )
        switch format {
        case .text, .gcc: break
        case .json: report.output = export.json
        case .github: report.output = export.github.printableLines
        case .sarif: report.output = export.sarif(version: version)
        }
        var failedFiles = 0
        report.fileCount = compiled.count
        for file in compiled {
            let errors = file.diagnostics.count { $0.severity == .error }
            report.errorCount += errors
            report.warningCount += file.diagnostics.count { $0.severity == .warning }
            failedFiles += errors > 0 ? 1 : 0
            let renderer = DiagnosticRenderer(source: file.source)
            for diagnostic in file.diagnostics {
                switch format {
                case .gcc:
                    for line in renderer.compilerLines(diagnostic) {
                        report.text += line.printable + "\n"
                    }
                case .text:
                    let text = renderer.text(diagnostic).printableLines
                    report.text += (color ? painted(text, diagnostic.severity) : text) + "\n"
                case .json, .github, .sarif: break
                }
            }
        }
        if report.errorCount > 0 {
            report.text += DiagnosticRenderer.summary(
                errors: report.errorCount,
                inFiles: failedFiles,
                of: compiled.count
            )
            report.text += "\n"
        }
        return report
    }

    private func painted(_ text: String, _ severity: Diagnostic.Severity) -> String {
        let color = severity == .error ? "31" : severity == .warning ? "33" : "36"
        guard let end = text.firstIndex(of: "\n") else { return text }
        return "\u{1B}[1;\(color)m\(text[..<end])\u{1B}[0m\(text[end...])"
    }

    // MARK: Files

    private func compile(_ paths: [String]) throws -> [Compiled] {
        try Self.files(in: paths).map { path in
            var source = SourceText(path: path, bytes: try readFile(path))
            let (plan, diagnostics) = PipelineCompiler.compile(&source, in: context)
            let others =
                mode == .exactlyOnce ? plan.map { RemakeAnalysis.diagnostics(of: $0) } ?? [] : []
            return Compiled(source: source, plan: plan, diagnostics: diagnostics + others)
        }
    }

    /// What the files are compiled with.
    private var context: PipelineContext {
        var context = deployment.configuration.context
        context.read = { path in
            do {
                return .bytes(try readFile(path))
            } catch {
                return .unreadable("\(error)")
            }
        }
        return context
    }

    /// Makes a pipeline of a text that was checked when it was read; nil if it does not load now.
    ///
    /// - Parameter today: a pipeline of today, whose cluster and surroundings it has but for the defaults.
    static func pipeline(_ text: PipelineText, today: LoadedPipeline?) -> LoadedPipeline? {
        var (context, own) = (today?.context ?? PipelineContext()).unarchived(text.text)
        let (source, included) = SourceText.unpack(own, path: text.path)
        context.read = { path in
            included[path].map { .bytes($0) } ?? .unreadable("it is not in the journal")
        }
        let secrets = today?.secrets ?? [:]
        guard let plan = PipelineCompiler.compile(source, in: context).plan else { return nil }
        return try? LoadedPipeline(
            plan: plan,
            context: context,
            secrets: secrets,
            destination: today?.destination
        )
    }

    /// The pipeline files that paths name, those of a folder in the order of their names.
    ///
    /// - Throws: `ServiceError` (66) when there are none.
    static func files(in paths: [String]) throws -> [String] {
        let files = try paths.flatMap { path -> [String] in
            guard isDirectory(path) else { return [path] }
            let inside = try directoryEntries(path).filter { $0.hasSuffix(".pipeline") }.sorted()
            return inside.map { path + (path.hasSuffix("/") ? "" : "/") + $0 }
        }
        guard !files.isEmpty else {
            throw ServiceError(.noInput, "no .pipeline file in \(paths.joined(separator: ", "))")
        }
        return files
    }
}

/// Pipelines are written by people; one of many megabytes is a mistake.
private let longestPipelineFile = 4 << 20

/// The bytes of a whole small file.
///
/// - Throws: `ServiceError` (66).
func readFile(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw NamedFile(path).unreadable(errno) }
    defer { close(descriptor) }
    let bytes = try readAll(descriptor, of: NamedFile(path), limit: longestPipelineFile)
    guard let bytes else {
        throw ServiceError(.noInput, "\(path) is over 4 MiB: that is no pipeline file")
    }
    return bytes
}

/// What a descriptor gives until its end, or `nil` when that is more than `limit`.
///
/// - Throws: `ServiceError` (66).
func readAll(_ descriptor: CInt, of file: NamedFile, limit: Int) throws -> [UInt8]? {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= limit {
        let count = read(descriptor, &block, block.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw file.unreadable(errno) }
        if count == 0 { return bytes }
        bytes.append(contentsOf: block[..<count])
    }
    return nil
}

private func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

func directoryEntries(_ path: String) throws -> [String] {
    guard let directory = opendir(path) else {
        throw ServiceError(.noInput, "\(path) cannot be listed: \(systemErrorText(errno))")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        names.append(
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
        )
    }
    return names
}

/// The name of this host, as `@host` gives it.
func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Every variable of this process's environment.
func environmentVariables() -> [String: String] {
    var variables: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
        let pair = String(cString: text)
        if let equals = pair.firstIndex(of: "=") {
            variables[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
        }
        entry += 1
    }
    return variables
}
