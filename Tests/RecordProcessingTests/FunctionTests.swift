import PipelineLanguage
import Testing

@testable import RecordProcessing

struct FunctionTests {
    @Test(arguments: [
        ("hex(a)", "\u{0}ÿ", "00c3bf"),
        ("text(unbase64(a))", "8J+Yig", "😊"), ("text(unbase64(a))", "8J-Yig==", "😊"),
        ("unbase64(a)", "aGVsbG8==", #"dead: unbase64(): "aGVsbG8==" is not Base64"#),
        ("truncate(a, 7)", "👩‍🚀👩‍🚀", ""), ("truncate(a, 11)", "👩‍🚀👩‍🚀", "👩‍🚀"),
        ("truncate(a, 0)", "abc", ""), ("truncate(a, 5)", "abc", "abc"),
        ("substring(a, from: 2, to: 1)", "abc", ""), ("substring(a, from: -9)", "abc", "abc"),
        ("substring(a, from: 1, to: -1)", "àéî", "é"),
        ("string(duration(a))", "1d1h1m1.5s", "1d1h1m1.5s"),
        ("string(duration(a))", "90000ms", "1m30s"), ("string(-duration(a))", "250us", "-0.00025s"),
        ("string(duration(a))", "1.5h30", #"dead: duration(): "1.5h30" is not a duration"#),
        (
            "string(duration(a))", "300000000000h",
            "dead: duration(): \"300000000000h\" is not a duration"
        ),
        ("redact(a, \"card\")", "1795428000000", "1795428000000"),
        (
            "redact(a, \"card\")", "2026-11-23 4111-1111-1111-1111, 378282246310005.",
            "2026-11-23 [card], [card]."
        ),
        (
            "redact(a, \"card\")", "a4111111111111111 41111111111111111111",
            "a4111111111111111 41111111111111111111"
        ),
        ("redact(a, \"email\")", "<ö.x+y@mail.example.org>, a@b", "<[email]>, a@b"),
        (
            "redact(a, \"iban\")", "GB82WEST12345698765432 GB82 WEST 1234 5698 7654 33",
            "[iban] GB82 WEST 1234 5698 7654 33"
        ),
        (
            "json(parse_kv(a))", #"=x a=1; b="x \"y\"", c='un closed"#,
            #"{"a":"1","b":"x \"y\"","c":"un closed"}"#
        ),
        ("json(parse_kv(a))", "a=1 a=2 b=", #"{"a":"2","b":""}"#),
        (
            "json(parse_url(a))", "//u:secret@[::1]:80?a=%ff&b",
            "{\"user\":\"u\",\"host\":\"[::1]\",\"port\":80,\"path\":\"\",\"query\":\"a=%ff&b\",\"params\":{\"a\":\"\u{FFFD}\",\"b\":\"\"}}"
        ),
        (
            "json(parse_url(a))", "a b",
            #"dead: parse_url(): "a b" is not a URL: it has a space in it"#
        ),
        ("parse_json(a)[0].x", #" [{"x":1.50}] "#, "1.50"),
        ("get(parse_json(a), \"x[0][-1].y\")", #"{"x":[[1,{"y":"z"}]]}"#, "z"),
        ("string(get(parse_json(a), \"x\"))", "{}", "dead: string(): there is no value"),
        (
            "json(flatten(parse_json(a)))", #"{"a":{},"b":{"c":{"d":1,"e":[{}]}},"b.c.d":2}"#,
            #"{"a":{},"b.c.d":2,"b.c.e":[{}]}"#
        ),
        ("values(parse_json(a))[0] ?? \"none\"", #"{"x":null}"#, "none"),
        ("json(keys(parse_json(a)))", #"{"x":null,"y":1,"x":2}"#, #"["x","y"]"#),
        (
            "format_time(time(a, iso8601), '%a %b %e %I:%M %p %j %z %6f', zone: \"America/New_York\")",
            "2026-03-08T07:30:00.25Z", "Sun Mar  8 03:30 AM 067 -0400 250000"
        ),
        ("format_time(time(a, iso8601), unix_ms)", "1969-12-31T23:59:59.9995Z", "-1"),
        ("string(trunc(time(a, iso8601), 1d))", "1969-12-31T23:59:59Z", "1969-12-31T00:00:00Z"),
        (
            "uuid5(\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\", a)", "www.example.com",
            "2ed6657d-e927-568b-95e1-2665a8aea6a2"
        ),
        ("replace(a, 'x*', \"-\")", "axxb", "-a--b-"),
        ("string(int(a) + 1)", "x", #"dead: "x" is not an int"#),
    ])
    func `a function comes to`(expression: String, text: String, outcome: String) throws {
        let bench = try Bench.value(expression, parse: "parse text {\n a: string\n}")
        #expect(bench.run(text) == outcome)
    }

    @Test(arguments: [
        ("7", "07"), ("-32", "e0"), ("-33", "d0df"), ("300", "cd012c"), ("70000", "ce00011170"),
        ("-129", "d1ff7f"), ("-40000", "d2ffff63c0"), ("5000000000", "cf000000012a05f200"),
        ("-5000000000", "d3fffffffed5fa0e00"), ("null", "c0"), ("true", "c3"),
        ("1.5", "cb3ff8000000000000"),
        ("[1,\"é\"]", "9201a2c3a9"), ("{\"a\":{}}", "81a16180"),
        ("0.1234567890123456789", "b5302e31323334353637383930313233343536373839"),
    ])
    func `MessagePack takes the shortest form`(json: String, bytes: String) throws {
        let bench = try Bench.value("hex(msgpack(a))")
        #expect(bench.run("{\"a\":\(json)}") == bytes)
    }

    @Test func `what grows beyond all bounds fails the record`() throws {
        let bench = try Bench.value("replace(a, 'x', a)", parse: "parse text {\n a: string\n}")
        let text = String(repeating: "x", count: 5000)
        #expect(bench.run(text) == "dead: replace(): the result is longer than 16 MiB")
        let flat = try Bench.value("json(flatten(a))")
        let name = String(repeating: "n", count: 100_000)
        let members = (0..<200).map { "\"\($0)\":1" }.joined(separator: ",")
        #expect(
            flat.run("{\"a\":{\"\(name)\":{\(members)}}}")
                == "dead: flatten(): the result is longer than 16 MiB"
        )
    }

    @Test func `an object of many members keeps their order, and the last of equal names`() throws {
        let bench = try Bench.value("json(merge(a, { n3: null, z: 1 }))")
        let members = (0..<100).map { "\"n\($0 % 50)\":\($0)" }.joined(separator: ",")
        let merged = (50..<100).map { "\"n\($0 - 50)\":\($0 == 53 ? "null" : "\($0)")" }
        #expect(
            bench.run("{\"a\":{\(members)}}") == "{\(merged.joined(separator: ",")),\"z\":1}"
        )
    }

    @Test func `a sample is the share that was asked for, and of a text always the same`() throws {
        let bench = try Bench.value("sample(0.25, by: a)", parse: "parse text {\n a: string\n}")
        let kept = (0..<4000).filter { bench.run("trace-\($0)") == "true" }
        #expect((900...1100).contains(kept.count))
        #expect(kept.allSatisfy { bench.run("trace-\($0)") == "true" })
    }

    @Test func `salts are spread, and depend on the place alone`() throws {
        let bench = try Bench.value("salted(a, 4)", parse: "parse text {\n a: string\n}")
        var counts: [String: Int] = [:]
        for offset in 0..<400 as Range<Int64> {
            bench.position = RecordPosition(line: offset, offset: offset * 80, readTime: offset)
            let key = bench.run("k")
            counts[key, default: 0] += 1
            bench.position?.readTime = 9
            #expect(bench.run("k") == key)
        }
        #expect(Set(counts.keys) == ["k#0", "k#1", "k#2", "k#3"])
        #expect(counts.values.allSatisfy { $0 > 60 })
    }

    @Test(arguments: [
        ("/var/log/**/*.log", "/var/log/a/b/c.log", ["a/b", "c"]),
        ("/var/log/**/*.log", "/var/log/c.log", ["(none)", "c"]),
        ("../logs/{web,app}-*/[a-z]?.*", "/srv/logs/app-7/x1.log", ["7", "log"]),
        ("/a+b/*(1).log", "/a+b/x(1).log", ["x"]),
        ("*.log", "/elsewhere/x.txt", ["(none)"]),
    ])
    func `stars of a glob are known again`(glob: String, path: String, stars: [String]) throws {
        for (index, star) in stars.enumerated() {
            let bench = try Bench.value("glob_capture(\(index + 1)) ?? \"(none)\"", glob: glob)
            bench.file.path = path
            #expect(bench.run("{}") == star)
        }
    }

    @Test func `every type has its columns`() throws {
        let bench = try Bench.value(
            "json({ d: d + 30s, l: l[0] + 1, t: t[1], b: hex(b), e: e ?? \"none\", m: m })",
            parse: """
                parse json {
                  d: duration
                  l: [int]
                  t: [time(unix)]?
                  b: bytes
                  e: enum("x", "y")?
                  m: decimal
                }
                """
        )
        #expect(
            bench.run(#"{"d":"1m30s","l":[1,2],"t":[0,"60"],"b":"é","e":null,"m":19.90}"#)
                == #"{"d":"2m","l":2,"t":"1970-01-01T00:01:00Z","b":"c3a9","e":"none","m":19.90}"#
        )
        #expect(
            bench.run(#"{"d":"1m","l":[1,"x"],"b":"","m":1}"#)
                == #"dead: l[]: "x" is not an int"#
        )
        #expect(
            bench.run(#"{"d":"soon","l":[],"b":"","m":1}"#)
                == #"dead: d: "soon" is not a duration"#
        )
        #expect(
            bench.run(#"{"d":"1m","l":[],"b":"","e":"z","m":1}"#)
                == #"dead: e: "z" is not one of "x", "y""#
        )
    }

    @Test func `untouched columns are sent as they were written`() throws {
        let parse = "parse json {\n d: duration\n l: [decimal]\n}"
        let line = #"{"d":"90s","l":[1.0, 2]}"#
        #expect(try Bench.value("json(*)", parse: parse).run(line) == line)
    }

    @Test func `a member can be found by a computed name`() throws {
        let bench = try Bench.value(
            "a[b] ?? \"none\"",
            parse: "parse json {\n a: object\n b: string\n}"
        )
        #expect(bench.run(#"{"a":{"x.y":7},"b":"x.y"}"#) == "7")
        #expect(bench.run(#"{"a":{},"b":"x"}"#) == "none")
    }

    @Test func `Base64 comes back as it was`() throws {
        let bench = try Bench.value("unbase64(base64(a))", parse: "parse text {\n a: string\n}")
        for count in 0..<40 {
            let text = String(repeating: "aé~", count: count).prefix(count)
            #expect(bench.run(String(text)) == text)
        }
    }
}
