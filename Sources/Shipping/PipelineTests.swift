internal import FileTailing
internal import PipelineLanguage
internal import RecordProcessing

/// Runs the `test` blocks of pipelines through the framer and the program that ship real files.
package struct PipelineTests {
    /// What came of them, as `forktail test` prints it.
    package struct Report {
        package var text = ""
        package var passed = 0
        package var failed = 0
    }

    private let pipelines: [LoadedPipeline]
    private let filter: String?

    package init(pipelines: [LoadedPipeline], filter: String? = nil) {
        self.pipelines = pipelines
        self.filter = filter
    }

    /// - Throws: `ServiceError` (64) when the filter leaves no test of those that there are.
    package func run() throws -> Report {
        try refuseEmptyFilter()
        var report = Report()
        for pipeline in pipelines {
            let runner = PipelineTestRunner(program: pipeline.program)
            let results = runner.run(where: isWanted) { bytes, matches in
                pipeline.events(in: bytes, matches: matches).map {
                    PipelineTestRunner.Event(range: $0.range, line: $0.line)
                }
            }
            for result in results {
                report.passed += result.passed ? 1 : 0
                report.failed += result.passed ? 0 : 1
                report.text +=
                    "\(result.passed ? "ok  " : "FAIL")  \(pipeline.name): \(result.name)\n"
                for failure in result.failures {
                    report.text += indented(failure)
                }
            }
        }
        report.text += "\(report.passed) passed, \(report.failed) failed\n"
        return report
    }

    private func isWanted(_ name: String) -> Bool {
        filter.map { name.contains($0) } ?? true
    }

    private func refuseEmptyFilter() throws {
        guard let filter else { return }
        let names = pipelines.flatMap { pipeline in
            pipeline.plan.tests.map { (pipeline: pipeline.name, name: $0.name) }
        }
        if names.contains(where: { isWanted($0.name) }) { return }
        let list = names.map { "\n  " + "\($0.pipeline): \($0.name)".printable }.joined()
        throw ServiceError(
            .usage,
            "--filter \"\(filter)\" matches none of the \(names.count) tests"
                + (names.isEmpty ? "" : ":"),
            details: list
        )
    }

    private func indented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { "      \($0)\n" }
            .joined()
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
}
