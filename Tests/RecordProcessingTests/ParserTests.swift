import Testing

@testable import RecordProcessing

struct JSONParsingTests {
    @Test func `untouched members travel exactly as they were written`() throws {
        let bench = try Bench.value("json(*)")
        let line = #"{"a":1.50,"b":[1, {"c":null}],"d":"\u00e9","e":1e5}"#
        #expect(bench.run(line) == line)
    }

    @Test(arguments: [
        "", "x", "[1]", "{", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":01}", "{\"a\":+1}",
        "{\"a\":1} x", "{\"a\":\"\u{1}\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":tru}",
        "{\"a\":[1,]}", "{\"a\":{\"b\":1}", "{a:1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":\"b}",
    ])
    func `what RFC 8259 does not allow is refused`(line: String) throws {
        #expect(try Bench.value("json(*)").run(line).hasPrefix("dead: not JSON"))
    }

    @Test(arguments: ["{}", "  { }  ", #"{"a":"\ud83d\ude00","b":-0.0e-1}"#, #"{"":[]}"#])
    func `what RFC 8259 allows is taken`(line: String) throws {
        #expect(try !Bench.value("json(*)").run(line).hasPrefix("dead"))
    }

    @Test func `nesting without end is refused and does not overflow the stack`() throws {
        let deep = "{\"a\":" + String(repeating: "[", count: 200_000)
        #expect(try Bench.value("json(*)").run(deep) == "dead: not JSON: it is nested too deeply")
    }

    @Test func `a declared member of the wrong kind fails the record`() throws {
        let bench = try Bench.value("json(*)", parse: "parse json {\n n: int\n}")
        #expect(bench.run(#"{"n":"x"}"#) == #"dead: n: "x" is not an int"#)
        #expect(bench.run(#"{"m":1}"#) == "dead: n: there is no value")
        #expect(bench.run(#"{"n":7}"#) == #"{"n":7}"#)
    }

    @Test func `of a name that stands twice the last counts`() throws {
        let bench = try Bench.value("json(*)", parse: "parse json {\n n: int\n}")
        #expect(bench.run(#"{"n":1,"x":0,"n":2}"#) == #"{"x":0,"n":2}"#)
    }

    @Test func `escapes in texts and names are understood`() throws {
        let bench = try Bench.value("name", parse: "parse json {\n name: string\n}")
        #expect(bench.run(#"{"na\u006de":"a\tb\u00e9\ud83d\ude00\/"}"#) == "a\tbé😀/")
    }
}

struct CSVParsingTests {
    private let typed = """
        parse csv(header: true) {
          id:   int
          note: string?
          sum:  decimal
        }
        """

    @Test func `the header row names the cells, in whatever order`() throws {
        let bench = try Bench.value("json(*)", parse: typed)
        #expect(bench.run("sum,other,id,note") == "consumed")
        #expect(bench.run("19.90,x,7,hello") == #"{"id":7,"note":"hello","sum":19.90}"#)
    }

    @Test func `a header survives in the file's context`() throws {
        let first = try Bench.value("json(*)", parse: typed)
        _ = first.run("sum,id,note")
        let second = try Bench.value("json(*)", parse: typed)
        second.file.header = first.file.header
        #expect(second.run("1,2,") == #"{"id":2,"note":null,"sum":1}"#)
    }

    @Test func `quotes hold separators, quotes and newlines`() throws {
        let bench = try Bench.value("json(*)", parse: typed)
        _ = bench.run("id,note,sum")
        #expect(bench.run("1,\"a,\"\"b\"\"\nc\",2") == #"{"id":1,"note":"a,\"b\"\nc","sum":2}"#)
    }

    @Test func `a row that does not fit says why`() throws {
        let bench = try Bench.value("json(*)", parse: typed)
        _ = bench.run("id,note,sum")
        #expect(bench.run("1,2") == "dead: the row has 2 columns, not 3")
        #expect(bench.run("1,a,abc") == #"dead: sum: "abc" is not a decimal"#)
        #expect(bench.run(",a,1") == "dead: id: there is no value")
        #expect(bench.run("1,\"a,1") == "dead: not CSV: a quote is never closed")
        #expect(bench.run("1,\"a\"b,1") == "dead: not CSV: there is text behind a closing quote")
    }

    @Test(arguments: [
        ("+40.920", "40.920"), ("-072.6370", "-72.6370"), ("000", "0"), ("00.5", "0.5"),
        ("1e3", "1e3"), ("-0", "-0"),
    ])
    func `a decimal keeps its digits, in a form that JSON has`(cell: String, number: String) throws
    {
        let bench = try Bench.value("json(*)", parse: "parse csv {\n n: decimal\n}")
        #expect(bench.run(cell) == "{\"n\":\(number)}")
    }

    @Test(arguments: ["", "+", "-", ".5", "5.", "1.2.3", "0x1", "1 ", "++1", "NaN", "-.5"])
    func `what is no decimal is refused`(cell: String) throws {
        let bench = try Bench.value("json(*)", parse: "parse csv {\n n: decimal\n}")
        #expect(bench.run(cell).hasPrefix("dead: "))
    }

    @Test func `a time is sent as it was written, unless a step writes to it`() throws {
        let parse = "parse csv {\n at: time('%d.%m.%Y', zone: \"UTC\")\n}"
        #expect(
            try Bench.value("json(*)", parse: parse).run("24.11.2026") == #"{"at":"24.11.2026"}"#
        )
        #expect(
            try Bench.value("json({ at })", parse: parse).run("24.11.2026")
                == #"{"at":"2026-11-24T00:00:00Z"}"#
        )
    }

    @Test func `a header without a declared column stops the file, whatever the policy`() throws {
        let bench = try Bench.value("json(*)", parse: typed)
        let outcome = bench.run("id,note")
        #expect(outcome == #"stop: header mismatch: the header row has no column "sum""#)
    }
}

