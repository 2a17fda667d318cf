import Testing

@testable import PipelineLanguage

struct LexerTests {
    private func lex(_ text: String) -> (kinds: [String], problems: [String]) {
        var lexer = Lexer(source: SourceText(path: "p", text: text))
        let tokens = lexer.tokens().dropLast()
        return (tokens.map { show($0.kind) }, lexer.diagnostics.map(\.message))
    }

    private func show(_ kind: Token.Kind) -> String {
        switch kind {
        case .name(let name, let isQuoted): isQuoted ? "`\(name)`" : name
        case .meta(let path): "@" + path.joined(separator: "/")
        case .integer(let value): "int \(value)"
        case .decimal(let digits): "decimal \(digits)"
        case .duration(let duration): "duration \(duration)"
        case .byteCount(let count): "bytes \(count)"
        case .string(let text): "\"\(text)\""
        case .computed(let segments): "computed \(segments.count)"
        case .sign(let sign): sign.rawValue
        case .end: "end"
        }
    }

    @Test func `words, signs and comments are told apart`() {
        let (kinds, problems) = lex("set a_1 = `two words` ?? @env.HOME # and so on\n!= => =~ !~")
        #expect(
            kinds == ["set", "a_1", "=", "`two words`", "??", "@env/HOME", "!=", "=>", "=~", "!~"]
        )
        #expect(problems.isEmpty)
    }

    @Test func `a decimal keeps its digits, a unit makes a duration or a size`() {
        let (kinds, problems) = lex("19.90 7 250ms 5s 2m 1h 3d 4KiB 1MiB")
        let durations = [250, 5000, 120_000, 3_600_000, 259_200_000].map {
            "duration \(Duration.milliseconds($0))"
        }
        #expect(kinds == ["decimal 19.90", "int 7"] + durations + ["bytes 4096", "bytes 1048576"])
        #expect(problems.isEmpty)
    }

    @Test func `single quotes are literal, double quotes compute`() {
        let (kinds, problems) = lex(#"'\d+ ${x}' "a\tb\"\u{e9}\$" "n-${x + 1}-${y}""#)
        #expect(kinds == [#""\d+ ${x}""#, "\"a\tb\"é$\"", "computed 4"])
        #expect(problems.isEmpty)
    }

    @Test func `three quotes span lines and lose the indentation of their end`() {
        let (kinds, problems) = lex("'''\n    one\n      two\n\n    three\n    '''")
        #expect(kinds == ["\"one\n  two\n\nthree\""])
        #expect(problems.isEmpty)
    }

    @Test(arguments: [
        ("a && b", "`&&` is not a sign of this language"),
        ("“a”", "`“` means nothing here"),
        ("'abc\nlet", "this text does not end on its line"),
        ("\"a${b\nlet", "this `${` does not close"),
        ("'''\n a\n", "this text does not end"),
        ("''' a\n'''", "nothing may follow `'''` on its line"),
        (#""a\q""#, #"`\q` is not an escape"#),
        ("5parsecs", "`5parsecs` is not a number"),
        ("99999999999999999999", "this number is too large"),
        ("9223372036854775807d", "`9223372036854775807d` is not a number"),
        ("@ a", "`@` needs a name, such as `@host`"),
        ("`a", "this name in backticks is empty or does not end"),
    ])
    func `bad characters are named`(text: String, problem: String) {
        #expect(lex(text).problems.first == problem)
    }

    @Test func `a text larger than a mebibyte is refused`() {
        let text = String(repeating: "#", count: Lexer.textLimit + 1)
        #expect(lex(text).problems == ["this file is larger than 1 MiB"])
    }
}
