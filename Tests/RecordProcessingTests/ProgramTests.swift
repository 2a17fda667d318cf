import PipelineLanguage
import Testing

@testable import RecordProcessing

struct ExpressionTests {
    @Test(arguments: [
        ("a + 1", #"{"a":41}"#, "42"),
        ("a * 2", #"{"a":1.25}"#, "2.50"),
        ("a / 0", #"{"a":1}"#, "dead: 1 / 0 cannot be computed"),
        (
            "a + 1", #"{"a":9223372036854775807}"#,
            "dead: 9223372036854775807 + 1 cannot be computed"
        ),
        ("\"x-${a ?? ''}-${b.c ?? 0}\"", #"{"a":"é","b":{"c":7}}"#, "x-é-7"),
        ("a ?? b ?? \"none\"", #"{"a":null}"#, "none"),
        ("int(a) ?? 0", #"{"a":"seven"}"#, "0"),
        ("a[1]", #"{"a":["x","y"]}"#, "y"),
        ("a[5]", #"{"a":[]}"#, "dead: there is no element 5 in a list of 0"),
        (
            "json({ a, n: null, l: [1, \"x\"] })", #"{"a":{"b":1}}"#,
            #"{"a":{"b":1},"n":null,"l":[1,"x"]}"#
        ),
        ("json(* except (a))", #"{"a":1,"b":2}"#, #"{"b":2}"#),
        ("match a { \"x\" => 1, \"y\", \"z\" => 2, else => 3 }", #"{"a":"z"}"#, "2"),
        ("match { a > 5 => \"big\", else => \"small\" }", #"{"a":5.5}"#, "big"),
        ("null", #"{}"#, "(tombstone)"),
        ("\"${@host} ${@file} ${@line} ${@offset}\"", "{}", "web-1 a.log 1 100"),
    ])
    func `an expression comes to`(expression: String, line: String, outcome: String) throws {
        #expect(try Bench.value(expression).run(line) == outcome)
    }

    @Test(arguments: [
        ("lower(a)", "ÄB", "äb"), ("upper(a)", "ab", "AB"), ("trim(a)", " \t x y ", "x y"),
        ("mask(a, keep_last: 4)", "4111111111111111", "************1111"),
        ("mask(a, keep_first: 1, keep_last: 1)", "ab", "**"),
        ("mask_ip(a)", "203.0.113.9", "203.0.113.0"),
        ("mask_ip(a)", "2001:db8::1", "2001:db8::0"),
        ("mask_ip(a)", "nobody", #"dead: mask_ip(): "nobody" is not an address"#),
        ("join(split(a, \",\", max: 2), \"|\")", "a,b,c", "a|b,c"),
        ("capture(a, 'n=(\\d+)')", "x n=42 y", "42"),
        ("capture(a, 'n=(\\d+)')", "x", #"dead: capture(): the pattern does not match "x""#),
        ("replace(a, '\\d+', \"#\")", "a1b22", "a#b#"),
        ("replace(a, '(\\w)(\\w)', \"$2$1\")", "abcd", "badc"),
        ("replace(a, 'x*', \"-\")", "é", "-é-"),
        ("replace(a, '^a', \"-\")", "aab", "-ab"),
        ("len(a)", "héllo", "5"), ("basename(a)", "/x/y.log", "y.log"),
        ("dirname(a)", "/x/y.log", "/x"), ("hash(a)", "foobar", "-790332482"),
        ("starts_with(a, \"ab\")", "abc", "true"), ("ends_with(a, \"bc\")", "abc", "true"),
        ("contains(a, \"bd\")", "abc", "false"), ("int(a)", " 1", #"dead: " 1" is not an int"#),
    ])
    func `a function comes to`(expression: String, text: String, outcome: String) throws {
        let bench = try Bench.value(expression, parse: "parse text {\n a: string\n}")
        #expect(bench.run(text) == outcome)
    }

    @Test func `times become numbers`() throws {
        let parse = "parse json {\n at: time(iso8601)\n}"
        let bench = try Bench.value("\"${unix(at)} ${unix_ms(at)}\"", parse: parse)
        #expect(bench.run(#"{"at":"2026-11-23T10:00:00.25Z"}"#) == "1795428000 1795428000250")
    }
}

struct StepTests {
    @Test func `steps run in order and members can be written and removed`() throws {
        let bench = try Bench(
            """
            from "*.log"
            parse json {
              user: object?
              n:    int
            }
            drop "small" if n < 2
            set user.seen = true
            remove user.email
            set total = n * 2
            if n > 10 {
              reject "too big"
            }
            send {
              topic = "t"
              value = json(*)
            }
            on error dead_letter "dead"
            """
        )
        #expect(bench.run(#"{"n":1}"#) == "drop: small")
        #expect(bench.run(#"{"n":11}"#) == "dead: too big")
        #expect(
            bench.run(#"{"x":[1],"user":{"email":"a@b","id":7},"n":3}"#)
                == #"{"x":[1],"user":{"id":7,"seen":true},"n":3,"total":6}"#
        )
    }

    @Test func `all sends of a record happen or none`() throws {
        let bench = try Bench(
            """
            from "*.log"
            parse json {
              a: string
              b: string
            }
            send {
              topic = "one"
              value = a
            }
            send {
              topic = "two"
              value = int(b)
            }
            on error skip
            """
        )
        #expect(bench.run(#"{"a":"x","b":"2"}"#) == "x | 2")
        #expect(bench.run(#"{"a":"x","b":"y"}"#) == #"skip: "y" is not an int"#)
        #expect(bench.processor.staged.isEmpty)
    }

    @Test func `a dead letter carries the original bytes and says where they came from`() throws {
        let bench = try Bench.value("json(*)")
        #expect(bench.run("nonsense").hasPrefix("dead: not JSON"))
        let letter = try #require(bench.processor.staged.first)
        #expect(letter.topicName == "dead")
        #expect(letter.value.map { String(decoding: $0, as: UTF8.self) } == "nonsense")
        let headers = letter.headers.map { header in
            (
                String(decoding: header.name, as: UTF8.self),
                header.value.map { String(decoding: $0, as: UTF8.self) }
            )
        }
        let values = Dictionary(headers) { $1 }
        #expect(values["dlq.kind"] == "parse")
        #expect(values["dlq.pipeline"] == "fixture")
        #expect(values["dlq.path"] == "/var/log/app/a.log")
        #expect(values["dlq.offset"] == "100")
        #expect(values["dlq.line"] == "1")
        #expect(values["dlq.host"] == "web-1")
        #expect(values["dlq.time"] == "1970-01-01T00:00:01Z")
    }

    @Test func `an error block sends its own record`() throws {
        let bench = try Bench.value(
            "json(*)",
            policy: """
                on error {
                  send {
                    topic = "dead"
                    value = "${@error.kind}: ${@error.message} in ${@file}"
                  }
                }
                """
        )
        #expect(bench.run("x").hasPrefix("dead: not JSON"))
        let letter = try #require(bench.processor.staged.first?.value)
        #expect(String(decoding: letter, as: UTF8.self).hasPrefix("parse: not JSON"))
    }

    @Test func `stop stops`() throws {
        let bench = try Bench.value("json(*)", policy: "on error stop")
        #expect(bench.run("x").hasPrefix("stop: not JSON"))
    }

    @Test func `a missing environment variable is found before the first line`() throws {
        #expect(throws: ProgramError.self) { try Bench.value("@env.FORKTAIL_NOT_THERE") }
        let bench = try Bench.value("@env.FORKTAIL_NOT_THERE ?? \"else\"")
        #expect(bench.run("{}") == "else")
    }

    @Test func `alike failures have one summary`() {
        let failure = RecordFailure(kind: .parse, message: #"amount: "abc" is not a decimal"#)
        #expect(failure.summary == "amount: … is not a decimal")
    }
}