struct RegexParsingTests {
    private let parse = """
        parse regex('^(?<level>[A-Z]+)(?: \\[(?<thread>[^\\]]+)\\])?: (?<msg>.*)$') {
          level:  string
          thread: string?
          msg:    string
        }
        """

    @Test func `groups become columns, and one that took no part has no value`() throws {
        let bench = try Bench.value("json(*)", parse: parse)
        #expect(bench.run("INFO [t-1]: hi") == #"{"level":"INFO","thread":"t-1","msg":"hi"}"#)
        #expect(bench.run("INFO: hi") == #"{"level":"INFO","thread":null,"msg":"hi"}"#)
    }

    @Test func `a line that does not match fails`() throws {
        let bench = try Bench.value("json(*)", parse: parse)
        #expect(bench.run("hello") == "dead: the line does not match the regular expression")
    }

    @Test func `bytes that are not UTF-8 are kept`() throws {
        let bench = try Bench.value("@raw", parse: parse)
        let line: [UInt8] = Array("INFO: ".utf8) + [0xFF, 0xFE]
        #expect(bench.run(line) == "INFO: \u{FFFD}\u{FFFD}")
    }

    @Test func `a pattern that runs away fails its record, not the process`() throws {
        let bench = try Bench.value(
            "json(*)",
            parse: "parse regex('^(?<a>(a+)+)$') {\n a: string\n}"
        )
        let outcome = bench.run(String(repeating: "a", count: 60) + "!")
        #expect(outcome.hasPrefix("dead: "))
    }
}

struct NginxParsingTests {
    private func run(_ line: String) throws -> String {
        try Bench.value("json(*)", parse: "parse nginx_combined").run(line)
    }

