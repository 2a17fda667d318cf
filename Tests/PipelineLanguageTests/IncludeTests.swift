import Testing

@testable import PipelineLanguage

struct IncludeTests {
    private typealias Compiled = (plan: Plan?, diagnostics: [Diagnostic], source: SourceText)

    /// Compiles a pipeline with steps, of files that are given by their paths.
    private func compile(_ steps: String, _ files: [String: String]) -> Compiled {
        var source = SourceText(path: "etc/till.pipeline", text: Till.steps(steps).text)
        let (plan, diagnostics) = PipelineCompiler.compile(&source, in: context(files))
        return (plan, diagnostics, source)
    }

    private func context(_ files: [String: String]) -> PipelineContext {
        var context = PipelineContext()
        context.read = { path in
            files[path].map { .bytes(Array($0.utf8)) } ?? .unreadable("no such file")
        }
        return context
    }

    private func render(_ compiled: Compiled) -> String {
        DiagnosticRenderer(source: compiled.source).text(compiled.diagnostics)
    }

    @Test func `the steps of an included file stand where include stands`() throws {
        let compiled = compile(
            "let a = 1\nif id > 5 {\n  include \"lib/pii.steps\"\n}",
            ["etc/lib/pii.steps": "set note = \"n\"  # no line feed at the end\nset b = a"]
        )
        let plan = try #require(compiled.plan, "\(render(compiled))")
        guard case .if(let branches, _) = plan.steps[1].kind else {
            Issue.record("not an if: \(plan.steps[1])")
            return
        }
        #expect(branches[0].steps.count == 2)
        #expect(plan.source.text(in: branches[0].steps[1].span) == "set b = a")
        #expect(compiled.diagnostics.isEmpty)
    }

