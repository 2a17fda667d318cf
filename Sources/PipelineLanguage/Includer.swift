/// Puts the steps of included files where `include` stands.
struct Includer {
    /// Limits, so that no set of files can grow without end.
    static let depthLimit = 8
    static let fileLimit = 64

    private(set) var source: SourceText
    private(set) var diagnostics: [Diagnostic] = []
    /// The words of statements that could not be read.
    private(set) var broken: Set<String> = []
    private let context: PipelineContext
    /// The files that are being read, from the pipeline to the innermost.
    private var chain: [String]

    init(source: SourceText, context: PipelineContext) {
        self.source = source
        self.context = context
        self.chain = [source.path]
    }

    mutating func expand(_ file: SyntaxFile) -> SyntaxFile {
        var file = file
        file.steps = expand(file.steps)
        for index in file.errorPolicies.indices {
            guard case .steps(let steps) = file.errorPolicies[index].kind else { continue }
            file.errorPolicies[index].kind = .steps(expand(steps))
        }
        file.broken.formUnion(broken)
        return file
    }

    private mutating func expand(_ steps: [StepSyntax]) -> [StepSyntax] {
        var expanded: [StepSyntax] = []
        for var step in steps {
            switch step.kind {
            case .include(let path): expanded += included(path, by: step)
            case .if(let branches, let otherwise):
                let branches = branches.map { branch in
                    var branch = branch
                    branch.steps = expand(branch.steps)
                    return branch
                }
                step.kind = .if(branches, otherwise: otherwise.map { expand($0) })
                expanded.append(step)
            default: expanded.append(step)
            }
        }
        return expanded
    }

    private mutating func included(_ path: Name, by step: StepSyntax) -> [StepSyntax] {
        guard let steps = steps(of: path, by: step) else {
            broken.insert("include")
            return [StepSyntax(kind: .broken, keyword: step.keyword, span: step.span)]
        }
        return steps
    }

    private mutating func steps(of path: Name, by step: StepSyntax) -> [StepSyntax]? {
        guard let bytes = bytes(of: path, by: step) else { return nil }
        let target = resolved(path.text)
        let piece = source.append(path: target, bytes: bytes, includedAt: step.keyword)
        var reader = SourceReader(source, from: piece.span.start)
        let steps = reader.includedSteps(broken: &broken)
        diagnostics += reader.diagnostics
        chain.append(target)
        defer { chain.removeLast() }
        return steps.map { expand($0) }
    }

    private mutating func bytes(of path: Name, by step: StepSyntax) -> [UInt8]? {
        if let (message, help) = problem(with: path.text) {
            diagnostics.append(Diagnostic(.badInclude, message, at: path.span, help: help))
            return nil
        }
        switch context.read(resolved(path.text)) {
        case .bytes(let bytes): return bytes
        case .unreadable(let reason):
            diagnostics.append(
                Diagnostic(
                    .badInclude,
                    "\"\(path.text)\" cannot be included",
                    at: path.span,
                    label: reason,
                    help: "the path is relative to the file that includes it"
                )
            )
            return nil
        }
    }

    private func problem(with path: String) -> (message: String, help: String?)? {
        guard !path.isEmpty else { return ("this path is empty", nil) }
        if chain.map(\.normalizedPath).contains(resolved(path).normalizedPath) {
            return ("\"\(path)\" includes itself", "an `include` pastes steps, once")
        }
        if chain.count > Self.depthLimit {
            return ("files are included \(Self.depthLimit) deep at most", nil)
        }
        if source.pieces.count > Self.fileLimit {
            return ("a pipeline includes \(Self.fileLimit) files at most", nil)
        }
        return nil
    }

    /// A relative path is relative to the file that includes it.
    private func resolved(_ path: String) -> String {
        guard !path.hasPrefix("/"), let including = chain.last,
            let slash = including.lastIndex(of: "/")
        else { return path }
        return including[...slash] + path
    }
}

extension String {
    /// The path without `.`, and without `..` where what it leaves is known.
    fileprivate var normalizedPath: String {
        var parts: [Substring] = []
        for part in split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else {
                parts.append(part)
            }
        }
        return (hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }
}
