import Checkpointing
import PipelineLanguage
import Testing

@testable import Shipping

struct LoadedPipelineTests {
    @Test func `an encoding that this host does not know is an error of the file`() throws {
        let plan = try plan("encoding = \"klingon\"")
        let error = #expect(throws: ServiceError.self) { try LoadedPipeline(plan: plan) }
        #expect(error?.exitCode == .configuration)
        #expect(
            error?.description.hasPrefix("a.pipeline: no encoding is called \"klingon\"") == true
        )
    }

    @Test func `a read holds the longest event, and what must follow it`() throws {
        #expect(try LoadedPipeline(plan: plan("max_line = 1MiB")).longestEvent == 1 << 20)
        #expect(try LoadedPipeline(plan: plan("encoding = \"UTF-16\"")).longestEvent == 2 << 20)
        let joined = try LoadedPipeline(plan: plan("multiline = ends_with(';$')"))
        #expect(joined.longestEvent == (2 << 20) + 2)
    }

    @Test(arguments: [
        ("long_lines = skip\n  max_line = 3", ["a", "b;", "c"]),
        ("long_lines = cut\n  max_line = 3", ["a", "b;", "lon", "c"]),
        ("multiline = ends_with(';$')", ["a\nb;", "long\nc"]),
        ("multiline = continued_by('^a')", ["a\nb;", "long", "c"]),
    ])
    func `settings of from reach the framer`(setting: String, events: [String]) throws {
        let pipeline = try LoadedPipeline(plan: plan(setting))
        let isMatch: (UnsafeRawBufferPointer) -> Bool = { line in
            setting.contains("ends") ? line.last == 0x3B : line.first == 0x61
        }
        let text = Array("a\nb;\nlong\nc\n".utf8)
        let found = text.withUnsafeBytes { bytes in
            pipeline.events(in: bytes, matches: isMatch).map {
                String(decoding: bytes[$0.range], as: UTF8.self)
            }
        }
        #expect(found == events)
    }

    @Test func `a filter that leaves no test is refused, with the names there are`() throws {
        let text = """
            from "*.log"
            parse text
            send { topic = "t"  value = @raw }
            on error stop
            test "a line is sent" { input 'x' expect { topic = "t" } }
            test "two lines are sent" { input 'x' expect { topic = "t" } }
            """
        let source = SourceText(path: "a.pipeline", text: text)
        let pipeline = try LoadedPipeline(plan: #require(PipelineCompiler.compile(source).0))
        #expect(try PipelineTests(pipelines: [pipeline], filter: "two").run().passed == 1)
        let error = #expect(throws: ServiceError.self) {
            try PipelineTests(pipelines: [pipeline], filter: "three").run()
        }
        #expect(error?.exitCode == .usage)
        #expect(
            error?.description == """
                --filter "three" matches none of the 2 tests:
                  a: a line is sent
                  a: two lines are sent
                """
        )
    }

    @Test func `a text of the journal brings what it included`() throws {
        let text = """
            from "*.log"
            parse text
            include "lib/mark.steps"
            send { topic = "t"  value = message }
            on error stop
            """
        var source = SourceText(path: "etc/a.pipeline", text: text)
        var context = PipelineContext()
        context.read = { _ in .bytes(Array("set message = \"x\"".utf8)) }
        let plan = try #require(PipelineCompiler.compile(&source, in: context).0)
        let kept = PipelineText(
            version: 1,
            name: "a",
            path: "etc/a.pipeline",
            text: plan.source.archive
        )
        let pipeline = try #require(PipelineLoader.pipeline(kept, today: nil))
        #expect(pipeline.plan.steps.count == 2)
        #expect(pipeline.plan.source.archive == kept.text)
        let alone = PipelineText(version: 1, name: "a", path: "etc/a.pipeline", text: text)
        #expect(PipelineLoader.pipeline(alone, today: nil).map(\.name) == nil)
    }

    private func plan(_ setting: String) throws -> Plan {
        let text = """
            from "*.log" {
              \(setting)
            }
            parse text
            send { topic = "t"  value = @raw }
            on error stop
            """
        let source = SourceText(path: "a.pipeline", text: text)
        return try #require(PipelineCompiler.compile(source).0)
    }
}
