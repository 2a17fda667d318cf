internal import FileTailing
internal import PipelineLanguage
internal import RecordProcessing

/// Runs the `test` blocks of pipelines through the framer and the program that ship real files.
package struct PipelineTests {
    private let pipelines: [LoadedPipeline]
    private let filter: TestFilter?
    private let measuresCoverage: Bool

    /// - Parameter filter: a regular expression; only tests with a name that it matches somewhere.
    /// - Parameter measuresCoverage: whether the report says which places no test reached.
    /// - Throws: `ServiceError` (64) for a filter that is no regular expression.
    package init(
        pipelines: [LoadedPipeline],
        filter: String? = nil,
        measuresCoverage: Bool = false
    ) throws {
        self.pipelines = pipelines
        self.filter = try filter.map { try TestFilter($0) }
        self.measuresCoverage = measuresCoverage
    }

    /// - Throws: `ServiceError` (64) when the filter leaves no test of those that there are.
    package func run() throws -> TestReport {
        try refuseEmptyFilter()
        var report = TestReport()
        for pipeline in pipelines {
            let program = try measuresCoverage ? pipeline.measuredProgram() : pipeline.program
            let results = pipeline.testResults(of: program, where: isWanted)
            report.suites.append(
                .init(pipeline: pipeline.name, path: pipeline.path, results: results)
            )
            guard measuresCoverage else { continue }
            report.coverage =
                (report.coverage ?? []) + reachedPlaces(of: pipeline, program, results)
        }
        return report
    }

    private func reachedPlaces(
        of pipeline: LoadedPipeline,
        _ program: Program,
        _ results: [PipelineTestResult]
    ) -> [TestReport.Place] {
        program.coveragePoints.enumerated().map { index, point in
            let location = pipeline.plan.source.location(of: point.span.start)
            return TestReport.Place(
                path: pipeline.plan.source.piece(at: point.span.start).path,
                line: location.line,
                column: location.column,
                kind: point.kind.rawValue,
                text: point.text,
                isReached: results.contains { $0.reached[index] }
            )
        }
    }

    // MARK: The filter

    private func isWanted(_ name: String) -> Bool { filter?.matches(name) ?? true }

    private func refuseEmptyFilter() throws {
        guard let filter else { return }
        let names = pipelines.flatMap { pipeline in
            pipeline.plan.tests.map { (pipeline: pipeline.name, name: $0.name) }
        }
        if names.contains(where: { isWanted($0.name) }) { return }
        let list = names.map { "\n  " + "\($0.pipeline): \($0.name)".printable }.joined()
        throw ServiceError(
            .usage,
            "--filter \"\(filter.pattern)\" matches none of the \(names.count) tests"
                + (names.isEmpty ? "" : ":"),
            details: list
        )
    }

    // MARK: Updating

    /// What files become when each empty `expect { }` says what came there.
    package struct Update {
        package let path: String
        package let text: [UInt8]
        package let count: Int
    }

    /// - Throws: `ServiceError`: 64 when the filter leaves no test; 70 when a text would come out
    ///   wrong, which is a fault of Forktail's.
    package func updates() throws -> [Update] {
        try refuseEmptyFilter()
        return try pipelines.compactMap { pipeline in
            let results = pipeline.testResults(of: pipeline.program, where: isWanted)
            let updates = results.flatMap(\.updates)
            guard !updates.isEmpty else { return nil }
            let text = pipeline.plan.source.applying(updates)
            let source = SourceText(path: pipeline.path, bytes: text)
            guard source.errorCount == pipeline.plan.source.errorCount else {
                throw ServiceError(
                    .software,
                    "\(pipeline.path) was left as it is: its update would not be a pipeline"
                )
            }
            return Update(path: pipeline.path, text: text, count: updates.count)
        }
    }
}

/// Which tests are wanted, by their names.
private struct TestFilter {
    let pattern: String
    private let regex: Regex
    private let matcher = RegexMatcher()

    init(_ pattern: String) throws {
        self.pattern = pattern
        do {
            regex = try Regex(pattern)
        } catch {
            throw ServiceError(
                .usage,
                "--filter \"\(pattern)\" is no regular expression: \(error); put a backslash before"
                    + " a sign that shall stand for itself"
            )
        }
    }

    func matches(_ name: String) -> Bool {
        Array(name.utf8).withUnsafeBytes { (try? matcher.match(regex, $0)) ?? false }
    }
}

extension SourceText {
    /// Errors of the text alone: what it takes from elsewhere may be missing, before as after.
    fileprivate var errorCount: Int {
        let alone = SourceText(path: path, bytes: ownBytes)
        var context = PipelineContext()
        context.clusters = nil
        let diagnostics = PipelineCompiler.compile(alone, in: context).diagnostics
        return diagnostics.count { $0.severity == .error }
    }

    /// Without what it includes.
    private var ownBytes: [UInt8] { Array(bytes[..<pieces[0].span.end]) }

    /// This text with what stands at some spans replaced.
    fileprivate func applying(_ updates: [PipelineTestResult.Update]) -> [UInt8] {
        var bytes = ownBytes
        for update in updates.sorted(by: { $0.span.start > $1.span.start }) {
            let lineStart = bytes[..<update.span.start].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let indent = bytes[lineStart..<update.span.start].prefix { $0 == 0x20 || $0 == 0x09 }
            let margin = "\n" + String(decoding: indent, as: UTF8.self)
            let lines = update.text.split(separator: "\n", omittingEmptySubsequences: false)
            bytes.replaceSubrange(
                update.span.start..<update.span.end,
                with: lines.joined(separator: margin).utf8
            )
        }
        return bytes
    }
}

/// One event of a text that is there as a whole.
struct WholeEvent {
    let range: Range<Int>
    let line: Int64
    let offset: Int64
}

extension LoadedPipeline {
    /// Frames a whole text as a file that has come to its end.
    ///
    /// - Parameter atEnd: false for a text of which the end is missing: its last line is no event.
    func events(
        in bytes: UnsafeRawBufferPointer,
        atEnd: Bool = true,
        matches: (UnsafeRawBufferPointer) -> Bool
    ) -> [WholeEvent] {
        var framer = makeFramer()
        framer.begin(chunkAt: 0)
        var events: [WholeEvent] = []
        while let event = framer.next(in: bytes, atEnd: atEnd, matches: matches) {
            events.append(
                WholeEvent(
                    range: event.range,
                    line: event.line,
                    offset: Int64(event.range.lowerBound)
                )
            )
        }
        return events
    }

    func testResults(
        of program: Program,
        where isWanted: (String) -> Bool
    ) -> [PipelineTestResult] {
        PipelineTestRunner(program: program).run(where: isWanted) { bytes, matches in
            events(in: bytes, matches: matches).map {
                PipelineTestRunner.Event(range: $0.range, line: $0.line)
            }
        }
    }
}