    @Test func `an error points into the included file, and says who included it`() {
        let files = [
            "etc/lib/a.steps": "\n  include \"b.steps\"\n",
            "etc/lib/b.steps": "set x = \"\"\nset y = shpo",
        ]
        let compiled = compile("include \"lib/a.steps\"", files)
        #expect(
            render(compiled) == """
                error[E201]: unknown field `shpo`
                 --> etc/lib/b.steps:2:9
                 ::: included from etc/lib/a.steps:2:3
                 ::: included from etc/till.pipeline:10:1
                  |
                2 | set y = shpo
                  |         ^^^^ no such column in `parse csv`
                  = help: did you mean `shop`?

                """
        )
        let renderer = DiagnosticRenderer(source: compiled.source)
        #expect(
            compiled.diagnostics.flatMap(renderer.compilerLines) == [
                "etc/lib/b.steps:2:9: error: unknown field `shpo` [E201]",
                "etc/lib/a.steps:2:3: note: included from here",
                "etc/till.pipeline:10:1: note: included from here",
            ]
        )
    }

    @Test(arguments: [
        (["etc/lib/a": "include \"a\""], "\"a\" includes itself"),
        (["etc/lib/a": "include \"../lib/./a\""], "\"../lib/./a\" includes itself"),
        (["etc/lib/a": "include \"b\"", "etc/lib/b": "include \"a\""], "\"a\" includes itself"),
        (["etc/lib/a": "include \"../till.pipeline\""], "\"../till.pipeline\" includes itself"),
        ([:], "\"lib/a\" cannot be included"),
        (["etc/lib/a": "include \"\""], "this path is empty"),
        (["etc/lib/a": "parse text"], "an included file has steps only"),
        (["etc/lib/a": "on error stop"], "an included file has steps only"),
        (["etc/lib/a": "sett a = 1"], "unknown statement `sett`"),
        (["etc/lib/a": "set a = '''\n b"], "this text does not end"),
        (["etc/lib/a": "if id > 1 {\n set a = 1"], "this `{` is not closed"),
    ])
    func `a wrong include is refused, with one error`(files: [String: String], message: String) {
        let compiled = compile("include \"lib/a\"", files)
        #expect(compiled.plan == nil)
        #expect(compiled.diagnostics.map(\.message) == [message])
    }

    @Test func `depth and number of included files are limited`() {
        func files(_ count: Int, _ text: (Int) -> String) -> [String: String] {
            Dictionary((0..<count).map { ("etc/\($0)", text($0)) }) { first, _ in first }
        }
        let deep = compile("include \"0\"", files(20) { "include \"\($0 + 1)\"" })
        #expect(deep.diagnostics.map(\.message) == ["files are included 8 deep at most"])
        #expect(deep.source.piece(at: deep.diagnostics[0].span.start).path == "etc/7")
        // Each file includes the next one thrice: 3^7 copies without the limit.
        let wide = files(7) { number in
            String(repeating: number < 6 ? "include \"\(number + 1)\"\n" : "#\n", count: 3)
        }
        let tree = compile("include \"0\"", wide)
        #expect(Set(tree.diagnostics.map(\.message)) == ["a pipeline includes 64 files at most"])
        #expect(tree.source.pieces.count == 65)
        let large = compile("include \"a\"", ["etc/a": String(repeating: "#", count: 1 << 20)])
        #expect(large.diagnostics.map(\.message) == ["this file is larger than 1 MiB"])
    }

    @Test func `a file that is included twice has its errors once`() {
        let compiled = compile(
            "include \"a\"\ninclude \"a\"",
            ["etc/a": "set note = lowr(note)"]
        )
        #expect(compiled.diagnostics.count == 1)
    }

    @Test func `an absolute path is taken as it is, and on error may include too`() throws {
        let source = SourceText(
            path: "till.pipeline",
            text: Till.from + Till.columns + Till.send
                + "on error {\n  include \"/lib/dead\"\n}\n"
        )
        let files = ["/lib/dead": "send { topic = \"d\"  value = @raw }"]
        let plan = try #require(PipelineCompiler.compile(source, in: context(files)).plan)
        guard case .steps(let steps) = plan.errorPolicy else {
            Issue.record("the policy is \(plan.errorPolicy)")
            return
        }
        #expect(steps.count == 1)
    }

    // MARK: Archives

    @Test func `an archive compiles to the same without the files`() throws {
        let compiled = compile(
            "include \"lib/a.steps\"",
            [
                "etc/lib/a.steps": "include \"b→.steps\"\n",
                "etc/lib/b→.steps": "set note = \"ü\"",
            ]
        )
        let plan = try #require(compiled.plan)
        let (source, included) = SourceText.unpack(plan.source.archive, path: "etc/till.pipeline")
        #expect(included.keys.sorted() == ["etc/lib/a.steps", "etc/lib/b→.steps"])
        var context = PipelineContext()
        context.read = { included[$0].map { .bytes($0) } ?? .unreadable("gone") }
        let again = try #require(PipelineCompiler.compile(source, in: context).plan)
        #expect(again.source.bytes == plan.source.bytes)
        #expect(again.source.archive == plan.source.archive)
    }

    @Test func `a text that includes nothing is its own archive`() throws {
        let plan = try #require(Till.plan(Fixture.tills))
        #expect(plan.source.archive == Fixture.tills)
        #expect(SourceText.unpack(Fixture.tills, path: "p").source.bytes == plan.source.bytes)
    }

    @Test(arguments: ["%sources\n", "%sources\n5 5\nab", "%sources\n-1 9\n", "%sources\nx\n"])
    func `a damaged archive is no pipeline, and nothing worse`(archive: String) {
        #expect(SourceText.unpack(archive, path: "p").source.bytes.isEmpty)
    }

    @Test func `an archive is no pipeline by itself`() throws {
        let compiled = compile("include \"a\"", ["etc/a": "set note = \"n\""])
        #expect(Till.plan(try #require(compiled.plan).source.archive) == nil)
    }
}
