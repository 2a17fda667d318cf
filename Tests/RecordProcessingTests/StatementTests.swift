import PipelineLanguage
import Testing

@testable import RecordProcessing

struct StatementTests {
    private func run(
        _ steps: String,
        _ line: String,
        parse: String = "parse json"
    ) throws -> String {
        let bench = try Bench(
            """
            from "*.log"
            \(parse)
            \(steps)
            send { topic = "t"  value = json(*) }
            on error dead_letter "dead"
            """
        )
        return bench.run(line)
    }

    @Test(arguments: [
        ("rename a to b", #"{"a":1.50,"c":2}"#, #"{"c":2,"b":1.50}"#),
        ("rename a to b", #"{"c":2}"#, #"{"c":2}"#),
        ("rename a to b", #"{"a":null}"#, #"{"b":null}"#),
        ("rename a.x to b", #"{"a":{"x":[1, 2],"y":0}}"#, #"{"a":{"y":0},"b":[1, 2]}"#),
        ("rename a to b.c.d", #"{"a":7,"b":{"e":1}}"#, #"{"b":{"e":1,"c":{"d":7}}}"#),
        ("rename a.x to b", #"{"c":5}"#, #"{"c":5}"#),
        ("rename a to b\nset b = b + 1", #"{"a":1}"#, #"{"b":2}"#),
        ("keep b, a", #"{"a":1,"b":{"x":1},"c":3,"d":4}"#, #"{"a":1,"b":{"x":1}}"#),
        (
            "keep b.x, b.y.z", #"{"a":1,"b":{"w":0,"y":{"z":2,"q":3},"x":1}}"#,
            #"{"b":{"x":1,"y":{"z":2}}}"#
        ),
        ("keep a", #"{"b":1}"#, "{}"),
        ("keep a.x", #"{"b":1}"#, "{}"),
        ("keep a, a.x", #"{"a":{"x":1,"y":2}}"#, #"{"a":{"x":1,"y":2}}"#),
        ("keep a\nset z = 1", #"{"a":1,"b":2,"z":5}"#, #"{"a":1,"z":1}"#),
    ])
    func `fields move and stay`(steps: String, line: String, outcome: String) throws {
        #expect(try run(steps, line) == outcome)
    }

    @Test func `a renamed time is sent as it was written`() throws {
        let parse = "parse csv { id: int\n at: time('%d.%m.%Y', zone: \"UTC\") }"
        let outcome = try run("rename at to day", "7,24.12.2026", parse: parse)
        #expect(outcome == #"{"id":7,"day":"24.12.2026"}"#)
    }

    @Test func `the version of a pipeline covers what it includes`() throws {
        func version(_ steps: String) throws -> String {
            let text = """
                from "*.log"
                parse text
                include "a.steps"
                send { topic = "t"  value = message }
                on error dead_letter "dead"
                """
            let source = SourceText(path: "p.pipeline", text: text)
            var context = PipelineContext()
            context.read = { _ in .bytes(Array(steps.utf8)) }
            let plan = try #require(PipelineCompiler.compile(source, in: context).plan)
            let program = try Program(plan: plan, host: "h", environment: [:])
            return String(decoding: program.version, as: UTF8.self)
        }
        let first = try version("set message = \"1\"")
        #expect(try version("set message = \"1\"") == first)
        #expect(try version("set message = \"2\"") != first)
    }
}

struct GivenTests {
    private func failures(given: String, expect: String) throws -> [String] {
        let bench = try Bench(
            """
            from "*.log"
            parse text
            let about = "${@line} ${@host} ${@env.TEAM ?? "nobody"}"
            send { topic = "t"  key = about  timestamp = @now  value = json({ m: unix(@mtime) }) }
            on error stop
            test "it" { given { \(given) } input 'x' expect { \(expect) } }
            """
        )
        let runner = PipelineTestRunner(program: bench.processor.program)
        return runner.run { text, _ in [.init(range: 0..<text.count - 1, line: 1)] }
            .flatMap(\.failures).map { "\($0.subject): \($0.found) is not \($0.expected)" }
    }

    @Test func `a test sets what does not come from the record`() throws {
        let given = """
            @host = "h", @line = 7, @env.TEAM = "till", @now = "2026-11-23T10:00:00.25Z",
            @mtime = "1970-01-01T01:00:05+01:00"
            """
        let expect = """
            key = "7 h till"
            timestamp = 1795428000250
            value = { m: 5 }
            """
        #expect(try failures(given: given, expect: expect) == [])
    }

    @Test func `a variable that no test gives has its fallback, and a day that is none is told`()
        throws
    {
        #expect(try failures(given: "@line = 3", expect: "key = \"3 localhost nobody\"") == [])
        let given = "@now = \"2026-13-45T10:00:00Z\""
        #expect(
            try failures(given: given, expect: "topic = \"t\"").first
                == "given: 2026-13-45T10:00:00Z is not a time"
        )
    }
}