    @Test func `a combined line becomes typed fields`() throws {
        let line =
            #"192.0.2.7 - bob [24/Nov/2026:08:00:00 +0100] "GET /a b HTTP/1.1" 200 - "-" "x \"y\"""#
        #expect(
            try run(line) == #"""
                {"remote_addr":"192.0.2.7","remote_user":"bob","time":"24/Nov/2026:08:00:00 +0100","method":"GET","path":"/a b","protocol":"HTTP/1.1","status":200,"bytes":0,"referer":null,"user_agent":"x \\\"y\\\""}
                """#
        )
    }

    @Test(arguments: [
        (#""-" "Mozilla (bot.html"#, "null", #""Mozilla (bot.html""#),
        (#""https://exam"#, #""https://exam""#, "null"),
        (#""-" "x\"#, "null", #""x\\""#),
        (#""-" ""#, "null", "null"),
        ("", "null", "null"),
    ])
    func `what is there of a line that was cut off is kept`(
        end: String,
        referer: String,
        agent: String
    ) throws {
        let line = #"192.0.2.7 - - [24/Nov/2026:08:00:00 +0100] "GET / HTTP/1.1" 200 5 "# + end
        #expect(
            try run(line).hasSuffix(#""bytes":5,"referer":\#(referer),"user_agent":\#(agent)}"#)
        )
    }

    @Test(arguments: [
        "", "x", "a b c", "a - - [t", "a - - [24/Nov/2026:08:00:00 +0100] GET", "\"\"\"\"",
        "a - - [24/Nov/2026:08:00:00 +0100] \"GET / HTTP/1.1", "\\", "a - - [] \"- - -\" 1 1",
    ])
    func `garbage is refused in words`(line: String) throws {
        #expect(try run(line).hasPrefix("dead: "))
    }
}

struct DamagedInputTests {
    @Test func `no damage to a line crashes a parser`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var generator = Generator(state: seed)
        let benches: [(Bench, String)] = [
            (try Bench.value("json(*)"), #"{"a":[1,{"b":"\u00e9x"}],"c":-1.5e3,"d":true}"#),
            (
                try Bench.value("json(*)", parse: "parse csv {\n a: int\n b: string\n}"),
                "12,\"a \"\"b\"\", c\""
            ),
            (
                try Bench.value("json(*)", parse: "parse nginx_combined"),
                #"1.2.3.4 - - [24/Nov/2026:08:00:00 +0100] "GET / HTTP/1.1" 200 5 "r" "u""#
            ),
            (
                try Bench.value("json(*)", parse: "parse apache_common"),
                #"1.2.3.4 - - [24/Nov/2026:08:00:00 +0100] "GET / HTTP/1.1" 200 5"#
            ),
            (
                try Bench.value("json(*)", parse: "parse logfmt {\n n: int\n}"),
                #"n=5 msg="a \"b\" c" x=y z"#
            ),
            (
                try Bench.value("json(*)", parse: "parse syslog(year: 2026, zone: \"UTC\")"),
                #"<34>1 2026-11-24T08:00:00Z h app 7 id [a@1 b="c\]" d="e"][f] text"#
            ),
            (
                try Bench.value("json(*)", parse: "parse syslog(year: 2026, zone: \"UTC\")"),
                "<34>Nov 24 08:00:00 host app[7]: text"
            ),
            (
                try Bench.value("json(*)", parse: "parse cri"),
                "2026-11-24T08:00:00Z stdout P a\n2026-11-24T08:00:01Z stdout F b"
            ),
            (
                try Bench.value(
                    "json(*)",
                    parse: "parse json {\n at: time('%Y-%m-%d %H:%M:%S %z')\n}"
                ),
                #"{"at":"2026-11-24 08:00:00 +0100"}"#
            ),
        ]
        for _ in 0..<5_000 {
            for (bench, line) in benches {
                var bytes = Array(line.utf8)
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: bytes[place] = .random(in: 0...255, using: &generator)
                    case 1: bytes.insert(.random(in: 0...255, using: &generator), at: place)
                    default: if bytes.count > 1 { bytes.remove(at: place) }
                    }
                }
                #expect(!bench.run(bytes).isEmpty, "seed \(seed)")
            }
        }
    }

    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }
}

struct ColumnsTests {
    @Test(arguments: ["", " {\n}", " {\n  message: string\n}"])
    func `the column of a text is the message, if nobody says otherwise`(block: String) throws {
        let bench = try Bench.value("json(*)", parse: "parse text\(block)")
        #expect(bench.run("a line") == #"{"message":"a line"}"#)
    }

    @Test(arguments: [
        ("json {\n}", #"{"a":1}"#, #"{"a":1}"#),
        ("regex('(?<a>.)') {\n}", "x", "{}"),
    ])
    func `without columns a line is what it is without them`(
        parse: String,
        line: String,
        outcome: String
    ) throws {
        #expect(try Bench.value("json(*)", parse: "parse " + parse).run(line) == outcome)
    }
}
