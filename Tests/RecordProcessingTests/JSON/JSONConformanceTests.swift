import Testing

@testable import RecordProcessing

/// RFC 8259 in the kinds of input that JSON test suites have, each as the value of a member.
struct JSONConformanceTests {
    private static func hex(_ digits: String) -> [UInt8] {
        digits.split(separator: " ").compactMap { UInt8($0, radix: 16) }
    }

    private func outcome(_ line: [UInt8]) throws -> String {
        try Bench.value("json(*)").run(line)
    }

    static let accepted: [String] = [
        // Structure.
        "{}", "[]", "[[]]", "[[],[[]]]", "{\"a\":{}}", "[{},[],null]", "[1 , 2]", "[ 1 ]",
        "[\t1\r\n]",
        "{ \"a\" : 1 , \"b\" : 2 }", "{\"\":0}", "{\"a\":1,\"a\":2}", "{\"a\":\"a\",\"a\":\"a\"}",
        "[null,true,false]", "\"\"", "\"a\"", "true", "false", "null",
        // Numbers.
        "0", "-0", "1", "-1", "123", "10", "0.5", "-0.5", "1.0", "1.50", "0e1", "0E+1", "0e-1",
        "1e5",
        "1E5", "1e+5", "1e-5", "1E-05", "123.456e78", "-1.5e-3", "1e00", "20e1",
        "0.0000000000000001",
        "123456789012345678901234567890", "-9223372036854775809", "18446744073709551616",
        "0.12345678901234567890123456789", "1e400", "-1e400", "1e-400", "1e99999999999",
        "-0.000000000000000000000000000000000000000000000000000000000000000000000000000001",
        // Strings.
        "\"\\\"\"", "\"\\\\\"", "\"\\/\"", "\"/\"", "\"\\b\\f\\n\\r\\t\"", "\"\\u0000\"",
        "\"\\u0022\"",
        "\"\\u00e9\\u00E9\"", "\"\\u2028\\u2029\"", "\"\u{2028}\u{2029}\"", "\"\u{7F}\"", "\"é€😀\"",
        "\"\\ud83d\\ude00\"", "\"\\uD834\\uDD1E\"", "\"\\uFFFE\\uFFFF\"", "\"\\\\u0041\"",
        "\"\\\\\\\\\"",
        "\"a/*b*/c//d#e\"", "\"\u{FEFF}\"", "\"[{\"", "\"\u{80}\"", "\"\\u005C\"",
        // Left to the reader: halves of pairs are taken, and become U+FFFD where the text is needed.
        "\"\\ud800\"", "\"\\udc00\"", "\"\\ude00\\ud83d\"", "\"\\ud800\\ud800\\n\"", "\"\\ud800x\"",
        "\"\\uDBFF\\u0041\"",
    ]

