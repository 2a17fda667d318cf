import Testing

@testable import PipelineLanguage

struct StatementTests {
    private func verify(
        _ marked: MarkedText,
        _ location: Testing.SourceLocation = #_sourceLocation
    ) {
        #expect(marked.found == marked.marks, sourceLocation: location)
    }

    // MARK: rename, keep

    @Test(arguments: [
        "rename note to text\nset x = text",
        "rename note to text\nset x = «E201:note»",
        "rename «E201:nota» to text",
        "rename note to «E404:clerk»",
        "rename note to «E404:note»",
        "let a = 1\nrename note to «E404:a»\nset b = a",
        "remove clerk\nrename note to clerk\nset x = lower(clerk)",
        "rename clerk to who\nset x = \"${«E301:who»}\"",
        "rename note to «E201:who».name",
        "let a = 1\nrename «E201:a» to b\nset c = a",
        "if id > 1 { rename note to text }\nset x = text ?? \"none\"",
    ])
    func `a renamed field has its new name only, and its type`(steps: String) {
        verify(Till.steps(steps))
    }

    @Test func `a member can become a field, and a field a member`() {
        verify(Till.jsonSteps("rename buyer.name to name\nset x = name ?? \"none\""))
        verify(Till.jsonSteps("set to = {}\nrename tags to to.tags\nset x = to.tags ?? 0"))
        verify(Till.jsonSteps("rename tags to «E201:to».tags"))
    }

    @Test(arguments: [
        "keep id, note\nset x = note",
        "keep id, shop\nset x = «E201:note»",
        "keep id, «E201:nota»",
        "let a = 1\nkeep id, «E201:a»\nset b = a",
        "keep id, «E204:note.first»",
    ])
    func `keep leaves nothing but what it names`(steps: String) {
        verify(Till.steps(steps))
    }

    @Test func `behind keep an unchecked format has no other fields`() {
        let parse = "parse «N201:json»\nkeep a, b.c\ndrop \"x\" if a == 1 and b.c == 2\n"
        verify(Till.parse(parse))
        let wrong = "parse json\nkeep a\ndrop \"x\" if «E201:d» == 1\n"
        verify(Till.parse(wrong))
    }

    @Test func `what is renamed or kept and reaches no record gets a warning`() {
        let send = "send { topic = \"till\"  value = json({ id }) }"
        verify(Till.ending("rename note to «W602:text»\n\(send)"))
        verify(Till.ending("set «W602:x» = 1\nkeep id\n\(send)"))
        verify(Till.ending("set «W602:x» = 1\nkeep id\n" + Till.send))
    }

    @Test func `under exactly once a renamed field still depends on the time`() throws {
        for (steps, count) in [
            ("set a = string(unix(@now))\nrename a to note2", 1),
            ("set a = string(unix(@now))\nrename a to b\nrename note to note2", 0),
            ("set note2 = string(unix(@now))\nkeep note2, id", 1),
            ("set a = unix(@now)\nset b = a\nkeep note, id\nrename note to note2", 0),
        ] {
            let send = "send { topic = \"till\"  key = note2  value = @raw }"
            let plan = try #require(Till.plan(Till.ending("\(steps)\n\(send)").text))
            #expect(RemakeAnalysis.diagnostics(of: plan).count == count, "\(steps)")
        }
    }

    @Test func `rename and keep cannot stand in on error`() {
        for step in ["«E102:rename» a to b", "«E102:keep» a"] {
            let policy = "on error {\n  \(step)\n  send { topic = \"d\"  value = @raw }\n}\n"
            verify(MarkedText(Till.from + Till.columns + Till.send + policy))
        }
    }

    @Test(arguments: [
        "topic = \"t\"  key = «W603:\"k\"»  value = @raw",
        "topic = \"t\"  key = «W603:lower(\"K${@pipeline}\")»  value = @raw",
        "topic = \"t\"  key = @host  value = @raw",
        "topic = \"t\"  key = null  value = @raw",
        "topic = \"t\"  key = \"k\"  partition = id  value = @raw",
        "topic = \"t\"  key = \"k-${id}\"  value = @raw",
    ])
    func `a key that never changes gets a warning`(lines: String) {
        verify(Till.ending("send { \(lines) }"))
    }

