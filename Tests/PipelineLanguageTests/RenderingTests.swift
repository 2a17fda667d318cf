import Testing

@testable import PipelineLanguage

struct RenderingTests {
    private func render(_ text: String, path: String = "till.pipeline") -> String {
        let source = SourceText(path: path, text: text)
        let diagnostics = PipelineCompiler.compile(source).diagnostics
        return DiagnosticRenderer(source: source).text(diagnostics)
    }

    @Test func `an unknown column names the parse that lacks it`() {
        let text = render(Till.steps("set x = \"shop-${shpo}\"").text)
        #expect(
            text == """
                error[E201]: unknown field `shpo`
                  --> till.pipeline:10:17
                   |
                10 | set x = "shop-${shpo}"
                   |                 ^^^^ no such column in `parse csv`
                   = help: did you mean `shop`?

                """
        )
    }

    @Test func `an undeclared json field comes with the line to add`() {
        let text = render(Till.jsonSteps("set x = colour").text)
        #expect(
            text == """
                error[E201]: unknown field `colour`
                 --> till.pipeline:8:9
                  |
                8 | set x = colour
                  |         ^^^^^^ not declared in `parse json`
                  = help: add "colour: string?" to parse json

                """
        )
    }

    @Test func `a key that may be missing asks for a fallback`() {
        let text = render(Till.ending("send { topic = \"t\"  key = clerk  value = @raw }").text)
        #expect(
            text == """
                error[E301]: `key` may have no value
                  --> till.pipeline:10:27
                   |
                10 | send { topic = "t"  key = clerk  value = @raw }
                   |                           ^^^^^ this is `string?`
                   = help: give a fallback: `… ?? "none"`, or `?? null` to send without a key

                """
        )
    }

    @Test func `an open end points at the if that leaves it open`() {
        let send = "send { topic = \"t\"  value = @raw }"
        let text = render(Till.ending("if id > 1 { \(send) } else { set x = 1 }").text)
        #expect(
            text == """
                error[E402]: some records reach the end of this pipeline without `send`, `drop` or `reject`
                  --> till.pipeline:10:1
                   |
                10 | if id > 1 { send { topic = "t"  value = @raw } } else { set x = 1 }
                   | ^^ they would disappear silently
                   = help: end the last branch with `send`, `drop "reason"` or `reject "reason"`

                """
        )
    }

    @Test func `two errors stand apart, in the order of the text`() {
        let steps = "set x = match shop { \"north\" => 1 }\ndrop \"x\" if shop == \"west\""
        #expect(
            render(Till.steps(steps).text) == """
                error[E305]: this match does not cover "south"
                  --> till.pipeline:10:9
                   |
                10 | set x = match shop { "north" => 1 }
                   |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^
                   = help: add an arm, or `else => …`

                error[E304]: `shop` is never "west"
                  --> till.pipeline:11:21
                   |
                11 | drop "x" if shop == "west"
                   |                     ^^^^^^ here it is "north" or "south"

                """
        )
    }

    @Test func `a time format without a zone asks which`() {
        #expect(
            render(Till.parse("parse json {\n  at: time('%H:%M')\n}").text) == """
                error[E502]: this time format has no zone
                 --> till.pipeline:3:12
                  |
                3 |   at: time('%H:%M')
                  |            ^^^^^^^ local or UTC? the file does not say
                  = help: add `zone: "UTC"` (or a name such as "Europe/Berlin"), or `%z` to the format

                """
        )
    }

    @Test func `a function of a later version says what it waits for`() {
        #expect(
            render(Till.ending("send { topic = \"t\" value = avro(*, subject: \"s\") }").text)
                == """
                error[E202]: `avro` needs a schema registry, whose support comes with a later release
                  --> till.pipeline:10:28
                   |
                10 | send { topic = "t" value = avro(*, subject: "s") }
                   |                            ^^^^

                """
        )
    }

    @Test func `tabs stay tabs under the line, and control characters are not printed`() {
        let source = SourceText(path: "p", text: "\tab\u{1B} c")
        let diagnostic = Diagnostic(.syntax, "no", at: Span(1, 3))
        #expect(
            DiagnosticRenderer(source: source).text(diagnostic)
                == "error[E102]: no\n --> p:1:2\n  |\n1 | \tab\u{FFFD} c\n  | \t^^\n"
        )
    }

    @Test func `a compiler's line has place, severity, message and code`() {
        let source = SourceText(path: "a/p.pipeline", text: "x\n→y")
        let diagnostic = Diagnostic(.unused, "`y` is never used", at: Span(5, 6))
        #expect(
            DiagnosticRenderer(source: source).compilerLines(diagnostic)
                == ["a/p.pipeline:2:2: warning: `y` is never used [W602]"]
        )
    }

    @Test func `the summary counts errors and files`() {
        #expect(
            DiagnosticRenderer.summary(errors: 3, inFiles: 1, of: 6) == "3 errors in 1 of 6 files"
        )
        #expect(
            DiagnosticRenderer.summary(errors: 1, inFiles: 1, of: 1) == "1 error in 1 of 1 file"
        )
    }

    @Test func `every code has a summary and is used once`() {
        let codes = DiagnosticCode.allCases
        #expect(Set(codes.map(\.summary)).count == codes.count)
    }
}
