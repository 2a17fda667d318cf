import Testing

@testable import RecordProcessing

struct LogfmtParsingTests {
    private func run(_ line: String, _ block: String = "") throws -> String {
        try Bench.value("json(*)", parse: "parse logfmt \(block)").run(line)
    }

    @Test func `pairs become texts, and a key that stands alone is true`() throws {
        #expect(
            try run(#"level=info msg="two \"words\"\n" n=5 url=/a?b=c debug"#)
                == #"{"level":"info","msg":"two \"words\"\n","n":"5","url":"/a?b=c","debug":true}"#
        )
    }

    @Test func `columns have types, and what is undeclared travels along`() throws {
        let block = "{\n n: int\n ok: bool\n at: time(iso8601)\n took: float?\n note: string?\n}"
        #expect(
            try run("x=1 n=007 ok at=2026-11-23T10:00:00Z took= note=", block)
                == #"{"x":"1","n":7,"ok":true,"at":"2026-11-23T10:00:00Z","took":null,"note":null}"#
        )
        #expect(try run("n=5 ok=false at=2026-11-23T10:00:00Z", block).hasPrefix(#"{"n":5,"ok":f"#))
        #expect(try run("n=x ok", block) == #"dead: n: "x" is not an int"#)
        #expect(try run("n=1", block) == "dead: ok: there is no value")
    }

    @Test func `keys and values keep what JSON must escape`() throws {
        #expect(try run(#"a\b=c\d "#) == #"{"a\\b":"c\\d"}"#)
        #expect(try run(#"a="\\ \u00e9""#) == #"{"a":"\\ é"}"#)
    }

    @Test(arguments: [
        ("hello world", "there is no key=value"), ("=1", "a key is missing at byte 0"),
        (#"a="x"#, "a quote is never closed"), (#"a="x\"#, "a quote is never closed"),
        (#"a="x"y"#, "there is text behind a closing quote at byte 5"),
        (#"a"b=1"#, "a key has a quote at byte 1"),
    ])
    func `what is no logfmt is refused in words`(line: String, problem: String) throws {
        #expect(try run(line) == "dead: not logfmt: \(problem)")
    }
}

struct ApacheParsingTests {
    private let start = #"::1 - bob [24/Nov/2026:08:00:00 +0100] "#

    private func run(_ format: String, _ line: String) throws -> String {
        try Bench.value(
            "json({ method, path, protocol, status, bytes })",
            parse: "parse \(format)"
        ).run(line)
    }

    @Test(arguments: [
        (#""GET /a HTTP/1.1" 200 5"#, #"{"method":"GET","path":"/a","protocol":"HTTP/1.1""#),
        (#""-" 408 -"#, #"{"method":null,"path":null,"protocol":null,"status":408,"bytes":0}"#),
        (#""GET /" 200 5"#, #"{"method":"GET","path":"/","protocol":null"#),
        (#""\x16\x03\x01" 400 226"#, #"{"method":null,"path":"\\x16\\x03\\x01","protocol":null"#),
    ])
    func `requests need not be whole`(end: String, json: String) throws {
        #expect(try run("apache_common", start + end).hasPrefix(json))
        #expect(try run("apache_combined", start + end + #" "-" "curl""#).hasPrefix(json))
    }

    @Test func `a combined line is not taken for a common one`() throws {
        let line = start + #""GET /a HTTP/1.1" 200 5 "-" "curl""#
        #expect(
            try run("apache_common", line) == "dead: not an Apache log line: there is text behind"
                + " the size; is it `apache_combined`?"
        )
    }

    @Test func `a block gives columns other types`() throws {
        let block = "{\n status: string\n method: enum(\"GET\")\n}"
        let bench = try Bench.value(
            "json({ status, bytes })",
            parse: "parse apache_common \(block)"
        )
        #expect(bench.run(start + #""GET /a HTTP/1.1" 200 5"#) == #"{"status":"200","bytes":5}"#)
        #expect(
            bench.run(start + #""PUT /a HTTP/1.1" 200 5"#)
                == #"dead: method: "PUT" is not one of "GET""#
        )
        #expect(bench.run(start + #""-" 408 -"#) == "dead: method: there is no value")
    }
}

struct SyslogParsingTests {
    private func run(_ line: String, _ parse: String = "parse syslog") throws -> String {
        try Bench.value("json(*)", parse: parse).run(line)
    }

    @Test func `RFC 5424's own examples are read`() throws {
        #expect(
            try run(
                "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{FEFF}'su root'"
            ) == #"""
                {"facility":"auth","severity":"crit","time":"2003-10-11T22:14:15.003Z","host":"mymachine.example.com","app":"su","pid":null,"msg_id":"ID47","data":null,"message":"'su root'"}
                """#
        )
        #expect(
            try run(
                #"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - [exampleSDID@32473 iut="3" eventSource="Appli\"cation\]"][b@1] An event"#
            ) == #"""
                {"facility":"local4","severity":"notice","time":"2003-08-24T05:14:15.000003-07:00","host":"192.0.2.1","app":"myproc","pid":"8710","msg_id":null,"data":{"exampleSDID@32473":{"iut":"3","eventSource":"Appli\"cation]"},"b@1":{}},"message":"An event"}
                """#
        )
        #expect(try run("<0>1 - - - - - -").hasSuffix(#""data":null,"message":""}"#))
    }

    @Test func `RFC 3164's own example is read`() throws {
        #expect(
            try run("<34>Oct 11 22:14:15 mymachine su: 'su root' failed") == #"""
                {"facility":"auth","severity":"crit","time":"Oct 11 22:14:15","host":"mymachine","app":"su","pid":null,"msg_id":null,"data":null,"message":"'su root' failed"}
                """#
        )
    }

    @Test(arguments: [
        (
            "Dec  1 06:55:46 web sshd[24]: Invalid user",
            #""app":"sshd","pid":"24""#, #""message":"Invalid user"}"#
        ),
        (
            "Dec 10 06:55:46 web last message repeated 5 times",
            #""app":null,"pid":null"#, #""message":"last message repeated 5 times"}"#
        ),
        (
            "Dec 10 06:55:46 web postfix/smtpd[7]: a: b",
            #""app":"postfix/smtpd","pid":"7""#, #""message":"a: b"}"#
        ),
        (
            "2026-11-23T10:00:00.123456+01:00 web kernel: [    0.0] up",
            #""app":"kernel","pid":null"#, #""message":"[    0.0] up"}"#
        ),
        ("Dec 10 06:55:46 web http://x", #""app":null,"pid":null"#, #""message":"http://x"}"#),
        ("Dec 10 06:55:46 web app:", #""app":"app","pid":null"#, #""message":""}"#),
    ])
    func `a tag and a priority may be there or not`(
        line: String,
        tag: String,
        message: String
    ) throws {
        let json = try run(line)
        #expect(json.hasPrefix(#"{"facility":null,"severity":null,"#))
        #expect(json.contains(tag))
        #expect(json.hasSuffix(message))
    }

    @Test func `with a year and a zone its times are moments`() throws {
        let parse = "parse syslog(year: 2026, zone: \"Europe/Berlin\")"
        let bench = try Bench.value("json({ time })", parse: parse)
        #expect(bench.run("Nov 23 11:00:00 h a: b") == #"{"time":"2026-11-23T10:00:00Z"}"#)
        #expect(bench.run("Jul  1 12:00:00.5 h a: b") == #"{"time":"2026-07-01T10:00:00.500Z"}"#)
        #expect(bench.run("<0>1 - - - - - -") == #"{"time":null}"#)
        #expect(
            bench.run("<0>1 2025-01-02T03:04:05Z - - - - -") == #"{"time":"2025-01-02T03:04:05Z"}"#
        )
        #expect(bench.run("Feb 29 00:00:00 h a: b").hasPrefix("dead: time: \"Feb 29"))
    }

    @Test func `a block takes the times of RFC 5424 as moments`() throws {
        let parse = "parse syslog {\n time: time(iso8601)\n pid: int?\n}"
        let bench = try Bench.value("json({ time, pid })", parse: parse)
        #expect(
            bench.run("<0>1 2025-01-02T03:04:05+01:00 - - 7 - -")
                == #"{"time":"2025-01-02T02:04:05Z","pid":7}"#
        )
    }

    @Test(arguments: [
        ("", "it does not begin with a time"), ("<192>Oct 11 22:14:15 h a: b", "the <priority>"),
        ("<>1 - - - - - -", "the <priority>"), ("<0123>x", "the <priority>"),
        ("<34>1 - - -", "it has no TIME HOST APP PROCID MSGID"),
        (#"<34>1 - - - - - [a b="c" x"#, "its structured data"),
        (#"<34>1 - - - - - [a b="c"#, "its structured data"), ("<34>1 - - - - - [", "its struct"),
        ("<34>1 - - - - - [a]x", "there is no space behind"), ("Oct 11 22:14:15", "it does not"),
        ("Oct 11 22:14:15 ", "there is no host"), ("hello world", "it does not begin with a time"),
    ])
    func `what is no syslog is refused in words`(line: String, problem: String) throws {
        #expect(try run(line).hasPrefix("dead: not syslog: \(problem)"))
    }

    @Test func `every priority has its names`() throws {
        let bench = try Bench.value(
            "\"${facility ?? \"-\"}.${severity ?? \"-\"}\"",
            parse: "parse syslog"
        )
        #expect(bench.run("<0>Oct 11 22:14:15 h a: b") == "kern.emerg")
        #expect(bench.run("<14>Oct 11 22:14:15 h a: b") == "user.info")
        #expect(bench.run("<86>Oct 11 22:14:15 h a: b") == "authpriv.info")
        #expect(bench.run("<191>Oct 11 22:14:15 h a: b") == "local7.debug")
        for priority in 0..<192 {
            let name = bench.run("<\(priority)>Oct 11 22:14:15 h a: b")
            #expect(!name.contains("-") && !name.hasPrefix("dead"))
        }
    }
}

struct CRIParsingTests {
    private func run(_ event: String, from: String = "") throws -> String {
        try Bench.value("json({ stream, flag, message })", parse: "parse cri", from: from).run(
            event
        )
    }

    @Test(arguments: [
        ("F hello  world ", #"{"stream":"stdout","flag":"F","message":"hello  world "}"#),
        ("F ", #"{"stream":"stdout","flag":"F","message":""}"#),
        ("F", #"{"stream":"stdout","flag":"F","message":""}"#),
        ("P:x half", #"{"stream":"stdout","flag":"P","message":"half"}"#),
    ])
    func `a line has time, stream, flag and message`(end: String, json: String) throws {
        #expect(try run("2016-10-06T00:17:09.669794202Z stdout \(end)") == json)
    }

    @Test func `the parts of a line are joined`() throws {
        let event = """
            2016-10-06T00:17:09Z stdout P one,
            2016-10-06T00:17:10Z stdout P  two,
            2016-10-06T00:17:11Z stdout F  three
            """
        #expect(try run(event) == #"{"stream":"stdout","flag":"F","message":"one, two, three"}"#)
    }

    @Test func `whole lines that travel together keep their newlines`() throws {
        let event = """
            2016-10-06T00:17:09Z stderr F panic
            2016-10-06T00:17:10Z stderr P   at a
            2016-10-06T00:17:11Z stderr F .c
            2016-10-06T00:17:11Z stderr F   at b
            """
        #expect(
            try run(event)
                == #"{"stream":"stderr","flag":"F","message":"panic\n  at a.c\n  at b"}"#
        )
    }

    @Test func `a part that is cut off with its event leaves the others whole`() throws {
        let whole = "2016-10-06T00:17:09Z stdout P 0123456789\n2016-10"
        let from = "{ max_line = \(whole.utf8.count) }"
        #expect(
            try run(whole, from: from)
                == #"{"stream":"stdout","flag":"P","message":"0123456789"}"#
        )
        #expect(try run(whole) == "dead: not CRI: a part is not TIME STREAM FLAG MESSAGE")
    }

    @Test(arguments: [
        ("hello", "it is not TIME STREAM FLAG MESSAGE"),
        ("2016-10-06T00:17:09Z stdout X a", "it is not TIME STREAM FLAG MESSAGE"),
        (
            "2016-10-06T00:17:09Z stdout P a\n2016-10-06T00:17:09Z stderr F b",
            "parts of stdout and stderr are mixed"
        ),
    ])
    func `what is no line of a container is refused in words`(line: String, problem: String) throws
    {
        #expect(try run(line) == "dead: not CRI: \(problem)")
    }

    @Test func `parts travel together without a setting`() throws {
        let bench = try Bench.value("json(*)", parse: "parse cri")
        func matches(_ line: String) -> Bool {
            Array(line.utf8).withUnsafeBytes { bench.processor.matchesLine($0) }
        }
        #expect(matches("2016-10-06T00:17:09Z stdout P one"))
        #expect(!matches("2016-10-06T00:17:09Z stdout F P"))
        #expect(!matches("P"))
    }
}
