import PipelineLanguage
import Testing

@testable import RecordProcessing

/// What `forktail test` finds out about a pipeline.
struct TestRunnerTests {
    private static let head = """
        from "*.log"
        parse csv {
          id:    int
          kind:  enum("a", "b", "c")
          note:  string?
        }
        drop "old" if kind == "b"
        reject "no note" if kind == "c" and note == null
        if note != null {
          set note = match { note == "x" => "an x", else => "other" }
        } else {
          set note = "none"
        }
        send {
          topic     = "t.${kind}"
          key       = id
          headers { host = @host, short = kind }
          value     = json(*)
        }

        """

    private func results(
        _ test: String,
        policy: String = "on error dead_letter \"dead\"",
        measuresCoverage: Bool = false
    ) throws -> (results: [PipelineTestResult], program: Program, source: SourceText) {
        let source = SourceText(path: "p.pipeline", text: Self.head + policy + "\n" + test)
        var context = PipelineContext()
        context.clusters = ["main", "far-away"]
        context.cluster = "main"
        let (plan, diagnostics) = PipelineCompiler.compile(source, in: context)
        let program = try Program(
            plan: try #require(plan, "\(DiagnosticRenderer(source: source).text(diagnostics))"),
            host: "machine",
            environment: [:],
            measuresCoverage: measuresCoverage
        )
        let results = PipelineTestRunner(program: program).run { bytes, _ in lines(of: bytes) }
        return (results, program, source)
    }

    private func lines(of bytes: Text) -> [PipelineTestRunner.Event] {
        var events: [PipelineTestRunner.Event] = []
        var start = 0
        for (place, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
            events.append(.init(range: start..<place, line: Int64(events.count + 1)))
            start = place + 1
        }
        return events
    }

    private func failures(
        _ test: String,
        policy: String = "on error dead_letter \"dead\""
    ) throws -> [String] {
        try results(test, policy: policy).results.flatMap(\.failures).map {
            "\($0.line) \($0.subject): \($0.expected) | \($0.found)"
        }
    }

