import PipelineLanguage
import Testing

@testable import PipelineTools

/// What `forktail init` writes without a sample.
struct StarterTests {
    @Test func `the starter passes its check, under any name`() throws {
        for name in ["orders", "Web-Logs_2", "a b", "été"] {
            let text = StarterPipeline(name: name).text
            let source = SourceText(path: "\(name).pipeline", text: text)
            let (plan, diagnostics) = PipelineCompiler.compile(source)
            #expect(diagnostics == [], "\(DiagnosticRenderer(source: source).text(diagnostics))")
            #expect(plan?.tests.count == 1)
        }
    }
}
