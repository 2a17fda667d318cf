import Testing

@testable import PipelineLanguage

struct PlanTests {
    @Test(arguments: Fixture.all)
    func `a good pipeline compiles without a word`(text: String) {
        let (plan, diagnostics) = PipelineCompiler.compile(SourceText(path: "p", text: text))
        #expect(diagnostics == [])
        #expect(plan != nil)
    }

    @Test func `columns come first among the slots, then what set brings in`() throws {
        let plan = try #require(Till.plan(Fixture.traces))
        #expect(plan.columns.map(\.slot) == [0, 1, 2, 3])
        #expect(plan.fieldNames == ["at", "level", "where", "text", "stack", "fault"])
        #expect(plan.localNames == ["lines"])
        #expect(plan.columns[1].type == ValueType(.enumeration(["INFO", "WARN"])))
        #expect(plan.columns[0].time?.notation == .pattern("%Y-%m-%d %H:%M:%S,%3f"))
    }

    @Test func `topics are listed where enums make them finite`() throws {
        let tills = try #require(Till.plan(Fixture.tills))
        #expect(tills.topics.map(\.all) == [["till.north", "till.south", "till.harbour"]])
        let traces = try #require(Till.plan(Fixture.traces))
        #expect(traces.topics.map(\.all) == [["app.info", "app.warn"]])
        let proxy = try #require(Till.plan(Fixture.proxy))
        #expect(proxy.topics.map(\.all) == [["proxy.error", "proxy.denied", "proxy.fine"]])
        let services = try #require(Till.plan(Fixture.services))
        #expect(services.topics.map(\.pattern) == ["log.*"])
    }

    @Test func `arguments stand in the order of the signature`() throws {
        let text = Till.steps("set x = mask(note, keep_first: 2)").text
        let plan = try #require(Till.plan(text))
        guard case .set(_, let value) = plan.steps[0].kind,
            case .call(.mask, let arguments) = value.kind
        else {
            Issue.record("not a call of mask")
            return
        }
        #expect(arguments.map { $0?.kind.literal } == [nil, nil, .int(2)])
        #expect(arguments[1] == nil)
    }

    @Test func `a drop without a reason is called by its condition`() throws {
        let plan = try #require(Till.plan(Fixture.services))
        guard case .drop(let reason, _) = plan.steps[0].kind else {
            Issue.record("not a drop")
            return
        }
        #expect(reason == "level == \"low\" and app != \"pay\"")
    }

    @Test func `the input of a test is the content of a file`() throws {
        let plan = try #require(Till.plan(Fixture.tills))
        let input = try #require(plan.tests.first).input
        #expect(input.hasPrefix("receipt,shop"))
        #expect(input.hasSuffix("03:04:05\n"))
    }

    @Test func `fields of an unchecked json may be anything`() throws {
        let text =
            Till.from + "parse json\ndrop \"x\" if a.b == 5\n"
            + "send { topic = \"t\"  key = a ?? null  value = json(*) }\n" + Till.onError
        let (plan, diagnostics) = PipelineCompiler.compile(SourceText(path: "p", text: text))
        #expect(diagnostics.map(\.code) == [.untyped])
        #expect(plan?.fieldNames == ["a"])
        #expect(plan?.isUntyped == true)
    }

    @Test(arguments: [
        ("UTF-8", nil), ("utf8", nil), ("UTF-16", "UTF-16"), ("latin1", "latin1"),
    ])
    func `UTF-8 is no encoding to decode`(name: String, encoding: String?) throws {
        let from = "from \"a\" { encoding = \"\(name)\" }\nparse text\n"
        let send = "send { topic = \"t\" value = @raw }\n"
        let plan = try #require(Till.plan(from + send + Till.onError))
        #expect(plan.input.encoding == encoding)
        #expect(plan.input.invalidUTF8 == .keep)
    }

    @Test func `what from does not say has a default`() throws {
        let input = try #require(Till.plan(Till.steps("").text)).input
        #expect(input.start == .beginning)
        #expect(input.newFiles == .beginning)
        #expect(input.ignoreOlder == nil)
        #expect(input.oldFiles == .end)
        #expect(input.rotateWait == .seconds(5))
        #expect(input.closeInactive == .seconds(300))
        #expect(input.multilineTimeout == .seconds(5))
        #expect(input.compressed == .auto)
    }

    @Test func `settings of from are in the plan`() throws {
        let text = """
            from "a" {
              new_files = end
              ignore_older = 7d
              old_files = beginning
              rotate_wait = 500ms
              close_inactive = 0s
              multiline_timeout = 1m
              compressed = no
            }
            parse text
            send { topic = "t"  value = @raw }

            """
        let input = try #require(Till.plan(text + Till.onError)).input
        #expect(input.newFiles == .end)
        #expect(input.ignoreOlder == .seconds(604_800))
        #expect(input.oldFiles == .beginning)
        #expect(input.rotateWait == .milliseconds(500))
        #expect(input.closeInactive == .zero)
        #expect(input.multilineTimeout == .seconds(60))
        #expect(input.compressed == .no)
    }

    @Test func `every function has a usage line`() {
        #expect(Function.redact.usage == "redact(text, kind, …) → string")
        #expect(Function.mask.usage == "mask(text, keep_last:, keep_first:) → string")
        for function in Function.allCases {
            #expect(!function.signature.summary.isEmpty)
            #expect(Function.reserved[function.rawValue] == nil)
        }
    }
}
