internal import Checkpointing
internal import FileTailing
internal import PipelineLanguage
internal import RecordProcessing

/// A pipeline that has passed its checks and can run.
package struct LoadedPipeline: Sendable {
    let plan: Plan
    let program: Program
    /// What it was compiled with besides its own text.
    let context: PipelineContext
    let secrets: [String: SecretBytes]
    /// The cluster that gets its records; nil for all of them.
    let destination: Destination?
    private let standIns: [String: String]
    /// Bytes of a file that one byte of its text takes at most.
    let encodedUnit: Int

    package var name: String { plan.name }
    package var path: String { plan.source.path }
    package var testCount: Int { plan.tests.count }

    /// - Throws: `ServiceError` (78) for what only shows when the plan meets this host: a missing
    ///   environment variable, an unknown time zone or encoding, a regular expression that PCRE2
    ///   refuses.
    ///
    /// - Parameter isForTests: whether a variable may be missing that its tests give.
    /// - Parameter destination: the cluster that gets its records; nil for all of them.
    init(
        plan: Plan,
        context: PipelineContext = PipelineContext(),
        secrets: [String: SecretBytes] = [:],
        isForTests: Bool = false,
        destination: Destination? = nil
    ) throws {
        self.plan = plan
        self.destination = destination
        standIns =
            isForTests
            ? plan.tests.reduce(into: [:]) { $0.merge($1.variables) { first, _ in first } } : [:]
        self.context = context
        self.secrets = secrets
        do {
            program = try Program(
                plan: plan,
                host: hostName(),
                environment: environmentVariables(),
                standIns: standIns,
                secrets: secrets,
                destination: destination
            )
            encodedUnit = try Self.makeDecoder(for: plan)?.unitLength ?? 1
        } catch {
            throw ServiceError(.configuration, "\(plan.source.path): \(error)")
        }
    }

    /// What of it goes to one cluster.
    func restricted(to destination: Destination) throws -> LoadedPipeline {
        try LoadedPipeline(
            plan: plan,
            context: context,
            secrets: secrets,
            destination: destination
        )
    }

    /// The same program with marks at the places that its tests should reach.
    func measuredProgram() throws -> Program {
        do {
            return try Program(
                plan: plan,
                host: hostName(),
                environment: environmentVariables(),
                standIns: standIns,
                secrets: secrets,
                measuresCoverage: true
            )
        } catch {
            throw ServiceError(.configuration, "\(plan.source.path): \(error)")
        }
    }

    /// All that decides what it makes of a line, as the journal keeps it.
    var journaledText: String {
        context.archived(plan.source.archive, namesClusters: plan.namesClusters)
    }

    /// Turns this pipeline's files into UTF-8; nil when that is what they are.
    ///
    /// A lane needs one for all its files of this pipeline.
    func makeDecoder() -> TextDecoder? {
        // The name was good when the pipeline was loaded.
        try? Self.makeDecoder(for: plan)
    }

    private static func makeDecoder(for plan: Plan) throws(TextDecoderError) -> TextDecoder? {
        guard let encoding = plan.input.encoding else { return nil }
        return try TextDecoder(encoding: encoding)
    }

    /// Cuts this pipeline's files into events.
    func makeFramer(state: LineFramer.State = .head, line: Int64 = 0) -> LineFramer {
        LineFramer(
            framing: framing,
            maxLine: plan.input.maxLine,
            longLines: plan.input.longLines == .skip ? .skip : .cut,
            keepEmpty: plan.input.keepsEmptyLines,
            state: state,
            line: line
        )
    }

    private var framing: LineFramer.Framing {
        switch program.framing {
        case .lines: .lines
        case .csv(let separator, let quote?): .csv(separator: separator, quote: quote)
        case .csv(_, nil): .lines
        case .multiline(.startsWith): .multiline(.startsWith)
        case .multiline(.endsWith): .multiline(.endsWith)
        case .multiline(.continuesWith): .multiline(.continuesWith)
        case .multiline(.continuedBy): .multiline(.continuedBy)
        }
    }

    /// Bytes of a file that must be there at most to know an event and its end.
    ///
    /// A multi-line event ends with a line that may be as long again.
    var longestEvent: Int {
        let length = plan.input.multiline == nil ? plan.input.maxLine : 2 * plan.input.maxLine + 2
        return length * encodedUnit
    }

    /// Whether an event may end because nothing came for a while.
    var endsEventsByTime: Bool {
        plan.input.multiline != nil && plan.input.multilineTimeout != .zero
    }

    /// Whether gzip and zstd files are read as what is in them.
    var decompresses: Bool { plan.input.compressed == .auto }

    func tailConfiguration(
        endsAtEndOfFile: Bool,
        chunkLength: Int
    ) -> TailStateMachine.Configuration {
        var configuration = TailStateMachine.Configuration(
            chunkLength: chunkLength,
            maxLine: longestEvent
        )
        configuration.rotateWait = plan.input.rotateWait
        configuration.closeInactive = plan.input.closeInactive.unlessZero
        if plan.input.multiline != nil {
            configuration.eventTimeout = plan.input.multilineTimeout.unlessZero
        }
        if !endsAtEndOfFile { configuration.settle = plan.input.settle ?? .zero }
        return configuration
    }

    func makeContext(row: FileCheckpoint) -> FileContext {
        FileContext(path: row.firstPath, inode: row.inode, modified: 0, header: row.header)
    }

    /// - Throws: `ServiceError` (78) for a glob that cannot be understood.
    func makeWatchSet(start: StartPosition?) throws -> WatchSet {
        let begins = start ?? (plan.input.start == .end ? .end : .beginning)
        return WatchSet(
            patterns: try plan.input.globs.map(pattern),
            exclude: try plan.input.excluded.map(pattern),
            start: begins == .end ? .end : .beginning,
            newFiles: plan.input.newFiles == .end ? .end : .beginning,
            ignoreOlder: plan.input.ignoreOlder,
            oldFiles: plan.input.oldFiles == .end ? .end : .beginning,
            decompresses: decompresses
        )
    }

    /// What the globs match now, sorted.
    ///
    /// - Throws: `ServiceError` (78) for a glob that cannot be understood.
    func filesMatchingGlobs() throws -> [String] {
        let set = try makeWatchSet(start: nil)
        return GlobExpansion.files(matching: set.patterns, excluding: set.exclude, on: LinuxDisk())
    }

    /// Where `from` looks.
    var globPaths: [String] { plan.input.globs.map(path(of:)) }

    /// A relative glob is relative to the pipeline file.
    private func path(of glob: Input.Glob) -> String {
        glob.pattern.hasPrefix("/") ? glob.pattern : folder + glob.pattern
    }

    func pattern(_ glob: Input.Glob) throws -> GlobPattern {
        do {
            return try GlobPattern(path(of: glob))
        } catch {
            throw ServiceError(.configuration, "\(path): \"\(glob.pattern)\": \(error)")
        }
    }

    private var folder: String {
        let absolute = path.hasPrefix("/") ? path : workingDirectory() + "/" + path
        guard let slash = absolute.lastIndex(of: "/") else { return "/" }
        return String(absolute[...slash])
    }
}

extension Duration {
    /// Nil for a time of nothing, which switches a limit off.
    fileprivate var unlessZero: Duration? { self == .zero ? nil : self }
}