    @Test(arguments: accepted)
    func `what is a value is taken, and travels as it was written`(value: String) throws {
        #expect(JSONReference.isValue(Array(value.utf8)))
        #expect(try outcome(Array("{\"k\":\(value)}".utf8)) == "{\"k\":\(value)}")
        #expect(try outcome(Array(" {\t\"k\" :\r\(value) }\n".utf8)) == "{\"k\":\(value)}")
        #expect(
            try outcome(Array("{\"k\":[\(value), {\"a\":\(value)}]}".utf8)).hasPrefix("{\"k\":[")
        )
    }

    static let refused: [String] = [
        // Structure.
        "", "[", "]", "{", "}", "[1", "[1,", "[,1]", "[1,]", "[,]", "[1,,2]", "[1 2]",
        "[\"a\" \"b\"]",
        "[1;2]", "[1}", "{]", "[[1]", "[1]]", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}",
        "{\"a\":1,,\"b\":2}", "{,\"a\":1}", "{:1}", "{1:1}", "{a:1}", "{'a':1}", "{null:1}",
        "{[]:1}",
        "{\"a\"::1}", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "{\"a\":1", "{\"a", "[\"a", "[\"a]", "1 2",
        "[1]x", "1,", "// a\n1", "1/* a */", "#", "<null>", "[*]", "\u{FEFF}1", "\u{A0}1",
        "[\u{C}1]",
        "\u{2060}1", "a", "é", "[\\n]", "\\u0031", "--2", "&", "[1:2]", "{\"a\":\"b\"]", "[{}",
        // Words.
        "nul", "nulll", "True", "TRUE", "tru", "fals", "truefalse", "undefined", "NaN", "-NaN",
        "Infinity", "-Infinity", "+Infinity", "nan", "inf",
        // Numbers.
        "+1", "01", "-01", "00", "-", "--1", "+", ".5", "-.5", "5.", "-5.", "1.e1", "1e", "1e+",
        "1E-",
        "1.2.3", "1e1.5", "0x1", "0x", "1_000", "1,000", "1 000", "0e", "0e+", "0.e1", "2.e+3",
        "1ea", "1a", "-a", "- 1", "1e 5", "0b1", "0o7", "１", "1+2", "0.1.2", ".", "e1", "9.e+",
        // Strings.
        "\"", "\"\\\"", "\"a", "'a'", "\"\\x41\"", "\"\\a\"", "\"\\'\"", "\"\\ \"", "\"\\u\"",
        "\"\\u1\"", "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"", "\"\\u 123\"", "\"\\u-123\"",
        "\"\\uD834\\u\"", "\"\\uD834\\u12\"", "\"\\U0041\"", "\"\\\u{0}\"", "\"\u{0}\"",
        "\"\u{1F}\"",
        "\"a\nb\"", "\"a\tb\"", "\"a\rb\"", "\"\\\n\"", "\"a\"b", "\"a\"\"b\"", "\"\\\\\"\"", "`a`",
        "\\\"a\\\"", "\"\\é\"", "\"\\😀\"",
        // NUL.
        "\u{0}", "1\u{0}", "\u{0}1", "[\u{0}]",
    ]

    @Test(arguments: refused)
    func `what is no value is refused`(value: String) throws {
        #expect(!JSONReference.isValue(Array(value.utf8)))
        #expect(try outcome(Array("{\"k\":\(value)}".utf8)).hasPrefix("dead: not JSON: "))
        #expect(
            try outcome(Array("{\"k\":[\(value),1]}".utf8)).hasPrefix("dead: not JSON: ")
                || value.isEmpty
        )
    }

    @Test(arguments: [
        // Valid JSON, but a record is an object.
        "1", "\"a\"", "null", "[]", "[{\"a\":1}]",
        // Behind the end, before the start, and not whole.
        "{} {}", "{}x", "{}]", "{}\u{0}", "\u{0}{}", "\u{FEFF}{}", "{},", "x{}", "{\"a\":1}#", "",
        " ",
        "{", "{\"", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,\"",
    ])
    func `a record is one object and nothing else`(line: String) throws {
        #expect(JSONReference.object(Array(line.utf8)) == nil)
        #expect(try outcome(Array(line.utf8)).hasPrefix("dead: not JSON: "))
    }

    @Test(arguments: [
        "FF", "C0 AF", "E0 80 80", "ED A0 80", "F4 90 80 80", "C3", "80", "F0 80 80 80", "E2 82",
        "FC 83 BF BF BF BF",
    ])
    func `bytes that are not UTF-8 are kept in strings, and refused elsewhere`(digits: String)
        throws
    {
        let bytes = Self.hex(digits)
        let line = Array("{\"k\":\"".utf8) + bytes + Array("\"}".utf8)
        var members: [JSONMember] = []
        line.withUnsafeBytes { text in
            #expect(JSONScanner.scanObject(text, members: &members) == nil)
            #expect(members.first.map { Array($0.value) } == line[5..<(line.count - 1)].map { $0 })
        }
        #expect(try outcome(Array("{\"k\":".utf8) + bytes + [0x7D]).hasPrefix("dead: not JSON"))
        #expect(try outcome(bytes + Array("{}".utf8)).hasPrefix("dead: not JSON"))
    }

    @Test(arguments: [("[", "]"), ("{\"a\":", "}")])
    func `values are nested 512 deep and no deeper`(open: String, close: String) throws {
        func line(_ depth: Int) -> [UInt8] {
            let opening = String(repeating: open, count: depth)
            return Array("{\"k\":\(opening)1\(String(repeating: close, count: depth))}".utf8)
        }
        #expect(try outcome(line(512)).utf8.elementsEqual(line(512)))
        #expect(try outcome(line(513)) == "dead: not JSON: it is nested too deeply")
        #expect(try outcome(line(100_000)) == "dead: not JSON: it is nested too deeply")
    }

    @Test(arguments: [
        ("9223372036854775807", "int", "9223372036854775807"),
        ("-9223372036854775808", "int", "-9223372036854775808"),
        ("9223372036854775808", "int", "dead"), ("1.0", "int", "dead"), ("1e3", "int", "dead"),
        ("0.10", "decimal", "0.10"), ("1e400", "decimal", "1e400"), ("-0", "decimal", "-0"),
        ("123456789012345678901234567890.5", "decimal", "123456789012345678901234567890.5"),
        ("1.5e3", "float", "1500.0"), ("1e400", "float", "dead"), ("1e-400", "float", "0.0"),
        ("\"0x1p3\"", "float", "dead"), ("\"nan\"", "float", "dead"), ("\"inf\"", "float", "dead"),
        ("\"1.5\"", "float", "1.5"), ("true", "int", "dead"),
    ])
    func `numbers are as large as their type`(value: String, type: String, result: String) throws {
        let bench = try Bench.value("json([n])", parse: "parse json {\n n: \(type)\n}")
        let outcome = bench.run("{\"n\":\(value)}")
        #expect(result == "dead" ? outcome.hasPrefix("dead: n: ") : outcome == "[\(result)]")
    }

    @Test(arguments: [
        ("\\ud83d\\ude00", "😀"), ("\\ud83dx", "\u{FFFD}x"), ("\\ude00", "\u{FFFD}"),
        ("\\ud83d\\ud83d\\ude00", "\u{FFFD}😀"), ("\\ud83d\\u0041", "\u{FFFD}A"),
        ("\\u0041\\/\\\\\\\"", "A/\\\""), ("\\b\\f\\n\\r\\t", "\u{8}\u{C}\n\r\t"),
        ("\\u0000", "\u{0}"),
        ("\u{FEFF}é", "\u{FEFF}é"),
    ])
    func `a text that a step uses is what its escapes stand for`(escaped: String, text: String)
        throws
    {
        let bench = try Bench.value("s", parse: "parse json {\n s: string\n}")
        #expect(bench.run("{\"s\":\"\(escaped)\"}") == text)
    }
}
