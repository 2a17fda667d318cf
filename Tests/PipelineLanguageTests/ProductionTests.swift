import Testing

@testable import PipelineLanguage

/// Each production of the grammar, in the forms that it allows.
struct ProductionTests {
    private func accepts(
        _ marked: MarkedText,
        _ location: Testing.SourceLocation = #_sourceLocation
    ) {
        let errors = marked.found.filter { $0.code.hasPrefix("E") }
        #expect(errors == [], sourceLocation: location)
    }

    /// Compiles an expression as the value of a field of a record that has much.
    private func value(_ expression: String) throws -> Expression {
        let text = Till.steps("set x = \(expression)").text
        let plan = try #require(Till.plan(text), "\(expression)")
        guard case .set(_, let value) = plan.steps[0].kind else { throw NoValue() }
        return value
    }

    private struct NoValue: Error {}

    // MARK: from, parse

    @Test(arguments: [
        "from \"/a\"", "from \"/a\", '/b*'", "from \"/a\",\n  \"/b\"", "from \"/a\" { }",
        "from \"/a\" { settle = 5s, start = end }",
        "from \"/a\" {\n  settle = 5s\n  start = end\n}",
    ])
    func `from takes paths, and settings on lines or between commas`(from: String) {
        let send = "send { topic = \"t\"  value = @raw }\n"
        accepts(MarkedText("\(from)\nparse text\n\(send)\(Till.onError)"))
    }

    @Test(arguments: [
        "parse json", "parse json { }", "parse json { a: int, b: string? }",
        "parse json {\n  a: int\n\n  b: [string]?  # a list\n  c: [[int]]\n}",
        "parse json { `two words`: string, at: time(iso8601)?, kind: enum(\"a\", 'b')? }",
        "parse csv(header: true,\n  separator: \"\\t\") { a: int }", "parse text { a: string }",
        "parse regex('(?<a>.)') { a: string }", "parse nginx_combined",
    ])
    func `parse takes a format with arguments, and columns`(parse: String) {
        accepts(Till.parse(parse))
    }

    // MARK: Steps

    @Test(arguments: [
        "let a = 1\nset b = a", "set a = {}\nset a.b.c = 1", "set `two words` = 1",
        "set a = 1\r\nset b = 2",
        "remove note", "remove note, clerk", "remove note,\n  clerk",
        "keep id, note", "rename note to text", "drop", "drop \"x\"", "drop if id > 1",
        "drop \"x\" if id > 1", "reject \"x\"", "reject 'x' if id > 1",
        "if id > 1 { }", "if id > 1 { set a = 1 }", "if id > 1 {\n  set a = 1\n} else { drop }",
        "if id > 1 { drop } else if id > 2 { drop } else if id > 3 { drop } else { set a = 1 }",
        "send { topic = \"t\", value = @raw, headers { a-b.c-1 = 1, 'x y' = 2 } }",
        "send {\n  topic = \"t\"\n  key = id\n  timestamp = at\n  partition = 1\n  value = null\n}",
        "send {\n  topic = \"t\"  value = @raw\n  headers {\n    a = 1\n    b = 2\n  }\n}",
    ])
    func `a step takes each form that the grammar has`(step: String) {
        accepts(Till.steps(step))
    }

    @Test(arguments: [
        "on error stop", "on error skip", "on error dead_letter \"d\"",
        "on error dead_letter \"d.${@pipeline}\"",
        "on error {\n  let a = @error.kind\n  if a == \"parse\" { drop \"x\" }\n"
            + "  send { topic = \"d\"  value = @raw }\n}",
    ])
    func `on error takes each form that the grammar has`(policy: String) {
        accepts(MarkedText(Till.from + Till.columns + Till.send + policy + "\n"))
    }

    @Test(arguments: [
        "input 'x'", "input '''\n  x\n  '''\n  expect nothing", "input \"\"\"\n  x\\t\n  \"\"\"",
        "given { @host = \"h\", @line = 5 }\n input 'x'\n expect drop\n expect drop \"x\"",
        "given {\n @host = 'h'\n @line = 5\n }\n given { @path = \"/\" }\n input 'x'",
        "input 'x'\n expect dead_letter\n expect dead_letter \"x\"",
        "input 'x'\n expect { }\n expect { topic = \"t\", key = 5  value = null }",
        "input 'x'\n expect { partition = 1  timestamp = 2  headers { a = \"1\", b = null } }",
        "input 'x'\n expect { value has { a: [1, -2, 3.50], b: { c: true } } }",
        "input 'x'\n expect { value = { \"a b\": 5 }  headers { x-y = \"z\" } }",
    ])
    func `a test takes each form that the grammar has`(test: String) {
        accepts(
            MarkedText(
                Till.from + Till.columns + Till.send + Till.onError + "test \"t\" {\n \(test)\n}\n"
            )
        )
    }

    // MARK: Expressions

