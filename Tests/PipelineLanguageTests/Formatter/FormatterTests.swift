import Testing

@testable import PipelineLanguage

struct FormatterTests {
    @Test func `signs stand under one another, and groups have an empty line between them`() {
        let text = """
            from "/srv/*.csv"
            parse csv( header:true ){
            id:int, shop:enum("north","south")
            }


            set a=1
            set longer   = 2
            let other = 3
            send { topic="till"
            timestamp=at
            headers{ trace-id=id }
              value=json(*except id) }
            on error   stop
            """
        let expected = """
            from "/srv/*.csv"

            parse csv(header: true) {
              id:   int
              shop: enum("north", "south")
            }

            set a      = 1
            set longer = 2
            let other = 3

            send {
              topic     = "till"
              timestamp = at
              headers   { trace-id = id }
              value     = json(* except id)
            }

            on error stop

            """
        #expect(Formatted(text).text == expected)
    }

    @Test func `comments stay where they are`() {
        let text = """
            # about the file

            # about from
            from "a" {   # behind a brace
            # before a setting
            settle = 5s # behind a setting
            max_line=1MiB     # and another
            # before the end
            }
            if a == 1 { # why
            drop "x"
            # before else
            } else { drop "y" }
            set list = [ 1, # one
              # two
              2 ]
            set m = match a { "x" => 1, # first
              # before the last
              else=>2 }
            set v = # behind a sign
              5 # behind a value

            # the end
            """
        let expected = """
            # about the file

            # about from
            from "a" {  # behind a brace
              # before a setting
              settle   = 5s    # behind a setting
              max_line = 1MiB  # and another
              # before the end
            }

            if a == 1 {  # why
              drop "x"
              # before else
            } else {
              drop "y"
            }

            set list = [
              1,  # one
              # two
              2
            ]
            set m = match a {
              "x"  => 1  # first
              # before the last
              else => 2
            }
            set v =  # behind a sign
                5  # behind a value

            # the end

            """
        #expect(Formatted(text).text == expected)
    }

    @Test func `what is too long is broken, and what fits stays on its line`() {
        let text = """
            drop "x" if status == "something rather long" and path == "/another/long/path" or host == "h"
            drop "y" if status == "something rather long" and path == "/another/long/path" or host == "hosts-of-ours"
            set a = merge({ alpha: 1, beta: "a long text" }, { gamma: "another", delta: 5, epsilon: 6, f: 1234567 })
            send { topic = "short"  value = json({ id, shop }) }
            send { topic = "longer"  value = json({ id, shop, customer, total, at, note, address, country, by }) }
            """
        let expected = """
            drop "x" if status == "something rather long" and path == "/another/long/path" or host == "h"
            drop "y" if status == "something rather long" and path == "/another/long/path"
                or host == "hosts-of-ours"
            set a = merge({ alpha: 1, beta: "a long text" }, {
              gamma:   "another"
              delta:   5
              epsilon: 6
              f:       1234567
            })

            send { topic = "short"  value = json({ id, shop }) }

            send {
              topic = "longer"
              value = json({ id, shop, customer, total, at, note, address, country, by })
            }

            """
        #expect(Formatted(text).text == expected)
    }

    @Test func `lines that the author broke stay broken`() {
        let text = """
            set kind = note == "a"
              or note == "b"
            set pair = [
              1, 2 ]
            set one = { a: 1,
              b: 2 }
            """
        let expected = """
            set kind = note == "a"
                or note == "b"
            set pair = [
              1,
              2
            ]
            set one = {
              a: 1
              b: 2
            }

            """
        #expect(Formatted(text).text == expected)
    }

