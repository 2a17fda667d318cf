import PipelineLanguage
import RecordProcessing
import Testing

@testable import PipelineTools

/// What `forktail init --from` makes of samples.
struct SamplePipelineTests {
    /// The pipeline of a sample, once it has passed its check and its own test.
    private func pipeline(_ sample: String, rows: Int = 3) throws -> SamplePipeline {
        let pipeline = try #require(
            SamplePipeline(
                name: "p",
                path: "/srv/sample",
                sample: Array(sample.utf8),
                frame: events
            )
        )
        let source = SourceText(path: "p.pipeline", text: pipeline.text)
        let (plan, diagnostics) = PipelineCompiler.compile(source)
        let shown = "\(pipeline.text)\n\(DiagnosticRenderer(source: source).text(diagnostics))"
        let checked = try #require(plan, "\(shown)")
        #expect(diagnostics.filter { $0.severity != .note }.isEmpty, "\(shown)")
        let program = try Program(plan: checked, host: "h", environment: [:])
        let results = PipelineTestRunner(program: program).run { text, matches in
            events(of: checked, in: text, matches)
        }
        #expect(results.flatMap(\.failures) == [], "\(shown)")
        #expect(results.count == 1, "\(shown)")
        #expect(checked.tests.first?.expectations.count == rows, "\(shown)")
        return pipeline
    }

    private let zoneRemark = "the sample does not say its zone: UTC is a guess"

    private func repeated(_ lines: [String], _ count: Int) -> String {
        (0..<count).map { lines[$0 % lines.count] + "\n" }.joined()
    }

    @Test func `a table with a header is read by its names and types`() throws {
        let rows = (1...60).map { number in
            let note = number % 3 == 0 ? "" : "n \(number)"
            return "\(number);\(["eu", "us"][number % 2]);\(number).50;\(note);"
                + "2026-11-23 10:00:\(10 + number % 50);0\(number)"
        }
        let header = "order id;region;amount;note;created_at;zip"
        let sample = ([header] + rows).joined(separator: "\r\n")
        let pipeline = try pipeline(sample)
        #expect((pipeline.parsed, pipeline.failed) == (60, 0))
        #expect(
            pipeline.text.contains(
                """
                parse csv(header: true, separator: ";") {
                  `order id`: int
                  region:     enum("eu", "us")
                  amount:     decimal
                  note:       string?
                  created_at: time('%Y-%m-%d %H:%M:%S', zone: "UTC")  # \(zoneRemark)
                  zip:        string
                }

                send {
                  # without a key, records are spread over the partitions
                  topic     = "p"
                  timestamp = created_at
                  value     = json(*)
                }

                on error dead_letter "p.dead"

                test "the first 3 rows of sample" {
                  input '''
                    order id;region;amount;note;created_at;zip
                    1;us;1.50;n 1;2026-11-23 10:00:11;01

                """
            ),
            "\(pipeline.text)"
        )
    }

    @Test func `a table without a header has numbered columns`() throws {
        let rows = ["\"00501\",\"+40.9\",\"A, B\"", "\"00544\",\"-040.9\",\"C \"\"D\"\"\""]
        let pipeline = try pipeline(repeated(rows, 40))
        #expect((pipeline.parsed, pipeline.failed) == (40, 0))
        #expect(pipeline.format == "csv(header: false)")
        #expect(
            pipeline.text.contains("  column1: string\n  column2: decimal\n  column3: string\n")
        )
    }

    @Test(arguments: [("\t", "\"\\t\""), ("|", "\"|\"")])
    func `separators are found`(_ sign: String, _ written: String) throws {
        let lines = ["a,b", "1,2", "3,4", "5,6"].map { $0.replacing(",", with: sign) }
        let pipeline = try pipeline(repeated(lines, 4))
        #expect(pipeline.format == "csv(header: true, separator: \(written))")
    }

    @Test func `JSON declares what is always there, what is not, and what is inside`() throws {
        let lines = [
            #"{"id":1,"ts":1795428000000,"level":"info","user":{"id":7},"tags":["a"],"x y":1.5}"#,
            #"{"id":5,"ts":1795428000004,"level":"info","user":{"id":7},"n":null}"#,
            #"{"id":2,"ts":1795428000001,"level":"warn","extra":true,"x y":2}"#,
            #"{"id":3,"ts":1795428000002,"level":"info","user":{},"mixed":1,"e":1e9}"#,
            #"{"id":4,"ts":1795428000003,"level":"info","user":{},"mixed":"a"}"#,
        ]
        let pipeline = try pipeline(repeated(lines, 5))
        #expect((pipeline.parsed, pipeline.failed) == (5, 0))
        #expect(
            pipeline.text.contains(
                """
                parse json {
                  id:    int
                  ts:    time(unix_ms)
                  level: enum("trace", "debug", "info", "warn", "error", "fatal")
                  user:  object?
                  `x y`: decimal?
                  n:     string?
                  extra: bool?
                  e:     float?
                }
                """
            ),
            "\(pipeline.text)"
        )
        #expect(pipeline.text.contains("  key       = id\n  timestamp = ts\n"))
    }

    @Test func `logfmt declares its fields`() throws {
        let lines = [
            "ts=2026-11-23T10:00:00Z level=info msg=\"a b\" took=1.5 id=7", "level=warn id=8",
        ]
        let pipeline = try pipeline(repeated(lines, 6))
        #expect((pipeline.parsed, pipeline.failed) == (6, 0))
        #expect(
            pipeline.text.contains(
                """
                parse logfmt {
                  ts:    time(iso8601)?
                  level: enum("trace", "debug", "info", "warn", "error", "fatal")
                  msg:   string?
                  took:  decimal?
                  id:    int
                }
                """
            ),
            "\(pipeline.text)"
        )
    }

    @Test func `lines of Kubernetes' containers are known`() throws {
        let line = "2026-11-23T10:00:00.123456789Z stdout F hello"
        #expect(try pipeline(repeated([line], 5)).format == "cri")
    }

    @Test func `an access log is known`() throws {
        let line =
            #"203.0.113.9 - - [23/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 157 "-" "curl/8""#
        let pipeline = try pipeline(repeated([line], 5))
        #expect(pipeline.format == "nginx_combined")
        #expect(pipeline.text.contains("key       = remote_addr\n  timestamp = time\n"))
    }

    @Test func `stack traces stay with their line`() throws {
        let lines = [
            "2026-11-23 10:00:00,120 ERROR [http-1] c.shop.Cart - checkout failed",
            "java.lang.IllegalStateException: no stock",
            "    at c.shop.Cart.pay(Cart.java:42)",
            "2026-11-23 10:00:01,003 INFO  [http-1] c.shop.Cart - retry",
        ]
        let pipeline = try pipeline(repeated(lines, 16))
        #expect((pipeline.parsed, pipeline.failed) == (8, 0))
        #expect(pipeline.text.contains("multiline = starts_with('^"))
        #expect(
            pipeline.text.contains(#"level:   enum("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "#),
            "\(pipeline.text)"
        )
        #expect(pipeline.text.contains("  thread:  string\n  logger:  string\n  message: string\n"))
        #expect(pipeline.text.contains(#"message: "checkout failed\njava.lang"#))
    }

    @Test(
        arguments: [
            (
                "17/06/09 20:10:40 INFO executor.Backend: Registered signal handlers",
                "time level logger message"
            ),
            ("[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok", "time level message"),
            ("2026-11-23T10:00:00.5Z something happened", "time message"),
            ("2026/11/23 10:00:00 [error] 7#7: *1 open() failed", "time level message"),
        ]
    )
    func `log lines are taken apart as far as all of them agree`(
        _ line: String,
        _ columns: String
    ) throws {
        let pipeline = try pipeline(repeated([line], 5))
        #expect((pipeline.parsed, pipeline.failed) == (5, 0))
        let source = SourceText(path: "p.pipeline", text: pipeline.text)
        let plan = try #require(PipelineCompiler.compile(source).plan)
        #expect(plan.columns.map(\.name).joined(separator: " ") == columns)
        #expect(plan.columns.first?.type.kind == .time)
    }

    @Test func `syslog is read with its program, with or without a format for it`() throws {
        let line = "Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster from 173.234.31.186 "
        let pipeline = try pipeline(repeated([line], 5))
        #expect((pipeline.parsed, pipeline.failed) == (5, 0))
        #expect(pipeline.format == "syslog" || pipeline.text.contains("  program: string\n"))
    }

    @Test func `lines of no known kind are sent as they are`() throws {
        let pipeline = try pipeline("hello\n  '''\nodd \u{1B}[1m \"${x}\" \\ line\nlast")
        #expect((pipeline.parsed, pipeline.failed) == (4, 0))
        #expect(pipeline.format == "text")
        #expect(pipeline.text.contains("input \"\"\"\n    hello\n"))
        #expect(!pipeline.text.contains("\u{1B}"))
    }

    @Test func `what does not fit is counted, with the first reason`() throws {
        let rows = (1...100).map { "\($0),a" } + ["only one"]
        let pipeline = try pipeline((["id,name"] + rows).joined(separator: "\n"))
        #expect((pipeline.parsed, pipeline.failed) == (100, 1))
        #expect(pipeline.firstFailure?.line == 102)
    }

    @Test func `an empty sample makes no pipeline`() {
        for sample in ["", "\n\n"] {
            #expect(
                SamplePipeline(name: "p", path: "/p", sample: Array(sample.utf8), frame: events)
                    == nil
            )
        }
    }

    @Test func `a path with signs of a glob means itself`() throws {
        let pipeline = try #require(
            SamplePipeline(name: "p", path: "/a[1]/*.log", sample: [0x61], frame: events)
        )
        #expect(pipeline.text.contains(#"from "/a\\[1\\]/\\*.log""#))
    }
}