    @Test(arguments: [
        ("1", "int"), ("19.90", "decimal"), ("-1", "int"), ("- -1", "int"), ("5s", "duration"),
        ("4KiB", "int"), ("true", "bool"), ("null", "null"), ("\"a\"", "string"), ("'a'", "string"),
        ("\"${id}\"", "string"), ("\"\"\"\n${id}\n\"\"\"", "string"), ("@line", "int"),
        ("@env.HOME", "string"), ("note", "string"), ("`note`", "string"), ("(note)", "string"),
        ("*", "object"), ("* except note", "object"), ("* except (note, clerk)", "object"),
        ("[1, 2]", "[int]"), ("[]", "[any]"), ("[1, 2,]", "[int]"), ("{ }", "object"),
        ("{ a: 1, \"b c\": 2 }", "object"), ("{ id, note }", "object"),
        ("{\na: 1\nb: 2\n}", "object"),
        ("{ a: 1 }.a", "int"), ("[1][0]", "int"), ("{ a: 1 } except a", "object"),
        ("lower(note)", "string"), ("mask(note, keep_last: 4)", "string"),
        ("lower(\nnote\n)", "string"),
        ("not true", "bool"), ("not not true", "bool"), ("id == 1 and id != 2 or id < 3", "bool"),
        ("id <= 1", "bool"), ("id >= 1", "bool"), ("id > 1", "bool"), ("id in [1, 2]", "bool"),
        ("id not in [1, 2]", "bool"), ("note =~ '^a'", "bool"), ("note !~ '^a'", "bool"),
        ("1 + 2 - 3 * 4 / 5 % 6", "int"), ("id + 1.5", "decimal"), ("at - at", "duration"),
        ("at + 5m", "time"), ("clerk ?? note", "string"), ("clerk ?? clerk ?? note", "string"),
        ("match shop { \"north\" => 1, \"south\" => 2 }", "int"),
        ("match shop { \"north\", \"south\" => 1 }", "int"),
        ("match { id > 1 => 1\n else => 2 }", "int"),
        ("match id {\n 1 => \"a\"\n else => \"b\"\n}", "enum(\"a\", \"b\")"),
    ])
    func `an expression has the type that its operators make`(text: String, type: String) throws {
        let found = try value(text).type.description
        #expect(type == "string" ? ["string", "bytes"].contains(found) : found == type)
    }

    @Test(arguments: [
        ("1 + 2 * 3", "(1 + (2 * 3))"), ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("(1 + 2) * 3", "((1 + 2) * 3)"), ("not true and false", "((not true) and false)"),
        ("not id == 1", "(not (id == 1))"),
        ("true or false and true", "(true or (false and true))"),
        ("id + 1 > 2 and true", "(((id + 1) > 2) and true)"), ("-id * 2", "((- id) * 2)"),
        ("clerk ?? note ?? \"x\"", "(clerk ?? (note ?? \"x\"))"),
        ("id not in [1] and true", "((id not in [1]) and true)"),
    ])
    func `operators bind in their order`(text: String, tree: String) throws {
        #expect(try value(text).tree == tree)
    }

    @Test(arguments: [
        "«E105:<» 3", "«E105:==» true", "«E105:not» in [1]",
    ])
    func `comparisons do not chain`(rest: String) {
        let marked = Till.steps("drop \"x\" if 1 < id \(rest)")
        #expect(marked.found.first == marked.marks.first)
    }

    // MARK: Lines, names, texts

    @Test(arguments: [
        "set x = id +\n  1", "set x = id\n  + 1",
        "drop \"x\" if id > 1\n  and id < 5\n  or id == 7",
        "set x = clerk\n  ?? note", "set x = clerk ??\n  note", "set x = (id\n  - 1)",
        "set x = [id,\n  1\n]", "set x = lower(\n  note\n)", "set x = note ==\n  \"a\"",
        "set x =\n  note",
    ])
    func `a statement goes on behind an operator and in brackets`(steps: String) {
        accepts(Till.steps(steps))
    }

    @Test(arguments: [
        "set x = id\n«E102:-» 1", "set x = id «E102:set» y = 1",
        "set x = lower «E102:(»note)", "let a = 1, «E102:b» = 2",
    ])
    func `a statement ends with its line`(steps: String) {
        let marked = Till.steps(steps)
        #expect(marked.found.count == 1)
    }

    @Test func `a name in backticks is a field, whatever it is called`() throws {
        let parse = "parse json {\n  `if`: string\n  `two words`: int\n  `ü`: object?\n}\n"
        accepts(
            Till.parse(
                parse + "drop \"x\" if `if` == \"a\" and `two words` > 1\nremove `ü`.`x y`.z\n"
            )
        )
    }

    @Test(arguments: [
        ("'''\n    a\n      b\n    '''", "a\n  b"), ("'''\n    a\n  b\n    '''", "a\nb"),
        ("'''\n\n    a\n\n    '''", "\na\n"), ("'''\n    '''", ""),
        ("'''\n  \\d ${x}\n  '''", "\\d ${x}"),
        ("\"\"\"\n\ta\\tb\n\t\"\"\"", "a\tb"), ("'''\r\n  a\r\n  b\r\n  '''", "a\r\nb"),
        ("'''\n  it's ''quoted''\n  '''", "it's ''quoted''"),
    ])
    func `lines between three quotes lose the indentation of the closing ones`(
        text: String,
        content: String
    ) throws {
        #expect(try value(text).kind.literal == .string(content))
    }
}

extension Expression {
    /// The operators with brackets around each.
    fileprivate var tree: String {
        switch kind {
        case .binary(let operation, let left, let right):
            "(\(left.tree) \(operation.rawValue) \(right.tree))"
        case .unary(let operation, let inner): "(\(operation.rawValue) \(inner.tree))"
        case .coalesce(let left, let right): "(\(left.tree) ?? \(right.tree))"
        case .list(let elements): "[\(elements.map(\.tree).joined(separator: ", "))]"
        case .literal(.int(let number)): "\(number)"
        case .literal(.bool(let flag)): "\(flag)"
        case .literal(.string(let text)): "\"\(text)\""
        case .field(let path): ["id", "shop", "clerk", "total", "note", "at"][path.slot]
        default: "?"
        }
    }
}
