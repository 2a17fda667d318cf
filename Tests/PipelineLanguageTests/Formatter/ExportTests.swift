import Testing

@testable import PipelineLanguage

struct ExportTests {
    private static func source(_ text: String, path: String = "till.pipeline") -> SourceText {
        SourceText(path: path, text: text)
    }

    private static func json(_ text: String) -> String? {
        guard case .json(let json) = PipelineExport.json(of: source(text)) else { return nil }
        return json
    }

    private static func text(fromJSON json: String) throws(ExportError) -> String {
        String(
            decoding: try PipelineExport.text(fromJSON: source(json, path: "till.json")),
            as: UTF8.self
        )
    }

    @Test(arguments: Fixture.all)
    func `a pipeline comes back from JSON with the same plan`(text: String) throws {
        try Self.prove(text)
    }

    /// Also of use for generated pipelines.
    static func prove(_ text: String) throws {
        let json = try #require(Self.json(text))
        let back = try Self.text(fromJSON: json)
        try #require(Self.json(back) == json, "\(back)")
        let plan = try #require(PipelineCompiler.compile(source(text), in: .withAnyCluster).plan)
        let again = try #require(PipelineCompiler.compile(source(back), in: .withAnyCluster).plan)
        try #require(structure(of: again) == structure(of: plan), "\(back)")
    }

    @Test func `each kind of statement and value has its form`() {
        let text = """
            from "a" { settle = 5s, max_line = 64KiB }
            parse csv(header: true) { id: int, tags: [string]?, kind: enum("a")? }
            let x = 1.50
            set a.b = -x
            remove c, d.e
            drop if not x
            if a == null { reject "r" } else { drop "d" if a in [1] }
            send {
              topic = "t.${id}"
              value = json(* except (a, b.c))
              headers { trace-id = @env.ID ?? f(1, to: 2)[0].m }
            }
            on error dead_letter "e"
            test "t" { given { @host = "h" }  input 'i'  expect { value has { a, b: true } }  expect drop "d" }
            """
        let expected = """
            {
              "version": 1,
              "pipeline": "till",
              "from": [
                {
                  "globs": ["a"],
                  "settings": [
                    {"name": "settle", "value": {"milliseconds": 5000}},
                    {"name": "max_line", "value": {"bytes": 65536}}
                  ]
                }
              ],
              "parse": [
                {
                  "format": "csv",
                  "arguments": [{"label": "header", "value": true}],
                  "columns": [
                    {"name": "id", "type": {"name": "int"}},
                    {"name": "tags", "type": {"list_of": {"name": "string"}, "optional": true}},
                    {"name": "kind", "type": {"name": "enum", "arguments": [{"value": "a"}], "optional": true}}
                  ]
                }
              ],
              "steps": [
                {"do": "let", "name": "x", "value": {"decimal": "1.50"}},
                {"do": "set", "path": ["a", "b"], "value": {"negate": {"field": "x"}}},
                {"do": "remove", "paths": [["c"], ["d", "e"]]},
                {"do": "drop", "if": {"not": {"field": "x"}}},
                {
                  "do": "if",
                  "branches": [
                    {
                      "if": {"operator": "==", "left": {"field": "a"}, "right": null},
                      "steps": [{"do": "reject", "reason": "r"}]
                    }
                  ],
                  "else": [
                    {
                      "do": "drop",
                      "reason": "d",
                      "if": {"operator": "in", "left": {"field": "a"}, "right": {"list": [1]}}
                    }
                  ]
                },
                {
                  "do": "send",
                  "record": {
                    "lines": [
                      {"name": "topic", "value": {"computed": [{"text": "t."}, {"value": {"field": "id"}}]}},
                      {
                        "name": "value",
                        "value": {
                          "call": "json",
                          "arguments": [{"value": {"except": [["a"], ["b", "c"]], "of": {"all_fields": true}}}]
                        }
                      }
                    ],
                    "headers": [
                      {
                        "name": "trace-id",
                        "value": {
                          "operator": "??",
                          "left": {"meta": ["env", "ID"]},
                          "right": {
                            "member": "m",
                            "of": {
                              "index": 0,
                              "of": {"call": "f", "arguments": [{"value": 1}, {"label": "to", "value": 2}]}
                            }
                          }
                        }
                      }
                    ]
                  }
                }
              ],
              "on_error": [{"do": "dead_letter", "topic": "e"}],
              "tests": [
                {
                  "name": "t",
                  "given": [{"name": "host", "value": "h"}],
                  "input": "i",
                  "expect": [
                    {
                      "outcome": "record",
                      "record": {
                        "lines": [],
                        "headers": [],
                        "value_has": {"object": [{"name": "a"}, {"name": "b", "value": true}]}
                      }
                    },
                    {"outcome": "drop", "reason": "d"}
                  ]
                }
              ]
            }

            """
        #expect(Self.json(text) == expected)
    }