    @Test func `texts of several lines move, and their value does not`() throws {
        let text = "test \"t\" {\ninput '''\n\t  a\n\n\t  \t b\n c\n\t  '''\nexpect drop }\n"
        let formatted = Formatted(text)
        #expect(
            formatted.text
                == "test \"t\" {\n  input '''\n    a\n\n    \t b\n     c\n    '''\n  expect drop\n}\n"
        )
        let output = try #require(formatted.output)
        let values = try [formatted.source.bytes, output].map { bytes in
            let source = SourceText(path: "till.pipeline", bytes: bytes)
            return try PipelineCompiler.read(source).get().file.tests.map(\.input.text)
        }
        #expect(values[0] == ["a\n\n\t b\n c"])
        #expect(values[0] == values[1])
    }

    @Test func `a text inside a computed text of several lines is left as it is`() {
        let text = "set a = \"\"\"\n   x ${lower('''\n  y\n ''')}\n   \"\"\"\n"
        #expect(Formatted(text).text == text)
    }

    @Test func `a text on one line that holds one of several is left as it is`() {
        let text = "set a = \"x ${lower('''\n  y\n ''')} z\"\n"
        #expect(Formatted(text).text == text)
    }

    @Test func `line ends stay what they are`() {
        let text = "from 'a'\r\nset x=1\r\ntest 't' {\r\ninput '''\r\na\nb\r\n'''\r\n}\r\n"
        let expected =
            "from 'a'\r\n\r\nset x = 1\r\n\r\ntest 't' {\r\n  input '''\r\n    a\n    b\r\n    '''\r\n}\r\n"
        #expect(Formatted(text).text == expected)
    }

    @Test func `bytes that are no text stay what they are`() throws {
        let bytes: [UInt8] = Array("set a='".utf8) + [0xFF] + Array("' # ".utf8) + [0xE4]
        let expected = Array("set a = '".utf8) + [0xFF] + Array("'  # ".utf8) + [0xE4, 0x0A]
        #expect(Formatted(bytes: bytes).output == expected)
    }

    @Test(arguments: [
        "headers { a = x, or = y }", "headers { a = x, not = y, except = z }",
    ])
    func `a comma stays where an entry would be taken for the rest of another`(line: String) throws
    {
        let text = "send {\n  topic   = \"t\"\n  \(line)\n}\n"
        let formatted = try #require(Formatted(text).text)
        #expect(formatted.contains(line))
        let spread = text.replacing("{ a", with: "{\na")
        let headers = try PipelineCompiler.read(Formatted(spread).source).get().file.steps
        let source = SourceText(path: "till.pipeline", text: Formatted(spread).text ?? "")
        let after = try PipelineCompiler.read(source).get().file.steps
        #expect(structure(of: after) == structure(of: headers))
    }

    @Test func `a member of metadata does not become other metadata`() {
        #expect(Formatted("set a = @error .kind\n").text == "set a = @error .kind\n")
    }

    @Test(arguments: ["", "\n\n", "# only this", "#a\n\n\n#b\n"])
    func `a file without statements keeps its comments`(text: String) {
        let expected = [
            "": "", "\n\n": "", "# only this": "# only this\n", "#a\n\n\n#b\n": "#a\n\n#b\n",
        ]
        #expect(Formatted(text).text == expected[text])
    }

    @Test(arguments: ["set a =", "send {", "set a = 'x", "nonsense", "set a = \"${b}"])
    func `a text that cannot be read is not formatted`(text: String) {
        let source = SourceText(path: "till.pipeline", text: text)
        guard case .unreadable(let diagnostics) = PipelineFormatter.format(source) else {
            Issue.record("\(text) was formatted")
            return
        }
        #expect(
            diagnostics
                == PipelineCompiler.compile(source).diagnostics.filter {
                    diagnostics.contains($0)
                }
        )
        #expect(!diagnostics.isEmpty)
    }

    @Test func `a counter is named by its condition, however that is laid out`() {
        let wanted = Till.plan(
            Till.steps("drop if id == 1 and (note == \"x\" or shop == \"north\")").text
        )
        let other = Till.plan(
            Till.steps("drop if (id==1)\n and ( note ==  'x'\n or shop == \"north\")").text
        )
        #expect(wanted.map(structure(of:)) == other.map(structure(of:)))
        #expect(
            wanted.map { structure(of: $0.steps).contains("id == 1 and (note == \"x\" or") } == true
        )
    }
}

struct UnifiedDiffTests {
    @Test func `a difference shows what changed with three lines around it`() {
        let old = (1...20).map { "\($0)\n" }.joined()
        let new = old.replacing("\n5\n", with: "\nfive\n").replacing("\n6\n", with: "\n6\nnew\n")
            .replacing("20\n", with: "20")
        let expected = """
            --- a.pipeline
            +++ a.pipeline
            @@ -2,8 +2,9 @@
             2
             3
             4
            -5
            +five
             6
            +new
             7
             8
             9
            @@ -17,4 +18,4 @@
             17
             18
             19
            -20
            +20
            \\ No newline at end of file

            """
        let diff = UnifiedDiff.text(from: Array(old.utf8), to: Array(new.utf8), path: "a.pipeline")
        #expect(diff == expected)
    }

    @Test func `equal texts have no difference`() {
        #expect(UnifiedDiff.text(from: [1, 10], to: [1, 10], path: "a") == "")
    }

    @Test func `a file that was empty gains all lines`() {
        let diff = UnifiedDiff.text(from: [], to: Array("a\nb\n".utf8), path: "a")
        #expect(diff == "--- a\n+++ a\n@@ -0,0 +1,2 @@\n+a\n+b\n")
    }
}
