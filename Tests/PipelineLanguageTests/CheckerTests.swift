import Testing

@testable import PipelineLanguage

struct CheckerTests {
    private func verify(
        _ marked: MarkedText,
        _ location: Testing.SourceLocation = #_sourceLocation
    ) {
        #expect(marked.found == marked.marks, sourceLocation: location)
    }

    // MARK: E2xx

    @Test(arguments: [
        "set x = «E201:shp»",
        "set x = note «E102:clerk»",
        "set x = \"${«E201:shp»} and ${«E201:totl»}\"",
        "remove «E201:pasword»",
        "set x = * except (id, «E201:nobody»)",
        "remove note\nset x = «E201:note»",
        "let o = { a: 1 }\nset x = o.«E201:b»",
        "if id > 1 {\n  let inner = 1\n  set y = inner\n}\nset x = «E201:inner»",
        "set x = «E202:lowr»(note)",
        "set x = «E202:avro»(*, subject: \"s\")",
        "set x = «E202:secret»(note)",
        "set x = «E203:@hots»",
        "set x = «E203:@error.kind»",
        "set x = lower(«E204:id»)",
        "set x = «E204:split»(note)",
        "set x = mask(note, «E204:4»)",
        "set x = mask(note, «E204:keep»: 4)",
        "set x = mask(note, keep_last: 1, «E404:keep_last»: 2)",
        "set x = lower(note, «E204:note»)",
        "set x = unix_ms(«E204:note»)",
        "set x = merge(*, «E204:note»)",
        "set x = capture(note, «E204:clerk»)",
        "set x = capture(note, «E205:'(?:a)\\(b[(]'»)",
        "set x = note.«E204:first»",
        "set x = «E204:id»[0]",
        "set x = split(note, \",\")[«E204:\"a\"»]",
        "set x = «E204:note» except (a)",
    ])
    func `names and arguments must exist and fit`(line: String) {
        verify(Till.steps(line))
    }

    @Test func `a json field is declared before it is used`() {
        verify(Till.jsonSteps("set x = «E201:colour»\nset y = colour"))
        verify(Till.jsonSteps("set x = buyer.name ?? \"none\"\nset y = tags[0]"))
        verify(Till.jsonSteps("set x = 5\nset y = x + 1"))
    }

    // MARK: E3xx

    @Test(arguments: [
        "set x = \"${«E301:clerk»}\"",
        "drop \"x\" if «E302:note»",
        "drop \"x\" if not «E302:id»",
        "drop \"x\" if id > 1 and «E302:note»",
        "drop \"x\" if «E303:id == \"5\"»",
        "drop \"x\" if «E303:note > 5»",
        "drop \"x\" if «E303:at == note»",
        "drop \"x\" if note in «E303:note»",
        "drop \"x\" if «E303:id in [\"a\"]»",
        "drop \"x\" if «E303:id» =~ '^1'",
        "set x = «E303:note + note»",
        "set x = «E303:total * note»",
        "set x = -«E303:note»",
        "set x = «E303:id ?? 0 > 5»",
        "drop \"x\" if shop == «E304:\"west\"»",
        "drop \"x\" if shop in [\"north\", «E304:\"nroth\"»]",
        "if shop == \"north\" {\n  drop \"x\" if shop == «E304:\"south\"»\n}",
        "drop \"x\" if shop == \"north\"\nset y = shop == «E304:\"north\"»",
        "set x = match shop { «E304:\"west\"» => 1, else => 2 }",
        "set x = «E305:match shop { \"north\" => 1 }»",
        "set x = match shop { \"north\" => 1, \"south\" => 2 }",
        "set x = match { id > 1 => \"a\", else => \"b\" }\ndrop \"y\" if x == «E304:\"c\"»",
    ])
    func `types must go together`(line: String) {
        verify(Till.steps(line))
    }

    @Test func `an optional enum must be covered for no value too`() {
        verify(Till.jsonSteps("set x = «E305:match shop { \"north\" => 1, \"south\" => 2 }»"))
        verify(Till.jsonSteps("set x = match shop { \"north\", \"south\" => 1, null => 0 }"))
    }