    @Test func `a failure says what was expected and what was found`() throws {
        let test = """
            test "all" {
              input '''
                1,a,x
                2,b,
                3,c,
                4,a,
                '''
              expect { key = 2  headers { short = "b" }  value has { id: 1, note: "y", gone: 1 } }
              expect drop "new"
              expect dead_letter "row"
              expect drop
              expect { topic = "t.a" }
            }
            """
        #expect(
            try failures(test) == [
                #"28 key: 2 | "1""#,
                #"28 header short: "b" | "a""#,
                #"28 value.note: "y" | "an x""#,
                "28 value.gone: 1 | no value",
                #"29 the reason of the drop: "new" | "old""#,
                #"30 the message of the dead letter: one with "row" | "no note""#,
                #"31 the outcome: a drop | a record to "t.a""#,
                "32 the outcome: a record | nothing: the input is over",
            ]
        )
    }

    @Test func `expect to says which cluster gets a record`() throws {
        let policy = "on error { send to far-away { topic = \"dead\"  value = @raw } }"
        func test(_ first: String, _ second: String) -> String {
            """
            test "two" {
              input '''
                3,c,
                1,a,x
                '''
              expect \(first)
              expect \(second)
            }
            """
        }
        let good = test("to far-away { topic = \"dead\" }", "to main { key = 1 }")
        #expect(try failures(good, policy: policy) == [])
        // Who names no cluster does not mind.
        #expect(try failures(test("{ topic = \"dead\" }", "{ key = 1 }"), policy: policy) == [])
        #expect(
            try failures(test("to main { }", "to far-away { key = 1 }"), policy: policy) == [
                "26 the cluster: \"main\" | \"far-away\"",
                "27 the cluster: \"far-away\" | the process's own",
            ]
        )
        let updates = try results(test("{ }", "{ }"), policy: policy).results.flatMap(\.updates)
        #expect(
            updates.map { $0.text.prefix { $0 != "\n" } } == ["expect to far-away {", "expect {"]
        )
    }

    @Test func `what nobody expected fails a test`() throws {
        let test = "test \"none\" { input '1,a,' expect nothing }"
        #expect(
            try failures(test) == [#"21 the end: nothing more | a record to "t.a""#]
        )
    }

    @Test(arguments: ["on error skip", "on error stop"])
    func `a line that is skipped or stops its file is expected as nothing`(
        _ policy: String
    ) throws {
        let good = """
            test "bad" {
              input 'x,a,'
              expect nothing
            }
            """
        #expect(try failures(good, policy: policy) == [])
        let wrong = good.replacing("nothing", with: "{ topic = \"t.a\" }")
        let found = try failures(wrong, policy: policy)
        #expect(found.count == 1)
        #expect(found.first?.contains("the outcome: a record | nothing: ") == true)
    }

    @Test func `tests know nothing of the machine that they run on`() throws {
        let test = """
            test "host" {
              input '1,a,'
              expect { headers { host = "localhost" } }
            }
            test "given" {
              given { @host = "web-1" }
              input '1,a,'
              expect { headers { host = "web-1" } }
            }
            """
        #expect(try failures(test) == [])
    }

    @Test func `an environment variable may be missing where each test gives it`() throws {
        let source = SourceText(
            path: "p.pipeline",
            text: """
                from "*.log"
                parse text
                send {
                  topic = "t"
                  value = "${@env.SITE} ${@env.HALL ?? "none"}"
                }
                on error stop
                test "given" {
                  given { @env.SITE = "north", @env.HALL = "2" }
                  input 'x'
                  expect { value = "north 2" }
                }
                test "given in part" {
                  given { @env.SITE = "south" }
                  input 'x'
                  expect { value = "south none" }
                }
                test "not given" {
                  input 'x'
                  expect { value = "north none" }
                }
                """
        )
        let plan = try #require(PipelineCompiler.compile(source).plan)
        let given = plan.tests.reduce(into: [:]) { $0.merge($1.variables) { first, _ in first } }
        let program = try Program(
            plan: plan,
            host: "machine",
            environment: [:],
            standIns: given
        )
        let results = PipelineTestRunner(program: program).run { bytes, _ in
            [.init(range: 0..<bytes.count, line: 1)]
        }
        #expect(results.map(\.passed) == [true, true, false])
        #expect(results[2].failures.first?.found.contains("SITE is not set") == true)
        #expect(throws: ProgramError.self) {
            try Program(plan: plan, host: "machine", environment: [:])
        }
    }

    @Test func `an empty expect becomes what came there, and passes`() throws {
        let test = """
            test "all" {
              input '''
                1,a,x
                2,b,
                3,c,
                4,a,"a ""quote"" and ${x}"
                '''
              expect { }
              expect {
              }
              expect drop
              expect { }
            }
            """
        let texts = try results(test).results.flatMap(\.updates).map(\.text)
        #expect(
            texts == [
                """
                expect {
                  topic = "t.a"
                  key   = "1"
                  headers {
                    host  = "localhost"
                    short = "a"
                  }
                  value = { id: 1, kind: "a", note: "an x" }
                }
                """,
                "expect drop \"old\"",
                """
                expect {
                  topic = "t.a"
                  key   = "4"
                  headers {
                    host  = "localhost"
                    short = "a"
                  }
                  value = { id: 4, kind: "a", note: "other" }
                }
                """,
            ]
        )
        let whole = """
            test "all" {
              input '''
                1,a,x
                2,b,
                3,c,
                4,a,y
                '''
              \(texts[0])
              \(texts[1])
              expect dead_letter
              \(texts[2])
            }
            """
        #expect(try failures(whole) == [])
    }

    @Test func `an update is laid out as the formatter leaves it`() throws {
        let test = """
            test "all" {
              input '1,a,"\(String(repeating: "long ", count: 20))"'
              expect { }
            }

            test "drop" {
              input '2,b,'
              expect { }
            }

            """
        var (results, _, source) = try results(test)
        for update in results.flatMap(\.updates).reversed() {
            let text = update.text.replacing("\n", with: "\n  ")
            let bytes = source.bytes
            source = SourceText(
                path: "p.pipeline",
                bytes: bytes[..<update.span.start] + Array(text.utf8) + bytes[update.span.end...]
            )
        }
        guard case .formatted(let bytes) = PipelineFormatter.format(source) else {
            Issue.record("the update cannot be read")
            return
        }
        let written = String(decoding: source.bytes, as: UTF8.self)
        let formatted = String(decoding: bytes, as: UTF8.self)
        let start = "test \"all\""
        #expect(
            written.rest(from: start)
                == formatted.rest(from: start)
        )
    }

    @Test func `what the language cannot write is left out of an update`() throws {
        let bench = try Bench.value("json(*)")
        let json = #"""
            {"big":123456789012345678901,"e":1e5,"a b":-0.50,"n":null,"in":[1,{"x":[]}],"t":"a\u0001\"${b}"}
            """#
        #expect(bench.run(json) == json)
        let record = try #require(bench.processor.staged.first)
        let text = ExpectationWriter(processor: bench.processor).text(of: .record(record))
        #expect(
            text == #"""
                expect {
                  topic = "t"
                  value has {
                    "a b": -0.50
                    n:     null
                    "in":  [1, { x: [] }]
                    t:     "a\u{1}\"\${b}"
                  }
                }
                """#
                || text == #"""
                    expect {
                      topic = "t"
                      value has { "a b": -0.50, n: null, "in": [1, { x: [] }], t: "a\u{1}\"\${b}" }
                    }
                    """#
        )
    }

    @Test func `coverage counts what any test has reached`() throws {
        let test = """
            test "one" { input '1,a,x' expect { key = "1" } }
            test "two" { input '2,b,' expect drop }
            """
        let (results, program, source) = try results(test, measuresCoverage: true)
        let places = program.coveragePoints.enumerated().map { index, point in
            let line = source.lineNumber(of: point.span.start)
            let isReached = results.contains { $0.reached[index] }
            return "\(line) \(point.kind.rawValue) \(point.text): \(isReached)"
        }
        #expect(
            places == [
                #"7 drop drop "old" if kind == "b": true"#,
                #"8 reject reject "no note" if kind == "c" and note == null: false"#,
                #"9 if note != null: true"#,
                #"10 arm note == "x" => "an x": true"#,
                #"10 arm else => "other": false"#,
                "11 else else: false",
                #"14 send "t.${kind}": true"#,
            ]
        )
        #expect(results.filter { !$0.passed }.isEmpty)
    }

    @Test func `a program that is not measured has no marks`() throws {
        let program = try results("").program
        #expect(program.coveragePoints.isEmpty)
        let hasMarks = program.code.instructions.contains {
            if case .reached = $0 { true } else { false }
        }
        #expect(!hasMarks)
    }
}

extension String {
    /// What begins with a text, up to the end.
    fileprivate func rest(from start: String) -> Substring? {
        firstRange(of: start).map { self[$0.lowerBound...] }
    }
}