    @Test(arguments: [
        "a ?? b ?? c", "(a ?? b) ?? c", "not (a or b) and c", "(not a) == b", "-(a + b) * c",
        "a - (b - c) - d", "(a == b) == c", "(-5)[0]", "(@error).kind", "match ({ a }) { b => c }",
        "`null`.`a b`", "{ \"or\": 1, `x y`, `if` }", "match { a, b => 1, else => `else` }",
        "\"a\\u{1}\\$\\\"${\"b\\n\"}\"", "'it \"is\" $5'", "\"it's \\\\ $\"", "90m", "1h", "0ms",
        "1536KiB", "a =~ 'b' or a !~ 'c'", "a not in [1]", "(a ?? b) + c", "* except ()",
    ])
    func `an expression comes back with its brackets`(expression: String) throws {
        let json = try #require(Self.json("set x = \(expression)\n"), "\(expression)")
        #expect(Self.json(try Self.text(fromJSON: json)) == json)
    }

    @Test(arguments: [
        "a\n'''b\n  ''' c", "a\r\nb", "\n", "a\n", "", "one line", "tab\tand\nlines", "  deep\n x",
    ])
    func `the input of a test comes back`(input: String) throws {
        let tree = JSONTree.string(input).text()
        let json = #"{"version": 1, "tests": [{"name": "t", "input": "# + tree + "}]}"
        let back = try Self.text(fromJSON: json)
        let file = try PipelineCompiler.read(Self.source(back)).get().file
        #expect(file.tests.map(\.input.text) == [input])
    }

    @Test(arguments: [
        ("[1", "till.json:1:3: `,` or `]` was expected"),
        ("{\"a\": 1, \"a\": 2}", "till.json:1:13: \"a\" is there twice"),
        (
            "[1.5]",
            "till.json:1:2: `1.5` is no integer of 64 bits; {\"decimal\": \"1.5\"} is a decimal"
        ),
        ("[\"\\ud800\"]", "till.json:1:9: half of a surrogate pair is missing"),
        ("nul", "till.json:1:1: this is not JSON: a value was expected"),
        ("{} x", "till.json:1:4: something follows the end of the JSON"),
        ("{}", "\"version\" must be 1"),
        ("{\"version\": 2}", "\"version\" must be 1"),
        ("{\"version\": 1, \"step\": []}", "the pipeline: there is no member \"step\" here"),
        (
            "{\"version\": 1, \"steps\": [{\"do\": \"let\", \"name\": \"a\"}]}",
            "steps[0]: \"value\" is missing"
        ),
        (
            "{\"version\": 1, \"steps\": [{\"do\": \"let\", \"name\": \"a\", \"value\": {\"fild\": \"b\"}}]}",
            "steps[0].value: there is no value \"fild\""
        ),
        (
            "{\"version\": 1, \"steps\": [{\"do\": \"let\", \"name\": \"`\", \"value\": 1}]}",
            "steps[0].name: this cannot be a name"
        ),
        (
            "{\"version\": 1, \"steps\": [{\"do\": \"drop\", \"if\": {\"decimal\": \"1.5e3\"}}]}",
            "steps[0].if.decimal: a decimal such as \"19.90\" was expected"
        ),
        (
            "{\"version\": 1, \"steps\": [{\"do\": \"set\", \"path\": [\"a\"], \"value\": {\"negate\": 5}}]}",
            "till.json: this cannot be written as a pipeline"
        ),
    ])
    func `what is no pipeline is refused, with its place`(json: String, message: String) {
        let error = #expect(throws: ExportError.self) { try Self.text(fromJSON: json) }
        #expect(error?.description == message)
    }

    @Test func `escapes of JSON are read`() throws {
        let json = #"{"version": 1, "steps": [{"do": "drop", "reason": "\u00e4\ud83d\ude00\/\b"}]}"#
        #expect(try Self.text(fromJSON: json) == "drop \"ä😀/\\u{8}\"\n")
    }
}