    @Test(arguments: [
        "topic = «E301:clerk»  value = @raw",
        "topic = \"t\"  key = «E301:clerk»  value = @raw",
        "topic = \"t\"  key = clerk ?? null  value = @raw",
        "topic = «E301:clerk ?? null»  value = @raw",
        "topic = \"t\"  timestamp = «E204:note»  value = @raw",
        "topic = \"t\"  timestamp = at  value = @raw",
        "topic = \"t\"  timestamp = «E204:clerk»  value = @raw",
        "topic = \"t\"  partition = «E204:clerk»  value = @raw",
        "topic = \"t\"  partition = «E204:note»  value = @raw",
        "topic = \"t\"  value = «E204:*»",
        "topic = \"t\"  value = null",
        "topic = \"t\"  value = @raw  headers { a = «E204:*» }",
        "topic = \"t\"  value = @raw  headers { who = clerk }",
        "topic = «E204:id»  value = @raw",
        "topic = «E601:\"till books\"»  value = @raw",
        "topic = «E601:\"till/${shop}\"»  value = @raw",
        "topic = «E601:\"..\"»  value = @raw",
        "topic = «E601:\"\"»  value = @raw",
        "topic = \"t\"  value = @raw  headers { «E602:\"\"» = note }",
        "topic = \"t\"  «E404:topic» = \"u\"  value = @raw",
        "topic = \"t\"  value = @raw  headers { a = 1, «E404:a» = 2 }",
        "topic = \"t\"  value = @raw  «E104:hedaers» { a = 1 }",
        "topic = \"t\"  value = @raw  «E104:keys» = 1",
    ])
    func `a record must be one that Kafka takes`(lines: String) {
        verify(Till.ending("send { \(lines) }"))
    }

    @Test func `a condition tells whether there is a value`() {
        verify(
            Till.ending(
                "drop \"x\" if clerk == null\nsend { topic = \"t\" key = clerk value = @raw }"
            )
        )
        verify(
            Till.ending(
                """
                if clerk != null and clerk != "x" {
                  send { topic = "t" key = clerk value = @raw }
                } else {
                  send { topic = "t" key = «E301:clerk» value = @raw }
                }
                """
            )
        )
        verify(
            Till.steps("set who = match { clerk != null => \"${clerk}\", else => \"nobody\" }")
        )
    }

    // MARK: E4xx

    @Test func `a pipeline has from, parse and on error`() {
        verify(
            MarkedText(
                "«E401:parse» json { a: int }\nsend { topic = \"t\" value = @raw }\non error stop\n"
            )
        )
        verify(
            MarkedText("«E401:from» \"a\"\nsend { topic = \"t\" value = @raw }\non error stop\n")
        )
        verify(MarkedText(Till.from + "«E403:parse» text\nsend { topic = \"t\" value = @raw }\n"))
        verify(MarkedText(Till.from + "«E404:from» \"b\"\n«E402:parse» text\n" + Till.onError))
    }

    @Test func `the defaults may say what happens on errors`() throws {
        let text = Till.from + Till.columns + Till.send
        let source = SourceText(path: "till.pipeline", text: text)
        var context = PipelineContext()
        context.defaults.errorPolicy = "on error dead_letter \"dead.${@pipeline}\""
        context.defaults.place = "forktail.conf:3"
        let (compiled, diagnostics) = PipelineCompiler.compile(source, in: context)
        let plan = try #require(compiled)
        #expect(diagnostics.map(\.code) == [.inherited])
        #expect(diagnostics.map(\.label) == ["from forktail.conf:3"])
        #expect(plan.errorPolicySpan == nil)
        guard case .deadLetter(let topic) = plan.errorPolicy else {
            Issue.record("the policy is \(plan.errorPolicy)")
            return
        }
        #expect(TopicNames(topic).pattern == "dead.*")
    }