    @Test func `rename, keep, include and send to are exported and come back`() throws {
        let steps = """
            rename note to text
            keep id, `two words`.b
            include "lib/x.steps"
            send to archive {
              topic = "t"
              value = @raw
            }

            test "a" {
              input '''
                x
                '''
              expect to far-away { topic = "t" }
              expect to "7" { topic = "t" }
            }

            """
        let source = SourceText(path: "p.pipeline", text: Till.from + Till.columns + steps)
        guard case .json(let json) = PipelineExport.json(of: source) else {
            Issue.record("not exported")
            return
        }
        let back = try PipelineExport.text(fromJSON: SourceText(path: "p.json", text: json))
        #expect(String(decoding: back, as: UTF8.self).contains(steps.split(separator: "\n")[1]))
        let again = SourceText(path: "p.pipeline", bytes: back)
        guard case .json(let second) = PipelineExport.json(of: again) else {
            Issue.record("does not come back")
            return
        }
        #expect(second == json)
        for part in [
            "\"do\": \"rename\"", "\"do\": \"keep\"", "\"file\": \"lib/x.steps\"",
            "\"to\": \"archive\"",
        ] {
            #expect(json.contains(part))
        }
    }

    // MARK: send to

    private func context(_ clusters: [String]?, own: String? = "main") -> PipelineContext {
        var context = PipelineContext()
        context.clusters = clusters
        context.cluster = own
        return context
    }

    private func found(_ text: String, clusters: [String]) -> [String] {
        let source = SourceText(path: "p", text: text)
        return PipelineCompiler.compile(source, in: context(clusters)).diagnostics.map {
            "\($0.code.rawValue) \(source.text(in: $0.span)): \($0.help ?? "")"
        }
    }

    @Test func `send to names a cluster of the configuration`() {
        let text = Till.ending("send to archive { topic = \"t\"  value = @raw }").text
        let block = "forktail.conf names clusters by `kafka archive { … }`"
        #expect(found(text, clusters: ["main", "archive"]) == [])
        #expect(found(text, clusters: ["archives"]) == ["E208 archive: did you mean `archives`?"])
        #expect(found(text, clusters: ["main"]) == ["E208 archive: \(block); it has main"])
        #expect(found(text, clusters: []) == ["E208 archive: \(block)"])
        verify(Till.ending("send to «E102:{» topic = \"t\"  value = @raw }"))
    }

    @Test(arguments: ["far-away", "\"far-away\"", "eu.2"])
    func `a cluster is named as its block is`(name: String) {
        let text = Till.ending("send to \(name) { topic = \"t\"  value = @raw }").text
        #expect(found(text, clusters: ["far-away", "eu.2"]) == [])
    }

    private func destinations(_ steps: String, policy: String, own: String?) throws -> [Destination]
    {
        let text = "from \"a\"\nparse text\n\(steps)\n\(policy)\n"
        let source = SourceText(path: "p", text: text)
        let plan = PipelineCompiler.compile(source, in: context(nil, own: own)).plan
        return try #require(plan).destinations
    }

    private static let twice = """
        send { topic = "t"  value = @raw }
        send to archive { topic = "t"  value = @raw }
        """

    @Test(
        arguments: [
            (twice, "on error skip", "main", [.own, .other("archive")]),
            (twice, "on error skip", "archive", [.own]),
            (twice, "on error skip", nil, [.own, .other("archive")]),
            ("send to b { topic = \"t\"  value = @raw }", "on error stop", "main", [.other("b")]),
            (
                "send to b { topic = \"t\"  value = @raw }", "on error dead_letter \"d\"", "main",
                [.own, .other("b")]
            ),
            (
                "send to b { topic = \"t\"  value = @raw }",
                "on error { send to a { topic = \"d\"  value = @raw } }", "main",
                [.other("b"), .other("a")]
            ),
            ("drop", "on error skip", "main", [.own]),
        ] as [(String, String, String?, [Destination])]
    )
    func `a pipeline goes to the clusters that it names`(
        steps: String,
        policy: String,
        own: String?,
        found: [Destination]
    ) throws {
        #expect(try destinations(steps, policy: policy, own: own) == found)
    }

    @Test(arguments: ["main", nil])
    func `whose a cluster was is kept with the text of a pipeline`(own: String?) throws {
        var kept = context(["main", "archive"], own: own)
        kept.defaults = PipelineDefaults(errorPolicy: "on error stop")
        let text = "from \"a\"\nparse text\n\(Self.twice)\n"
        let archive = kept.archived(text, namesClusters: true)
        // Another one is the process's own by now, and the cluster is gone.
        let (found, rest) = context(["other"], own: "other").unarchived(archive)
        #expect(rest == text)
        #expect(found.cluster == own)
        #expect(found.defaults.errorPolicy == "on error stop")
        let plan = PipelineCompiler.compile(SourceText(path: "p", text: rest), in: found).plan
        #expect(plan?.destinations == [.own, .other("archive")])
        #expect(kept.archived(text, namesClusters: false) == kept.defaults.archived(with: text))
        // What an earlier Forktail has kept went to one cluster, whatever that is called by now.
        let old = context(["archive"], own: "archive").unarchived(text + "on error stop\n")
        let source = SourceText(path: "p", text: old.text)
        let only = PipelineCompiler.compile(source, in: old.context).plan
        #expect(only?.destinations == [.own])
    }
}
