import Testing

@testable import PipelineLanguage
@testable import PipelineTools

struct ManualTests {
    @Test(arguments: DiagnosticCode.allCases)
    func `the wrong example of a code has exactly this fault, and the right one none`(
        code: DiagnosticCode
    ) {
        let page = code.page
        guard let examples = page.examples else {
            #expect(page.finder == .host)
            return
        }
        let wrong = codes(examples.frame.pipeline(examples.wrong), page.finder)
        #expect(wrong == [code], "\(examples.wrong)")
        let right = codes(examples.frame.pipeline(examples.right), page.finder)
        #expect(right.isEmpty, "\(examples.right)")
    }

    private func codes(_ text: String, _ finder: DiagnosticPage.Finder) -> [DiagnosticCode] {
        var context = PipelineContext()
        if finder == .defaults {
            context.defaults.errorPolicy = "on error skip"
            context.defaults.place = "forktail.conf:1"
        }
        let source = SourceText(path: "example.pipeline", text: text)
        let (plan, diagnostics) = PipelineCompiler.compile(source, in: context)
        let remade = finder == .remakeAnalysis ? plan.map(RemakeAnalysis.diagnostics) ?? [] : []
        return (diagnostics + remade).map(\.code)
    }

    @Test(arguments: WordPage.all.filter { $0.kind == .type || $0.kind == .format })
    func `the example of a type or a format compiles`(page: WordPage) {
        let isType = page.kind == .type
        let parse = isType ? "parse json {\n  \(page.example)\n}" : page.example
        #expect(codes(DiagnosticPage.Frame.parse.pipeline(parse), .compiler).isEmpty)
    }

    /// They use columns of their own, so that only their grammar can be held.
    @Test(arguments: WordPage.all.filter { $0.kind == .statement || $0.kind == .metadata })
    func `the example of a statement or an @name can be read`(page: WordPage) {
        let isLine = page.kind == .metadata && !page.example.hasPrefix("set ")
        let steps = isLine ? "send {\n  topic = \"t\"\n  \(page.example)\n}" : page.example
        let found = codes(DiagnosticPage.Frame.steps.pipeline(steps), .compiler)
        let isReadable = !found.contains { $0.rawValue.hasPrefix("E1") }
        #expect(isReadable, "\(found)")
    }

    @Test func `every word of the language has an entry`() {
        let words = Set(Manual.words)
        for name in Checker.typeNames { #expect(words.contains(name), "type \(name)") }
        for name in Parser.formats { #expect(words.contains(name), "format \(name)") }
        for name in Meta.names { #expect(words.contains("@\(name)"), "metadata \(name)") }
        for name in Parser.statements {
            #expect(Manual.page(for: name == "on" ? "on error" : name) != nil, "statement \(name)")
        }
    }

    @Test func `every entry can be found and has lines that fit`() throws {
        for word in Manual.words {
            let page = try #require(Manual.page(for: word), "\(word)")
            #expect(page.hasSuffix("\n"))
        }
        #expect(Manual.page(for: "e301") == Manual.page(for: "E301"))
        #expect(Manual.page(for: "mask()") == Manual.page(for: "mask"))
        #expect(Manual.page(for: "host") == Manual.page(for: "@host"))
        #expect(Manual.page(for: "avro")?.contains("schema registry") == true)
    }

    @Test func `an entry of a function has its examples with their results`() {
        #expect(
            Manual.page(for: "truncate") == """
                truncate(text, bytes) → string

                the text's beginning of at most so many bytes; a character is never cut

                  truncate("héllo", 2)  →  "h"
                  truncate("héllo", 3)  →  "hé"

                """
        )
    }

    @Test func `an entry of a code shows what is wrong and what is right`() {
        #expect(
            Manual.page(for: "E106") == """
                E106 (error): `=` where `==` was meant

                `=` writes, `==` compares.

                  wrong
                    drop "five" if id = 5

                  right
                    drop "five" if id == 5

                """
        )
    }

    @Test(arguments: [("maks", "mask"), ("e3o1", nil), ("E999", nil), ("on eror", "on error")])
    func `a slip leads to the entry that was meant`(word: String, meant: String?) {
        #expect(Manual.page(for: word) == nil)
        if let meant { #expect(Manual.suggestion(for: word) == meant) }
    }

    @Test func `the list of all names each word`() {
        let contents = Manual.contents
        for word in Manual.words where !EventPages.all.contains(where: { $0.name == word }) {
            #expect(contents.contains(word), "\(word)")
        }
    }
}
