import Testing

@testable import PipelineLanguage

struct ParserTests {
    @Test func `each broken statement is reported, and the ones after it are read`() {
        let marked = Till.steps(
            """
            set a = «E102:)»
            «E103:snd» b = 1
            drop "x" if id > 1 «E102:{»
            set c = «E201:nothing»
            remove «E102:7»
            """
        )
        #expect(marked.found == marked.marks)
    }

    @Test func `an error inside braces does not spill over their end`() {
        let list = Till.steps(
            """
            if id > 1 {
              set a = [1, «E102:}»
            let b = «E201:nobody»
            """
        )
        #expect(list.found == list.marks)
        let object = Till.steps("set a = «E102:{» b: 1\nset c = 2\nset d = «E201:nobody»")
        #expect(object.found == object.marks)
        let match = Till.steps(
            """
            set kind = match shop {
              "north" «E106:=» "n"
              "south" => "s"
            }
            set x = «E201:nobody»
            """
        )
        #expect(match.found.contains { $0.code == "E201" && $0.text == "nobody" })
    }

    @Test func `a brace that does not close is reported once, where it opens`() {
        let text = MarkedText(
            Till.from + Till.columns + "send «E102:{»\n  topic = \"t\"\n  value = json(*)\n\n"
                + Till.onError
        )
        #expect(text.found == text.marks)
    }

    @Test(arguments: [
        "drop \"x\" if id «E106:=» 5",
        "drop \"x\" if 1 < id «E105:<» 5",
        "drop \"x\" if id > 1 «E101:&&» id < 5",
        "rename note «E102:too» text",
        "rename «E102:note»",
        "rename note to «E102:5»",
        "keep «E102:5»",
        "include «E102:lib»",
        "include «E204:\"${note}\"»",
        "include «E406:\"lib\"»",
        "«E103:else» { set a = 1 }",
        "«E103:note» = \"x\"",
        "set x «E102:==» 5",
        "let «E102:5» = 1",
        "drop \"${«E102:*»}\"",
        "set x = match shop { «E102:else» => 1, \"north\" => 2 }",
        "set x = «E102:match shop { }»",
        "test \"t\" {\n  input «E101:'''»\n  a",
    ])
    func `one slip gives one error`(line: String) {
        let marked = Till.steps(line)
        #expect(marked.found.count == 1)
        if !line.contains("${") { #expect(marked.found == marked.marks) }
    }

    @Test func `from and parse come before the steps`() {
        let steps = "drop \"x\" if true\n«E102:parse» text\n"
        let marked = MarkedText(
            Till.from + steps + "send { topic = \"t\" value = @raw }\n" + Till.onError
        )
        #expect(marked.found == marked.marks)
    }

    @Test func `lines go on after an operator, before and, or, ?? and +, and in brackets`() throws {
        let plan = try #require(
            Till.plan(
                Till.steps(
                    """
                    drop "small" if total < 1
                      and id > 5
                      or note ==
                      "void"
                    set clerk = clerk
                      ?? "nobody"
                    set sum = (1
                      + 2)
                    """
                ).text
            )
        )
        #expect(plan.steps.count == 4)
    }

    @Test func `operators bind as in arithmetic, and ?? last`() throws {
        let plan = try #require(
            Till.plan(Till.steps("set x = 1 + 2 * 3 - 4\nset y = clerk ?? note").text)
        )
        guard case .set(_, let value) = plan.steps[0].kind,
            case .binary(.subtract, let left, _) = value.kind,
            case .binary(.add, _, let product) = left.kind,
            case .binary(.multiply, _, _) = product.kind
        else {
            Issue.record("1 + 2 * 3 - 4 was read as \(plan.steps[0])")
            return
        }
    }

    @Test(arguments: ["(", "[", "not ", "-", "{ a: ", "lower(", "match { true => ", "a ?? "])
    func `deep nesting is an error, not a crash`(opening: String) {
        let deep = String(repeating: opening, count: 5000)
        let found = Till.steps("set x = \(deep)").found
        #expect(!found.isEmpty)
    }

    @Test func `long chains are an error, not a crash`() {
        for link in [" + 1", " ?? 1", ".a", "[0]", " or true", " - 1 * 2"] {
            let chain = String(repeating: link, count: 20_000)
            #expect(!Till.steps("set x = id\(chain)").found.isEmpty)
        }
        let ifs = String(repeating: "if true {\n", count: 5000)
        #expect(!Till.steps(ifs).found.isEmpty)
        let texts = String(repeating: "\"${", count: 1000)
        #expect(!Till.steps("set x = \(texts)").found.isEmpty)
        let lists = String(repeating: "[", count: 5000)
        #expect(!Till.parse("parse json {\n a: \(lists)\n}").found.isEmpty)
    }

    @Test func `a long else-if chain is fine`() {
        let chain = (0..<500).map { "if id == \($0) { drop \"x\" } else " }.joined()
        #expect(Till.steps(chain + "{ drop \"y\" if id == 7 }").found.isEmpty)
    }
}
