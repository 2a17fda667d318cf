import PipelineLanguage
import Testing

@testable import Shipping

/// What `forktail test` prints.
struct TestReportTests {
    private let text = """
        from "*.log"
        parse text
        drop "short" if len(message) < 2
        send { topic = "t"  value = message }
        on error stop
        test "a < \\"b\\"" { input 'xy' expect { value = "x&y" } }
        test "passes" { input 'xy' expect { topic = "t" } }
        """

    private func report(_ text: String? = nil, coverage: Bool = false) throws -> TestReport {
        try tests(text ?? self.text, coverage: coverage).run()
    }

    private func tests(_ text: String, coverage: Bool = false) throws -> PipelineTests {
        let source = SourceText(path: "a.pipeline", text: text)
        let plan = try #require(PipelineCompiler.compile(source).0)
        return try PipelineTests(
            pipelines: [LoadedPipeline(plan: plan)],
            measuresCoverage: coverage
        )
    }

    @Test func `for people, what was found stands under what was expected`() throws {
        #expect(
            try report().rendered(as: .text) == """
                FAIL  a: a < "b"
                      a.pipeline:6: value
                        expected "x&y"
                        found    "xy"
                ok    a: passes
                1 passed, 1 failed

                """
        )
    }

    @Test func `for programs, it is one object`() throws {
        let json =
            #"{"passed":1,"failed":1,"tests":[{"pipeline":"a","file":"a.pipeline","line":6,"#
            + #""name":"a < \"b\"","passed":false,"failures":[{"line":6,"subject":"value","#
            + #""expected":"\"x&y\"","found":"\"xy\""}]},{"pipeline":"a","file":"a.pipeline","#
            + #""line":7,"name":"passes","passed":true,"failures":[]}]}"# + "\n"
        #expect(try report().rendered(as: .json) == json)
    }

    @Test func `for build servers, it is XML with every sign escaped`() throws {
        #expect(
            try report().rendered(as: .junit) == """
                <?xml version="1.0" encoding="UTF-8"?>
                <testsuites name="forktail" tests="2" failures="1">
                  <testsuite name="a" tests="2" failures="1" file="a.pipeline">
                    <testcase classname="a" name="a &lt; &quot;b&quot;" file="a.pipeline" line="6">
                      <failure message="value: expected &quot;x&amp;y&quot;, found &quot;xy&quot;">
                      a.pipeline:6: value
                        expected &quot;x&amp;y&quot;
                        found    &quot;xy&quot;
                      </failure>
                    </testcase>
                    <testcase classname="a" name="passes" file="a.pipeline" line="7"/>
                  </testsuite>
                </testsuites>

                """
        )
    }

    @Test func `a name cannot move the cursor`() throws {
        let text = text.replacing("passes", with: "\u{1B}[2Jpasses")
        for format in TestReport.Format.allCases {
            #expect(!(try report(text).rendered(as: format).contains("\u{1B}")))
        }
    }

    @Test func `coverage lists the places that no test reached`() throws {
        #expect(
            try report(coverage: true).rendered(as: .text).hasSuffix(
                """
                  a.pipeline:3:1: no test reaches `drop "short" if len(message) < 2`
                reached 1 of 2 places
                1 passed, 1 failed

                """
            )
        )
        #expect(
            try report(coverage: true).rendered(as: .json).hasSuffix(
                #""coverage":[{"file":"a.pipeline","line":3,"column":1,"kind":"drop","#
                    + #""text":"drop \"short\" if len(message) < 2","reached":false},"#
                    + #"{"file":"a.pipeline","line":4,"column":1,"kind":"send","text":"\"t\"","#
                    + #""reached":true}]}"# + "\n"
            )
        )
    }

    @Test func `an update changes the empty expects alone, and the result passes`() throws {
        let text = """
            from "*.log"
            parse text
            drop "short" if len(message) < 2
            send { topic = "t"  value = message }
            on error stop

            # Kept as it is.
            test "two" {
                input '''
                  xy
                  x
                  '''
                expect { }
                expect {}  # and this comment
            }

            """
        let update = try #require(try tests(text).updates().first)
        let updated = String(decoding: update.text, as: UTF8.self)
        #expect(update.count == 2)
        #expect(
            updated
                == text.replacing("{}", with: "drop \"short\"").replacing(
                    "{ }",
                    with: "{\n      topic = \"t\"\n      value = \"xy\"\n    }"
                )
        )
        #expect(try report(updated).failed == 0)
        #expect(try tests(updated).updates().isEmpty)
    }

    @Test func `a filter that is no regular expression says so`() throws {
        let error = #expect(throws: ServiceError.self) {
            try PipelineTests(pipelines: [], filter: "a(")
        }
        #expect(error?.exitCode == .usage)
        #expect(error?.description.contains("--filter \"a(\" is no regular expression") == true)
    }
}