    @Test func `each send has the headers of the defaults that it does not set`() throws {
        let send = "send { topic = \"t\" value = @raw headers { team = \"till\" } }\n"
        let text = Till.from + Till.columns + send + Till.send + Till.onError
        var context = PipelineContext()
        context.defaults.headers = [
            .init(name: "forktail-pipeline", value: "\"${@pipeline}\""),
            .init(name: "team", value: "\"nobody\""),
        ]
        let source = SourceText(path: "till.pipeline", text: text)
        let plan = try #require(PipelineCompiler.compile(source, in: context).plan)
        let sends = plan.steps.flatMap(\.sends)
        #expect(
            sends.map { $0.headers.map(\.name) } == [
                ["team", "forktail-pipeline"], ["forktail-pipeline", "team"],
            ]
        )
    }

    @Test(arguments: [
        "«E402:if» id > 1 { drop \"x\" }",
        "«E402:if» id > 1 { drop \"x\" } else { set y = 1 }",
        "«E402:if» shop == \"north\" { SEND } else if id > 5 { SEND }",
        "if shop == \"north\" { SEND } else if shop == \"south\" { SEND }",
        "if id > 1 { SEND } else { reject \"y\" }",
        "if id > 1 { SEND }\ndrop \"rest\"",
        "drop \"all of it\"",
        "SEND\nif id > 1 { SEND }",
        "«E405:send» { topic = \"t\" }",
        "«E405:send» { value = @raw }",
    ])
    func `each record ends somewhere`(steps: String) {
        let send = "send { topic = \"t\"  value = @raw }"
        verify(
            Till.ending(
                steps.split(separator: "SEND", omittingEmptySubsequences: false)
                    .joined(separator: send)
            )
        )
    }

    @Test func `a name has one meaning`() {
        verify(Till.steps("let a = 1\nlet «E404:a» = 2\nset b = a"))
        verify(Till.steps("let «E404:note» = 2\nset b = note"))
        verify(Till.steps("set x = { a: 1, «E404:a»: 2 }"))
        verify(Till.parse("parse json {\n  a: int\n  «E404:a»: string\n}"))
    }

    // MARK: parse

    @Test(arguments: [
        "parse «E206:jsn»",
        "parse «E206:avro»",
        "parse json { a: «E207:strng» }",
        "parse json { a: «E207:secret» }",
        "parse json { a: bytes?, b: [duration], c: [time(iso8601)?] }",
        "parse csv(header: true) { a: duration?, b: bytes }",
        "parse csv(header: true) { a: «E207:object» }",
        "parse csv(header: true) { a: «E207:[int]» }",
        "parse json { a: «E501:time» }",
        "parse json { a: time(«E501:iso8602») }",
        "parse json { a: time(«E501:'%Q'», zone: \"UTC\") }",
        "parse json { a: time(«E502:'%H:%M'») }",
        "parse json { a: time('%H:%M %z') }",
        "parse json { a: time('%H:%M,%3f', zone: \"UTC\")? }",
        "parse json { a: enum(\"x\", «E404:\"x\"») }",
        "parse json { a: «E204:enum» }",
        "parse «E204:csv»",
        "parse csv(header: «E204:1») { a: int }",
        "parse csv(«E204:head»: true) { a: int }",
        "parse csv(separator: «E204:\"::\"») { a: int }",
        "parse «E204:regex»",
        "parse regex('(?<a>x)(?P<b>y)') { a: string, b: string }",
        "parse regex('(?<a>x)') { «E205:b»: string }",
        "parse regex(«E205:'(x)'»)",
        "parse text { line: string }",
        "parse text {\n}",
        "parse text { line: string\n«E404:rest»: string }",
        "parse nginx_combined",
        "parse nginx_combined { «E201:a»: string }",
        "parse nginx_combined {\n status: decimal\n method: enum(\"GET\")\n}",
        "parse apache_common { «E201:referer»: string }",
        "parse apache_combined(«E204:1»)",
        "parse logfmt { a: int\n b: time(iso8601)? }",
        "parse logfmt { a: «E207:object» }",
        "parse «N201:logfmt»",
        "parse syslog",
        "parse syslog(year: 2026, zone: \"UTC\") { pid: int? }",
        "parse syslog(year: «E502:2026»)",
        "parse syslog(zone: «E501:\"UTC\"»)",
        "parse syslog(«E204:2026»)",
        "parse syslog(«E204:yaer»: 2026)",
        "parse syslog(year: «E204:\"x\"», zone: \"UTC\")",
        "parse syslog { data: object\n time: time(iso8601) }",
        "parse syslog { app: «E207:object» }",
        "parse cri",
        "parse cri { message: «E207:[string]» }",
        "parse «N201:json»",
    ])
    func `formats and columns must exist`(parse: String) {
        verify(Till.parse(parse))
    }

    @Test func `settings of from must exist and fit`() {
        let text = """
            from "/srv/a*.log", "/srv/b*.log" {
              exclude = ["/srv/ax.log", "/srv/ay.log"]
              settle = 5s
              start = end
              max_line = 64KiB
              long_lines = skip
              multiline = starts_with('^\\d')
              keep_empty = true
              encoding = "Shift_JIS"
              invalid_utf8 = replace
              new_files = end
              ignore_older = 7d
              rotate_wait = 500ms
              close_inactive = 0s
              multiline_timeout = 1m
              compressed = no
            }
            parse text

            """
        verify(MarkedText(text + "send { topic = \"t\" value = @raw }\n" + Till.onError))
        for (setting, value) in [
            ("exclude", "«E104:5»"), ("settle", "«E104:\"5s\"»"), ("start", "«E104:middle»"),
            ("max_line", "«E104:0»"), ("max_line", "«E104:2GiB»"), ("keep_empty", "«E104:1»"),
            ("multiline", "«E104:'^x'»"), ("«E104:exlude»", "5"),
            ("new_files", "«E104:now»"), ("ignore_older", "«E104:end»"),
            ("old_files", "«E104:7d»"),
            ("rotate_wait", "«E104:5»"), ("close_inactive", "«E104:\"5m\"»"),
            ("multiline_timeout", "«E104:never»"), ("compressed", "«E104:gzip»"),
            ("compressed", "«E104:true»"), ("«E104:close_inactiv»", "5m"),
            ("encoding", "«E104:utf16»"), ("encoding", "«E104:\"\"»"),
            ("encoding", "'UTF-16'"), ("invalid_utf8", "«E104:drop»"),
            ("multiline", "«E104:starts('x')»"), ("multiline", "«E104:ends_with(5)»"),
            ("multiline", "ends_with(';$')"), ("multiline", "continues_with('^ ')"),
            ("multiline", "continued_by('\\\\$')"),
        ] {
            let from = "from \"a\" {\n  \(setting) = \(value)\n}\nparse text\n"
            verify(MarkedText(from + "send { topic = \"t\" value = @raw }\n" + Till.onError))
        }
    }

    @Test func `the help for multiline lists its forms`() {
        let text = "from \"a\" { multiline = '^x' }\nparse text\n"
        let send = "send { topic = \"t\" value = @raw }\n"
        let (_, diagnostics) = PipelineCompiler.compile(
            SourceText(path: "p", text: text + send + Till.onError)
        )
        #expect(
            diagnostics.map(\.message) == [
                "`multiline` takes one of `starts_with('…')`, `ends_with('…')`, "
                    + "`continues_with('…')`, `continued_by('…')`, with a regular expression"
            ]
        )
    }

    // MARK: on error, tests, warnings

    @Test(arguments: [
        "send { topic = \"d\"  value = @raw  headers { e.kind = @error.kind } }",
        "send { topic = \"d\"  value = «E201:note» }",
        "send { topic = \"d\"  value = json(«E201:*») }",
        "«E102:set» a = 1\n  send { topic = \"d\"  value = @raw }",
        "if @error.kind == \"parse\" { send { topic = \"d\"  value = @raw } } else { drop \"x\" }",
    ])
    func `on error works without fields`(steps: String) {
        verify(MarkedText(Till.from + Till.columns + Till.send + "on error {\n  \(steps)\n}\n"))
    }

    @Test func `on error must end too`() {
        verify(
            MarkedText(
                Till.from + Till.columns + Till.send
                    + "«E402:on error» {\n  if @line > 5 { drop \"x\" }\n}\n"
            )
        )
        verify(MarkedText(Till.from + Till.columns + Till.send + "on error «E103:stopp»\n"))
        verify(
            MarkedText(
                Till.from + Till.columns + Till.send + "on error dead_letter \"d.${«E201:shop»}\"\n"
            )
        )
    }

    @Test(arguments: [
        "given { @host = \"a\" }\n input 'x'\n expect nothing",
        "given { @host = «E204:5» }\n input 'x'\n expect nothing",
        "given { @line = «E204:\"5\"», @offset = 5 }\n input 'x'\n expect nothing",
        "given { @now = \"2026-11-23T10:00:00.250+01:00\" }\n input 'x'\n expect nothing",
        "given { @now = «E204:\"2026-11-23T10:00:00\"» }\n input 'x'\n expect nothing",
        "given { @mtime = «E204:5» }\n input 'x'\n expect nothing",
        "given { @env.HOME = \"/\", @host = \"b\", «E404:@host» = \"c\" }\n input 'x'\n expect nothing",
        "given { @host = «E204:note» }\n input 'x'\n expect nothing",
        "given { «E203:@raw» = \"a\" }\n input 'x'\n expect nothing",
        "input 'x'\n expect { key = «E204:id» }",
        "input 'x'\n expect { value has «E204:5» }",
        "input 'x'\n expect { value = { a: [1, -2.50, null], b: \"c\" } }",
        "input 'x'\n expect «E103:drops»",
        "«E103:inptu» 'x'\n expect nothing",
    ])
    func `tests write their values out`(test: String) {
        let marked = MarkedText(
            Till.from + Till.columns + Till.send + Till.onError + "test \"t\" {\n \(test)\n}\n"
        )
        verify(marked)
    }

    @Test func `what reaches no record gets a warning`() {
        verify(Till.steps("let «W602:a» = 1"))
        verify(Till.ending("send { topic = \"t\" value = note }\nset «W602:a» = 1"))
        verify(
            Till.ending(
                "set «W602:note» = \"x\"\nset note = \"y\"\nsend { topic = \"t\" value = note }"
            )
        )
        verify(Till.ending(Till.send + "drop \"x\"\n«W602:set» «W602:a» = 1"))
        verify(Till.ending("if id > 1 { set a = 1 }\nsend { topic = \"t\" value = json({ a }) }"))
    }

    @Test(arguments: [
        "send { topic = «E603:\"t.${unix(@now)}\"»  value = @raw }",
        "send { topic = \"t\"  key = «E603:unix(@now)»  value = @raw }",
        "send { topic = \"t\"  partition = «E603:unix(@mtime)»  value = @raw }",
        "let a = unix(@now)\nsend { topic = \"t\"  key = «E603:a»  value = @raw }",
        "if id > 1 { set note = string(unix(@now)) }\nsend { topic = \"t\"  key = «E603:note»  value = @raw }",
        "drop \"old\" if «E603:at < @now»\nsend { topic = \"t\"  value = @raw }",
        "set note = string(unix(@now))\nset note = \"n\"\nsend { topic = \"t\"  key = note  value = @raw }",
        "send { topic = \"t\"  key = id  timestamp = @now  value = json({ at: unix(@now) }) }",
        "drop \"old\" if «E603:age(at) > 1h»\nsend { topic = \"t\"  value = @raw }",
        "set a = match { «E603:age(at) > 1h» => 1 }\nsend { topic = \"t\"  value = json(*) }",
        "send { topic = \"t\"  value = match { age(at) > 1h => \"old\", else => \"new\" } }",
        "let old = age(at)\nsend { topic = \"t\"  key = string(id)  value = json({ old }) }",
        "drop if not sample(0.1, by: note)\nsend { topic = \"t\"  key = salted(note, 8)  value = @raw }",
        "drop if «E603:not sample(0.1, by: string(@mtime))»\nsend { topic = \"t\"  value = @raw }",
    ])
    func `under exactly once the time decides nothing about a record`(steps: String) throws {
        let marked = Till.ending(steps)
        let plan = try #require(Till.plan(marked.text))
        let found = RemakeAnalysis.diagnostics(of: plan).map { diagnostic in
            MarkedText.Mark(
                code: diagnostic.code.rawValue,
                start: diagnostic.span.start,
                text: plan.source.text(in: diagnostic.span)
            )
        }
        #expect(found == marked.marks)
    }

    @Test func `a topic made of unchecked data gets a warning`() {
        let send = "send { topic = «W601:\"t.${string(buyer.name)}\"» value = @raw }\n"
        verify(MarkedText(Till.from + Till.json + send + Till.onError))
        let parsed = "send { topic = «W601:\"t.${string(parse_json(note))}\"» value = @raw }\n"
        verify(Till.ending(parsed))
        let checked = "send { topic = \"t.${note}\" value = @raw }\n"
        verify(Till.ending(checked))
    }

    @Test func `the first of two errors in one expression does not cause a third`() {
        verify(Till.steps("set x = lower(«E201:nota») + «E202:uper»(note) * 5"))
        verify(Till.steps("let a = «E201:nota»\nset x = \"${a}\"\ndrop \"y\" if a.b.c[0] > 5"))
    }
}

extension Expression.Kind {
    var literal: Literal? {
        if case .literal(let literal) = self { literal } else { nil }
    }
}
